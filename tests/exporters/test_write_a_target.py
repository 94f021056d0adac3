"""docs/how-to/write-a-target.md: the file that it shows is a target, as soon as it lies beside the others."""

import importlib
import json
import sys

import pytest
from cases.blocks import blocks, lines, words
from cases.exported import content
from cases.networks import fixed_chain, float_chain
from conftest import ROOT, snnc
from tests.exporters import test_matrix

from snnc import neurons, ops, targets
from snnc.base import registry
from snnc.errors import UnsupportedError
from snnc.verification.prove import from_noise, verify_artifact

PAGE = ROOT / "docs" / "how-to" / "write-a-target.md"
BLOCKS = dict(blocks(PAGE))


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """A folder in which the file of the page is, as if it lay in exporters/."""
    package = importlib.import_module(targets.EXPORTERS)
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "rows.py").write_text(BLOCKS["python"])
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "beside")])
    registry.shipped.cache_clear()
    yield tmp_path
    registry.shipped.cache_clear()
    sys.modules.pop(f"{targets.EXPORTERS}.rows", None)
    vars(package).pop("rows", None)


def test_its_commands_end_in_an_exact_verdict(rows, monkeypatch, capsys):
    monkeypatch.chdir(rows)
    for line in lines(BLOCKS["sh"]):
        assert line.startswith("snnc ")
        assert snnc(*words(line)) == 0, line
    assert "EXACT" in capsys.readouterr().out.splitlines()[-1]
    assert snnc("targets", "--json") == 0
    assert json.loads(capsys.readouterr().out)["targets"]["rows"]["verified_by"] == "NumPy"


WRONG = {
    "threshold": ('layer["threshold"] <<', '(layer["threshold"] + 1) <<'),
    "reset": ("np.where(now > threshold, 0, now)", "now"),
    "decay": ("np.sign(now) * (np.abs(now) * kept >>", "(now * kept >>"),
    "bias": ('+ layer["bias"]', ""),
    "exponent": ("sums >> -wire", "sums << -wire"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_rule_that_is_wrong_is_found(what, rows):
    net = fixed_chain(bias=640, exponent=-1)
    artifact = targets.export("rows", net, None, rows / "a")
    program = artifact.root / "run.py"
    assert verify_artifact(artifact, net, from_noise(net, 16, 0.3, 0), 3).exact
    assert WRONG[what][0] in program.read_text()
    program.write_text(program.read_text().replace(*WRONG[what]))
    assert not verify_artifact(artifact, net, from_noise(net, 16, 0.3, 0), 3, as_it_is=True).exact


def test_the_matrix_holds_for_it(rows, monkeypatch):
    for model in neurons.names():
        for kind in ops.kinds():
            (rows / f"{model}_{kind}").mkdir()
            test_matrix.test_a_pair_that_says_no_is_refused_with_its_reason("rows", model, kind, rows / f"{model}_{kind}")
    spiking = [
        (model, kind) for model, kind in test_matrix.PAIRS if {"threshold", "decay_v"} <= {*neurons.get(model).parameters()}
    ]
    monkeypatch.setattr(test_matrix, "PAIRS", spiking)  # the program cannot read what a readout or a resonator has not
    test_matrix.test_what_says_yes_works_and_what_says_no_does_not("rows", rows, monkeypatch)


def test_what_it_cannot_say_is_refused(rows):
    with pytest.raises(UnsupportedError, match="quantise it first"):
        targets.export("rows", float_chain(), None, rows / "a")


def test_two_exports_are_equal(rows):
    a, b = (targets.export("rows", fixed_chain(), None, rows / folder) for folder in "ab")
    assert content(a.root) == content(b.root)
