"""Quantising: exact grids, bounded errors, no wrap, nothing clipped."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import LOIHI, fixed_chain, float_chain, spikes
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snnc import chips, neurons
from snnc.analysis.current_bounds import current_bound, must_not_wrap
from snnc.errors import ConfigError, DoesNotFitError, NetworkError
from snnc.network.arithmetic import bias_exponent, bias_parts
from snnc.network.op import weight_grid
from snnc.network.synapses import Synapses
from snnc.network.units import BIAS, DECAY, THRESHOLD
from snnc.neurons.cuba import Cuba
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense
from snnc.passes.quantise import QuantiseConfig, quantise, scales
from snnc.passes.scaling import (
    decode_parameter,
    decode_weights,
    encode_parameter,
    encode_weights,
)
from snnc.simulation.reference import simulate
from snnc.simulation.run import classes

CHIP = chips.load("loihi1")
SCALE = st.floats(1.0, 5000.0)


def dense(values):
    return Dense(Synapses.from_dense(np.array([values], np.float64), np.ones((1, len(values)), np.bool_)))


def with_weights(net, change):
    """The network with ``change(values)`` in every connection."""
    return replace(
        net,
        connections=tuple(
            replace(c, op=replace(c.op, synapses=c.op.synapses.with_values(change(c.op.synapses.values))))
            for c in net.connections
        ),
    )


@given(
    arrays.arrays(np.float64, st.integers(1, 8), elements=st.floats(-1, 1)), SCALE, st.integers(0, 7),
    st.sampled_from(["mixed", "excitatory", "inhibitory"]),
)  # fmt: skip
def test_a_weight_comes_back_within_half_a_grid_step_or_is_refused(values, scale, exponent, mode):
    grid = weight_grid(LOIHI, mode)
    reach = values * scale / 2**exponent
    inside = grid[0] <= reach.min() and reach.max() <= grid[-1]
    beyond = reach.min() < grid[0] - grid.step or reach.max() > grid[-1] + grid.step
    if beyond:
        with pytest.raises(NetworkError, match="reach"):
            encode_weights(dense(values), scale, exponent, mode, LOIHI)
    if inside:
        op = encode_weights(dense(values), scale, exponent, mode, LOIHI)
        assert set(op.synapses.values) <= set(grid)
        assert np.abs(decode_weights(op, scale) - values).max() <= (0.5 + 1e-9) * grid.step * 2**exponent / scale


@given(arrays.arrays(np.float64, st.integers(1, 5), elements=st.floats(0, 2)), SCALE, st.sampled_from([0, 1]))
def test_a_decay_comes_back_within_half_a_step_or_is_refused(values, scale, offset):
    """A decay of 1, or next to it, becomes the largest that the register holds: at most a step away."""
    low, high = offset, 4095 + offset
    if (np.rint(values * 4096) < low).any() or (values.max() > 1 and (np.rint(values * 4096) > high).any()):
        with pytest.raises(NetworkError, match=f"holds {low} .. {high}"):
            encode_parameter(values, DECAY, offset, scale, LOIHI)
        return
    again = decode_parameter(encode_parameter(values, DECAY, offset, scale, LOIHI), DECAY, scale, LOIHI)
    held = np.minimum(values, high / 4096)
    assert np.abs(again - held).max() <= 0.5 / 4096
    assert np.abs(again - values).max() <= 1 / 4096


@given(arrays.arrays(np.float64, st.integers(1, 5), elements=st.floats(0, 100)), SCALE)
def test_a_threshold_comes_back_within_half_a_unit_or_is_refused(values, scale):
    if np.rint(values * scale).max() > 131071:
        with pytest.raises(NetworkError, match=r"holds 0 .. 131071"):
            encode_parameter(values, THRESHOLD, 0, scale, LOIHI)
        return
    again = decode_parameter(encode_parameter(values, THRESHOLD, 0, scale, LOIHI), THRESHOLD, scale, LOIHI)
    assert np.abs(again - values).max() <= 0.5000001 / scale


@given(arrays.arrays(np.float64, st.integers(1, 5), elements=st.floats(-20, 20)), SCALE)
def test_a_bias_comes_back_within_half_a_mantissa_step_or_is_refused(values, scale):
    if np.abs(values).max() * scale * 64 > 4096.5 * 128:
        with pytest.raises(NetworkError, match="holds"):
            encode_parameter(values, BIAS, 0, scale, LOIHI)
        return
    if np.abs(values).max() * scale * 64 > 4095 * 128:
        return
    encoded = encode_parameter(values, BIAS, 0, scale, LOIHI)
    mantissa, exponent = bias_parts(encoded, LOIHI)
    assert (mantissa << exponent == encoded).all()
    assert np.abs(mantissa).max() <= 4096
    assert ((exponent >= 0) & (exponent <= 7)).all()
    error = np.abs(decode_parameter(encoded, BIAS, scale, LOIHI) - values).max()
    assert error <= (0.5 + 1e-9) * 2 ** bias_exponent(values * BIAS.per_float(scale, LOIHI), LOIHI) / BIAS.per_float(scale, LOIHI)


@pytest.mark.parametrize("model", neurons.names())
@pytest.mark.parametrize("seed", range(3))
def test_the_quantised_network_does_what_the_float_one_did(model, seed):
    net = float_chain(seed, (30, 60, 8), model=model, steps=24)
    fixed = quantise(net, CHIP)
    x = spikes(net, samples=20)
    a, b = simulate(net, x), simulate(fixed, x)
    total = a.spikes["hidden1"].sum()
    assert total > 1000
    assert abs(int(b.spikes["hidden1"].sum()) - int(total)) < 0.02 * total
    assert (classes(a, net.output) == classes(b, net.output)).mean() >= 0.8
    for c, f in zip(net.connections, fixed.connections, strict=True):
        assert (f.op.synapses.mask() == c.op.synapses.mask()).all()
        assert np.abs(f.op.synapses.values).max() > 128


@pytest.mark.parametrize("model", ["lif", "cuba"])
def test_a_network_that_is_on_the_grid_already_comes_back_exactly(model):
    fixed = fixed_chain(3, model=model, threshold=300, bias=64)
    back = {c.name: decode_weights(c.op, 64.0) for c in fixed.connections}
    neuron = LIF(300 / 64, 512 / 4096, 1 / 64) if model == "lif" else Cuba(300 / 64, 0.5, 0.125, 1 / 64)
    net = replace(
        float_chain(3, model=model),
        populations=tuple(replace(p, neuron=neuron if p.neuron else None) for p in fixed.populations),
        connections=tuple(
            replace(c, op=Dense(c.op.synapses.with_values(back[c.name]))) for c in fixed.connections
        ),
    )  # fmt: skip
    assert quantise(net, CHIP).hash == replace(fixed, encoding=net.encoding).hash


def test_sign_modes_are_explicit_and_can_be_forced():
    net = with_weights(float_chain(), np.abs)
    assert {c.op.sign_mode for c in quantise(net, CHIP).connections} == {"excitatory"}
    assert {c.op.sign_mode for c in quantise(net, CHIP, QuantiseConfig(sign_mode="mixed")).connections} == {"mixed"}
    negative = with_weights(float_chain(), lambda w: -np.abs(w))
    assert {c.op.sign_mode for c in quantise(negative, CHIP).connections} == {"inhibitory"}


def test_zeros_stay_as_synapses_unless_dropped():
    def spread(w):
        changed = w.copy()
        changed[1::2] *= 1e-6
        return changed

    net = with_weights(float_chain(), spread)
    kept, dropped = quantise(net, CHIP), quantise(net, CHIP, QuantiseConfig(drop_zeros=True))
    for c, k, d in zip(net.connections, kept.connections, dropped.connections, strict=True):
        zeros = np.count_nonzero(k.op.synapses.values == 0)
        assert zeros >= c.op.synapses.count // 2 - 1
        assert k.op.synapses.count == c.op.synapses.count
        assert d.op.synapses.count == c.op.synapses.count - zeros
        assert (d.op.synapses.to_dense() == k.op.synapses.to_dense()).all()


def test_connections_of_unlike_size_get_exponents_of_their_own():
    net = float_chain(sizes=(12, 20, 5))
    extra = replace(net.connections[1], name="strong", op=Dense(net.connections[1].op.synapses.with_values(
        net.connections[1].op.synapses.values * 16)))  # fmt: skip
    fixed = quantise(replace(net, connections=(*net.connections, extra)), CHIP)
    exponents = {c.name: c.op.exponent for c in fixed.connections}
    assert exponents["strong"] == exponents["fc2"] + 4
    assert exponents["fc2"] == 0


def graded(net):
    """The network fed with 8-bit messages instead of spikes."""
    populations = tuple(replace(p, message_bits=8) if p.neuron is None else p for p in net.populations)
    first = net.connections[0]
    first = replace(first, op=replace(first.op, synapses=first.op.synapses.with_values(first.op.synapses.values / 256)))
    return replace(net, populations=populations, connections=(first, *net.connections[1:]))


def test_graded_inputs_use_the_whole_grid():
    net = graded(float_chain())
    fixed = quantise(net, CHIP)
    assert fixed.connections[0].op.exponent == -8
    assert np.abs(fixed.connections[0].op.synapses.values).max() > 128
    images = np.random.default_rng(0).integers(0, 256, (8, 1, 12)).repeat(16, axis=1)
    a, b = simulate(net, {"input": images}), simulate(fixed, {"input": images})
    assert a.spikes["hidden1"].sum() > 100
    assert abs(int(a.spikes["hidden1"].sum()) - int(b.spikes["hidden1"].sum())) < 0.05 * a.spikes["hidden1"].sum()


@pytest.mark.parametrize(
    ("neuron", "where", "message"),
    [
        (Cuba(1.0, 0.0, 0.1), "hidden1", "decay_u 0 .. 0 becomes 0 .. 0, loihi1 holds 1 .. 4096"),
        (LIF(1e-9, 0.1), "hidden1", "threshold 1e-09 rounds to 0"),
        (LIF(1e9, 0.1), "fc1", "all 240 weights round to 0"),
    ],
)
def test_what_the_chip_cannot_hold_is_refused_with_place_numbers_and_remedy(neuron, where, message):
    net = float_chain()
    populations = tuple(replace(p, neuron=neuron) if p.name == "hidden1" else p for p in net.populations)
    with pytest.raises(NetworkError, match=where) as caught:
        quantise(replace(net, populations=populations), CHIP)
    assert message in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(("factor", "message"), [(1e300, "threshold 1 rounds to 0"), (1e-310, "they are next to zero")])
def test_absurd_weights_are_refused_without_a_warning(factor, message):
    with pytest.raises(NetworkError, match=message):
        quantise(with_weights(float_chain(), lambda w: w * factor), CHIP)


def test_a_fixed_network_is_not_quantised_again():
    with pytest.raises(NetworkError, match="fixed-point already, for loihi1"):
        quantise(fixed_chain(), CHIP)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="sign_mode"):
        QuantiseConfig(sign_mode="odd")


def reached(net, rasters):
    run = simulate(net, rasters, record=True)
    return {name: (s["u"].min(axis=(0, 1)), s["u"].max(axis=(0, 1))) for name, s in run.states.items()}


def adversary(net, population, neuron, sign, steps):
    """The raster that drives one neuron of the first layer to its bound."""
    c = net.connections[0]
    row = c.op.synapses.to_dense()[neuron]
    message = 2 ** max(net[c.src].message_bits, 1) - 1
    return {"input": np.broadcast_to((row * sign > 0) * message, (1, steps, c.op.n_src)).astype(np.uint8)}


def with_first_layer(net, neuron, exponent, bits):
    """The network with another neuron, message width and weight exponent in its first layer."""
    first = replace(net.connections[0], op=replace(net.connections[0].op, exponent=exponent))
    changed = {"input": replace(net["input"], message_bits=bits), "hidden1": replace(net["hidden1"], neuron=neuron)}
    populations = tuple(changed.get(p.name, p) for p in net.populations)
    return replace(net, populations=populations, connections=(first, *net.connections[1:]))


BITS, EXPONENTS = st.sampled_from([0, 8]), st.integers(0, 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4096), EXPONENTS, BITS)
def test_no_input_drives_the_current_beyond_its_bound(seed, decay, exponent, bits):
    net = fixed_chain(seed, (10, 6, 3), model="cuba")
    net = with_first_layer(net, Cuba(300, np.int64(decay), 512, 0), exponent - bits, bits)
    bound = current_bound(net)
    noise = {"input": np.random.default_rng(seed).integers(0, 2 ** max(bits, 1), (4, 200, 10))}
    for name, (low, high) in reached(net, noise).items():
        if not bound[name].wraps:
            assert (low >= bound[name].low).all()
            assert (high <= bound[name].high).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(200, 4096), EXPONENTS, BITS)
@pytest.mark.parametrize("model", ["lif", "cuba"])
def test_one_input_drives_the_current_to_its_bound(model, seed, decay, exponent, bits):
    net = fixed_chain(seed, (10, 6, 3), model=model)
    neuron = LIF(300, 512, 0) if model == "lif" else Cuba(300, np.int64(decay), 512, 0)
    net = with_first_layer(net, neuron, exponent - bits, bits)
    bound, probed = current_bound(net)["hidden1"], seed % 6
    if bound.wraps:
        return
    steps = 1 if model == "lif" else 50 + 20 * 4096 // decay
    for sign in (-1, 1):
        low, high = reached(net, adversary(net, "hidden1", probed, sign, steps))["hidden1"]
        assert (high[probed] == bound.high[probed]) if sign > 0 else (low[probed] == bound.low[probed])


def test_a_scale_at_which_the_current_could_wrap_is_made_smaller():
    net = float_chain(sizes=(3000, 10, 4))
    net = with_weights(net, lambda w: np.abs(w) + 0.5)
    fixed = quantise(net, CHIP)
    assert fixed.done[-1].settings["limited_by"]["hidden1"] == "the wrap of the current"
    bound = current_bound(fixed)["hidden1"]
    assert 0.9 * bound.limit < bound.reach < bound.limit
    must_not_wrap(fixed)
    assert scales(fixed)["hidden1"] * np.abs(net.connections[0].op.synapses.values).max() < 128


def test_a_network_that_can_wrap_is_refused_with_its_neuron():
    net = fixed_chain(sizes=(3000, 10, 4), density=1.0)
    strong = with_weights(net, lambda w: np.where(np.arange(len(w)) // 3000 == 7, 254, w))
    with pytest.raises(DoesNotFitError, match="'hidden1', neuron 7: the current can reach 48,768,000 and wraps at 8,388,608"):
        must_not_wrap(strong)
