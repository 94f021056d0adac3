"""Folders that an export left: what may be in them, and what is said of those that were altered."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.exported import export, proof, saved
from cases.networks import fixed_chain, spikes

from snnc import store, targets
from snnc.cli import main
from snnc.errors import DataError, FileError
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare, join
from snnc.verification.prove import from_samples


@pytest.fixture
def artifact(tmp_path):
    """The folder of an export to Lava."""
    return export("lava", fixed_chain(), tmp_path / "a").root


def test_altered_files_are_named(artifact):
    (artifact / "weights.npz").write_bytes(b"x")
    (artifact / "run.py").unlink()
    assert targets.altered_files(targets.read_artifact(artifact)) == ["run.py", "weights.npz"]


def test_files_that_the_manifest_does_not_list_are_named(artifact):
    edited(artifact, files={})
    (artifact / "more").mkdir()
    (artifact / "more" / "x.so").write_bytes(b"x")
    assert targets.altered_files(targets.read_artifact(artifact)) == []
    assert targets.foreign_files(targets.read_artifact(artifact)) == ["more/x.so", "network.json", "run.py", "weights.npz"]


def edited(artifact, **changes):
    manifest = json.loads((artifact / "manifest.json").read_text()) | changes
    (artifact / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "snnc.artifact/9"}, "schema"),
        ({"files": {"../../etc/passwd": "0"}}, "outside"),
        ({"files": {"/etc/passwd": "0"}}, "outside"),
        ({"files": {"link/x": "0"}}, "leads out"),
        ({"files": 3}, "damaged"),
        ({"latency": {"input": -1}}, "latency of -1"),
        ({"latency": {"input": 10**9}}, "latency of 1000000000"),
        ({"latency": {"input": "soon"}}, "damaged"),
        ({"latency": {}}, "no population"),
        ({"network": None}, "damaged"),
        ({"dt_s": []}, "damaged"),
    ],
)
def test_a_hostile_manifest_is_one_sentence(artifact, changes, said):
    (artifact / "link").symlink_to("/")
    edited(artifact, **changes)
    with pytest.raises(FileError, match=said) as caught:
        targets.read_artifact(artifact)
    assert "manifest.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass")])
def test_a_manifest_that_is_no_manifest(artifact, text):
    (artifact / "manifest.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileError):
        targets.read_artifact(artifact)


def test_a_folder_without_a_manifest(tmp_path):
    with pytest.raises(FileError, match="no such file; name a folder that snnc export wrote"):
        targets.read_artifact(tmp_path)


def test_a_manifest_too_large(artifact, monkeypatch):
    monkeypatch.setattr("snnc.targets.artifact.MAX_MANIFEST_BYTES", 10)
    with pytest.raises(FileError, match="at most 10"):
        targets.read_artifact(artifact)


def test_verify_against_another_network(artifact):
    with pytest.raises(Exception, match="has populations hidden1, input, output, the network 'case' has hidden1, hidden2"):
        proof(artifact, fixed_chain(sizes=(12, 20, 9, 5)))


def test_verify_without_a_program(artifact):
    (artifact / "run.py").unlink()
    with pytest.raises(FileError, match=r"run\.py: no such file"):
        proof(artifact)


def test_images_must_suit_the_network():
    net = fixed_chain()
    source = from_samples(net, np.full((4, 12), 200, np.uint8))
    np.testing.assert_array_equal(source(0, 4)["input"][2:], source(2, 2)["input"])
    with pytest.raises(Exception, match="samples have 9 pixels"):
        from_samples(net, np.zeros((4, 9), np.uint8))


def test_verdicts_on_successive_samples_become_one():
    net = fixed_chain()
    first, second = (simulate(net, spikes(net, samples=3, seed=seed), record=True) for seed in (0, 1))
    output = second.spikes["output"].copy()
    output[1, 2, 3] ^= 1
    wrong = replace(second, spikes={**second.spikes, "output": output})
    joined = join([(0, compare(first, first)), (3, compare(second, wrong)), (6, compare(second, wrong))])
    assert (joined.first.sample, joined.first.population, joined.first.step, joined.first.neuron) == (4, "output", 2, 3)
    assert joined.mismatches == 2
    assert joined.spikes["output"] == (3 * output.size, 2)
    assert joined.fired["output"] == first.spikes["output"].sum() + 2 * second.spikes["output"].sum()
    assert not joined.exact
    with pytest.raises(DataError):
        join([])


def test_verify_says_that_it_runs_only_when_it_does(tmp_path, capsys):
    path = saved(fixed_chain(), tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["verify", str(tmp_path / "none"), "--against", str(path), "--random", "0.3"])
    assert end.value.code == 2
    assert "running" not in capsys.readouterr().err


def test_the_end_of_a_file_is_no_interruption(tmp_path, monkeypatch, capsys):
    def empty(path):
        raise EOFError("No data left in file")

    monkeypatch.setattr(store, "load", empty)
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path / "net"), "-t", "lava", "-o", str(tmp_path / "a")])
    assert (end.value.code, capsys.readouterr().err.strip()) == (1, "error: a file ends too early: No data left in file")
