"""An operator as the engine sees it: weights, each with the sum that it belongs to and the source that it meets. Weights that
are shared stay shared: neurons of a channel have one list of weights, and a table says what each place of the plane meets.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import Sent, part_sums
from snnc.network.delays import Part
from snnc.network.op import Op
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.maxpool2d import MaxPool2d
from snnc.ops.sumpool2d import SumPool2d

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Taps:
    """Weight k belongs to sum ``of[k]`` and meets slot ``slot[k]``.

    Without a window, a slot is a source neuron and a sum a neuron's. With one, a sum is a channel's, and ``channel`` and
    ``position`` (within the kernel) say what a slot is.
    """

    sums: int
    of: Ints
    values: Ints
    slot: Ints
    slots: int
    window: Window | None = None
    channel: Ints | None = None  # (slots,) of the source, with a window
    position: Ints | None = None  # (slots,)

    def met(self) -> NDArray[np.int64]:
        """Return the input in each slot at each place, -1 for none: shape (places, slots)."""
        if self.window is None or self.channel is None or self.position is None:
            return np.arange(self.slots)[None, :]
        plane = self.window.sources(self.position, 0, self.window.places)
        size = self.window.src_shape[1] * self.window.src_shape[2]
        return np.where(plane < 0, -1, plane + (self.channel * size)[:, None]).T


def taps(op: Op) -> Taps:
    """Return every weight of an operator; those that are 0 add nothing and are left out. Without a window all are unrolled.

    Of a max-pool of sums they are those of the sums.
    """
    if isinstance(op, MaxPool2d):
        return taps(op.summing)
    if isinstance(op, Conv2d):
        return _of_kernel(op)
    if isinstance(op, SumPool2d):
        return _of_pool(op)
    synapses = op.synapses if op.kind == "dense" else op.unrolled()
    kept = synapses.values != 0
    columns = synapses.indices[kept].astype(np.int64)
    return Taps(op.n_dst, synapses.rows[kept], synapses.values[kept], columns, synapses.shape[1])


def _of_kernel(op: Conv2d) -> Taps:
    kept = op.synapses.values != 0
    of, columns = op.synapses.rows[kept], op.synapses.indices[kept]
    channels_out, channels_in, *_ = op.kernel_shape
    channel = of // (channels_out // op.groups) * channels_in + columns // op.window.taps
    return _windowed(channels_out, of, op.synapses.values[kept], channel, columns % op.window.taps, op.window)


def _of_pool(op: SumPool2d) -> Taps:
    channels, positions = op.window.src_shape[0], op.window.taps
    of = np.repeat(np.arange(channels), positions)
    values = np.full(len(of), op.synapses.values.sum())
    return _windowed(channels, of, values, of, np.tile(np.arange(positions), channels), op.window)


def _windowed(sums: int, of: Ints, values: Ints, channel: Ints, position: Ints, window: Window) -> Taps:
    key, slot = np.unique(channel * window.taps + position, return_inverse=True)
    return Taps(sums, of, values, slot.astype(np.int64), len(key), window, key // window.taps, key % window.taps)


def pooled(op: Op) -> NDArray[np.int64] | None:
    """Return the source neurons under each input of an operator that pools its messages, -1 for none: shape (inputs, cells)."""
    if isinstance(op, MaxPool2d):
        return pooled(op.summing)
    if op.pool is None or op.kind not in ("dense", "conv2d", "sumpool2d"):
        return None
    channels, height, width = op.pool.src_shape
    plane = op.pool.sources(np.arange(op.pool.taps), 0, op.pool.places).T
    cells = plane + (np.arange(channels) * (height * width))[:, None, None]
    return np.where(plane < 0, -1, cells).reshape(-1, op.pool.taps)


def reach(part: Part, message_bits: int) -> tuple[int, int]:
    """Return the least and the most that a neuron's weighted messages can sum to in one step, not shifted: the range proof's."""
    least, most = part_sums(part, Sent(2 ** max(message_bits, 1) - 1))
    return int(least.min(initial=0)), int(most.max(initial=0))


def narrowest(low: int, high: int) -> Any:
    """Return the smallest integer type from 16 bits on that holds ``low`` to ``high``: narrower numbers stay in a near cache."""
    return next(t for t in (np.int16, np.int32, np.int64) if np.iinfo(t).min <= low and high <= np.iinfo(t).max)


def shared_zeros(values: Ints) -> int:
    """Return by how many powers of two all values can be divided."""
    together: Any = int(np.bitwise_or.reduce(values)) if len(values) else 0
    return (together & -together).bit_length() - 1 if together else 0
