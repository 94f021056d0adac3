"""Chips of others: what runs them computes what the network does, and no longer does when a file of the artifact is changed."""

import os
import re
import shutil
from dataclasses import replace

import pytest
from cases import peers
from cases.chip_targets import CHIPS, missed, tried
from cases.exported import saved
from conftest import snnc

from snnc import targets
from snnc.errors import ConfigError, FileError, MissingDependencyError

QUICK = 4  # of the edits; the slow test tries all
XYLO = pytest.param("xylo", marks=[pytest.mark.slow, peers.needs("xylo", "peers")])
RTL = [pytest.param(name, marks=pytest.mark.hdl) for name, chip in CHIPS.items() if chip.rtl]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """name -> artifact, inputs and what the reference makes of them, made when it is first asked for."""
    made = {}

    def case(name):
        if name not in made:
            made[name] = tried(CHIPS[name], tmp_path_factory.mktemp(name))
        return made[name]

    return case


@pytest.mark.parametrize("name", [*RTL, XYLO])
def test_what_runs_it_computes_what_the_network_does(name, cases, monkeypatch):
    """Spikes, v and u of every neuron, in two samples: the second from a fresh state."""
    CHIPS[name].ready(monkeypatch)
    case = cases(name)
    verdict = case.verdict()
    assert verdict.exact, (verdict.first, verdict.silent)
    populations = [p for p in case.artifact.latency if p != "input"]
    assert set(verdict.states) == {f"{p}.{state}" for p in populations for state in CHIPS[name].states}
    assert min(verdict.fired.values()) > 0
    assert min(x.min() for states in case.reference.states.values() for x in states.values()) < 0
    if name == "xylo":
        assert case.reference.spikes["hidden1"].max() == 31
        assert case.reference.spikes["output"].max() == 1


@pytest.mark.parametrize("name", [*RTL, XYLO])
def test_a_changed_file_is_caught(name, cases, tmp_path, monkeypatch):
    CHIPS[name].ready(monkeypatch)
    edits = list(CHIPS[name].edits(cases(name)))
    assert missed(cases(name), tmp_path, edits[len(edits) // 3 :: len(edits) // QUICK]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [*RTL, XYLO])
def test_every_kind_of_change_is_caught(name, cases, tmp_path, monkeypatch):
    CHIPS[name].ready(monkeypatch)
    edits = list(CHIPS[name].edits(cases(name)))
    assert len(edits) >= 30
    assert missed(cases(name), tmp_path, edits) == []


@pytest.mark.parametrize("name", [name for name, chip in CHIPS.items() if chip.rtl])
def test_the_rtl_is_named_by_the_user(name, cases, monkeypatch, tmp_path):
    monkeypatch.delenv(CHIPS[name].setting, raising=False)
    with pytest.raises(MissingDependencyError, match=f"--rtl or {CHIPS[name].setting}"):
        cases(name).verdict()
    monkeypatch.setenv(CHIPS[name].setting, str(tmp_path))
    with pytest.raises(ConfigError, match=r"has (\d+) of the \1 files of .* missing"):
        cases(name).verdict()


@pytest.mark.parametrize("name", RTL)
def test_verify_takes_the_folder_of_the_rtl(name, tmp_path, monkeypatch, capsys):
    CHIPS[name].ready(monkeypatch)
    where = os.environ[CHIPS[name].setting]
    monkeypatch.delenv(CHIPS[name].setting)
    path = saved(CHIPS[name].network(), tmp_path)
    assert snnc("export", path, "-t", name, "-o", tmp_path / "a") == 0
    words = ["verify", tmp_path / "a", "--against", path, "--random", "0.5", "--steps", "12", "--samples", "1"]
    assert snnc(*words, "--rtl", where) == 0
    assert f"RTL of {targets.load(name).DESIGN.name} in" in capsys.readouterr().out
    assert snnc("export", path, "-t", "npz", "-o", tmp_path / "b") == 0
    assert snnc("verify", tmp_path / "b", *words[2:], "--rtl", where) == 2
    assert re.search("target 'npz' simulates no RTL", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name in CHIPS if CHIPS[name].rtl for text in ("", "{}")]
    + [("catalyst_n1", '{"chip": {"cores": 999}}'), ("syntzulu", '{"inputs": 16, "input": "input", "layers": []}')],
)
def test_a_damaged_description_is_one_sentence(name, cases, text, tmp_path, monkeypatch):
    target = targets.load(name)
    monkeypatch.setattr(type(target.DESIGN), "folder", lambda self: tmp_path)
    shutil.copytree(cases(name).artifact.root, tmp_path / "a")
    (tmp_path / "a" / "network.json").write_text(text)
    with pytest.raises(FileError):
        target.run(replace(cases(name).artifact, root=tmp_path / "a"), cases(name).inputs, True, 60)
