"""Taking away what can never fire changes no spike."""

import json
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from cases import lava_graphs
from cases.convolutions import convolutional
from cases.networks import LOIHI, fixed_chain, fixed_dense, float_chain, spikes
from conftest import snnc
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from snnc import store
from snnc.errors import NetworkError
from snnc.network.model import Connection, Population
from snnc.neurons.lif import LIF
from snnc.passes import simplify as module
from snnc.passes.simplify import simplify
from snnc.simulation.reference import simulate


def dulled(net, share, seed=0):
    """The network with neurons whose threshold nothing reaches, of every population that fires."""
    rng = np.random.default_rng(seed)

    def dull(p):
        deaf = rng.random(p.size) < share
        values = {"threshold": np.where(deaf, 131071, p.neuron.threshold), "bias": np.where(deaf, 0, p.neuron.bias)}
        return replace(p, neuron=replace(p.neuron, **values))

    return replace(net, populations=tuple(dull(p) if p.neuron and p.neuron.rule.fires else p for p in net.populations))


def hold(net, found, inputs):
    """Neurons that are kept do what they did, those that are gone did nothing; how many are gone."""
    before, after, gone = simulate(net, inputs, record=True), simulate(found.network, inputs, record=True), 0
    for p in net.populations:
        kept = found.kept.get(p.name, np.zeros(p.size, np.bool_))
        gone += int(p.size - kept.sum())
        assert not before.spikes[p.name][:, :, ~kept].any(), p.name
        if not kept.any():
            assert p.name not in after.spikes
            continue
        assert np.array_equal(before.spikes[p.name][:, :, kept], after.spikes[p.name]), p.name
        assert found.network[p.name].size == kept.sum()
        if p.neuron and not p.neuron.rule.fires:
            assert np.array_equal(before.states[p.name]["v"], after.states[p.name]["v"])
    return gone


def noise(net, steps, seed):
    rng = np.random.default_rng(seed)
    shapes = {p.name: ((3, steps, p.size), 2 ** max(p.message_bits, 1)) for p in net.inputs}
    return {name: (rng.random(shape) < 0.6) * rng.integers(1, top, shape) for name, (shape, top) in shapes.items()}


@settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(lava_graphs.graphs(), st.sampled_from([0.2, 0.7, 1.0]))
def test_any_network_fires_the_same_without_what_never_fires(graph, share):
    net = dulled(lava_graphs.network(graph), share, graph.seed)
    with suppress(NetworkError):  # which says that nothing reaches the output, see below
        hold(net, simplify(net), noise(net, graph.steps + 6, graph.seed))


def test_neurons_and_their_synapses_go():
    net = dulled(fixed_chain(sizes=(30, 40, 20, 5)), 0.5)
    found = simplify(net)
    inputs = spikes(net, samples=6, rate=0.6, steps=30)
    gone = hold(net, found, inputs)
    assert gone > 20
    saved = found.to_json()
    assert saved["weights"][1] < 0.6 * saved["weights"][0]
    assert saved["neurons"]["output"] == [5, 5]
    assert sum(before - after for before, after in saved["neurons"].values()) == gone
    assert simulate(net, inputs).spikes["hidden2"].any()
    assert found.network.done[-1].name == "simplify"
    again = simplify(found.network)
    assert again.network.connections[0].op.synapses.count == found.network.connections[0].op.synapses.count


def test_whole_channels_go_where_weights_are_shared():
    net = convolutional()
    channel = np.repeat(np.arange(6) == 2, 45)
    conv1 = net["conv1"].neuron
    dull = replace(conv1, threshold=np.where(channel, 131071, conv1.threshold), bias=np.where(channel, 0, conv1.bias))
    plain = tuple(c for c in net.connections if c.name in ("c2", "d2", "c1"))
    op = replace(plain[0].op, groups=1, synapses=replace(plain[0].op.synapses, shape=(6, 24)))
    plain = (replace(plain[0], op=op), *plain[1:])
    names = {"input", "conv1", "conv2", "output"}
    net = replace(net, connections=plain, populations=tuple(
        replace(p, neuron=dull) if p.name == "conv1" else p for p in net.populations if p.name in names
    ))  # fmt: skip
    found = simplify(net)
    assert found.network["conv1"].shape == (5, 5, 9)
    assert hold(net, found, spikes(net, samples=4, rate=0.7, steps=20)) >= 45
    assert found.network.connections[1].op.pool.src_shape == (5, 5, 9)


