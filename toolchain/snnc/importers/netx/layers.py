"""The layers of a netx file: which there are, and their integers as weights, neurons and biases of a chip. Used by netx."""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from snnc.base.hdf5 import Group
from snnc.errors import FileError
from snnc.network.arithmetic import Fixed
from snnc.network.neuron import Neuron
from snnc.network.op import SignMode, weight_grid
from snnc.neurons.cuba import Cuba
from snnc.neurons.li import LI
from snnc.neurons.lif import LIF

Ints = NDArray[np.int64]
Shape = tuple[int, ...]
KINDS = ("input", "dense", "dense_rec", "conv", "flatten", "average")
FULL = 4096  # a decay of 1
NEVER = 1 << 17  # no voltage reaches this threshold
MAX_DELAY_STEPS = 62
MAX_NEURONS = 1 << 24


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer; ``shape`` is (channels, rows, columns) or (n,)."""

    index: int
    kind: str
    shape: Shape
    fields: Group

    @property
    def size(self) -> int:
        return prod(self.shape)


def layers(root: Group) -> tuple[Layer, ...]:
    """All layers in order. Raises FileError if the file is no netx file."""
    if "layer" not in root:
        raise FileError("holds no netx network", where=root.file, fix="name a file that lava-dl's export_hdf5 wrote")
    found = root.group("layer")
    count = len(list(found))
    if missing := [i for i in range(count) if str(i) not in found]:
        raise found.error(f"holds {count} layers, and none named '{missing[0]}'")
    return tuple(_layer(i, found.group(str(i))) for i in range(count))


def _layer(index: int, fields: Group) -> Layer:
    shape = tuple(int(n) for n in fields.integers("shape").reshape(-1)) if "shape" in fields else ()
    if not shape or min(shape) < 1 or prod(shape) > MAX_NEURONS:
        raise fields.error(f"is {shape}, expected (n) or (channels, rows, columns) with at most {MAX_NEURONS:,} neurons", "shape")
    return Layer(index, fields.text("type"), shape, fields)


def on_grid(weights: Ints, numeric: Fixed) -> tuple[Ints, int, SignMode]:
    """(weights, exponent, sign mode) that stand for exactly these integers. Raises ValueError if a chip cannot hold them.

    Odd weights of both signs are stored doubled with exponent -1, as netx itself does (netx/utils.py, optimize_weight_bits).
    """
    low, high = int(weights.min(initial=0)), int(weights.max(initial=0))
    if low == high == 0:
        raise ValueError("has no weight other than 0; netx cannot load such a layer either; leave it out")
    sign: SignMode = "excitatory" if low >= 0 else "inhibitory" if high <= 0 else "mixed"
    grid = weight_grid(numeric, sign)
    if not (weights % grid.step).any() and grid[0] <= low and high <= grid[-1]:
        return weights, 0, sign
    if grid[0] <= 2 * low and 2 * high <= grid[-1]:
        return 2 * weights, -1, sign
    if grid[0] <= low and high <= grid[-1]:
        raise ValueError(
            f"has odd weights of both signs beyond -128 .. 127 ({low} .. {high}), which need 9 bits; round them to even"
        )
    raise ValueError(
        f"has weights {low} .. {high}, {sign} weights reach {grid[0]} .. {grid[-1]}, to which netx clips; clip and retrain"
    )


def neuron(layer: Layer, numeric: Fixed, shift: int = 0) -> Neuron:
    """The neurons of a layer with their bias, to which ``shift`` is added. Raises ValueError for what cannot be expressed."""
    bias = _bias(layer, numeric) + (shift << numeric.state_shift)
    if "neuron" not in layer.fields:
        if bias.any():
            raise ValueError("has a bias and no neuron; remove the bias, or give it a neuron")
        return LI(np.array(FULL), np.array(0), np.array(0))  # netx adds up in u, which a readout does in v
    fields = layer.fields.group("neuron")
    if (kind := fields.text("type")) not in ("CUBA", "LOIHI"):
        raise ValueError(f"has neurons of type {kind!r}; only CUBA and LOIHI compute with spikes of one bit; train it with CUBA")
    if graded := [name for name in ("gradedSpike", "messageBits") if name in fields and fields.integers(name).any()]:
        raise ValueError(f"sends graded spikes ({graded[0]}); only inputs do; train it with graded_spike=False")
    u, v, threshold = (_per_neuron(layer, name) for name in ("iDecay", "vDecay", "vThMant"))
    if not 1 <= u.min() <= u.max() <= FULL or not 0 <= v.min() <= v.max() < FULL:
        raise ValueError(
            f"has iDecay {_said(u)} and vDecay {_said(v)}, a chip holds 1 to {FULL} and 0 to {FULL - 1}; change them"
        )
    if threshold.min() >= NEVER:
        return LI(u, v, bias)
    if threshold.max() >= NEVER:
        raise ValueError(f"has neurons that never fire (vThMant {threshold.max()}) beside others that do; give them layers apart")
    return LIF(threshold, v, bias) if u.min() == FULL else Cuba(threshold, u, v, bias)


def _per_neuron(layer: Layer, name: str) -> Ints:
    """A number of a layer's neurons: () for all, or (n,) where each has its own, or each channel."""
    values = layer.fields.group("neuron").integers(name).reshape(-1)
    if not values.size or values.size not in (1, layer.shape[0], layer.size):
        raise ValueError(f"has {name} for {values.size} neurons of {layer.size}; give one for all, each channel or each neuron")
    if (values == values[0]).all():
        return np.array(values[0])
    return np.repeat(values, layer.size // values.size)


def _said(values: Ints) -> str:
    return str(int(values)) if values.ndim == 0 else f"{values.min()} .. {values.max()}"


def _bias(layer: Layer, numeric: Fixed) -> Ints:
    """In units of the state: () or (n,)."""
    if "bias" not in layer.fields:
        return np.array(0)
    bias = layer.fields.integers("bias").reshape(-1) << numeric.state_shift
    if bias.size and (bias == bias[0]).all():
        return np.array(bias[0])
    if bias.size not in (layer.shape[0], layer.size):
        raise ValueError(f"has {bias.size} biases for {layer.size} neurons; give one for each channel or each neuron")
    return np.repeat(bias, layer.size // bias.size)


def delays(layer: Layer, n_src: int) -> tuple[Ints | None, Ints | None]:
    """(delays of the source neurons, of the destination neurons (n, 1) or synapses (n, n_src)): at most one is given.

    As many delays as a layer has neurons delay all that enters each of them (netx/hdf5.py, create_dense). Raises ValueError
    for what netx refuses.
    """
    if "delay" not in layer.fields:
        return None, None
    late = layer.fields.integers("delay")
    if late.min(initial=0) < 0 or late.max(initial=0) > MAX_DELAY_STEPS:
        raise ValueError(
            f"has delays {late.min()} .. {late.max()}, 0 to {MAX_DELAY_STEPS} are possible; train with a smaller max_delay"
        )
    if layer.kind != "dense" and late.any():
        raise ValueError("has delays, which netx drops in convolutions and miscounts in recurrent layers; train it without")
    if layer.kind != "dense" or not late.any():
        return None, None
    if late.size in (1, layer.size):
        return None, np.broadcast_to(late.reshape(-1, 1), (layer.size, 1))
    if late.size == n_src:
        return late.reshape(-1), None
    if late.shape == (layer.size, n_src):
        return None, late
    raise ValueError(f"has delays of shape {late.shape} for {n_src} -> {layer.size} neurons; give one for each neuron or synapse")
