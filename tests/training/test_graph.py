"""Any network as a torch module fires what the reference fires, trains, and comes back with all its names and delays."""

from dataclasses import replace

import numpy as np
import pytest
from cases import lava_networks
from cases.convolutions import convolutional
from cases.graphs import graph
from cases.networks import conv_net, fixed_loops, float_chain, spikes

from snnc import neurons
from snnc.errors import UnsupportedError
from snnc.network.arithmetic import Float
from snnc.passes.dequantise import dequantised
from snnc.simulation.reference import simulate

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from snnc.training.kernels.fire import kernels  # noqa: E402
from snnc.training.models.feedforward import from_network  # noqa: E402
from snnc.training.models.graph import FloatGraph, groups  # noqa: E402

FIRING = [name for name in neurons.names() if neurons.get(name).rule.fires]


def rasters_of(net, seed=0, samples=4):
    """Random messages for every input."""
    return lava_networks.rasters(net, seed, samples, net.encoding.steps if net.encoding else 16)


def messages(net, inputs, dtype=torch.float64):
    unit = net.encoding.unit if net.encoding else 1.0
    return {name: torch.from_numpy(raster.astype(np.float64)).to(dtype) * unit for name, raster in inputs.items()}


def equal_to_the_reference(net, inputs):
    """Spikes of all populations are equal, as are voltages of readouts; returns how many neurons fired and stayed silent."""
    want = simulate(net, inputs)
    with torch.no_grad():
        got, voltages = FloatGraph(net, dtype=torch.float64).run(messages(net, inputs))
    for p in (p for p in net.populations if p.neuron):
        assert (got[p.name].numpy() == want.spikes[p.name]).all(), p.name
    assert set(voltages) == set(want.readouts)
    for name, voltage in voltages.items():
        np.testing.assert_allclose(voltage.numpy(), want.states[name]["v"], rtol=1e-9, atol=1e-9)
        assert want.states[name]["v"].any()
    return [want.spikes[p.name].mean() for p in net.populations if p.neuron and p.neuron.rule.fires]


@pytest.mark.parametrize("model", FIRING)
@pytest.mark.parametrize("seed", range(6))
def test_random_graphs_fire_as_the_reference_says(model, seed):
    net = graph(seed, model=model, readout=("li", model)[seed % 2], inputs=1 + seed % 2)
    rates = equal_to_the_reference(net, rasters_of(net, seed))
    assert max(rates) > 0.01
    assert min(rates) < 0.9


CASES = {
    "convolutions": lambda: convolutional(Float(), 1),
    "convolutions with delays": lambda: convolutional(Float(), 2, delays=True),
    "strided": lambda: conv_net(3),
    "loops": lambda: replace(dequantised(fixed_loops(1)), encoding=fixed_loops(1).encoding),
    "messages": lambda: dequantised(lava_networks.network(3, [lava_networks.Wire()] * 6)),
    **{f"chain of {name}": lambda name=name: float_chain(2, model=name) for name in neurons.names()},
}


@pytest.mark.parametrize("case", CASES)
def test_networks_of_other_tests_fire_as_the_reference_says(case):
    net = CASES[case]()
    assert max(equal_to_the_reference(net, rasters_of(net))) > 0.02


def test_the_cases_have_loops_delays_and_several_inputs():
    nets = [graph(seed, inputs=1 + seed % 2) for seed in range(6)]
    assert any(len(group) > 1 for net in nets for group in groups(net))
    assert any(c.src == c.dst for net in nets for c in net.connections)
    assert any(c.axon_delays is not None for net in nets for c in net.connections)
    assert any(c.op.synapses.delays is not None for net in nets for c in net.connections)


@pytest.mark.parametrize("case", [*CASES, *range(4)])
def test_it_comes_back_as_it_was(case):
    net = graph(case) if isinstance(case, int) else CASES[case]()
    back = FloatGraph(net, dtype=torch.float64).to_network()
    for c, was in zip(back.connections, net.connections, strict=True):
        assert (c.name, c.src, c.dst, c.delay_steps) == (was.name, was.src, was.dst, was.delay_steps)
        for (key, a), (_, b) in zip(c.op.synapses.arrays(), was.op.synapses.arrays(), strict=True):
            assert (a == b).all(), key
    if all(p.neuron is None or np.shape(bias := getattr(p.neuron, "bias", 0)) or not bias for p in net.populations):
        assert back.hash == net.hash
    assert (back.encoding, back.done, back.name) == (net.encoding, net.done, net.name)


