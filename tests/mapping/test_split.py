"""Samples that are split over processes or a cluster give the bytes of one machine."""

import json

import pytest
from cases.networks import fixed_chain
from conftest import snnc

from snnc import store
from snnc.pipeline import distributed


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "AT_ONCE", 70)
    store.save(fixed_chain(sizes=(64, 20, 10)), tmp_path / "net.snnc")
    return ["simulate", tmp_path / "net.snnc", "--samples", 200, "--json", "-q", "-o", tmp_path / "out.npz", "--force"]


def outcome(capsys, folder, *words):
    assert snnc(*words) == 0
    return json.loads(capsys.readouterr().out), (folder / "out.npz").read_bytes()


@pytest.mark.parametrize("executor", ["local", pytest.param("dask", marks=pytest.mark.slow)])
def test_the_bytes_do_not_depend_on_who_ran_it(executor, words, tmp_path, capsys):
    if executor == "dask":
        pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install '.[cluster]'")
    alone = outcome(capsys, tmp_path, *words)
    assert alone[0]["spikes"]["output"] > 0
    jobs = 2 if executor == "dask" else 1
    assert outcome(capsys, tmp_path, *words, "--executor", executor, "--jobs", jobs) == alone


def test_an_interrupt_keeps_the_first_samples(words, tmp_path, monkeypatch, capsys):
    whole, calls = distributed.some_samples, []

    def stopped(split, unit):
        calls.append(unit)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(split, unit)

    monkeypatch.setattr(distributed, "some_samples", stopped)
    assert snnc(*words, "--executor", "local") == 130
    assert json.loads(capsys.readouterr().out)["samples"] == 140


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--jobs", "2"], "add --executor"),
        (["--scheduler", "x"], "add --executor"),
        (["--executor", "local", "--scheduler", "x"], "only Dask"),
        (["--executor", "local", "--against", "net.snnc"], "one machine only"),
    ],
)
def test_options_that_do_not_go_together(words, more, said, capsys):
    assert snnc(*words, *more) == 2
    assert said in capsys.readouterr().out
