"""Units of work: in order, by processes that die, kept in a folder."""

import os

import numpy as np
import pytest
from cases.work import Watched, squared, squares, squaring

from snnc.base import processes as pool
from snnc.base import units
from snnc.base.kept import Kept, digest
from snnc.base.processes import processes
from snnc.base.units import Here, Work, Workers
from snnc.errors import FileError, RunError, WriteError


def test_results_come_in_the_order_of_the_units_and_few_are_handed_out_ahead():
    handed, asked = [], []
    made = units.in_order(range(10), 3, lambda u: handed.append(u) or u, lambda u: asked.append(u) or u)
    for i, unit in enumerate(made):
        assert unit == i
        assert len(handed) - len(asked) <= 2
    assert handed == asked == list(range(10))


def test_a_process_that_is_killed_changes_nothing(tmp_path):
    with processes(2) as workers:
        assert squares(workers.results(squaring(tmp_path, 3, 1), range(6))) == [0, 1, 4, 9, 16, 25]
    assert not any((tmp_path / "lives").iterdir()), "nothing was killed"


@pytest.mark.slow
def test_a_unit_that_kills_every_process_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "RETRIES", 1)
    told = r"unit 2 of 2 \(squares\) was given up: 2 workers died while they worked on it; see whether memory ran out"
    with pytest.raises(RunError, match=told), processes(2) as workers:
        squares(workers.results(squaring(tmp_path, 1, 9), range(2)))


def test_units_are_slices_of_at_most_so_much():
    amounts = np.array([3, 3, 3, 9, 1, 0, 0, 7])
    cut = units.slices(amounts, 6)
    assert cut == [(0, 2), (2, 3), (3, 4), (4, 7), (7, 8)]
    assert units.slices(np.zeros(0, np.int64), 6) == []


def test_workers_are_asked_within_only(tmp_path):
    watched, work = Watched(Here()), squaring(tmp_path)
    assert not units.are_shared()
    with units.done_by(watched):
        assert units.are_shared()
        assert squares(units.mapped(work, [1, 2])) == [1, 4]
        assert squares(units.mapped(work, [3])) == [9], "a single unit is not worth sending"
    assert squares(units.mapped(work, [1, 2])) == [1, 4]
    assert watched.done == [1, 2]


def test_what_is_finished_is_kept_and_not_done_again(tmp_path):
    watched, work, folder = Watched(Here()), squaring(tmp_path), tmp_path / "kept"
    assert squares(Kept(watched, folder).results(work, [1, 2])) == [1, 4]
    again = Watched(Here())
    assert squares(Kept(again, folder).results(work, [1, 2, 3])) == [1, 4, 9]
    assert again.done == [3]
    other = Work("squares", squared, work.given, lambda: ("others",))
    assert squares(Kept(again, folder).results(other, [1])) == [1]
    assert again.done == [3, 1], "another network's results were taken"


def test_a_damaged_result_is_made_again(tmp_path):
    work, folder = squaring(tmp_path), tmp_path / "kept"
    assert squares(Kept(Here(), folder).results(work, [1, 2])) == [1, 4]
    for path in folder.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-9])
    again = Watched(Here())
    assert squares(Kept(again, folder).results(work, [1, 2])) == [1, 4]
    assert squares(Kept(again, folder).results(work, [1, 2])) == [1, 4]
    assert again.done == [], "damaged files are mended here"


def test_a_folder_of_anything_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(FileError, match="is no folder of finished units; pick another --work"):
        Kept(Here(), tmp_path)
    with pytest.raises(FileError, match="does not exist; create it first"):
        Kept(Here(), tmp_path / "a" / "b")


def test_a_full_disk_is_one_sentence_and_keeps_what_was_finished(tmp_path, monkeypatch):
    work, folder, sync = squaring(tmp_path), tmp_path / "kept", os.fsync
    kept = Kept(Here(), folder)
    some = kept.results(work, [1, 2, 3])
    assert int(next(some)["square"]) == 1

    def full(handle):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="cannot write: No space left on device; free some space"):
        next(some)
    monkeypatch.setattr(os, "fsync", sync)
    again = Watched(Here())
    assert squares(Kept(again, folder).results(work, [1, 2, 3])) == [1, 4, 9]
    assert again.done == [2, 3]
    assert not [path for path in folder.iterdir() if path.suffix not in (".npz", ".json")], "something half written is left"


def test_lost_workers_are_told_with_what_is_kept(tmp_path):
    class Lost(Workers):
        def results(self, work, units, ahead=None):
            yield work(units[0])
            raise RunError("the scheduler was lost", fix="start it again")

    made = Kept(Lost(), tmp_path / "kept").results(squaring(tmp_path), [1, 2])
    next(made)
    with pytest.raises(RunError, match=r"was lost; start it again; 1 finished units are kept in .*kept"):
        next(made)


def test_what_identifies_work_is_told_apart():
    pairs = [(1, "1"), ([1, [2]], [[1], 2]), (b"1", "1"), (np.array([1]), np.array([1.0])), ({"a": 1}, ["a", 1, 0]), (1, True)]
    for a, b in pairs:
        assert digest(a) != digest(b)
        assert digest(a) == digest(a)
    with pytest.raises(TypeError, match="identifies nothing"):
        digest(object())
