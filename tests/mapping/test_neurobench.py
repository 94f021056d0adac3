"""The measures of a mapped network are NeuroBench's own, in name and number, on networks that both can hold."""

from importlib.util import find_spec

import numpy as np
import pytest
from cases.mappings import LOIHI1
from cases.networks import fixed_chain, spikes

from snnc import chips
from snnc.importers import ImportConfig
from snnc.mapping.choose import map_by
from snnc.mapping.neurobench import measures
from snnc.mapping.task import Task
from snnc.simulation.reference import simulate

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
import snntorch as snn  # noqa: E402
from torch import nn  # noqa: E402

from snnc.importers.snntorch import read_module  # noqa: E402

needs_neurobench = pytest.mark.skipif(
    find_spec("neurobench") is None, reason="neurobench is not installed: pip install --no-deps neurobench==2.3.0 tqdm"
)
STEPS, SAMPLES = 8, 5


def told(net, run, chip="loihi2"):
    """Our measures of a network mapped with the rates of a run."""
    rates = {name: np.count_nonzero(raster, axis=1).mean(axis=0) for name, raster in run.spikes.items()}
    task = Task.of(net, chips.load(chip), rates)
    return measures(task, map_by(task, "greedy").census, steps=next(iter(run.spikes.values())).shape[1])


def leaky(**options):
    return snn.Leaky(beta=0.875, init_hidden=True, reset_mechanism="zero", **options)


def pruned(layers, seed=0):
    """Layers whose weights are multiples of 1/16, so that sums are exact, of which half are 0."""
    rng = np.random.default_rng(seed)
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            weight = rng.integers(1, 12, layer.weight.shape) * (rng.random(layer.weight.shape) < 0.5) / 16
            layer.weight.data = torch.from_numpy(weight).float()
    return nn.Sequential(*layers)


MODULES = {
    "dense": lambda: (
        pruned([nn.Linear(12, 20, bias=False), leaky(), nn.Linear(20, 5, bias=False), leaky(output=True)]),
        (12,),
    ),
    "conv": lambda: (
        pruned(
            [
                nn.Conv2d(2, 4, 3, padding=1, bias=False), leaky(), nn.Conv2d(4, 3, 2, stride=2, bias=False), leaky(),
                nn.Flatten(), nn.Linear(27, 5, bias=False), leaky(output=True),
            ]
        ),
        (2, 6, 6),
    ),
}  # fmt: skip


def neurobench_says(module, raster):
    """NeuroBench's own benchmark of a module on a raster (samples, steps, ...)."""
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
    from neurobench.models import SNNTorchModel
    from torch.utils.data import DataLoader, TensorDataset

    data = DataLoader(TensorDataset(raster, torch.zeros(len(raster))), batch_size=len(raster))
    benchmark = Benchmark(SNNTorchModel(module), data, [], [], [[ConnectionSparsity], [ActivationSparsity, SynapticOperations]])
    return benchmark.run(quiet=True)


@needs_neurobench
@pytest.mark.parametrize("name", MODULES)
def test_sparsities_and_operations_are_those_of_neurobench(name):
    module, shape = MODULES[name]()
    rng = np.random.default_rng(1)
    raster = (rng.random((SAMPLES, STEPS, *shape)) < 0.3).astype(np.uint8)
    net = read_module(module, ImportConfig(input_shape=",".join(map(str, shape)))).network
    run = simulate(net, {net.inputs[0].name: raster.reshape(SAMPLES, STEPS, -1)})
    assert all(spikes.any() for spikes in run.spikes.values())
    ours, theirs = told(net, run), neurobench_says(module, torch.from_numpy(raster).float())
    assert ours["connection_sparsity"] == pytest.approx(theirs["ConnectionSparsity"], abs=5e-5)  # it rounds to 4 digits
    assert ours["activation_sparsity"] == pytest.approx(theirs["ActivationSparsity"], abs=1e-12)
    assert ours["synaptic_operations"] == pytest.approx(theirs["SynapticOperations"])
    assert ours["synaptic_operations"]["Effective_ACs"] > 300


@needs_neurobench
def test_the_footprint_of_unpruned_bytes_is_that_of_neurobench():
    """Where nothing is pruned and weights are bytes on both sides: torch's tensors hold zeros, a chip's memory need not."""
    from neurobench.metrics.static import Footprint
    from neurobench.models import SNNTorchModel

    net = fixed_chain(2, (12, 20, 5), density=1.0)
    layers = [nn.Linear(c.op.n_src, c.op.n_dst, bias=False) for c in net.connections]
    for layer, c in zip(layers, net.connections, strict=True):
        weight = torch.from_numpy((c.op.synapses.to_dense() // 2).astype(np.int8))
        layer.weight = nn.Parameter(weight, requires_grad=False)
    ours = told(net, simulate(net, spikes(net)))
    assert ours["footprint"] == Footprint()(SNNTorchModel(nn.Sequential(*layers))) == 12 * 20 + 20 * 5


def test_measures_by_hand():
    net = fixed_chain(2, (12, 20, 5), density=0.5, steps=6)
    run = simulate(net, spikes(net, samples=4))
    found = told(net, run, LOIHI1.name)
    synapses = sum(c.op.synapses.count for c in net.connections)
    weights = {c.name: c.op.synapses.mask().astype(int) for c in net.connections}
    effective = sum((weights[c.name] @ run.spikes[c.src].reshape(-1, net[c.src].size).T).sum() for c in net.connections) / 4
    fired = sum(run.spikes[p.name].sum() for p in net.populations if p.neuron)
    assert found["connection_sparsity"] == 1 - synapses / (12 * 20 + 20 * 5)
    assert found["activation_sparsity"] == pytest.approx(1 - fired / (4 * 6 * 25))
    assert found["synaptic_operations"] == {"Effective_MACs": 0, "Effective_ACs": pytest.approx(effective), "Dense": 6 * 340}
