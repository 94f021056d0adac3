"""Networks made of lava-dl's own slayer blocks come in, and fire the spikes that lava-dl's own netx fires in Lava."""

import json

import h5py
import numpy as np
import pytest
from cases import peers
from cases.networks import spikes

from snnc.importers import ImportConfig, read
from snnc.simulation.reference import simulate

STEPS = 80
FIRED = {
    "dense_first": 3,
    "with_input": 2,
    "planes": 3,
    "planes_first": 2,
    "own_decays": 3,
    "recurrent_readout": 2,
}  # name -> layers that fire; the seventh, an affine layer at the end, is read out


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """name -> (network, its run, spikes of every layer in Lava); and the spikes in Lava of a file with other decays."""
    folder, jobs, ours = tmp_path_factory.mktemp("slayer"), [], {}
    peers.run("lava-dl", "slayer_networks.py", folder)
    for name, shape in json.loads((folder / "shapes.json").read_text()).items():
        first = ImportConfig(input_shape="x".join(map(str, shape))) if name == "planes_first" else ImportConfig()
        net = read(str(folder / f"{name}.net"), first).network
        inputs = spikes(net, samples=1, steps=STEPS, rate=0.3)
        np.save(folder / f"{name}.npy", inputs["input"].astype(np.int32))
        jobs.append({"file": str(folder / f"{name}.net"), "inputs": str(folder / f"{name}.npy"), "shape": shape})
        ours[name] = net, simulate(net, inputs)
    jobs.append({**jobs[list(ours).index("own_decays")], "file": changed(folder / "own_decays.net")})
    (folder / "jobs.json").write_text(json.dumps(jobs))
    peers.run("lava-dl", "netx_in_lava.py", folder / "jobs.json", folder / "out.npz", timeout_s=900)
    with np.load(folder / "out.npz") as sent:
        theirs = [[sent[f"{i}.{k}"] for k in range(10) if f"{i}.{k}" in sent.files] for i in range(len(jobs))]
    return {name: (*one, layers) for (name, one), layers in zip(ours.items(), theirs, strict=False)}, theirs[-1]


def changed(path):
    """A copy of a file in which the first layer leaks a little more."""
    copy = path.with_name("changed.net")
    with h5py.File(path) as source, h5py.File(copy, "w") as file:
        source.copy("layer", file)
        file["layer/0/neuron/vDecay"][:] += 60
    return str(copy)


@pytest.mark.slow
@pytest.mark.lava
@peers.needs("lava-dl", "peers")
@pytest.mark.parametrize("name", FIRED)
def test_a_network_of_slayer_fires_in_snnc_as_in_netx(name, found):
    net, run, sent = found[0][name]
    layers = [p for p in net.ordered if p.neuron]
    assert len(sent) == len(layers)
    assert sum(run.spikes[p.name].mean() > 0.01 for p in layers) == FIRED[name]
    for p, raster in zip(layers, sent, strict=True):
        assert np.array_equal(raster, run.spikes[p.name]), p.name


@pytest.mark.slow
@pytest.mark.lava
@peers.needs("lava-dl", "peers")
def test_decays_of_a_layer_that_differ_are_seen(found):
    _, run, _ = found[0]["own_decays"]
    assert not np.array_equal(found[1][0], run.spikes["layer0"])
