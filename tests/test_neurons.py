"""Each neuron by hand: five steps in a chip's integers, with the corner cases of the rule."""

import dataclasses

import numpy as np
import pytest
from cases import LOIHI

from snnc import neurons
from snnc.arith import Float
from snnc.neurons._base import Neuron, SpikeRule
from snnc.neurons.cuba import Cuba
from snnc.neurons.lif import LIF

LIMIT = 1 << 23


def run(neuron, currents, numeric=LOIHI, start=None):
    state = start or {k: np.zeros(1, numeric.dtype) for k in neuron.state}
    rows = []
    for current in currents:
        state, spikes = neuron.step(state, np.array([current], numeric.dtype), numeric)
        rows.append((*(state[k].item() for k in neuron.state), spikes.item()))
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


def test_float_numbers_are_neither_shifted_nor_limited():
    assert run(LIF(1.0, 0.5, 0.25), [0.5, 0.5, 0.5], Float()) == [(0.5, 0.75, 0), (0.5, 0.0, 1), (0.5, 0.75, 0)]
    assert run(Cuba(1.0, 0.5, 0.0), [1.0, 0.0, 0.0], Float()) == [(1.0, 1.0, 0), (0.5, 0.0, 1), (0.25, 0.25, 0)]


@pytest.mark.parametrize("name", neurons.names())
def test_every_model_answers_the_eight_questions(name):
    model = neurons.get(name)
    assert model.model() == name
    assert set(model.rule.overflow) == set(model.state)
    assert dataclasses.fields(SpikeRule)[0].default is dataclasses.MISSING
    assert isinstance(model.example(), Neuron)


def test_a_rule_without_all_answers_fails():
    with pytest.raises(TypeError, match="initial_state"):
        SpikeRule(">", "zero", "same", "decay, then input", "toward zero", {}, 0)