def test_shared_weights_that_only_the_silent_use_go():
    net = convolutional()
    beside = np.zeros((6, 5, 9), np.bool_)
    beside[:, :, :-1] = True
    conv1 = net["conv1"].neuron
    dull = replace(
        conv1, threshold=np.where(beside.reshape(-1), 131071, conv1.threshold), bias=np.where(beside.reshape(-1), 0, 900)
    )
    net = replace(net, populations=tuple(replace(p, neuron=dull) if p.name == "conv1" else p for p in net.populations))
    found = simplify(net)
    assert found.kept["conv1"].sum() == 270
    assert found.to_json()["weights"][1] < found.to_json()["weights"][0]
    hold(net, found, spikes(net, samples=4, rate=0.8, steps=20))


def test_a_branch_that_never_fires_is_gone():
    net = fixed_chain()
    rng = np.random.default_rng(1)
    branch = Population("branch", (7,), LIF(131071, 512, 0))
    connections = (
        Connection("in", "input", "branch", fixed_dense(rng, 7, 12)),
        Connection("out", "branch", "output", fixed_dense(rng, 5, 7)),
    )
    wide = replace(
        net, populations=(*net.populations[:2], branch, net.populations[2]), connections=(*net.connections, *connections)
    )
    found = simplify(wide)
    assert {p.name for p in found.network.populations} == {"input", "hidden1", "output"}
    assert hold(wide, found, spikes(wide)) >= 7


def test_a_network_of_the_silent_is_refused():
    with pytest.raises(NetworkError, match="'output': gets nothing from neurons that can fire"):
        simplify(dulled(fixed_chain(), 1.0))
    with pytest.raises(NetworkError, match="quantise it first"):
        simplify(float_chain())


def test_a_neuron_taken_away_wrongly_is_found(monkeypatch):
    net = dulled(fixed_chain(sizes=(30, 40, 20, 5)), 0.5)
    inputs, right = spikes(net, samples=6, rate=0.6, steps=30), module._fires
    busiest = simulate(net, inputs).spikes["hidden1"].sum((0, 1)).argmax()

    def wrong(p, net, reaches):
        return right(p, net, reaches) & ((p.name != "hidden1") | (np.arange(p.size) != busiest))

    monkeypatch.setattr(module, "_fires", wrong)
    with pytest.raises(AssertionError):
        hold(net, simplify(net), inputs)


def test_the_verb_says_what_it_saved(tmp_path, capsys):
    model, out = tmp_path / "a.snnc", tmp_path / "b.snnc"
    store.save(dulled(fixed_chain(sizes=(30, 40, 20, 5)), 0.5), model)
    assert snnc("simplify", model, "-o", out) == 0
    assert "saved)" in capsys.readouterr().out
    assert store.load(out).numeric == LOIHI
    assert snnc("simplify", model, "-o", out) == 2
    capsys.readouterr()
    assert snnc("simplify", model, "-o", out, "--force", "--json") == 0
    body = json.loads(capsys.readouterr().out)
    assert body["weights"][0] > body["weights"][1]
    assert body["network_hash"] == store.load(out).hash


def test_quantise_can_simplify(tmp_path, capsys):
    model, out = tmp_path / "a.snnc", tmp_path / "b.snnc"
    net = float_chain(sizes=(30, 40, 5))
    deaf = np.where(np.arange(40) % 2, 100.0, 1.0)
    own = replace(net["hidden1"].neuron, threshold=deaf)
    populations = tuple(replace(p, neuron=own) if p.name == "hidden1" else p for p in net.populations)
    store.save(replace(net, populations=populations), model)
    assert snnc("quantise", model, "--hw", "loihi1", "--simplify", "-o", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["simplify"]["neurons"]["hidden1"] == [40, 20]
    assert store.load(out)["hidden1"].size == 20
