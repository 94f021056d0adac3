"""lava-dl 0.6.0 itself opens the netx files that snnc writes, and Lava computes the spikes of the reference with them."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from cases import peers
from cases.networks import fixed_chain, spikes
from cases.netx import CUBA, LOIHI_NEURON, dense, even, layer, spiking, written

from snnc import targets
from snnc.importers import ImportConfig, read
from snnc.simulation.reference import simulate

STEPS = 60


def planes(rng):
    """Convolutions in groups, with strides, padding and dilation; a dense layer behind the flattened planes."""
    sizes = {"stride": np.array([2, 1]), "padding": np.array([1, 0]), "dilation": np.array([1, 2])}
    first = {"inChannels": 2, "outChannels": 4, "kernelSize": np.array([3, 2]), "groups": 2, **sizes}
    plain = {name: np.array([1, 1]) for name in ("stride", "dilation")} | {"padding": np.array([0, 1])}
    second = {"inChannels": 4, "outChannels": 3, "kernelSize": np.array([2, 2]), "groups": 1, **plain}
    return [
        layer("input", (2, 6, 7)),
        layer("conv", (4, 3, 5), weight=even(rng, 4, 1, 3, 2, 1), bias=np.float32([-7, 0, 4, 9]), neuron=LOIHI_NEURON, **first),
        layer("conv", (3, 2, 6), weight=even(rng, 3, 4, 2, 2, 1), neuron=CUBA, **second),
        layer("flatten", (36, 1, 1)),
        dense(rng, 9, 36),
    ]


def imported(make, folder):
    """A network out of a file as slayer writes it."""
    return read(written(make(np.random.default_rng(1)), folder / f"{make.__name__}.net"), ImportConfig(pixel_range="0:1")).network


def decays(folder):
    """Decays of each neuron behind dense weights, of each channel behind a convolution."""
    rng, net = np.random.default_rng(2), imported(planes, folder)
    channels, neurons = np.repeat(rng.integers(9, 900, 4), 15), rng.integers(9, 900, 9)
    changed = {
        "layer1": replace(net["layer1"].neuron, decay_v=channels),
        "layer4": replace(net["layer4"].neuron, decay_u=neurons),
    }
    populations = (replace(p, neuron=changed.get(p.name, p.neuron)) for p in net.populations)
    return replace(net, populations=tuple(populations))


NETWORKS = {
    "chain": lambda folder: fixed_chain(threshold=100),
    "cuba with bias": lambda folder: fixed_chain(model="cuba", bias=640),
    "delays and a recurrence": lambda folder: imported(spiking, folder),
    "planes": lambda folder: imported(planes, folder),
    "decays": decays,
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """name -> (network, its run, spikes of every layer in Lava); each network once more with one weight changed."""
    folder, jobs, ours = tmp_path_factory.mktemp("netx"), [], []
    for number, name in enumerate(NETWORKS):
        net = NETWORKS[name](folder)
        inputs = spikes(net, samples=1, steps=STEPS, rate=0.3)
        path = targets.export("netx", net, None, folder / str(number)).root / "network.net"
        np.save(folder / f"{number}.npy", inputs[net.inputs[0].name].astype(np.int32))
        job = {"file": str(path), "inputs": str(folder / f"{number}.npy"), "shape": net.inputs[0].shape}
        jobs.append(job)
        ours.append((net, simulate(net, inputs)))
    jobs.append({**jobs[0], "file": changed(jobs[0]["file"])})
    (folder / "jobs.json").write_text(json.dumps(jobs))
    peers.run("lava-dl", "netx_in_lava.py", folder / "jobs.json", folder / "out.npz", timeout_s=900)
    with np.load(folder / "out.npz") as sent:
        assert str(sent["numpy"]).startswith("2.3"), "netx does not run with numpy 2.4"
        theirs = [[sent[f"{i}.{k}"] for k in range(10) if f"{i}.{k}" in sent.files] for i in range(len(jobs))]
    return dict(zip(NETWORKS, zip(*zip(*ours, strict=True), theirs, strict=False), strict=True)), theirs[-1]


def changed(path):
    """A copy of a file with one weight changed."""
    copy = path.replace("network.net", "changed.net")
    with h5py.File(path) as source, h5py.File(copy, "w") as file:
        for name in source:
            source.copy(name, file)
        file["layer/1/weight"][0, 0] += 40
    return copy


@pytest.mark.slow
@pytest.mark.lava
@peers.needs("lava-dl", "peers")
@pytest.mark.parametrize("name", NETWORKS)
def test_netx_in_lava_fires_the_spikes_of_the_reference(name, found):
    net, run, sent = found[0][name]
    firing = [p for p in net.ordered if p.neuron]
    assert len(sent) == len(firing)
    for p, raster in zip(firing, sent, strict=True):
        assert run.spikes[p.name].any() == p.neuron.rule.fires, f"{p.name} is silent"
        assert np.array_equal(raster, run.spikes[p.name]), p.name


@pytest.mark.slow
@pytest.mark.lava
@peers.needs("lava-dl", "peers")
def test_a_changed_weight_in_a_netx_file_is_found(found):
    _, run, _ = found[0]["chain"]
    assert not np.array_equal(found[1][0], run.spikes["hidden1"])
