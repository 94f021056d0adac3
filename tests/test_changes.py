"""Every target: what it wrote computes what the network does, and no longer does when one number is changed."""

import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from cases import fixed_chain
from conftest import snnc
from exported import export, saved

from snnc import neurons, targets
from snnc.importers import ImportConfig, read
from snnc.ir import Connection, Network, Population
from snnc.ops.dense import Dense
from snnc.proof import from_noise, verify_artifact
from snnc.simulate import simulate
from snnc.synapses import Synapses
from snnc.verify import compare

SOURCE = {"nir": "network.nir", "netx": "network.net"}  # what `snnc import` reads
QUIETLY = ("--engine", "reference", "--json")
SLOW = ("lava", "loihi")
WORDS = {"schema", "ok", "exact", "reference", "candidate", "samples", "mismatches", "spikes", "states", "silent", "first",
         "accuracy", "notes"}  # fmt: skip


def network():
    """A chain that every target takes, with biases, and axons that are late by one step."""
    net = fixed_chain(bias=640)
    late = replace(net.connections[0], axon_delays=np.ones(12, np.int32))
    return replace(net, connections=(late, *net.connections[1:]))


def changed(what):
    """The network with one number changed."""
    net = network()
    first, hidden = net.connections[0], net.populations[1]
    if what == "threshold":
        lower = replace(hidden, neuron=replace(hidden.neuron, threshold=hidden.neuron.threshold - 1))
        return replace(net, populations=(net.populations[0], lower, net.populations[2]))
    values, late = first.op.synapses.values.copy(), first.axon_delays.copy()
    values[0] += 2 if values[0] < 0 else -2
    late[0] += 1
    wires = {
        "weight": replace(first, op=first.op.with_values(values)),
        "shift": replace(first, op=replace(first.op, exponent=-1)),
        "delay": replace(first, axon_delays=late),
    }
    return replace(net, connections=(wires[what], *net.connections[1:]))


def plain(root):
    """The network that the numbers and words of plain data say."""
    said = json.loads((root / "network.json").read_text())
    with np.load(root / "network.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}

    def fields(name):
        return {key.split(".", 1)[1]: array for key, array in arrays.items() if key.split(".", 1)[0] == name}

    populations = [
        Population(p["name"], tuple(p["shape"]), neurons.get(p["neuron"])(**fields(p["name"])) if p["neuron"] else None)
        for p in said["populations"]
    ]
    wires = []
    for c in said["connections"]:
        own = fields(c["name"])
        stored = Synapses(tuple(c["shape"]), own["indptr"], own["indices"], own["values"])
        op = Dense(stored, c["exponent"], c["sign_mode"])
        wires.append(Connection(c["name"], c["src"], c["dst"], op, c["delay_steps"], own.get("axon_delays")))
    return Network("plain", tuple(populations), tuple(wires), said["dt_s"], network().numeric)


def verdict(name, artifact):
    """By running what was written; of data without a program, by reading it again."""
    net = network()
    source = from_noise(net, 24, 0.3, 0)
    if targets.is_runnable(targets.load(name)):
        return verify_artifact(artifact, net, source, 6, timeout_s=300).verdict
    back = plain(artifact.root) if name == "npz" else read(str(artifact.root / SOURCE[name]), ImportConfig()).network
    run, names = simulate(back, {back.inputs[0].name: source(0, 6)["input"]}, record=True), [p.name for p in net.ordered]
    ours = {own: run.spikes[theirs.name] for own, theirs in zip(names, back.ordered, strict=True)}
    states = {own: run.states[theirs.name] for own, theirs in zip(names, back.ordered, strict=True) if theirs.neuron}
    return compare(simulate(net, source(0, 6), record=True), replace(run, spikes=ours, states=states))


def written(name, net, folder):
    if name == "sanafe" and find_spec("sanafe") is None:
        pytest.skip("sanafe is not installed: pip install 'snnc[sanafe]'")
    return export(name, net, folder)


def each_target(*, runnable=False):
    marks = {name: [pytest.mark.lava, pytest.mark.slow] for name in SLOW}
    names = [name for name in targets.names() if targets.is_runnable(targets.load(name)) or not runnable]
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks.get(name, [])) for name in names])


@each_target()
def test_what_was_written_computes_what_the_network_does(name, tmp_path):
    found = verdict(name, written(name, network(), tmp_path / "a"))
    assert found.exact, (found.first, found.silent)
    assert {f"{p}.v" for p in ("hidden1", "output")} <= found.states.keys()


@each_target()
@pytest.mark.parametrize("what", ["weight", "threshold", "shift", "delay"])
def test_one_changed_number_is_found(name, what, tmp_path):
    found = verdict(name, written(name, changed(what), tmp_path / "a"))
    assert not found.exact
    assert found.first.population == "hidden1"


@each_target(runnable=True)
def test_every_verdict_has_the_same_words(name, tmp_path, capsys):
    path = saved(network(), tmp_path)
    for what, code in ((network(), 0), (changed("weight"), 1)):
        written(name, what, tmp_path / str(code))
        assert snnc("verify", tmp_path / str(code), "--against", path, "--random", "0.3", "--samples", "6", *QUIETLY) == code
        said = json.loads(capsys.readouterr().out)
        assert said.keys() >= WORDS
        assert (said["ok"], said["exact"], said["first"] is None) == ((code == 0,) * 3)
        assert (said["reference"], said["samples"]) == ("reference", 6)
        assert set(said["spikes"]) == {"input", "hidden1", "output"}
        assert said["candidate"] != "reference"
