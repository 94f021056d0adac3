"""Networks with shared weights and with delays: file, reference simulator, quantiser, bounds."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional, unrolled
from cases.networks import LOIHI, fixed_chain, spikes
from safetensors.numpy import save

from snnc import chips, store
from snnc.analysis.current_bounds import current_bound
from snnc.errors import NetworkError, SnncError
from snnc.network.arithmetic import Float
from snnc.network.model import arrays
from snnc.network.op import weight_grid
from snnc.passes.quantise import quantise, scales
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

KINDS = pytest.mark.parametrize("numeric", [LOIHI, Float()], ids=["fixed", "float"])


def fires(run, net):
    """No layer is silent, and none fires in every slot."""
    rates = {p.name: run.spikes[p.name].mean() for p in net.populations if p.neuron}
    assert 0.02 < min(rates.values()) <= max(rates.values()) < 0.9, rates


@KINDS
@pytest.mark.parametrize("delays", [False, True])
def test_shared_weights_fire_as_unrolled_ones(numeric, delays):
    net = convolutional(numeric, delays=delays)
    inputs = spikes(net, samples=4)
    run = simulate(net, inputs, record=True)
    fires(run, net)
    other = simulate(unrolled(net), inputs, record=True)
    for p in net.populations:
        assert np.array_equal(run.spikes[p.name], other.spikes[p.name])
    if numeric == LOIHI:
        assert compare(run, other).exact


def by_shifting(net, name, inputs):
    """The input of a population in every step, message by message: (samples, steps, n)."""
    fired = simulate(net, inputs).spikes
    samples, steps, _ = fired["input"].shape
    total = np.zeros((samples, steps, net[name].size), net.numeric.dtype)
    for c in net.into(name):
        s, late = c.op.unrolled(), {}
        axons = np.zeros(c.op.n_src, int) if c.axon_delays is None else c.axon_delays
        delays = np.zeros(s.count, int) if s.delays is None else s.delays
        for row, column, value, delay in zip(s.rows, s.indices, s.values, delays, strict=True):
            late.setdefault(c.delay_steps + delay + axons[column], []).append((row, column, value))
        for delay, synapses in late.items():
            sums = np.zeros_like(total)
            for row, column, value in synapses:
                sums[:, delay:, row] += value * fired[c.src][:, : steps - delay, column].astype(total.dtype)
            total += sums if c.op.exponent >= 0 else sums >> -c.op.exponent
    return total, fired


def test_delays_of_axons_and_synapses_are_kept_step_by_step():
    net = convolutional(delays=True)
    wires = [replace(c, op=replace(c.op, exponent=-2 if c.name in ("d1", "c2") else 0)) for c in net.connections]
    net = replace(net, connections=tuple(wires))
    assert {c.longest_delay for c in net.connections} == {0, 2, 4}
    inputs = spikes(net, samples=2, rate=0.5)
    run = simulate(net, inputs, record=True)
    for name in ("conv2", "output"):
        expected, fired = by_shifting(net, name, inputs)
        assert fired[name].sum() > 0
        assert np.array_equal(run.states[name]["u"], expected << LOIHI.state_shift)


@KINDS
@pytest.mark.parametrize("delays", [False, True])
def test_a_convolutional_network_survives_its_file(numeric, delays, tmp_path):
    net = convolutional(numeric, delays=delays)
    store.save(net, tmp_path / "a.snnc")
    again = store.load(tmp_path / "a.snnc")
    assert again.hash == net.hash
    assert store.dumps(again) == store.dumps(net)
    for c, d in zip(net.connections, again.connections, strict=True):
        assert (c.op.kind, c.op.geometry(), c.op.dst_shape) == (d.op.kind, d.op.geometry(), d.op.dst_shape)
        assert (c.longest_delay, c.shortest_delay) == (d.longest_delay, d.shortest_delay)


def test_the_hash_of_a_dense_network_is_what_it_was():
    assert fixed_chain().hash == "1f4e4edd5a74abcd6e0d9a5c37703188621c41acdb14756985c52f9caa79ce6f"


def test_geometry_and_delays_count_in_the_hash():
    net = convolutional()
    c1, _, c2, *_ = net.connections
    late = np.zeros(c2.op.n_src, np.int32)
    changed = {
        net.hash,
        convolutional(delays=True).hash,
        replace(net, connections=(c1, replace(c2, axon_delays=late))).hash,
        replace(net, connections=(c1, replace(c2, axon_delays=late + 1))).hash,
        replace(net, connections=(c1, c2)).hash,
    }
    assert len(changed) == 5


def altered(net, connection, **fields):
    """The file of a network in whose header a connection says something else."""
    header = {"schema": store.SCHEMA, "name": net.name, **store.structure(net), "done": []}
    found = next(c for c in header["connections"] if c["name"] == connection)
    for key, value in fields.items():
        part, _, name = key.partition("__")
        found[part] = {**found[part], name: value} if name else value
    return save({key: np.array(a) for key, a in arrays(net)}, {"snnc": json.dumps(header)})


@pytest.mark.parametrize(
    ("connection", "fields"),
    [
        ("c1", {"window__src_shape": [4, 9, 8, 1]}),
        ("c1", {"window__src_shape": [1 << 20, 1 << 20, 1 << 20]}),
        ("c1", {"window__kernel": [1 << 30, 1 << 30]}),
        ("c1", {"window__stride": [0, 1]}),
        ("c1", {"window__stride": "ab"}),
        ("c1", {"window__more": [1]}),
        ("c1", {"window": 7}),
        ("c1", {"groups": 1 << 62}),
        ("c1", {"groups": None}),
        ("c1", {"groups": 0}),
        ("c1", {"shape": [6, 1 << 62]}),
        ("c1", {"shape": [1 << 62, 12]}),
        ("c1", {"op": "dense"}),
        ("c1", {"op": "../../etc"}),
        ("c1", {"op": 3}),
        ("c1", {"op": "_base"}),
        ("p1", {"shape": [1 << 40, 1 << 40]}),
        ("p1", {"op": "conv2d"}),
        ("c2", {"pool__padding": [3, 3]}),
        ("c2", {"pool__src_shape": [1, 270, 1]}),
        ("c2", {"pool": None}),
        ("c2", {"pool__dilation": [[1], 1]}),
    ],
)
def test_a_hostile_header_is_refused_in_one_sentence(connection, fields, tmp_path):
    path = tmp_path / "bad.snnc"
    path.write_bytes(altered(convolutional(), connection, **fields))
    with pytest.raises(SnncError) as error:
        store.load(path)
    assert "bad.snnc" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("late", "message"),
    [
        (np.zeros(3, np.int32), r"shape \(3,\) and type int32, expected \(270,\)"),
        (np.zeros(270), "type float64"),
        (np.full(270, -1, np.int32), r"axon delays of -1 \.\. -1 steps"),
        (np.full(270, 1 << 20, np.int32), "0 to 65536 are possible"),
    ],
)
def test_axon_delays_that_cannot_be_are_refused(late, message):
    net = convolutional()
    c1, p1, c2, *rest = net.connections
    with pytest.raises(NetworkError, match=message):
        replace(net, connections=(c1, p1, replace(c2, axon_delays=late), *rest))


@pytest.mark.parametrize(
    ("late", "message"),
    [
        (np.zeros(3, np.int32), "3 delays for"),
        (np.zeros(96), "type float64"),
        (np.full(96, -1, np.int32), r"synapses with delays of -1 \.\. -1 steps"),
    ],
)
def test_synapse_delays_that_cannot_be_are_refused(late, message):
    net = convolutional(delays=True)
    *rest, d1, d2 = net.connections
    late = late if len(late) == 3 else np.resize(late, d1.op.synapses.count)
    with pytest.raises(NetworkError, match=message):
        replace(net, connections=(*rest, replace(d1, op=replace(d1.op, synapses=replace(d1.op.synapses, delays=late))), d2))


def test_a_delay_of_axons_and_synapses_at_once_is_refused():
    net = convolutional(delays=True)
    *rest, d1, d2 = net.connections
    with pytest.raises(NetworkError, match="delays of axons and of synapses"):
        replace(net, connections=(*rest, replace(d1, axon_delays=np.zeros(48, np.int32)), d2))


def test_a_loop_needs_a_delay_of_every_axon():
    net = fixed_chain(sizes=(4, 6, 6))
    back = replace(net.connections[1], name="back", src="output", dst="output")
    late = np.ones(6, np.int32)
    assert replace(net, connections=(*net.connections, replace(back, axon_delays=late))).ordered
    late = np.array([1, 1, 0, 1, 1, 1], np.int32)
    with pytest.raises(NetworkError, match="loop of connections without delay"):
        replace(net, connections=(*net.connections, replace(back, axon_delays=late)))


@pytest.mark.parametrize("delays", [False, True])
def test_the_reach_of_the_current_is_that_of_the_unrolled_synapses(delays):
    net = convolutional(delays=delays)
    wires = [replace(c, op=replace(c.op, exponent=-3 if c.name in ("d1", "c2") else 1)) for c in net.connections]
    net = replace(net, connections=tuple(wires))
    shared, other = current_bound(net), current_bound(unrolled(net))
    for name, bound in shared.items():
        assert bound.low.min() < 0 < bound.high.max() or name == "any"
        assert bound.low.tolist() == other[name].low.tolist()
        assert bound.high.tolist() == other[name].high.tolist()


@pytest.mark.parametrize("delays", [False, True])
def test_the_current_reaches_its_bound_and_no_more(delays):
    """Into the first layer, whose sources may send anything: one neuron's best input in every step."""
    net = convolutional(delays=delays)
    c1 = net.connections[0]
    bound, weights = current_bound(net)["conv1"], c1.op.unrolled().to_dense()
    neuron = bound.neuron
    best = (weights[neuron] > 0 if bound.high[neuron] > -bound.low[neuron] else weights[neuron] < 0).astype(np.uint8)
    run = simulate(net, {"input": np.tile(best, (1, 4, 1))}, record=True)
    assert abs(run.states["conv1"]["u"][0, 0, neuron]) == bound.reach
    noise = simulate(net, spikes(net, samples=8, rate=0.5), record=True)
    for name, states in noise.states.items():
        limits = current_bound(net)[name]
        assert (states["u"] >= limits.low).all()
        assert (states["u"] <= limits.high).all()


@pytest.mark.parametrize("profile", ["loihi1", "loihi2"])
def test_quantised_shared_weights_are_those_of_the_unrolled(profile):
    """But for the choice of the scale, in which an unrolled weight counts once for each synapse."""
    net = convolutional(Float())
    fixed = quantise(net, chips.load(profile))
    for c, exact in zip(fixed.connections, net.connections, strict=True):
        scale = scales(fixed)[c.dst]
        decoded = c.op.synapses.values * 2.0**c.op.exponent / scale
        grid = weight_grid(fixed.numeric, c.op.sign_mode).step * 2.0**c.op.exponent / scale
        assert np.abs(decoded - exact.op.synapses.values).max() <= grid / 2 * (1 + 1e-9)
        assert (c.op.geometry(), c.op.synapses.count) == (exact.op.geometry(), exact.op.synapses.count)
    inputs = spikes(net, samples=4)
    run, other = simulate(fixed, inputs), simulate(net, inputs)
    fires(run, fixed)
    for p in net.populations[1:]:
        assert (run.spikes[p.name] == other.spikes[p.name]).mean() > 0.9
