"""Training: the snnTorch model and its network spike alike, fitting is reproducible, failures are explained."""

import numpy as np
import pytest
from cases import float_chain

from snnc.encode import Encoding
from snnc.errors import ConfigError
from snnc.run import Run
from snnc.simulate import simulate
from snnc.verify import compare

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'snnc[train]'")
from snnc.training import models  # noqa: E402

NEURONS = [
    {"neuron": "leaky", "reset_delay": True},
    {"neuron": "leaky", "reset_delay": False},
    {"neuron": "leaky", "reset_delay": True, "bias": True},
    {"neuron": "synaptic"},
]


def spiking_model(options, n=400, gain=6.0):
    """A model of n inputs, n hidden and n output neurons whose weights are large enough to fire."""
    torch.manual_seed(3)
    model = models.build((n, n, n), beta=0.9, alpha=0.6, threshold=1.0, **options)
    with torch.no_grad():
        for linear in model.linears.values():
            linear.weight.mul_(gain / (2 if options["neuron"] == "synaptic" else 1))
            if linear.bias is not None:
                linear.bias.normal_(0, 0.1)
    return model


def torch_run(model, net, raster):
    """What the torch model does in float64, as a Run."""
    with torch.no_grad():
        fired = model.double().spikes(torch.from_numpy(raster.astype(np.float64) * net.encoding.unit))
    spikes = {"input": raster} | {name: s.numpy().astype(np.uint8) for name, s in fired.items()}
    return Run("torch", net.dt_s, spikes, {}, {})


@pytest.mark.parametrize("kind", ["rate", "constant"])
@pytest.mark.parametrize("options", NEURONS, ids=str)
def test_the_torch_model_and_its_network_fire_the_same_spikes(options, kind):
    model, steps = spiking_model(options), 400
    net = models.to_network(model, Encoding(kind, steps))
    rng = np.random.default_rng(0)
    raster = rng.integers(0, 256, (1, steps, 400)) if kind == "constant" else rng.random((1, steps, 400)) < 0.3
    raster = raster.astype(np.uint8)
    verdict = compare(simulate(net, {"input": raster}), torch_run(model, net, raster))
    assert verdict.exact, verdict.first
    for name in ("hidden1", "output"):
        compared, _ = verdict.spikes[name]
        assert compared == 400 * 400
        assert 0.05 <= verdict.fired[name] / compared <= 0.5, name


@pytest.mark.parametrize("options", NEURONS, ids=str)
@pytest.mark.parametrize("kind", ["rate", "constant"])
def test_a_network_becomes_the_same_model_again(options, kind):
    net = models.to_network(spiking_model(options, n=30), Encoding(kind, 8))
    again = models.to_network(models.from_network(net), net.encoding, done=net.done)
    assert again.hash == net.hash


def test_pruned_weights_stay_pruned_through_torch():
    net = float_chain(density=0.3)
    model = models.from_network(net)
    masks = models.pruned_masks(model)
    for c in net.connections:
        assert (masks[c.name].numpy() == c.op.synapses.mask()).all()
        assert not model.linears[c.name].weight[~masks[c.name]].any()
    assert [c.op.synapses.count for c in models.to_network(model, net.encoding).connections] == [
        c.op.synapses.count for c in net.connections
    ]


def test_what_snntorch_cannot_express_is_refused():
    with pytest.raises(ConfigError, match="bias"):
        models.build((4, 4), neuron="synaptic", bias=True)
