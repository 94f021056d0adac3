"""The Braille letters: the shipped readings, their events, and the split."""

import numpy as np
import pytest

import snnc
from snnc.data.crossings import DOWN, UP, level_crossings
from snnc.data.sets import braille
from snnc.errors import DataError


def test_every_letter_is_in_both_splits_and_no_recording_is():
    train, test = (snnc.data("braille", split) for split in ("train", "test"))
    assert (np.bincount(train.labels) == 40).all()
    assert (np.bincount(test.labels) == 10).all()
    assert train.names == test.names == braille.LETTERS
    assert (len(train.names), train.shape, train.kind) == (27, (2, 4, 12), "events")
    first = np.load(braille.FILE)
    assert first["letters"].tolist() == list(braille.LETTERS)
    assert first["label"][first["repetition"] % 5 == 4].tolist() == test.labels.tolist()
    assert sorted(set(train.samples.place % 12)) == [1, 2, 6, 10]  # the taxels that move


def test_the_events_lead_back_to_the_readings():
    """Adding the events of threshold 1 gives the readings: nothing is lost in it."""
    readings = np.load(braille.FILE)
    chosen = readings["repetition"] % 5 == 4
    values, events = readings["taxels"][chosen].astype(int), snnc.data("braille", "test").samples
    polarity, row, taxel = np.unravel_index(events.place.astype(int), (2, 4, 12))
    last = (events.t.astype(int) + 24_999) // 25_000  # the reading at which the level was passed
    moved = np.zeros(values.shape, int)
    of_one = row == 0
    np.add.at(moved, (events.samples[of_one], last[of_one], taxel[of_one]), np.where(polarity[of_one] == UP, 1, -1))
    assert (values[:, :1] + np.cumsum(moved, axis=1) == values).all()
    assert (values != values[:, :1]).any()


def test_levels_are_crossed_on_a_straight_line():
    values = np.array([[[10], [15], [15], [6]]])
    events = level_crossings(values, (4, 1), 100)
    polarity, row, _ = np.unravel_index(events.place.astype(int), (2, 2, 1))
    of_four = [(int(t), int(p)) for t, p, r in zip(events.t, polarity, row, strict=True) if r == 0]
    assert of_four == [(80, UP), (200 + 100 * 5 // 9, DOWN), (200 + 100 * 9 // 9, DOWN)]
    of_one = [int(t) for t, r in zip(events.t, row, strict=True) if r == 1]
    assert of_one == [20, 40, 60, 80, 100, *(200 + 100 * i // 9 for i in range(1, 10))]


@pytest.mark.parametrize("thresholds", [(), (0,), (1, -2)])
def test_a_threshold_is_positive(thresholds):
    with pytest.raises(DataError, match="thresholds"):
        level_crossings(np.zeros((1, 2, 1), int), thresholds, 10)
    with pytest.raises(DataError, match="float64"):
        level_crossings(np.zeros((1, 2, 1)), (1,), 10)
