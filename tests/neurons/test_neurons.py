"""Each neuron by hand: five steps in a chip's integers, with the corner cases of the rule."""

import dataclasses

import numpy as np
import pytest
from cases.networks import CATALYST, LOIHI, XYLO, fixed_chain, float_chain, spikes

from snnc import neurons
from snnc.errors import NetworkError
from snnc.network.arithmetic import Float
from snnc.network.neuron import Neuron, SpikeRule
from snnc.neurons.adaptive_lif import AdaptiveLIF
from snnc.neurons.catalyst import Catalyst
from snnc.neurons.cuba import Cuba
from snnc.neurons.cuba_refractory import CubaRefractory
from snnc.neurons.cuba_subtract import CubaSubtract
from snnc.neurons.li import LI
from snnc.neurons.lif import LIF
from snnc.neurons.resonate import Resonate
from snnc.simulation.reference import simulate
from snnc.simulation.run import classes
from snnc.verification.compare import compare

LIMIT = 1 << 23
NO_MEMORY = 4096


def run(neuron, currents, numeric=LOIHI, start=None):
    state = start or {k: np.zeros(1, numeric.dtype) for k in neuron.variables()}
    rows = []
    for current in currents:
        state, spikes = neuron.step(state, np.array([current], numeric.dtype), numeric)
        rows.append((*(state[k].item() for k in neuron.variables()), spikes.item()))
    return rows


def test_lif_threshold_is_strict_and_the_reset_is_to_zero_in_the_same_step():
    # threshold 10 -> 640 state units; no leak
    assert run(LIF(10, 0), [10, 0, 1, 0, 11]) == [
        (640, 640, 0), (0, 640, 0), (64, 0, 1), (0, 0, 0), (704, 0, 1)]  # fmt: skip


def test_lif_negative_voltage_decays_toward_zero():
    # half leaks: -3 * 64 = -192 -> -96 -> -48 -> ... ; an odd value loses its half toward zero: -3 -> -1
    assert [v for _, v, _ in run(LIF(1000, 2048), [-3, 0, 0, 0, 0])] == [-192, -96, -48, -24, -12]
    start = {"u": np.zeros(1, np.int64), "v": np.full(1, -3)}
    assert run(LIF(1000, 2048), [0], start=start) == [(0, -1, 0)]


def test_lif_bias_is_in_state_units():
    assert run(LIF(1, 0, 30), [0, 0, 0, 0, 0]) == [(0, 30, 0), (0, 60, 0), (0, 0, 1), (0, 30, 0), (0, 60, 0)]


def test_cuba_current_decays_before_input_and_survives_the_spike():
    # decay_u 1024 of 4096 -> 3/4 stays; no leak of v
    assert run(Cuba(100, 1024, 0), [64, 0, 0, 64, 0]) == [
        (4096, 4096, 0), (3072, 0, 1), (2304, 2304, 0), (5824, 0, 1), (4368, 4368, 0)]  # fmt: skip


def test_cuba_current_wraps_once_and_voltage_saturates():
    just_below = {"u": np.full(1, LIMIT - 64), "v": np.zeros(1, np.int64)}
    cuba = Cuba(131071, 0, 0)
    assert run(cuba, [1], start=just_below) == [(LIMIT, 0, 1)]  # v saturates at LIMIT - 1, which is above any threshold
    assert run(cuba, [2], start=just_below) == [(64 - LIMIT, 64 - LIMIT, 0)]
    low = {"u": np.full(1, 64 - LIMIT), "v": np.full(1, -100)}
    assert run(cuba, [-1], start=low) == [(LIMIT, LIMIT - 100, 0)]
    assert run(Cuba(131071, 0, 0), [-1], start={"u": np.full(1, 128 - LIMIT), "v": np.full(1, -LIMIT + 1)}) == [
        (64 - LIMIT, 1 - LIMIT, 0)]  # fmt: skip


def test_soft_reset_takes_the_threshold_away_in_the_next_step():
    # threshold 10 -> 640; 640 does not exceed it, 704 does and stays until the next step takes 640 away
    assert run(CubaSubtract(10, NO_MEMORY, 0), [10, 1, 0, 12, 0]) == [
        (640, 640, 0), (64, 704, 1), (0, 64, 0), (768, 832, 1), (0, 192, 0)]  # fmt: skip
    assert run(CubaSubtract(100, 1024, 0), [64, 0, 0, 64, 0]) == [
        (4096, 4096, 0), (3072, 7168, 1), (2304, 3072, 0), (5824, 8896, 1), (4368, 6864, 1)]  # fmt: skip


