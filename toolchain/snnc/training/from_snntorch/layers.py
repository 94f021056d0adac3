"""Layers of torch between neurons, as maps that are folded into one operator: batch norm, factors and pools disappear.

All in float64: weights are those of the module, a fold multiplies them. Part of the import from snnTorch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from snnc.errors import UnsupportedError
from snnc.network.op import Op
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.maxpool2d import MaxPool2d
from snnc.ops.sumpool2d import SumPool2d
from snnc.passes.compose import composed

Floats = NDArray[np.float64]
MOST_WEIGHTS = 1 << 24  # of a linear layer that is applied to several rows
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Matrix:
    """A linear layer."""

    weight: Floats  # (n_dst, n_src)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A convolution."""

    weight: Floats  # (C_out, C_in / groups, rows, columns)
    window: Window
    groups: int = 1


@dataclass(frozen=True, eq=False)
class Pool:
    """The sum under a window, times a factor."""

    window: Window
    factor: float


@dataclass(frozen=True, eq=False)
class Scale:
    """A factor for each of n values, (n,)."""

    factor: Floats

    def uniform(self) -> float | None:
        """The factor, if all are equal, else None."""
        return float(self.factor[0]) if (self.factor == self.factor[0]).all() else None

    def channels(self, count: int) -> Floats | None:
        """Return the factor of each of ``count`` channels, if it is the same within each of them."""
        planes = self.factor.reshape(count, -1)
        return planes[:, 0] if (planes == planes[:, :1]).all() else None


@dataclass(frozen=True, eq=False)
class Select:
    """Some of ``n_src`` values, or all in another order, perhaps with zeros between."""

    taken: NDArray[np.int64]  # (n_dst,): which value stands at each place; -1: zero
    n_src: int


@dataclass(frozen=True, eq=False)
class Largest:
    """The largest of weighted sums under a window."""

    window: Window


Map = Matrix | Kernel | Pool | Scale | Select | Largest
Bias = Floats  # (n_dst,)


def planes(shape: Shape) -> tuple[int, int, int]:
    """Return (channels, rows, columns) of a shape; a shape of (channels, length) has one row."""
    if len(shape) not in (2, 3):
        raise UnsupportedError(f"gets a tensor of shape {shape}, expected (channels, length) or (channels, rows, columns)")
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def maps_of(layer: nn.Module, src: Shape, dst: Shape) -> tuple[tuple[Map, ...], Bias]:
    """Return what a layer does to one step: its maps, and what it adds. Raises UnsupportedError with reason and remedy."""
    for kinds, read in _LAYERS.items():
        if isinstance(layer, kinds):
            maps, bias = read(layer, src)
            return maps, np.broadcast_to(bias, prod(dst))
    remedy = _INSTEAD.get(type(layer).__name__, "take it out and retrain")
    raise UnsupportedError(f"{type(layer).__name__} is no layer that spikes can pass; {remedy}")


def window_of(layer: Any, src: Shape) -> Window:
    """Return the window of a convolution or a pool. Raises UnsupportedError if places extend beyond the edge."""
    if getattr(layer, "ceil_mode", False):
        raise UnsupportedError("ceil_mode=True lets windows hang over the edge; retrain with ceil_mode=False")
    options = (layer.kernel_size, layer.stride, layer.padding, getattr(layer, "dilation", 1))
    kernel, stride, padding, dilation = (_pair(x, len(src), other) for x, other in zip(options, (1, 1, 0, 1), strict=True))
    return Window(planes(src), kernel, stride, padding, dilation)


def _pair(value: Any, dims: int, other: int) -> tuple[int, int]:
    """Return (rows, columns) of an option: one number counts for both axes, and planes of one row have ``other`` for it."""
    numbers = tuple(int(n) for n in value) if isinstance(value, tuple | list) else (int(value),) * (dims - 1)
    return (other, numbers[0]) if dims == 2 else (numbers[0], numbers[1])


