"""Networks made of lava-dl's own slayer blocks, written by their own export_hdf5: python slayer_networks.py FOLDER

FOLDER gets NAME.net for each network of `NETWORKS`, and shapes.json with the shape of each input, channels first.
"""

import json
import sys
from pathlib import Path

import h5py
import torch
from absent import hashable_dataclasses

with hashable_dataclasses():
    import lava.lib.dl.slayer as slayer

CUBA = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.05}
block = slayer.block.cuba


def dense(n_src, n, neuron=CUBA, **options):
    return block.Dense(neuron, n_src, n, weight_scale=2, **options)


def dense_first():
    """The blocks of slayer's tutorials: no input block, delays of the axons."""
    return [dense(24, 16, delay=True), dense(16, 12, delay=True), dense(12, 4)], (24,)


def with_input():
    """An input block; weights behind a norm of their own."""
    return [block.Input(None, delay_shift=False), dense(30, 20, weight_norm=True), dense(20, 10, weight_norm=True)], (30,)


def planes():
    """Convolutions, of which the second with stride pools; dense layers behind the flattened planes."""
    conv = block.Conv(CUBA, 2, 4, 3, padding=1, weight_scale=2)
    pool = block.Conv(CUBA, 4, 4, 2, stride=2, groups=4, weight_scale=4)
    return [block.Input(None, delay_shift=False), conv, pool, block.Flatten(), dense(4 * 4 * 3, 9)], (2, 8, 6)


def planes_first():
    """A convolution first, without an input block: the file does not say the shape of its input."""
    return [block.Conv(CUBA, 2, 3, 3, stride=2, weight_scale=3), block.Flatten(), dense(3 * 3 * 4, 8)], (2, 7, 9)


def own_decays():
    """Decays of each neuron, and a bias as batch norm leaves it."""
    decays = {"current_decay": [0.1, 0.9], "voltage_decay": [0.02, 0.2]}  # of each neuron between the two
    own = {**CUBA, **decays, "shared_param": False}
    normed = {**CUBA, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}
    return [dense(24, 16, own), dense(16, 12, normed), dense(12, 5)], (24,)


def recurrent_readout():
    """A recurrent layer, and an affine layer at the end, which integrates and never fires."""
    again = block.Recurrent(CUBA, 20, 16, weight_scale=2)
    return [dense(24, 20), again, block.Affine(CUBA, 16, 4, weight_scale=2)], (24,)


NETWORKS = {"dense_first": dense_first, "with_input": with_input, "planes": planes, "planes_first": planes_first,
            "own_decays": own_decays, "recurrent_readout": recurrent_readout}  # fmt: skip


def written(name, path):
    """Make a network, run it on random spikes and let it write its file; return the shape of its input."""
    torch.manual_seed(len(name))
    blocks, shape = NETWORKS[name]()
    spikes = (torch.rand(2, *shape, 30) < 0.3).float()
    for one in blocks:
        with torch.no_grad():
            spikes = one(spikes)
        if (delay := getattr(one, "delay", None)) is not None:
            delay.delay.data = torch.randint(0, 9, delay.delay.shape).float()
        one.eval()
    with h5py.File(path, "w") as file:
        layers = file.create_group("layer")
        for number, one in enumerate(blocks):
            one.export_hdf5(layers.create_group(str(number)))
    return list(shape)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    shapes = {name: written(name, folder / f"{name}.net") for name in NETWORKS}
    (folder / "shapes.json").write_text(json.dumps(shapes))
