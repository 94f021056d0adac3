"""snnc doctor: what is installed, what is missing, and whether Lava runs."""

import json
import tomllib
from importlib import metadata

import pytest
from cases.exported import without_packages
from conftest import ROOT

from snnc.cli import main
from snnc.errors import SnncError
from snnc.neurons.lif import LIF
from snnc.pipeline import doctor as installed


def doctor(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["doctor", *words])
    return end.value.code, capsys.readouterr()


def test_features_are_those_of_the_package():
    features = installed.features()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(features) == {"core", *extras} - {"all", "dev"}
    assert len(features) >= 10
    assert features["core"].missing == ()
    assert {p.name: p.version for p in features["core"].packages}["numpy"] == metadata.version("numpy")


def without(monkeypatch, *names):
    version = metadata.version

    def found(name):
        if name in names:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", found)


def test_what_is_missing_gets_the_line_that_installs_it(monkeypatch, capsys):
    without(monkeypatch, "lava-nc", "asteval", "torch")
    code, said = doctor(capsys, "--no-run", "--json", "--need", "lava", "--need", "core")
    answer = json.loads(said.out)
    assert code == 5
    assert not answer["ok"]
    assert answer["unmet"] == ["lava"]
    assert answer["features"]["lava"]["missing"] == ["asteval", "lava-nc"]
    assert answer["features"]["lava"]["install"] == (
        'pip install "asteval>=0.9" && pip install --no-deps --ignore-requires-python lava-nc==0.10.0'
    )
    assert answer["features"]["train"]["install"] == 'pip install "torch>=2.4"'


def test_nothing_needed_is_no_failure(monkeypatch, capsys):
    without(monkeypatch, "lava-nc")
    code, said = doctor(capsys, "--no-run")
    assert code == 0
    assert "to add lava: pip install --no-deps --ignore-requires-python lava-nc==0.10.0" in said.out
    assert "missing" in said.out


def test_an_interpreter_without_lava(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SNNC_LAVA_PYTHON", without_packages(tmp_path))
    code, said = doctor(capsys, "--need", "lava")
    assert code == 5
    assert "needed, but not working: lava" in said.err
    assert "cannot run Lava: No module named 'numpy'" in said.out


@pytest.mark.lava
def test_lava_runs(capsys):
    code, said = doctor(capsys, "--need", "lava", "--json")
    assert code == 0
    assert json.loads(said.out)["lava"] == {"runs": True, "message": "lava 0.10.0 computes the right spikes"}


@pytest.mark.lava
def test_a_lava_that_computes_something_else_is_no_working_lava(monkeypatch):
    step = LIF.step
    monkeypatch.setattr(LIF, "step", lambda self, state, current, a: step(self, state, current + 1, a))
    with pytest.raises(SnncError, match="other spikes"):
        installed.try_lava()