def test_soft_reset_comes_after_the_decay_and_before_saturation():
    # 704 / 2 - 640, not (704 - 640) / 2
    halves = CubaSubtract(10, NO_MEMORY, 2048)
    assert [v for _, v, _ in run(halves, [11, 0, 0, -20, 0])] == [704, -288, -144, -1352, -676]
    assert run(halves, [0], start={"u": np.zeros(1, np.int64), "v": np.full(1, -3)}) == [(0, -1, 0)]
    full = {"u": np.zeros(1, np.int64), "v": np.full(1, LIMIT - 1)}
    assert run(CubaSubtract(131071, NO_MEMORY, 0), [131071], start=full) == [(LIMIT - 64, LIMIT - 1, 1)]
    assert run(CubaSubtract(131071, NO_MEMORY, 0), [131073, 0]) == [(64 - LIMIT, 64 - LIMIT, 0), (0, 64 - LIMIT, 0)]


def test_a_refractory_voltage_rests_at_zero_while_the_current_goes_on():
    assert run(CubaRefractory(10, NO_MEMORY, 0, 0, 2), [10, 1, 20, 20, 11]) == [
        (640, 640, 0, 0), (64, 0, 2, 1), (1280, 0, 1, 0), (1280, 0, 0, 0), (704, 0, 2, 1)]  # fmt: skip
    assert run(CubaRefractory(100, 1024, 0, 0, 1), [128, 0, 0, 0, 0]) == [
        (8192, 0, 1, 1), (6144, 0, 0, 0), (4608, 4608, 0, 0), (3456, 0, 1, 1), (2592, 0, 0, 0)]  # fmt: skip
    assert [v for _, v, _, _ in run(CubaRefractory(1000, NO_MEMORY, 2048), [-3, 0, 0, 0, 0])] == [-192, -96, -48, -24, -12]
    low = {"u": np.zeros(1, np.int64), "v": np.full(1, 1 - LIMIT), "left": np.zeros(1, np.int64)}
    assert run(CubaRefractory(1000, NO_MEMORY, 0), [-1, 131073], start=low) == [
        (-64, 1 - LIMIT, 0, 0), (64 - LIMIT, 1 - LIMIT, 0, 0)]  # fmt: skip


def test_each_spike_raises_an_adaptive_threshold():
    # threshold 10 -> 640, adaptation 5 -> 320 of which half decays; no leak of v
    alif = AdaptiveLIF(10, NO_MEMORY, 0, 2048, 5)
    assert run(alif, [11, 11, 11, 11, 0]) == [
        (704, 704, 0, 1),  # above 640
        (704, 768, 320, 0),  # 704 - 640 + 704, not above 960
        (704, 1472, 160, 1),  # above 800
        (704, 1376, 400, 1),  # 1472 - 800 + 704, above 1040
        (0, 336, 520, 0)]  # fmt: skip
    low = {"u": np.zeros(1, np.int64), "v": np.full(1, -3), "a": np.full(1, 3)}
    assert run(AdaptiveLIF(10, NO_MEMORY, 2048, 2048, 5), [0], start=low) == [(0, -1, 1, 0)]
    full = {"u": np.zeros(1, np.int64), "v": np.full(1, LIMIT - 1), "a": np.full(1, LIMIT - 2)}
    assert run(AdaptiveLIF(0, NO_MEMORY, 0, 0, 9), [0], start=full) == [(0, 1, LIMIT - 1, 0)]


def test_a_resonator_turns_fires_at_its_threshold_and_starts_at_its_level():
    # a quarter turn that keeps half: cosine 0, sine 1/2; threshold 10 -> 640, level 3 -> 192
    quarter = Resonate(10, 0, 2048, 3)
    assert run(quarter, [20, 0, 0, 0, 0]) == [(1280, 0, 0), (0, 192, 1), (-96, 0, 0), (0, -48, 0), (24, 0, 0)]
    assert run(quarter, [19, 0]) == [(1216, 0, 0), (0, 608, 0)]
    odd = {"x": np.full(1, -3), "y": np.full(1, 5)}  # -3/2 -> -1, 5/2 -> 2, each on its own
    assert run(Resonate(1000, 2048, -2048, 0), [0], start=odd) == [(-1 + 2, 1 + 2, 0)]
    full = {"x": np.full(1, LIMIT), "y": np.full(1, 1 - LIMIT)}
    assert run(Resonate(131071, 4096, 4096, 0), [0], start=full) == [(-1, 1, 0)]
    down = {"x": np.full(1, 1 - LIMIT), "y": np.full(1, 1 - LIMIT)}
    assert run(Resonate(131071, 4096, 4096, 0), [-1], start=down) == [(-64, 1 - LIMIT, 0)]


