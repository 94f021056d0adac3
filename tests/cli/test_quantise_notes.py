"""`snnc quantise` says at once that the chip cannot compute what it made, and what can; `simulate` says what it needs."""

from dataclasses import replace

import pytest
from cases.networks import float_chain
from conftest import snnc

from snnc import store

SOFT = (
    "population 'hidden1' has neurons 'cuba_subtract', loihi1 computes",
    "of the targets, c, lava, npz, onnx, verilog take it; of the chips, ",
)


@pytest.mark.parametrize(("model", "notes"), [("lif", ()), ("cuba_subtract", SOFT)])
def test_what_cannot_compute_it_is_said(tmp_path, capsys, model, notes):
    store.save(float_chain(model=model), tmp_path / "net.snnc")
    assert snnc("quantise", tmp_path / "net.snnc", "--hw", "loihi1", "-o", tmp_path / "fixed.snnc") == 0
    err = " ".join(capsys.readouterr().err.split())
    assert err.count("note: ") == len(notes)
    assert all(note in err for note in notes)
    assert ("loihi2" in err.partition("of the chips, ")[2]) == bool(notes)
    assert snnc("quantise", tmp_path / "net.snnc", "--hw", "loihi1", "-q", "-o", tmp_path / "again.snnc") == 0
    assert "note" not in capsys.readouterr().err


def test_a_network_without_an_encoding_needs_rasters(tmp_path, capsys):
    store.save(replace(float_chain(sizes=(64, 8, 10)), encoding=None), tmp_path / "net.snnc")
    assert snnc("simulate", tmp_path / "net.snnc", "--data", "digits") == 2
    assert "pass rasters (--inputs), or import it anew: snnc import --encoding rate" in " ".join(capsys.readouterr().err.split())