@pytest.mark.parametrize("kind", ["raster", "constant"])
@pytest.mark.skipif(kernels() is None, reason="numba is not installed: pip install '.[train]'")
def test_a_chain_has_the_gradients_of_the_fused_model(kind):
    """The same float32 network as snnTorch layers with compiled kernels, and as a graph with and without them."""
    net = float_chain(1, (12, 30, 5), density=0.7)
    raster = messages(net, spikes(net, samples=8), torch.float32)["input"]
    if kind == "constant":
        raster = torch.rand(8, 1, 12).expand(-1, 16, -1)
    chain, models = from_network(net), [FloatGraph(net, kernel) for kernel in ("fused", "snntorch")]
    found = []
    for model in (chain, *models):
        answer = model(raster)
        (answer * torch.randn(answer.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
        weights = [linear.weight for linear in model.linears.values()] if model is chain else list(model.weights.values())
        found.append((answer.detach(), [w.grad for w in weights]))
    assert found[0][0].mean() > 0.05
    for answer, grads in found[1:]:
        assert torch.equal(answer, found[0][0])
        for grad, want in zip(grads, found[0][1], strict=True):
            assert want.abs().max() > 0
            torch.testing.assert_close(grad, want, rtol=1e-3, atol=1e-5 * float(want.abs().max()))


def test_a_bias_of_a_single_neuron_is_a_tensor_like_others():
    """torch keeps a step of 0 in what is expanded from one number, and such bytes cannot be read for a checkpoint."""
    net = float_chain(1, (6, 1, 3))
    one = replace(net, populations=tuple(
        replace(p, neuron=replace(p.neuron, bias=np.float64(0.25))) if p.size == 1 else p for p in net.populations
    ))  # fmt: skip
    biases = [p for p in FloatGraph(one).others if p.shape == (1,)]
    assert [bias.stride() for bias in biases] == [(1,)]
    assert biases[0].tolist() == [0.25]


@pytest.mark.parametrize("seed", range(4))
def test_gradients_reach_every_weight_and_bias(seed):
    net = graph(seed, model=FIRING[seed], readout="li", inputs=1)
    model = FloatGraph(net)
    inputs = rasters_of(net)
    model(messages(net, inputs, torch.float32)["input0"]).sum().backward()
    fires = {name for name, raster in simulate(net, inputs).spikes.items() if raster.any()}
    heard = {net.output.name}
    while more := {c.src for c in net.connections if c.dst in heard} - heard:
        heard |= more
    assert {"hidden0", "hidden1", "hidden2"} <= heard
    for c in net.connections:
        grad = model.weights[c.name].grad
        assert (grad is not None and bool(grad.any())) == (c.dst in heard and c.src in fires), c.name
    assert all(bias.grad is not None and bias.grad.any() for bias in model.others)


def test_a_new_synapse_beside_delayed_ones_has_their_shortest_delay():
    """So that pruning cannot make a loop without delay."""
    net = next(n for n in map(graph, range(20)) if any(c.op.synapses.delays is not None for c in n.connections))
    c = next(c for c in net.connections if c.op.synapses.delays is not None)
    everything = {name: torch.ones_like(mask) for name, mask in FloatGraph(net).masks.items()}
    grown = next(other for other in FloatGraph(net).to_network(masks=everything).connections if other.name == c.name)
    assert grown.op.synapses.count == c.op.parameters > c.op.synapses.count
    assert grown.shortest_delay == c.shortest_delay
    assert (grown.op.synapses.delays == 0).sum() > (c.op.synapses.delays == 0).sum() or c.op.synapses.delays.min()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FloatGraph(fixed_loops()), "is quantised"),
        (lambda: FloatGraph(float_chain(model="cuba_subtract"), "fused"), "has no fused kernel: only lif, cuba and li"),
        (lambda: FloatGraph(graph(1, inputs=2))(torch.zeros(1, 4, 6)), "has 2 inputs"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(UnsupportedError, match=message):
        make()