def test_catalyst_rounds_past_zero_and_uses_a_current_a_step_later():
    # threshold 10 and no shift; half of v and of u leaks: 5 -> 2, -5 -> -2 + 1, -1 -> 0 + 1, -4 -> -2 without a fraction
    half = Catalyst(10, 2048, 2048)
    assert run(half, [5, 0, 0, -5, 0, 0], CATALYST) == [
        (0, 5, 0), (5, 2, 0), (4, 1, 0), (3, -5, 0), (-4, -1, 0), (-3, 1, 0)]  # fmt: skip
    assert run(half, [10, 9, -4, 0], CATALYST) == [(0, 10, 0), (0, 14, 1), (0, 3, 1), (3, 1, 0)]
    low = {"v": np.full(1, -1), "u": np.full(1, -4)}
    assert run(half, [0], CATALYST, low) == [(-3, -2, 0)]
    full = {"v": np.full(1, -32767), "u": np.full(1, -9)}
    assert run(Catalyst(10, 1, 0, -3), [0], CATALYST, full) == [(-32767, -7, 0)]


def test_xylo_loses_at_least_one_and_fires_several_times():
    # rows are i, u, v, spikes; threshold 10, u loses a half and v a quarter: 61 - 30 = 31 = 3 * 10 + 1
    own = neurons.get("xylo")(10, 1 << 14, 1 << 13)
    assert run(own, [61, 0, 0, -65, 0], XYLO) == [
        (61, 31, 1, 3), (31, 16, 6, 1), (16, 8, 3, 1), (-57, -28, -26, 0), (-28, -14, -33, 0)]  # fmt: skip
    small = {"i": np.full(1, 0), "u": np.full(1, 1), "v": np.full(1, 3)}
    assert run(neurons.get("xylo")(1000, 1, 1), [0, 0, 0], XYLO, small) == [(1, 0, 2, 0), (0, 0, 1, 0), (0, 0, 0, 0)]
    full = {"i": np.full(1, 0), "u": np.full(1, 32_000), "v": np.full(1, 32_000)}
    assert run(neurons.get("xylo")(3, 1, 1), [0], XYLO, full) == [(32_000, 31_999, 32_767 - 93, 31)]
    low = {"i": np.full(1, 0), "u": np.full(1, -32_000), "v": np.full(1, -32_000)}
    for model in ("xylo", "xylo_output"):
        assert run(neurons.get(model)(3, 1, 1), [0], XYLO, low) == [(-32_000, -31_999, -32_768, 0)]
    assert run(neurons.get("xylo_output")(10, 1 << 14, 1 << 13), [61], XYLO) == [(61, 31, 21, 1)]


def test_a_refractory_period_of_zero_is_none():
    currents = [64, 0, 0, 64, 0, 90, 3]
    refractory = run(CubaRefractory(100, 1024, 100, 7, 0), currents)
    assert [(u, v, s) for u, v, _, s in refractory] == run(Cuba(100, 1024, 100, 7), currents)


def test_a_readout_integrates_and_never_fires():
    assert run(LI(NO_MEMORY, 2048, 3), [10, 0, -3, 0, 131073]) == [
        (640, 643, 0), (0, 324, 0), (-192, -27, 0), (0, -10, 0), (64 - LIMIT, 62 - LIMIT, 0)]  # fmt: skip
    high = {"u": np.zeros(1, np.int64), "v": np.full(1, LIMIT - 10)}
    assert run(LI(NO_MEMORY, 0), [1, 131071], start=high) == [(64, LIMIT - 1, 0), (LIMIT - 64, LIMIT - 1, 0)]


