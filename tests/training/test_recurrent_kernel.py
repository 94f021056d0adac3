"""A recurrent layer by the compiled kernel fires what its neurons' own steps fire, and has the same gradients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")
pytest.importorskip("numba", reason="the kernels are compiled: pip install '.[train]'")

from dataclasses import replace  # noqa: E402

from snnc.network.encoding import Encoding  # noqa: E402
from snnc.training.kernels import recurrent  # noqa: E402
from snnc.training.models.graph import FloatGraph  # noqa: E402
from snnc.training.models.untrained import untrained  # noqa: E402
from snnc.training.settings import TrainConfig  # noqa: E402


def network(delay=1, **settings):
    current = {"alpha": 0.8} if settings.get("neuron", "").startswith("cuba") else {}
    config = TrainConfig(**{"recurrent": True, "hidden": (40,), "threshold": 0.3, "beta": 0.9, **current, **settings})
    torch.manual_seed(0)
    net = untrained(config, "x", 24, 7, Encoding("rate", 30))
    again = [replace(c, delay_steps=delay) if c.src == c.dst else c for c in net.connections]
    return replace(net, connections=tuple(again))


def trained_step(net, kernel, raster):
    """(spikes of all populations, gradients) of one pass."""
    graph = FloatGraph(net, kernel)
    answer = graph(raster)
    (answer * torch.linspace(-1, 1, answer.numel()).view(answer.shape)).sum().backward()
    return graph.spikes(raster), {name: p.grad for name, p in graph.named_parameters()}


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(
    "settings",
    [{"neuron": "cuba"}, {"neuron": "leaky"}, {"bias": True, "neuron": "lif"}, {"delay": 4, "neuron": "cuba"}, {"delay": 40}],
)
def test_spikes_and_gradients_are_those_of_the_steps(settings, constant, monkeypatch):
    calls = []
    compiled = recurrent.fused_recurrent
    monkeypatch.setattr("snnc.training.models.population.fused_recurrent", lambda *a: calls.append(1) or compiled(*a))
    net = network(**settings)
    raster = (torch.rand(16, 30, 24, generator=torch.Generator().manual_seed(1)) < 0.15).float()
    raster = raster[:, :1].expand(-1, 30, -1) if constant else raster
    spikes, gradients = trained_step(net, "auto", raster)
    assert calls
    calls.clear()
    wanted, wanted_gradients = trained_step(net, "snntorch", raster)
    assert not calls
    assert 0.02 < wanted["hidden1"].mean() < 0.9
    for name, raster_of in wanted.items():
        assert torch.equal(spikes[name], raster_of)
    assert set(gradients) == set(wanted_gradients)
    for name, gradient in wanted_gradients.items():
        if gradient is None:  # of weights whose messages arrive too late
            assert settings == {"delay": 40}
            assert not gradients[name].any()
            continue
        assert gradient.abs().max() > 0
        assert (gradients[name] - gradient).abs().max() <= 2e-6 * max(gradient.abs().max(), 1e-12), name


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("neuron", ["lif", "cuba"])
def test_a_readout_has_the_voltages_and_gradients_of_its_steps(neuron, constant):
    net = network(neuron=neuron, readout="li", recurrent=False, hidden=())
    raster = (torch.rand(8, 30, 24, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    raster = raster[:, :1].expand(-1, 30, -1) if constant else raster
    answers, gradients = [], []
    for kernel in ("auto", "snntorch"):
        graph = FloatGraph(net, kernel)
        answer = graph(raster)
        (answer * torch.linspace(-1, 1, answer.numel()).view(answer.shape)).sum().backward()
        answers.append(answer.detach())
        gradients.append([p.grad for p in graph.parameters()])
    assert torch.equal(*answers)
    assert answers[0].std() > 0.1
    for ours, wanted in zip(*gradients, strict=True):
        assert (ours - wanted).abs().max() <= 2e-6 * wanted.abs().max()
    assert FloatGraph(net, "fused").population("output").why_not_fused is None


def test_what_the_kernel_cannot_do_takes_the_steps(monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr("snnc.training.models.population.fused_recurrent", never)
    raster = torch.zeros(2, 30, 24)
    FloatGraph(network(neuron="cuba_subtract"))(raster)
    FloatGraph(network(), dtype=torch.float64)(raster.double())
    net = network(neuron="cuba")
    late = tuple(replace(c, axon_delays=np.arange(40, dtype=np.int32) % 3) if c.src == c.dst else c for c in net.connections)
    FloatGraph(replace(net, connections=late))(raster)


def test_the_voltages_of_a_readout_are_held_against_torch():
    """In floats and in integers; a weight that differs shows."""
    import snnc

    net = network(neuron="cuba", readout="li")
    raster = (np.random.default_rng(0).random((3, 30, 24)) < 0.15).astype(np.uint8)
    for held in (net, snnc.quantise(net, "ecp5_25f")):
        verification = snnc.verify(held, "torch", inputs=raster)
        assert verification.exact
        assert verification.verdict.states == {"output.v": (3 * 30 * 7, 0)}
    from snnc.simulation.reference import simulate
    from snnc.training.torch_run import torch_run
    from snnc.verification.compare import compare

    last = net.connections[-1]
    values = last.op.synapses.values.copy()
    values[0] *= 1 + 1e-12
    wrong = replace(net, connections=(*net.connections[:-1], replace(last, op=last.op.with_values(values))))
    inputs = {"input": raster}
    verdict = compare(simulate(net, inputs), torch_run(wrong, inputs))
    assert verdict.mismatches == 0
    assert not verdict.exact
