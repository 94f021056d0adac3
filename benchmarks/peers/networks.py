"""The networks of benchmarks/simulate.py, and how they are written for its contestants."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnc import chips, store
from snnc.data import load
from snnc.errors import SnncError
from snnc.network.arithmetic import Fixed
from snnc.network.encoding import Encoding, encode
from snnc.network.model import Connection, Network, Population
from snnc.network.op import Op, weight_grid
from snnc.network.synapses import Synapses
from snnc.neurons.lif import LIF
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense

STEPS, DECAY, RATE = 32, 512, 0.12  # steps of a sample; an eighth of v leaks in a step; a rate that thresholds are made for
CHANNELS = (8, 8, 16, 16, 32, 32)


def fixed() -> Fixed:
    """The integers of Loihi: weights of 8 bits."""
    return chips.load("loihi1").fixed()


def dense(rng: np.random.Generator, n_dst: int, n_src: int, connectivity: float) -> Dense:
    """Random weights of both signs; each neuron has at least one."""
    grid = np.array(weight_grid(fixed(), "mixed"))
    mask = rng.random((n_dst, n_src)) < connectivity
    mask[np.arange(n_dst), rng.integers(0, n_src, n_dst)] = True
    return Dense(Synapses.from_dense(rng.choice(grid[grid != 0], mask.shape), mask), 0, "mixed")


def conv(rng: np.random.Generator, channels: int, src_shape: tuple[int, ...], stride: int, connectivity: float) -> Op:
    """A 3x3 convolution likewise."""
    grid = np.array(weight_grid(fixed(), "mixed"))
    shape = (channels, src_shape[0], 3, 3)
    mask = rng.random(shape) < connectivity
    mask[:, 0, 1, 1] = True
    op = Conv2d.from_kernel(rng.choice(grid[grid != 0], shape), src_shape, stride=stride, padding=1, mask=mask)
    return replace(op, sign_mode="mixed")


def neuron(*ops: Op) -> LIF:
    """A threshold of two standard deviations of the current, so that about a tenth of the neurons fire in a step."""
    variance = sum(float((op.synapses.values**2).mean()) * op.synapse_count / op.n_dst for op in ops)
    return LIF(np.array(round(2 * (RATE * variance) ** 0.5)), np.array(DECAY), np.array(0))


def mlp(connectivity: float, hidden: int = 800, *, recurrent: bool = False, seed: int = 0) -> Network:
    """784-hidden-10; ``recurrent``: the hidden neurons hear each other a step later."""
    rng = np.random.default_rng(seed)
    first, last = dense(rng, hidden, 784, connectivity), dense(rng, 10, hidden, max(connectivity, 0.05))
    again = [dense(rng, hidden, hidden, connectivity)] if recurrent else []
    populations = (
        Population("input", (784,), None), Population("hidden", (hidden,), neuron(first, *again)),
        Population("output", (10,), neuron(last)),
    )  # fmt: skip
    wires = [Connection("fc1", "input", "hidden", first), Connection("fc2", "hidden", "output", last)]
    wires += [Connection("again", "hidden", "hidden", op, 1) for op in again]
    return Network("recurrent" if recurrent else "mlp", populations, tuple(wires), 1e-3, fixed(), Encoding("rate", STEPS, 0))


def convolutional(connectivity: float = 0.3, seed: int = 0) -> Network:
    """Six convolutions, every second one with stride 2, and a dense output."""
    rng = np.random.default_rng(seed)
    populations, wires = [Population("input", (1, 28, 28), None)], []
    for i, channels in enumerate(CHANNELS):
        op = conv(rng, channels, populations[-1].shape, 1 + i % 2, connectivity)
        wires.append(Connection(f"conv{i + 1}", populations[-1].name, f"conv{i + 1}_", op))
        populations.append(Population(f"conv{i + 1}_", op.dst_shape, neuron(op)))
    op = dense(rng, 10, populations[-1].size, 0.05)
    wires.append(Connection("fc", populations[-1].name, "output", op))
    populations.append(Population("output", (10,), neuron(op)))
    return Network("conv", tuple(populations), tuple(wires), 1e-3, fixed(), Encoding("rate", STEPS, 0))


NETWORKS = {
    "784-800-10, 5 %": lambda: mlp(0.05),
    "784-800-10, 1 %": lambda: mlp(0.01),
    "6 convolutions, 30 %": convolutional,
    "784-800-10 recurrent, 5 %": lambda: mlp(0.05, recurrent=True),
}


def images(folder: Path | None) -> tuple[NDArray[np.uint8], str]:
    """MNIST's test images, or random ones as dark where it is not there; and which."""
    try:
        return load("mnist", "test", folder).images, "MNIST test images"
    except SnncError as error:
        rng = np.random.default_rng(0)
        bright = rng.random((10_000, 784)) < 0.19
        return (bright * rng.integers(1, 256, bright.shape)).astype(np.uint8), f"random images, as MNIST is not here ({error})"


def rasters(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rate-coded, (samples, STEPS, 784)."""
    return encode(Encoding("rate", STEPS, 0), pictures)


def noise(samples: int, activity: float) -> NDArray[np.uint8]:
    """Random spikes, (samples, STEPS, 784)."""
    return (np.random.default_rng(1).random((samples, STEPS, 784), np.float32) < activity).astype(np.uint8)


def write(net: Network, raster: NDArray[np.uint8], folder: Path) -> None:
    """As `case.read` reads it, and as the network of snnc."""
    folder.mkdir()
    store.save(net, folder / "net.snnc")
    np.save(folder / "inputs.npy", raster)
    arrays, wires = {}, []
    for c in net.connections:
        s = c.op.unrolled()
        arrays |= {f"{c.name}.pre": s.indices, f"{c.name}.post": s.rows, f"{c.name}.weight": s.values << c.op.exponent}
        geometry = {}
        if isinstance(c.op, Conv2d):
            arrays[f"{c.name}.kernel"] = c.op.kernel() << c.op.exponent
            w = c.op.window
            geometry = {"src_shape": w.src_shape, "stride": w.stride, "padding": w.padding}
        wires.append((c.name, c.src, c.dst, c.delay_steps, geometry))
    np.savez(folder / "case.npz", **arrays)
    layers = [
        {"name": p.name, "n": p.size, "threshold": float(p.neuron.threshold), "keep": 1 - float(p.neuron.decay_v) / 4096}
        for p in net.ordered if p.neuron
    ]  # fmt: skip
    (folder / "case.json").write_text(json.dumps({"layers": layers, "wires": wires}))
