"""The reference simulator against loops that are written out: every synapse, every step."""

import numpy as np
import pytest
from cases.networks import LOIHI, fixed_chain, fixed_dense, float_chain, spikes

from snnc.errors import DataError, NetworkError
from snnc.network.model import Connection, Network, Population
from snnc.neurons.cuba import Cuba
from snnc.simulation.reference import simulate


def truncated(x, keep):
    """x * keep / 4096 towards zero, in Python's integers."""
    product = abs(x) * keep // 4096
    return product if x >= 0 else -product


def one_cuba_step(u, v, total, n):
    """One step of one neuron, in Python's integers."""
    u = truncated(u, 4096 - int(n.decay_u)) + total * 64
    v = truncated(v, 4096 - int(n.decay_v)) + u + int(n.bias)
    fired = v > int(n.threshold) * 64
    return u, 0 if fired else v, int(fired)


def by_loops(net, raster):
    """One sample through CUBA populations, spike by spike; delays and recurrence included."""
    steps = len(raster)
    fired = {p.name: np.zeros((steps, p.size), int) for p in net.populations}
    fired["input"] = raster
    state = {p.name: [(0, 0)] * p.size for p in net.populations if p.neuron}
    for step in range(steps):
        for p in net.ordered[1:]:
            for i in range(p.size):
                total = 0
                for c in net.into(p.name):
                    if step < c.delay_steps:
                        continue
                    weights = c.op.synapses.to_dense()[i]
                    sent = fired[c.src][step - c.delay_steps]
                    part = sum(int(w) * int(s) for w, s in zip(weights, sent, strict=True))
                    total += part * 2**c.op.exponent if c.op.exponent >= 0 else part // 2**-c.op.exponent
                u, v, spike = one_cuba_step(*state[p.name][i], total, p.neuron)
                state[p.name][i] = (u, v)
                fired[p.name][step, i] = spike
    return fired, state


def looped_case():
    rng = np.random.default_rng(5)
    a, b = Cuba(300, 1500, 400, 7), Cuba(500, 4096, 100, -9)
    populations = (Population("input", (9,), None), Population("a", (7,), a), Population("b", (5,), b))
    connections = (
        Connection("in_a", "input", "a", fixed_dense(rng, 7, 9, exponent=1)),
        Connection("a_b", "a", "b", fixed_dense(rng, 5, 7, exponent=-2)),
        Connection("late", "input", "b", fixed_dense(rng, 5, 9), delay_steps=3),
        Connection("back", "b", "a", fixed_dense(rng, 7, 5), delay_steps=1),
        Connection("self", "a", "a", fixed_dense(rng, 7, 7, sign_mode="inhibitory"), delay_steps=2),
    )
    return Network("looped", populations, connections, 1e-3, LOIHI)


@pytest.mark.parametrize("net", [fixed_chain(model="cuba", bias=20), looped_case()], ids=["chain", "delays and loops"])
def test_the_reference_equals_written_out_loops(net):
    inputs = spikes(net, samples=2, steps=30)
    run = simulate(net, inputs, record=True)
    for sample in range(2):
        fired, state = by_loops(net, inputs["input"][sample])
        for p in net.ordered[1:]:
            assert fired[p.name].sum() > 0
            assert np.array_equal(run.spikes[p.name][sample], fired[p.name])
            assert run.states[p.name]["u"][sample, -1].tolist() == [u for u, _ in state[p.name]]
            assert run.states[p.name]["v"][sample, -1].tolist() == [v for _, v in state[p.name]]


def test_samples_do_not_touch_each_other():
    net = float_chain()
    inputs = spikes(net, samples=4)
    together = simulate(net, inputs)
    alone = simulate(net, {"input": inputs["input"][2:3]})
    assert together.spikes["output"].sum() > 0
    assert np.array_equal(together.spikes["output"][2:3], alone.spikes["output"])


def test_a_loop_without_delay_is_refused():
    net = looped_case()
    loop = Connection("loop", "b", "a", net.connections[3].op)
    with pytest.raises(NetworkError, match="loop of connections without delay"):
        Network("bad", net.populations, (*net.connections, loop), 1e-3, LOIHI)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "got no raster"),
        ({"input": np.zeros((1, 4, 11), int)}, r"shape \(1, 4, 11\), expected"),
        ({"input": np.zeros((1, 4, 12))}, "got float64"),
        ({"input": np.full((1, 4, 12), 2)}, r"messages 2 .. 2, it sends 0 .. 1"),
    ],
)
def test_wrong_inputs_are_named(inputs, message):
    with pytest.raises(DataError, match=message):
        simulate(fixed_chain(), inputs)
