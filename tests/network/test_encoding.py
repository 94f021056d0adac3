"""Encoders: integers that are the same everywhere."""

import numpy as np
import pytest

from snnc.errors import ConfigError
from snnc.network.encoding import Encoding, encode

IMAGES = np.array([[0, 1, 128, 255], [255, 64, 0, 200]], np.uint8)


def test_rate_depends_on_the_sample_and_not_on_the_batch():
    encoding = Encoding("rate", 50, seed=3)
    both = encode(encoding, IMAGES, first_sample=10)
    assert both.shape == (2, 50, 4)
    assert np.array_equal(both[1:], encode(encoding, IMAGES[1:], first_sample=11))
    assert not np.array_equal(both, encode(Encoding("rate", 50, seed=4), IMAGES, 10))
    assert not np.array_equal(both[0], encode(encoding, IMAGES[:1], 11)[0])


def test_rate_is_the_pixel_and_black_is_silent():
    images = np.tile(np.array([[0, 32, 128, 255]], np.uint8), (400, 1))
    spikes = encode(Encoding("rate", 100), images)
    assert set(np.unique(spikes)) == {0, 1}
    assert np.allclose(spikes.mean(axis=(0, 1)), [0, 32 / 256, 0.5, 255 / 256], atol=0.01)
    assert spikes[..., 0].sum() == 0


def test_rate_is_the_same_on_every_machine():
    # Philox is specified bit for bit (Salmon et al., SC 2011); these spikes must never change
    spikes = encode(Encoding("rate", 4, seed=1), np.full((1, 4), 128, np.uint8), 2)
    assert spikes[0].tolist() == GOLDEN


def test_latency_by_hand():
    spikes = encode(Encoding("latency", 5), IMAGES)
    assert [np.flatnonzero(spikes[0, :, i]).tolist() for i in range(4)] == [[], [4], [2], [0]]
    assert (spikes.sum(axis=1) <= 1).all()


def test_constant_sends_the_pixel_in_every_step():
    assert np.array_equal(encode(Encoding("constant", 3), IMAGES), np.stack([IMAGES] * 3, axis=1))
    assert Encoding("constant").message_bits == 8
    assert Encoding("constant").unit == 1 / 256


@pytest.mark.parametrize("bad", [{"kind": "morse"}, {"steps": 0}, {"steps": 10**9}])
def test_impossible_encodings_are_refused(bad):
    with pytest.raises(ConfigError):
        Encoding(**bad)


GOLDEN = [[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 1], [0, 1, 1, 1]]
