"""Xylo: what it refuses, and the configuration that is written. `test_chip_targets` runs it in its maker's simulator."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.chip_targets import xylo_network as network
from cases.networks import XYLO, chain_for, fixed_chain, float_chain
from snnc.exporters.xylo import layout

from snnc import chips, neurons, targets
from snnc.budget.check import check
from snnc.errors import DoesNotFitError, UnsupportedError
from snnc.network.model import Connection
from snnc.passes.quantise import QuantiseConfig, quantise


@pytest.fixture
def export(tmp_path):
    return lambda net: targets.export("xylo", net, None, tmp_path / "a", force=True)


def with_neuron(net, name, **values):
    populations = [replace(p, neuron=replace(p.neuron, **values)) if p.name == name else p for p in net.populations]
    return replace(net, populations=tuple(populations))


def of_chip(net, name):
    return replace(net, numeric=replace(net.numeric, profile=name))


def test_what_the_chip_cannot_hold_is_refused_with_both_numbers(export):
    net = network()
    with pytest.raises(UnsupportedError, match="input 'input' has 64 channels, Xylo has 16; pool them"):
        export(forgetful((64, 20, 5)))
    with pytest.raises(DoesNotFitError, match="needs 9 outputs, xylo_audio2 has 8"):
        export(forgetful((12, 20, 9)))
    export(of_chip(forgetful((12, 20, 9)), "xylo_imu"))
    with pytest.raises(DoesNotFitError, match="needs 200 neurons within input reach, xylo_imu has 128"):
        export(of_chip(forgetful((12, 200, 5)), "xylo_imu"))
    with pytest.raises(DoesNotFitError, match="needs 70 hidden fan out, xylo_audio2 has 64; prune it"):
        export(with_all(forgetful((4, 2, 70, 5)), 1))
    with pytest.raises(UnsupportedError, match=r"state_bits 24 .chip: 16.*quantise it for xylo_audio2"):
        export(replace(fixed_chain(model="xylo"), numeric=replace(fixed_chain().numeric, profile="xylo_audio2")))
    with pytest.raises(UnsupportedError, match="'aside' is read out, Xylo reads out 'output'; let 'aside' feed another"):
        export(with_another_end(net))
    with pytest.raises(UnsupportedError, match="has 0 populations of 'xylo_output', Xylo has one readout"):
        export(fixed_chain(model="xylo", numeric=XYLO, exponent=-1, density=0.1))
    with pytest.raises(UnsupportedError, match=r"has the decay_u 0\.01831, Xylo shifts by whole bits"):
        export(with_neuron(net, "hidden1", decay_u=np.int64(600)))
    with pytest.raises(UnsupportedError, match="has biases and runs 1 steps late"):
        export(with_neuron(net, "hidden2", bias=np.int64(3)))
    with pytest.raises(UnsupportedError, match=r"the current can reach [\d,]+ and wraps at 32,768"):
        export(with_neuron(net, "hidden2", decay_u=np.int64(1)))
    with pytest.raises(UnsupportedError, match=r"can add [\d,]+ to its voltage in a step, Xylo adds -32,768 .. 32,767"):
        export(with_neuron(net, "hidden1", bias=np.int64(-30_000), decay_v=np.int64(1 << 15)))
    with pytest.raises(UnsupportedError, match="would need a delay of 2 steps, Xylo has none"):
        export(replace(net, connections=(*net.connections[:-1], replace(net.connections[-1], delay_steps=3))))
    with pytest.raises(UnsupportedError, match="sends 8-bit messages, Xylo takes up to 15 spikes a step; use 4 bits"):
        export(replace(net, populations=(replace(net.populations[0], message_bits=8), *net.populations[1:])))
    with pytest.raises(UnsupportedError, match="leaves the readout 'output'"):
        export(replace(net, connections=(*net.connections, Connection("back", "output", "hidden1", back(net), 2))))
    with pytest.raises(UnsupportedError, match="float network; quantise it first"):
        export(float_chain(model="xylo"))


def forgetful(sizes):
    """A chain in which no current lasts."""
    net = chain_for("xylo", 0, sizes, density=0.05)
    populations = [replace(p, neuron=p.neuron and replace(p.neuron, decay_u=np.int64(1 << 15))) for p in net.populations]
    return replace(net, populations=tuple(populations))


def with_all(net, at):
    """A network one of whose connections has all its synapses, of a small weight."""
    connections, op = list(net.connections), net.connections[at].op
    full = type(op.synapses).from_dense(np.full(op.synapses.shape, 2))
    connections[at] = replace(connections[at], op=replace(op, synapses=full))
    return replace(net, connections=tuple(connections))


def with_another_end(net):
    """A network with hidden neurons that feed no others, behind the readout in the order of computation."""
    one = net["hidden2"].neuron
    alike = {name: np.ravel(getattr(one, name))[0] for name in one.parameters()}
    aside = replace(net["hidden2"], name="aside", shape=net.output.shape, neuron=replace(one, **alike))
    wire = replace(net.connections[2], name="more", dst="aside")
    return replace(net, populations=(*net.populations, aside), connections=(*net.connections, wire))


def back(net):
    op = net.connections[0].op
    return replace(op, synapses=type(op.synapses).from_dense(np.full((net["hidden1"].size, net.output.size), 2)))


def test_the_configuration_is_that_of_rockpools_tools(export, tmp_path):
    """The names and shapes that XyloSim.from_specification takes; weights as they are added."""
    net = network()
    export(net)
    given = json.loads((tmp_path / "a" / "configuration.json").read_text())
    shapes = {name: np.shape(value) for name, value in given.items()}
    hidden = {"dash_mem", "dash_syn", "threshold", "bias"}
    assert shapes == {
        "weights_in": (14, 36), "weights_rec": (36, 36), "weights_out": (36, 6), **dict.fromkeys(hidden, (36,)),
        **dict.fromkeys({f"{name}_out" for name in hidden}, (6,)),
        **dict.fromkeys({f"weight_shift_{name}" for name in ("in", "rec", "out")}, ()),
    }  # fmt: skip
    rec = np.array(given["weights_rec"])
    assert not rec[24:].any()
    assert np.array_equal(rec[:24, 24:], net.connections[1].op.synapses.to_dense().T // 2)
    assert np.array_equal(1 << 15 >> np.array(given["dash_mem"][:24]), net["hidden1"].neuron.decay_v)


@pytest.mark.parametrize("name", layout.CHIPS)
def test_the_chips_are_those_of_the_profiles(name):
    profile = chips.load(name)
    assert profile.fixed() == replace(XYLO, profile=name)
    of = profile.totals
    assert of["neurons_per_chip"] == of["hidden_neurons_per_chip"] + of["outputs_per_chip"]
    assert of["fan_out_per_neuron"] == of["hidden_fan_out_per_neuron"] + of["outputs_per_chip"]


def test_check_says_what_does_not_fit_with_both_numbers():
    profile = chips.load("xylo_audio2")
    assert check(network(), profile).fits
    budget = check(chain_for("xylo", 0, (64, 20, 9), density=0.05), profile)
    over = {usage.resource: (usage.used, usage.limit) for usage in budget.totals if usage.status == "over"}
    assert over == {"inputs_per_chip": (64, 16), "outputs_per_chip": (9, 8)}
    budget = check(of_chip(forgetful((12, 200, 5)), "xylo_imu"), chips.load("xylo_imu"))
    over = {usage.resource: (usage.used, usage.limit) for usage in budget.totals if usage.status == "over"}
    assert over == {"neurons_within_input_reach_per_chip": (200, 128), "neurons_within_readout_reach_per_chip": (197, 128)}


def test_decays_become_shifts_when_it_is_quantised():
    """The nearest power of two, in octaves."""
    net = float_chain(sizes=(12, 20, 5), model="xylo")
    own = neurons.get("xylo")(decay_u=np.array(0.4), decay_v=np.array(0.1))
    net = replace(net, populations=tuple(replace(p, neuron=p.neuron and own) for p in net.populations))
    fixed = quantise(net, chips.load("xylo_audio2"), QuantiseConfig(sign_mode="mixed"))
    assert [int(fixed["hidden1"].neuron.decay_u), int(fixed["hidden1"].neuron.decay_v)] == [1 << 14, 1 << 12]
