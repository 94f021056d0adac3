"""netx files for the tests: layers as slayer's blocks export them, and the files that are made of them."""

import h5py
import numpy as np

CUBA = {"type": "CUBA", "iDecay": 1024, "vDecay": 200, "vThMant": 90, "refDelay": 1, "gradedSpike": False}
LOIHI_NEURON = {
    "type": "LOIHI", "iDecay": 4096, "vDecay": 128, "vThMant": 80, "refDelay": 1, "wgtExp": 0, "theta": 1600, "tauRho": 0.5,
}  # fmt: skip


def layer(kind, shape, **fields):
    """A layer as slayer's blocks export it."""
    return {"type": np.array([kind.encode()], "S10"), "shape": np.array(shape), **fields}


def even(rng, *shape, most=120):
    return (2 * rng.integers(-most // 2, most // 2, shape)).astype(np.float32)


def dense(rng, n, n_src, **fields):
    return layer("dense", (n,), weight=even(rng, n, n_src), inFeatures=n_src, outFeatures=n, neuron=CUBA, **fields)


def put(group, fields):
    for name, value in fields.items():
        if isinstance(value, dict):
            put(group.create_group(name), value)
        else:
            group[name] = value


def written(layers, path, **simulation):
    with h5py.File(path, "w") as file:
        put(
            file,
            {"layer": {str(i): fields for i, fields in enumerate(layers)}, **({"simulation": simulation} if simulation else {})},
        )
    return str(path)


def content(path):
    """Path -> array of everything in a file."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.__setitem__(name, np.asarray(item[()])) if isinstance(item, h5py.Dataset) else None
        )
    return found


def spiking(rng):
    return [
        layer("input", (30,)),
        dense(rng, 25, 30, delay=rng.integers(0, 63, 25).astype(np.float32)),
        layer("dense_rec", (20,), weight=even(rng, 20, 25), weight_rec=even(rng, 20, 20, most=40), neuron=CUBA, inFeatures=25,
              outFeatures=20, bias=rng.integers(-40, 40, 20).astype(np.float32)),
        layer("dense", (40,), weight=even(rng, 40, 20) + 1, neuron=LOIHI_NEURON, inFeatures=20, outFeatures=40),
        layer("dense", (7,), weight=np.abs(even(rng, 7, 40)) + 1, inFeatures=40, outFeatures=7, delay=np.arange(40.0)),
    ]  # fmt: skip


def planes(rng):
    sizes = {"stride": np.array([2, 1]), "padding": np.array([1, 0]), "dilation": np.array([1, 2])}
    common = {"inChannels": 2, "outChannels": 4, "kernelSize": np.array([3, 2]), "groups": 2, **sizes}
    return [
        layer("input", (2, 6, 7), weight=np.float32([36]), bias=np.float32([-3]), neuron=LOIHI_NEURON),
        layer("conv", (4, 3, 5), weight=even(rng, 4, 1, 3, 2, 1), bias=np.float32([-7, 0, 4, 9]), neuron=LOIHI_NEURON, **common),
        layer("flatten", (60, 1, 1)),
        layer("dense", (9, 1, 1), weight=even(rng, 9, 60), neuron={**CUBA, "vThMant": 262143}, inFeatures=60, outFeatures=9),
    ]


def saying_nothing(rng):
    """All that a network has no place for: zeros, shapes of layers that do nothing, thresholds that are never reached."""
    silent = even(rng, 6, 24)
    silent[2] = 0
    late = rng.integers(0, 63, (9, 6)).astype(np.float32)
    return [
        layer("input", (2, 3, 4), weight=np.float32([64]), bias=np.float32([0]), scale=np.array([0.5, 2.0])),
        layer("flatten", (24,)),
        dense(rng, 6, 24, bias=np.zeros(6, np.float32), delay=np.float32([0, 3, 9, 0, 62, 1]), messageBits=0, comment="first")
        | {"weight": silent},
        layer("flatten", (6, 1, 1)),
        layer("flatten", (6,)),
        dense(rng, 9, 6, bias=np.full(9, 4, np.float32), delay=late),
        layer("dense_rec", (9,), weight=even(rng, 9, 9), weight_rec=np.zeros((9, 9), np.float32), neuron=CUBA, inFeatures=9,
              outFeatures=9, delay=np.zeros(9, np.float32)),
        dense(rng, 7, 9, delay=np.zeros(9, np.float32), weight_exp=6),
        dense(rng, 4, 7, delay=np.float32([5])),
        dense(rng, 4, 4) | {"neuron": {**CUBA, "iDecay": 4096, "vDecay": 0, "vThMant": 200_000}},
        dense(rng, 4, 4) | {"neuron": {**LOIHI_NEURON, "vThMant": 131_072}},
        layer("average", (2,), numOutputs=2),
    ]  # fmt: skip


FILES = {"spiking": spiking, "planes": planes, "saying nothing": saying_nothing}