def _linear(layer: Any, src: Shape) -> tuple[tuple[Map, ...], Bias]:
    weight, times = _array(layer.weight), prod(src[:-1])
    if times > 1 and weight.size * times**2 > MOST_WEIGHTS:
        raise UnsupportedError(
            f"gets a tensor of shape {src}, for which its weights would be repeated {times} times; use a convolution of one place"
        )
    whole = np.kron(np.eye(times), weight) if times > 1 else weight
    return (Matrix(whole.astype(np.float64)),), np.tile(_bias(layer), times)


def _convolution(layer: Any, src: Shape) -> tuple[tuple[Map, ...], Bias]:
    if layer.padding_mode != "zeros":
        raise UnsupportedError(f"padding_mode={layer.padding_mode!r}; retrain with 'zeros'")
    edges = layer._reversed_padding_repeated_twice
    if edges[::2] != edges[1::2]:
        raise UnsupportedError("padding='same' pads its two sides unequally; retrain with an odd kernel or a padding in numbers")
    plain = nn.Conv2d if len(src) == 3 else nn.Conv1d
    options = plain(1, 1, layer.kernel_size, layer.stride, tuple(reversed(edges[::2])), layer.dilation)
    window, weight = window_of(options, src), _array(layer.weight)
    places = prod(window.grid)
    return (Kernel(weight.reshape(*weight.shape[:2], *window.kernel), window, layer.groups),), np.repeat(_bias(layer), places)


def _batch_norm(layer: Any, src: Shape) -> tuple[tuple[Map, ...], Bias]:
    if layer.running_mean is None:
        raise UnsupportedError("keeps no running statistics, so that it depends on the batch; retrain with them")
    factor = 1 / np.sqrt(_array(layer.running_var) + layer.eps) * (1.0 if layer.weight is None else _array(layer.weight))
    shift = (0.0 if layer.bias is None else _array(layer.bias)) - _array(layer.running_mean) * factor
    places = prod(src[1:])
    return (Scale(np.repeat(factor, places)),), np.repeat(shift, places)


def _average(layer: Any, src: Shape) -> tuple[tuple[Map, ...], Bias]:
    window = window_of(layer, src)
    if any(window.padding) and not layer.count_include_pad:
        raise UnsupportedError("count_include_pad=False weighs the edge differently; retrain with True, or without padding")
    return (Pool(window, 1 / (getattr(layer, "divisor_override", None) or prod(window.kernel))),), np.zeros(1)


