"""Exponents below zero: taken only where spikes come nearer to those of the floats; wide inputs with long currents."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import float_chain
from conftest import snnc

from snnc import chips, store
from snnc.errors import NetworkError
from snnc.network.synapses import Synapses
from snnc.neurons.cuba import Cuba
from snnc.passes.limit import limited
from snnc.passes.quantise import QuantiseConfig, quantise, scales
from snnc.passes.rehearsal import Rehearsal
from snnc.simulation.reference import simulate

CHIP = chips.load("loihi1")
FINER = QuantiseConfig(negative_exponents=True)


def wide(decay_u, seed=1, n=300):
    """Many inputs into neurons whose currents last."""
    net = float_chain(seed, (n, 30, 4), model="cuba", steps=40)
    rng = np.random.default_rng(seed)
    weight = rng.uniform(-1, 1, (30, n)) * 0.1 + 0.004
    op = replace(net.connections[0].op, synapses=Synapses.from_dense(weight, np.ones(weight.shape, np.bool_)))
    populations = tuple(
        replace(p, neuron=Cuba(np.array(4.0), np.array(decay_u), np.array(0.05), np.array(0.0))) if p.neuron else p
        for p in net.populations
    )
    return replace(net, connections=(replace(net.connections[0], op=op), *net.connections[1:]), populations=populations)


def differing(net, fixed, seed, rate=0.35):
    """Slots of all neurons that differ, of inputs that nobody rehearsed."""
    rng = np.random.default_rng(seed + 77)
    inputs = {p.name: (rng.random((40, net.encoding.steps, p.size)) < rate).astype(np.uint8) for p in net.inputs}
    a, b = simulate(net, inputs), simulate(fixed, inputs)
    assert all(a.spikes[p.name].any() for p in net.populations)
    return sum(int((a.spikes[p.name] != b.spikes[p.name]).sum()) for p in net.populations)


@pytest.mark.parametrize("decay_u", [0.05, 0.02])
def test_they_help_wide_inputs_with_long_currents(decay_u):
    net = wide(decay_u)
    without, finer = quantise(net, CHIP), quantise(net, CHIP, FINER)
    assert differing(net, finer, 0) <= 0.8 * differing(net, without, 0)
    assert any(c.op.exponent < 0 for c in finer.connections)
    assert quantise(net, CHIP, FINER).hash == finer.hash


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("model", ["lif", "cuba", "adaptive_lif"])
def test_they_are_never_worse_than_without(seed, model):
    never_worse(float_chain(seed, (30 + 60 * seed, 40, 8), model=model, steps=30), seed)


@pytest.mark.slow
@pytest.mark.parametrize("decay_u", [0.9, 0.3, 0.1, 0.03, 0.01, 0.003])
@pytest.mark.parametrize("seed", range(4))
def test_they_are_never_worse_on_wide_inputs(seed, decay_u):
    never_worse(wide(decay_u, seed, 200 + 100 * seed), seed)


def never_worse(net, seed):
    """On inputs that nobody rehearsed: in sum, and at each rate up to chance (a spike that moves changes many slots after it)."""
    without, finer = quantise(net, CHIP), quantise(net, CHIP, FINER)
    if finer.hash == without.hash:
        return
    counts = [(differing(net, without, seed, rate), differing(net, finer, seed, rate)) for rate in (0.05, 0.35, 0.7)]
    assert sum(after for _, after in counts) <= sum(before for before, _ in counts)
    assert all(after <= 1.25 * before + 4 for before, after in counts), counts


def test_the_choice_without_them_is_a_candidate():
    """Messages of every step are whole then: nothing is gained by finer weights that are rounded down again."""
    net = float_chain(0, (12, 20, 5), steps=30)
    on_grid = tuple(
        replace(c, op=c.op.with_values(np.rint(c.op.synapses.values / np.abs(c.op.synapses.values).max() * 127) / 64.0))
        for c in net.connections
    )
    net = replace(net, connections=on_grid)
    assert [c.op.exponent for c in quantise(net, CHIP, FINER).connections] == [0, 0]


def test_a_rehearsal_sees_a_wrong_weight_a_wrong_threshold_and_a_wrong_decay():
    net = float_chain(0, (30, 40, 8), model="cuba", steps=30)
    fixed, rehearsal = quantise(net, CHIP), Rehearsal.of(net)
    p, c = fixed["hidden1"], fixed.connections[0]

    def error(neuron=p.neuron, op=c.op):
        return rehearsal.errors(replace(p, neuron=neuron), [replace(c, op=op)], scales(fixed)["hidden1"], fixed.numeric).mean()

    exact = error()
    assert exact < 0.01
    for wrong in ({"threshold": p.neuron.threshold * 9 // 10}, {"decay_u": p.neuron.decay_u * 8 // 10},
                  {"decay_v": p.neuron.decay_v * 8 // 10}):  # fmt: skip
        assert error(neuron=replace(p.neuron, **wrong)) > 2 * exact
    assert error(op=c.op.with_values(c.op.synapses.values * 9 // 10)) > 2 * exact


def test_a_budget_of_spikes_makes_the_scale_larger():
    net = wide(0.02)
    few = quantise(net, CHIP, QuantiseConfig(max_spikes_per_step=20))
    assert scales(few)["hidden1"] > 3 * scales(quantise(net, CHIP))["hidden1"]
    assert few["input"].max_spikes_per_step == 20
    assert quantise(limited(net, {"input": 20}), CHIP).hash == few.hash


def test_a_refusal_names_the_register_and_what_helps():
    net = wide(0.0004, n=784)
    register = r"bounded by u of 'hidden1' .* could reach [\d,]+, .* its register wraps at 8,388,608;"
    remedies = r" allow negative exponents \(--negative-exponents\), or say how many .*\(--max-spikes-per-step N\)"
    with pytest.raises(NetworkError, match=register + remedies):
        quantise(net, CHIP)
    quantise(net, CHIP, FINER)
    quantise(net, CHIP, QuantiseConfig(max_spikes_per_step=8))


def test_the_verb_states_the_budget(tmp_path, capsys):
    store.save(wide(0.1), tmp_path / "net.snnc")
    words = ["quantise", tmp_path / "net.snnc", "--hw", "loihi1", "--max-spikes-per-step", "25", "-o", tmp_path / "out.snnc"]
    assert snnc(*words) == 0
    assert "no current wraps: proved for inputs of at most 25 messages a step of 'input'" in capsys.readouterr().out
    assert store.load(tmp_path / "out.snnc").done[-2].settings == {"max_spikes_per_step": {"input": 25}}
