"""Files for other tools, verified by reading them back: what was altered in the file itself is found, or refused."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from cases.exported import export, saved
from cases.networks import fixed_chain, float_chain
from conftest import snnc

from snnc import targets
from snnc.errors import FileError, RunError
from snnc.verification.prove import from_noise, verify_artifact

FILES = {"nir": "network.nir", "netx": "network.net"}
WEIGHTS = {"nir": "node/nodes/fc1/weight", "netx": "layer/1/weight"}


def proof(artifact, net):
    return verify_artifact(artifact, net, from_noise(net, 16, 0.3, 0), 3, as_it_is=True)


@pytest.mark.parametrize("name", FILES)
def test_a_weight_altered_in_the_file_is_found(name, tmp_path):
    net = fixed_chain()
    artifact = export(name, net, tmp_path / "a")
    with h5py.File(tmp_path / "a" / FILES[name], "a") as file:
        weights = file[WEIGHTS[name]]
        at = tuple(int(i[0]) for i in np.nonzero(np.abs(weights[()]) > 2))
        weights[at] /= abs(weights[at]) / 2
    found = proof(artifact, net)
    assert found.verdict.first.population == "hidden1"
    assert found.notes[0] == f"{FILES[name]} is not what was exported"


@pytest.mark.parametrize("name", FILES)
def test_the_verdict_says_what_ran_and_what_it_does_not_say(name, tmp_path, capsys):
    path = saved(fixed_chain(), tmp_path)
    export(name, fixed_chain(), tmp_path / "a")
    assert (
        snnc(
            "verify",
            tmp_path / "a",
            "--against",
            path,
            "--random",
            "0.3",
            "--samples",
            "3",
            "--engine",
            "reference",
            "--json",
            "--as-it-is",
        )
        == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert said["candidate"] == f"snnc import of {FILES[name]}"
    assert ["what other tools make of such files" in note for note in said["notes"]] == [True]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_or_damaged_is_one_error(name, tmp_path):
    artifact = export(name, fixed_chain(), tmp_path / "a")
    path = tmp_path / "a" / FILES[name]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FileError, match=FILES[name]):
        proof(artifact, fixed_chain())
    path.unlink()
    with pytest.raises(FileError, match=FILES[name]):
        proof(artifact, fixed_chain())


@pytest.mark.parametrize("name", FILES)
def test_other_populations_than_the_manifests_are_refused(name, tmp_path):
    artifact = export(name, fixed_chain(sizes=(12, 20, 5)), tmp_path / "a")
    export(name, fixed_chain(sizes=(12, 20, 6, 5)), tmp_path / "b")
    (tmp_path / "b" / FILES[name]).replace(tmp_path / "a" / FILES[name])
    with pytest.raises(RunError, match="the manifest names input, hidden1, output"):
        proof(artifact, fixed_chain())


def test_a_chain_is_taken_in_its_own_order(tmp_path):
    """Where nothing arrives within its step, and the populations are listed from the last to the first."""
    net = fixed_chain(sizes=(20, 20, 20))
    late = tuple(replace(c, op=c.op.with_values(c.op.synapses.values), axon_delays=None) for c in net.connections)
    late = tuple(replace(c, op=replace(c.op, synapses=replace(c.op.synapses, delays=np.full(c.op.synapses.count, 1, np.int32))))
                 for c in late)  # fmt: skip
    net = replace(net, populations=net.populations[::-1], connections=late)
    assert [p.name for p in net.ordered] == ["output", "hidden1", "input"]
    artifact = targets.export("netx", net, None, tmp_path / "a")
    assert list(artifact.latency) == ["input", "hidden1", "output"]
    assert proof(artifact, net).exact


def test_a_float_network_is_read_back(tmp_path):
    net = float_chain(model="cuba")
    found = proof(export("nir", net, tmp_path / "a"), net)
    assert found.exact
    assert len(found.verdict.states) == 4