def _adaptive(layer: Any, src: Shape) -> tuple[tuple[Map, ...], Bias]:
    """Return an average over equal parts of the plane; windows of different sizes are refused."""
    rows, columns = layer.output_size if isinstance(layer.output_size, tuple | list) else (layer.output_size,) * 2
    _, height, width = planes(src)
    rows, columns = rows or height, columns or width
    if height % rows or width % columns:
        raise UnsupportedError(f"averages {src[1:]} into {(rows, columns)} windows of unlike sizes; use AvgPool2d and retrain")
    return _average(nn.AvgPool2d((height // rows, width // columns)), src)


def _nothing(layer: Any, src: Shape) -> tuple[tuple[Map, ...], Bias]:
    return (), np.zeros(1)


_NEAREST = "x.repeat_interleave(2, -2).repeat_interleave(2, -1)"
_INSTEAD = {
    **dict.fromkeys(("Upsample", "UpsamplingNearest2d"), f"to the nearest by 2 it is {_NEAREST}: write that"),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d"), f"retrain with Linear, or with a convolution of {_NEAREST}"),
    **dict.fromkeys(
        ("AdaptiveMaxPool1d", "AdaptiveMaxPool2d"), "into equal parts it is MaxPool1d or MaxPool2d of their size: write that"
    ),
    **dict.fromkeys(("PixelShuffle", "PixelUnshuffle", "ChannelShuffle"), "write it with reshape and permute, which is the same"),
    "Conv3d": "retrain with Conv2d in every step",
    "ZeroPad2d": "pad in the convolution itself (padding=...), which is the same",
    "ZeroPad1d": "pad in the convolution itself (padding=...), which is the same",
    "LayerNorm": "it depends on the values of each step; retrain with BatchNorm",
    "GroupNorm": "it depends on the values of each step; retrain with BatchNorm",
    "InstanceNorm2d": "it depends on the values of each step; retrain with BatchNorm",
}
_LAYERS: dict[Any, Callable[[Any, Shape], tuple[tuple[Map, ...], Bias]]] = {
    nn.Linear: _linear,
    (nn.Conv1d, nn.Conv2d): _convolution,
    (nn.BatchNorm1d, nn.BatchNorm2d): _batch_norm,
    (nn.AvgPool1d, nn.AvgPool2d): _average,
    nn.AdaptiveAvgPool2d: _adaptive,
    (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d): _nothing,
}


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().cpu().numpy().astype(np.float64)


def _bias(layer: Any) -> Floats:
    return np.zeros(len(layer.weight)) if layer.bias is None else _array(layer.bias)


def operator(maps: Sequence[Map], n_src: int) -> Op:
    """Return the one operator that does what the maps do, in their order.

    Raises UnsupportedError if it would be too large, or if more than factors above 0 follows the largest of some sums.
    """
    if (pool := next((at for at, one in enumerate(maps) if isinstance(one, Largest)), None)) is not None:
        return _largest(maps[:pool], maps[pool], maps[pool + 1 :], n_src)
    folded = _folded(maps)
    match folded:
        case []:
            return _one_to_one(np.ones(n_src))
        case [one]:
            return _alone(one)
        case [Pool(window, factor), Matrix(weight)] if not window.overlaps:
            return Dense(Synapses.from_dense(weight * factor), pool=window)
        case [Pool(window, factor), Kernel() as kernel] if not window.overlaps:
            return replace(_conv(replace(kernel, weight=kernel.weight * factor)), pool=window)
    return composed([_alone(one) for one in folded])


def _largest(before: Sequence[Map], pool: Any, after: Sequence[Map], n_src: int) -> Op:
    """Return a max-pool of the sums that the maps before it make; factors that follow are those of the sums."""
    window, factors = pool.window, np.ones(pool.window.src_shape[0])
    for one in after:
        channels = one.channels(len(factors)) if isinstance(one, Scale) else None
        if channels is None or (channels <= 0).any():
            raise UnsupportedError(f"the largest of currents is weighed again; {MaxPool2d.remedy}")
        factors = factors * channels
    scaled = [] if (factors == 1).all() else [Scale(np.repeat(factors, prod(window.src_shape[1:])))]
    return MaxPool2d.of(operator([*before, *scaled], n_src), window)


def _alone(one: Map) -> Op:
    match one:
        case Scale(factor):
            return _one_to_one(factor)
        case Pool(window, factor):
            return SumPool2d.of_weight(factor, window)
        case Matrix(weight):
            return Dense(Synapses.from_dense(weight))
        case Select(taken, n_src):
            exists = taken >= 0
            rows = np.concatenate([[0], np.cumsum(exists)]).astype(np.int64)
            return Dense(Synapses((len(taken), n_src), rows, taken[exists].astype(np.int32), np.ones(int(exists.sum()))))
        case Kernel():
            return _conv(one)
    raise TypeError(f"{one} is no sum")


def _one_to_one(factor: Floats) -> Dense:
    n = len(factor)
    return Dense(Synapses((n, n), np.arange(n + 1, dtype=np.int64), np.arange(n, dtype=np.int32), factor.astype(np.float64)))


def _conv(kernel: Kernel) -> Conv2d:
    w = kernel.window
    return Conv2d.from_kernel(
        kernel.weight, w.src_shape, stride=w.stride, padding=w.padding, dilation=w.dilation, groups=kernel.groups
    )


def _folded(maps: Sequence[Map]) -> list[Map]:
    """Return the maps, with neighbours combined wherever that is exact."""
    folded: list[Map] = []
    for one in maps:
        folded.append(one)
        while len(folded) > 1 and (both := _both(folded[-2], folded[-1])):
            folded[-2:] = [both]
    return folded


def _both(first: Map, then: Map) -> Map | None:
    """Return ``first`` and ``then`` as one map, or None."""
    match first, then:
        case Scale(a), Scale(b):
            return Scale(a * b)
        case Matrix(a), Matrix(b):
            return Matrix(b @ a)
        case Matrix(a), Scale(b):
            return Matrix(a * b[:, None])
        case Scale(a), Matrix(b):
            return Matrix(b * a[None, :])
        case Matrix(a), Select(taken):
            return Matrix(a[taken] * (taken >= 0)[:, None])
        case Select(a, n_src), Select(b):
            return Select(np.where(b >= 0, a[b], -1), n_src)
        case Select(taken, n_src), Matrix(b):
            return Matrix(_columns(b, taken, n_src))
        case Select(), Kernel(groups=1):
            return _of_channels(first, then)
        case (Kernel(), Scale()) | (Scale(), Kernel()) | (Pool(), Scale()) | (Scale(), Pool()):
            return _scaled(first, then)
        case Kernel(), Pool() if not any(then.window.padding) and then.window.dilation == (1, 1):
            return _pooled(first, then)
    return None


def _columns(weight: Floats, taken: NDArray[np.int64], n_src: int) -> Floats:
    """Return weights (n_dst, n_taken) of selected values as those of all values, (n_dst, n_src)."""
    columns = np.zeros((len(weight), n_src))
    np.add.at(columns.T, taken[taken >= 0], weight[:, taken >= 0].T)
    return columns


def _of_channels(select: Select, kernel: Kernel) -> Kernel | None:
    """Return a convolution of whole channels, some of which are zero, as one of the channels that there are; else None."""
    channels, height, width = kernel.window.src_shape
    size = height * width
    blocks, count = select.taken.reshape(channels, size), select.n_src // size
    exists = (blocks >= 0).all(axis=1)
    whole = (blocks[exists] % size == np.arange(size)).all() and (blocks[exists] // size == blocks[exists, :1] // size).all()
    if select.n_src % size or not whole or (blocks[~exists] >= 0).any():
        return None
    weight = np.zeros((len(kernel.weight), count, *kernel.weight.shape[2:]))
    np.add.at(weight.swapaxes(0, 1), blocks[exists, 0] // size, kernel.weight[:, exists].swapaxes(0, 1))
    return Kernel(weight, replace(kernel.window, src_shape=(count, height, width)))


def _scaled(first: Any, then: Any) -> Map | None:
    """Return a kernel or a pool with a factor before or after it: one for all values, or one for each channel."""
    scale, other = (first, then) if isinstance(first, Scale) else (then, first)
    uniform = scale.uniform()
    if isinstance(other, Pool):
        return None if uniform is None else replace(other, factor=other.factor * uniform)
    if scale is then:
        after = scale.channels(len(other.weight))
        return None if after is None else Kernel(other.weight * after[:, None, None, None], other.window, other.groups)
    before = scale.channels(other.window.src_shape[0])
    if before is None:
        return None
    groups = np.repeat(before.reshape(other.groups, -1), len(other.weight) // other.groups, axis=0)
    return Kernel(other.weight * groups[:, :, None, None], other.window, other.groups)


def _pooled(kernel: Kernel, pool: Pool) -> Kernel:
    """Return a convolution and the pool of its results as one larger kernel: its taps, moved to each place under the window."""
    inner, outer = kernel.window, pool.window
    sides = [(outer.kernel[d] - 1) * inner.stride[d] + (inner.kernel[d] - 1) * inner.dilation[d] + 1 for d in (0, 1)]
    weight = np.zeros((*kernel.weight.shape[:2], *sides))
    for y in range(outer.kernel[0]):
        for x in range(outer.kernel[1]):
            rows, columns = (
                slice(at * s, at * s + (k - 1) * dilation + 1, dilation)
                for at, s, k, dilation in zip((y, x), inner.stride, inner.kernel, inner.dilation, strict=True)
            )
            weight[:, :, rows, columns] += kernel.weight
    stride = (inner.stride[0] * outer.stride[0], inner.stride[1] * outer.stride[1])
    window = Window(inner.src_shape, (sides[0], sides[1]), stride, inner.padding)
    return Kernel(weight * pool.factor, window, kernel.groups)