def test_float_numbers_are_neither_shifted_nor_limited():
    assert run(LIF(1.0, 0.5, 0.25), [0.5, 0.5, 0.5], Float()) == [(0.5, 0.75, 0), (0.5, 0.0, 1), (0.5, 0.75, 0)]
    assert run(Cuba(1.0, 0.5, 0.0), [1.0, 0.0, 0.0], Float()) == [(1.0, 1.0, 0), (0.5, 0.0, 1), (0.25, 0.25, 0)]
    assert run(CubaSubtract(1.0, 1.0, 0.5), [2.0, 0.5, 1.0], Float()) == [(2.0, 2.0, 1), (0.5, 0.5, 0), (1.0, 1.25, 1)]
    assert run(CubaRefractory(1.0, 1.0, 0.5), [2.0, 9.0, 0.5], Float()) == [(2.0, 0.0, 1, 1), (9.0, 0.0, 0, 0), (0.5, 0.5, 0, 0)]
    assert run(LI(0.5, 0.5, 0.25), [1.0, 0.0], Float()) == [(1.0, 1.25, 0), (0.5, 1.375, 0)]


@pytest.mark.parametrize("name", neurons.names())
def test_every_model_answers_the_eight_questions(name):
    model = neurons.get(name)
    assert model.model() == name
    assert model.readout in model.variables()
    assert set(model.answers()) == {
        "comparator", "reset", "reset_step", "order", "decay_rounding", "overflow", "refractory_steps", "initial_state"
    }  # fmt: skip
    assert dataclasses.fields(SpikeRule)[0].default is dataclasses.MISSING
    assert isinstance(model.example(), Neuron)


def test_a_rule_without_all_answers_fails():
    with pytest.raises(TypeError, match="refractory_steps"):
        SpikeRule(">", "zero", "same", "decay, then input", "toward zero")


@pytest.mark.parametrize("make", [fixed_chain, float_chain])
def test_the_class_of_a_readout_is_its_largest_sum_of_voltages(make):
    net = make(model="li")
    inputs = spikes(net, samples=30)
    brief, full = simulate(net, inputs), simulate(net, inputs, record=True)
    votes = full.states["output"]["v"].sum(axis=1)
    assert list(brief.states) == ["output"]
    assert not brief.spikes["output"].any()
    assert (classes(brief, net.output) == votes.argmax(axis=1)).all()
    assert len(set(classes(brief, net.output))) > 1
    assert (votes.argmax(axis=1) != full.states["output"]["v"][:, -1].argmax(axis=1)).any()


def test_a_readout_is_compared_by_its_voltage():
    net = fixed_chain(model="li")
    run = simulate(net, spikes(net), record=True)
    assert compare(run, run).exact
    v = run.states["output"]["v"].copy()
    v[1, 2, 3] += 1
    wrong = dataclasses.replace(run, states={**run.states, "output": {"u": run.states["output"]["u"], "v": v}})
    assert compare(run, wrong).first.population == "output"
    unseen = dataclasses.replace(run, states={k: s for k, s in run.states.items() if k != "output"})
    assert compare(run, unseen).silent == ("output",)


@pytest.mark.parametrize(("period", "says"), [(1.5, "whole numbers"), (-1.0, "allowed is 0.0")])
def test_a_refractory_period_is_a_number_of_steps(period, says):
    net = float_chain()
    bad = tuple(dataclasses.replace(p, neuron=p.neuron and CubaRefractory(period=period)) for p in net.populations)
    with pytest.raises(NetworkError, match=says):
        dataclasses.replace(net, populations=bad)


@pytest.mark.parametrize("name", neurons.names())
def test_samples_of_every_model_are_networks_in_either_numbers(name):
    """A sample is near the example in what its unit allows, and no two are alike."""
    model, rng = neurons.get(name), np.random.default_rng(0)
    for net, numeric in ((fixed_chain(model=name), LOIHI), (float_chain(model=name), Float())):
        first, second = model.sample(numeric, rng), model.sample(numeric, rng)
        assert any((getattr(first, p) != getattr(second, p)).any() for p in model.parameters())
        made = dataclasses.replace(net, populations=(*net.populations[:-1], dataclasses.replace(net.output, neuron=first)))
        run = simulate(made, spikes(made, samples=4, rate=0.5), record=True)
        assert run.states["output"][model.readout].any()
        for p in model.parameters():
            one = model.unit(p).per_float(300.0, LOIHI) if numeric is LOIHI else 1.0
            assert np.abs(getattr(first, p) / one - getattr(model.example(), p)).max() <= 0.13
