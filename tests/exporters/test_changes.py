"""Every target: what it wrote computes what the network does, and no longer does when one number is changed."""

import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from cases.exported import export, saved
from cases.networks import CHIPS, fixed_chain, float_chain
from conftest import snnc

from snnc import targets
from snnc.verification.prove import from_noise, verify_artifact

QUIETLY = ("--engine", "reference", "--json", "--as-it-is")
SLOW = ("lava", "loihi")
WORDS = {"schema", "ok", "exact", "reference", "candidate", "samples", "mismatches", "spikes", "states", "silent", "first",
         "accuracy", "notes"}  # fmt: skip


def network(net=None):
    """A chain that every target takes, with biases, and axons that are late by one step."""
    net = net or fixed_chain(bias=640)
    late = replace(net.connections[0], axon_delays=np.ones(12, np.int32))
    return replace(net, connections=(late, *net.connections[1:]))


def changed(what, net):
    """The network with one number changed: of integers as little as can be."""
    first, hidden = net.connections[0], net.populations[1]
    fixed = net.numeric.kind == "fixed"
    if what == "threshold":
        lower = hidden.neuron.threshold - 1 if fixed else hidden.neuron.threshold * 0.99
        lower = replace(hidden, neuron=replace(hidden.neuron, threshold=lower))
        return replace(net, populations=(net.populations[0], lower, net.populations[2]))
    values, late = first.op.synapses.values.copy(), first.axon_delays.copy()
    values[0] += (2 if values[0] < 0 else -2) if fixed else 1e-9
    late[0] += 1
    wires = {
        "weight": replace(first, op=first.op.with_values(values)),
        "shift": replace(first, op=replace(first.op, exponent=-1)),
        "delay": replace(first, axon_delays=late),
    }
    return replace(net, connections=(wires[what], *net.connections[1:]))


def verdict(artifact, net):
    return verify_artifact(artifact, net, from_noise(net, 24, 0.3, 0), 6, timeout_s=300, as_it_is=True).verdict


def written(name, net, folder):
    if name == "sanafe" and find_spec("sanafe") is None:
        pytest.skip("sanafe is not installed: pip install '.[sanafe]'")
    return export(name, net, folder)


def each_target():
    marks = {name: [pytest.mark.lava, pytest.mark.slow] for name in SLOW} | {"verilog": [pytest.mark.hdl]}
    runnable = [name for name in targets.names() if targets.is_runnable(targets.load(name)) and name not in CHIPS]
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks.get(name, [])) for name in runnable])


@each_target()
def test_what_was_written_computes_what_the_network_does(name, tmp_path):
    found = verdict(written(name, network(), tmp_path / "a"), network())
    assert found.exact, (found.first, found.silent)
    assert {f"{p}.v" for p in ("hidden1", "output")} <= found.states.keys()


@each_target()
@pytest.mark.parametrize("what", ["weight", "threshold", "shift", "delay"])
def test_one_changed_number_is_found(name, what, tmp_path):
    found = verdict(written(name, changed(what, network()), tmp_path / "a"), network())
    assert not found.exact
    assert found.first.population == "hidden1"


FLOATS = [name for name in targets.names() if not targets.load(name).problems(network(float_chain()), None)]


def test_which_targets_take_floats():
    assert FLOATS == ["nir", "npz", "onnx"]


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("what", ["nothing", "weight", "threshold", "delay"])
def test_one_changed_number_of_a_float_network_is_found(name, what, tmp_path):
    net = network(float_chain())
    found = verdict(written(name, net if what == "nothing" else changed(what, net), tmp_path / "a"), net)
    assert found.exact == (what == "nothing")
    assert (found.first and found.first.population) == (None if what == "nothing" else "hidden1")


@each_target()
def test_every_verdict_has_the_same_words(name, tmp_path, capsys):
    path = saved(network(), tmp_path)
    for what, code in ((network(), 0), (changed("weight", network()), 1)):
        written(name, what, tmp_path / str(code))
        assert snnc("verify", tmp_path / str(code), "--against", path, "--random", "0.3", "--samples", "6", *QUIETLY) == code
        said = json.loads(capsys.readouterr().out)
        assert said.keys() >= WORDS
        assert (said["ok"], said["exact"], said["first"] is None) == ((code == 0,) * 3)
        assert (said["reference"], said["samples"]) == ("reference", 6)
        assert set(said["spikes"]) == {"input", "hidden1", "output"}
        assert said["candidate"] != "reference"
