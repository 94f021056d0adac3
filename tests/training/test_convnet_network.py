"""The convolutional network of the publication as a `Network`: the spikes of torch, and on through the chain."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from torch import nn  # noqa: E402

from snnc import chips, store  # noqa: E402
from snnc.budget.check import check  # noqa: E402
from snnc.errors import ConfigError  # noqa: E402
from snnc.network.encoding import encode  # noqa: E402
from snnc.passes.quantise import quantise  # noqa: E402
from snnc.simulation.reference import simulate  # noqa: E402
from snnc.simulation.run import classes  # noqa: E402
from snnc.training.models.convnet import ConvNet, ConvNetConfig  # noqa: E402

SMALL = ConvNetConfig(width=6, hidden=24, steps=12, voters=3, threshold=0.35, beta=0.75)
STRIDED = replace(SMALL, channels=(6, 4, 5), strides=(1, 2, 2), pooled_after=(), hidden=0)
LAYERS = {f"lif{i}": f"conv{i}" for i in range(1, 7)} | {"lif7": "hidden", "lif8": "output"}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 3 * 16 * 16), np.uint8)


@pytest.fixture(scope="module")
def model():
    return made(SMALL)


def made(config):
    """In float64, with statistics of its batch norms and half of its weights pruned; each layer fires."""
    torch.manual_seed(1)
    model = ConvNet(config, side=16).double()
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, nn.Conv2d | nn.Linear):
                m.weight.mul_(torch.rand(m.weight.shape) < 0.5).mul_(2.0)
            if isinstance(m, nn.Linear):
                m.weight.mul_(3.5)
            if isinstance(m, nn.BatchNorm2d):
                m.momentum = 1.0
                m.weight.copy_(torch.rand(len(m.weight)).double() + 0.5)
                m.bias.copy_(torch.rand(len(m.bias)).double() * 0.6)
        model(torch.rand(16, 3, 16, 16).double())
    return model.eval()


def fired_by_torch(model, images):
    """The spikes of each layer, (samples, steps, n), and the votes."""
    fired, fire = {}, model._fire
    layers = LAYERS | {model.of_hidden: "hidden", model.of_voters: "output"}

    def recording(name, currents):
        spikes = fire(name, currents)
        fired[layers[name]] = spikes.flatten(2).detach().numpy()
        return spikes

    model._fire = recording
    try:
        with torch.no_grad():
            votes = model(torch.from_numpy(images / 256).view(-1, 3, 16, 16))
    finally:
        del model._fire
    return fired, votes.numpy()


def test_the_network_fires_as_torch_does(model, images):
    net = model.to_network("small")
    expected, votes = fired_by_torch(model, images)
    run = simulate(net, {"input": encode(net.encoding, images)})
    assert sum(p.size for p in net.populations) > 400
    for name, spikes in expected.items():
        assert 0.05 < spikes.mean() < 0.5, (name, spikes.mean())
        assert np.array_equal(run.spikes[name], spikes), name
    for i in (3, 6):
        side = net[f"conv{i}"].shape[1]
        planes = expected[f"conv{i}"].reshape(3, 12, 6, side // 2, 2, side // 2, 2).max((4, 6))
        assert np.array_equal(run.spikes[f"pool{i}"], planes.reshape(3, 12, -1))
    assert np.allclose(run.states["vote"]["v"], votes * SMALL.voters, atol=SMALL.voters * 2 / 4096)
    counts = votes.sum(1)
    chosen = classes(run, net["vote"])
    assert (counts[np.arange(3), chosen] == counts.max(1)).all()


def test_a_network_with_strides_and_no_hidden_layer_fires_as_torch_does(images):
    strided = made(STRIDED)
    net = strided.to_network("strided")
    expected, votes = fired_by_torch(strided, images)
    run = simulate(net, {"input": encode(net.encoding, images)})
    assert [p.shape for p in net.populations] == [(3, 16, 16), (6, 16, 16), (4, 8, 8), (5, 4, 4), (30,), (10,)]
    for name, spikes in expected.items():
        assert 0.05 < spikes.mean() < 0.6, (name, spikes.mean())
        assert np.array_equal(run.spikes[name], spikes), name
    assert list(expected) == ["conv1", "conv2", "conv3", "output"]
    assert np.allclose(run.states["vote"]["v"], votes * SMALL.voters, atol=SMALL.voters * 2 / 4096)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": (4, 4), "strides": (2,), "pooled_after": ()}, "1 strides for 2 convolutions"),
        ({"channels": (4, 4)}, "a pool after convolution 6 of 2"),
        ({"strides": (2, 2, 2, 2, 1, 1)}, "planes 64 times smaller, of 16 pixels"),
    ],
)
def test_geometry_that_cannot_be(options, message):
    with pytest.raises(ConfigError, match=message):
        ConvNet(ConvNetConfig(width=4, hidden=12, **options), side=16)


def test_pruned_weights_do_not_exist(model):
    net = model.to_network("small")
    kernels = {c.dst: c.op for c in net.connections}
    for i in range(1, 7):
        assert kernels[f"conv{i}"].synapses.count == int((model.get_submodule(f"conv{i}").weight != 0).sum())
    assert kernels["hidden"].synapses.count == int((model.fc1.weight != 0).sum())
    assert kernels["conv2"].synapse_count > 40 * kernels["conv2"].synapses.count


def test_it_goes_on_through_the_chain(model, images, tmp_path):
    net = model.to_network("small")
    store.save(net, tmp_path / "a.snnc")
    fixed = quantise(store.load(tmp_path / "a.snnc"), chips.load("loihi2"))
    found, exact = ({**simulate(n, {"input": encode(net.encoding, images)}).spikes} for n in (fixed, net))
    for name in LAYERS.values():
        assert found[name].mean() == pytest.approx(exact[name].mean(), rel=0.25)
    assert check(fixed, chips.load("loihi2")).has_room


@pytest.mark.slow
def test_the_full_network_goes_from_quantising_to_the_program(tmp_path):
    script = ROOT / "benchmarks" / "full_size.py"
    subprocess.run([sys.executable, script, "--json", tmp_path / "a.json"], check=True, capture_output=True)
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["full"]["weights"], found["full"]["synapses"]) == (36_715_264, 1_614_720_000)
    assert found["full"]["fits"]
    assert found["narrow"]["exact"] == {"unrolled": True, "engine, lanes": True, "engine, events": True}
    assert found["seconds_quantise_to_export"] < 120
    assert found["peak_megabytes"] < 4000
