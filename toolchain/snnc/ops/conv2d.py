"""Conv2d: every place of a plane shares one kernel, as in torch.nn.functional.conv2d (a cross-correlation).

Stored: the kernel as compressed sparse rows (C_out, C_in / groups * rows * columns), columns in the order of torch's
(C_in / groups, rows, columns); a pruned weight of the kernel is not there. It is never unrolled to compute: time is O(stored
weights * places), memory O(stored weights + neurons). A Conv1d is one whose planes have one row.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from snnc.network.largest import largest_sums
from snnc.network.op import Ints, Op
from snnc.network.synapses import Synapses
from snnc.network.window import Box, Pair, Window, boxes, of_channels

FEW_SYNAPSES = 1 << 15  # up to so many are listed to be counted; more are counted block by block


@final
@dataclass(frozen=True, eq=False)
class Conv2d(Op):
    """current[o, y, x] = sum over c, i, j of kernel[o, c, i, j] * message[c, y * stride + i * dilation - padding, ...]."""

    window: Window = field(kw_only=True)
    groups: int = field(default=1, kw_only=True)

    kind: ClassVar[str] = "conv2d"

    @classmethod
    def from_kernel(
        cls,
        kernel: NDArray[Any],
        src_shape: tuple[int, ...],
        *,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        groups: int = 1,
        mask: NDArray[np.bool_] | None = None,
    ) -> Self:
        """Make an operator of a (C_out, C_in / groups, rows, columns) kernel over (C_in, rows, columns); without rows, a Conv1d.

        ``mask`` says which of its weights exist (default: those that are not 0). Raises NetworkError for a geometry that
        cannot be.
        """
        flat = kernel.ndim == 3
        rows, columns = (1, kernel.shape[2]) if flat else kernel.shape[2:]
        shape = (src_shape[0], 1, src_shape[1]) if flat else src_shape
        window = Window(
            (int(shape[0]), int(shape[1]), int(shape[2])), (int(rows), int(columns)),
            _pair(stride, 1, flat), _pair(padding, 0, flat), _pair(dilation, 1, flat),
        )  # fmt: skip
        weight = kernel.reshape(len(kernel), -1)
        exists = None if mask is None else mask.reshape(weight.shape)
        return cls(Synapses.from_dense(weight, exists), window=window, groups=groups)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.window.src_shape

    @property
    def dst_shape(self) -> tuple[int, ...]:
        return (self.synapses.shape[0], *self.window.grid)

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """(C_out, C_in / groups, rows, columns)."""
        return (self.synapses.shape[0], self.window.src_shape[0] // self.groups, *self.window.kernel)

    def kernel(self) -> NDArray[Any]:
        """Return the kernel, of shape `kernel_shape`, pruned weights 0."""
        return self.synapses.to_dense().reshape(self.kernel_shape)

    @property
    def possible_synapses(self) -> int:
        places = int(self.window.sums(self._often().sum(0)).sum())  # of all groups together
        return self.synapses.shape[0] // self.groups * places

    @cached_property
    def _channels(self) -> NDArray[np.int64]:
        """The input channel of each stored weight."""
        per_group = self.synapses.shape[0] // self.groups
        return self.synapses.rows // per_group * self.kernel_shape[1] + self.synapses.indices // self.window.taps

    @cached_property
    def _taps(self) -> NDArray[np.int64]:
        """The position in the kernel of each stored weight."""
        return np.asarray(self.synapses.indices % self.window.taps, np.int64)

    @cached_property
    def _by_tap(self) -> list[tuple[int, Any]]:
        """For each position of the kernel with weights, those as a sparse (C_out, C_in) matrix."""
        from scipy.sparse import csr_array

        shape, taps = (self.synapses.shape[0], self.window.src_shape[0]), []
        for tap in np.unique(self._taps):
            at = self._taps == tap
            taps.append((int(tap), csr_array((self.synapses.values[at], (self.synapses.rows[at], self._channels[at])), shape)))
        return taps

    def _weighed(self, inputs: NDArray[Any]) -> NDArray[Any]:
        samples, (channels, *_) = len(inputs), self.window.src_shape
        planes = inputs.reshape(samples, *self.window.src_shape).transpose(1, 0, 2, 3)
        total = np.zeros((self.synapses.shape[0], samples, *self.window.grid), inputs.dtype)
        for tap, weights in self._by_tap:
            (y, x), (from_y, from_x) = self.window.meets(tap)
            seen = planes[:, :, from_y, from_x]
            total[:, :, y, x] += (weights @ seen.reshape(channels, -1)).reshape(len(total), *seen.shape[1:])
        return total.transpose(1, 0, 2, 3).reshape(samples, -1)

    def _sums(self, values: NDArray[Any], often: NDArray[np.int64]) -> NDArray[Any]:
        """Sum as `Op._sums`. All channels of an input have the same ``often``, so that weights can be summed over them first."""
        total = np.zeros(self.dst_shape, values.dtype)
        for tap in np.unique(self._taps):
            at = self._taps == tap
            weight = np.zeros(len(total), values.dtype)
            np.add.at(weight, self.synapses.rows[at], values[at])
            (y, x), (from_y, from_x) = self.window.meets(int(tap))
            total[:, y, x] += weight[:, None, None] * often[0, from_y, from_x]
        return total.reshape(-1)

    def _strongest(self, values: NDArray[Any], often: NDArray[np.int64], most: int) -> NDArray[Any]:
        total, cells = np.zeros(self.dst_shape, values.dtype), int(often.max())
        for (y, x), met in self.window.patterns:
            at = met[self._taps]
            sums = largest_sums(self.synapses.rows[at], values[at], cells, most, len(total))
            total[:, y, x] = sums[:, None, None]
        return total.reshape(-1)

    def joins(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> NDArray[np.bool_]:
        inputs = self.pooled(sources).reshape(self.input_shape).astype(np.float32)
        neurons = destinations.reshape(self.dst_shape).astype(np.float32)
        joins = np.zeros(self.synapses.count, np.bool_)
        for tap in np.unique(self._taps):
            at, ((y, x), (from_y, from_x)) = self._taps == tap, self.window.meets(int(tap))
            seen = inputs[:, from_y, from_x].reshape(len(inputs), -1)
            pairs = neurons[:, y, x].reshape(len(neurons), -1) @ seen.T > 0  # places that join two channels
            joins[at] = pairs[self.synapses.rows[at], self._channels[at]]
        return joins

    def between(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> Self | None:
        channels, others = of_channels(sources, self.src_shape), of_channels(destinations, self.dst_shape)
        if channels is None or others is None or (self.groups > 1 and not (channels.all() and others.all())):
            return None
        kept = np.repeat(channels, self.window.taps) if self.groups == 1 else np.ones(self.synapses.shape[1], np.bool_)
        window, pool = self.window.of_channels(channels), self.pool and self.pool.of_channels(channels)
        return replace(self, synapses=self.synapses.select(others, kept), window=window, pool=pool)

    def _axons(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """Count block by block, in an array of only the channels and rows that the blocks see."""
        if self._synapses_at_most(start, stop) <= FEW_SYNAPSES:
            return np.unique(self._rows(start, stop)[1], return_counts=True)
        blocks = [(block, self._stored(block)) for block in boxes(start, stop, self.dst_shape)]
        seen = np.unique(np.concatenate([[], *(self._channels[stored] for _, stored in blocks)])).astype(np.int64)
        spans = [self.window.span(block.rows) for block, _ in blocks]
        top, end = min((first for first, _ in spans), default=0), max((last for _, last in spans), default=0)
        _, height, width = self.window.src_shape
        counts = np.zeros((len(seen), max(end - top, 0), width), np.int64)
        for block, stored in blocks:
            taps, at = self._taps[stored], np.searchsorted(seen, self._channels[stored])
            per_tap = np.bincount(taps * len(seen) + at, minlength=self.window.taps * len(seen)).reshape(-1, max(len(seen), 1))
            for tap in np.flatnonzero(per_tap.any(1)):
                _, (y, x) = self.window.meets(int(tap), block.rows, block.columns)
                counts[:, y.start - top : y.stop - top : y.step, x] += per_tap[tap][:, None, None]
        present = np.flatnonzero(counts)
        channel, place = np.divmod(present, counts[0].size) if len(present) else (present, present)
        return (seen[channel] * height + top) * width + place, counts.reshape(-1)[present]

    def _synapses_at_most(self, start: int, stop: int) -> int:
        first, last = start // self.window.places, -(-stop // self.window.places)
        stored = int(self.synapses.indptr[last] - self.synapses.indptr[first])
        return stored * min(stop - start, self.window.places)

    def _rows(self, start: int, stop: int) -> tuple[Ints, Ints, Ints]:
        """Collect rows channel by channel, as another channel has other weights."""
        places, (_, height, width) = self.window.places, self.window.src_shape
        blocks = [(np.zeros(0, np.int64),) * 3]
        for channel in range(start // places, -(-stop // places)):
            first, last = max(start - channel * places, 0), min(stop - channel * places, places)
            mine = np.arange(self.synapses.indptr[channel], self.synapses.indptr[channel + 1])
            sources = self.window.sources(self._taps[mine], first, last).T  # (places, weights): ascending, as the weights are
            place, weight = np.nonzero(sources >= 0)
            inputs = sources[place, weight] + self._channels[mine[weight]] * (height * width)
            blocks.append((place + first + channel * places - start, inputs, mine[weight]))
        rows, inputs, stored = (np.concatenate(part) for part in zip(*blocks, strict=True))
        return rows, inputs, stored

    def _stored(self, block: Box) -> slice:
        """Return the stored weights of the block's channels."""
        first, last = block.channels
        return slice(int(self.synapses.indptr[first]), int(self.synapses.indptr[last]))

    def geometry(self) -> dict[str, Any]:
        return {**super().geometry(), "window": self.window.to_json(), "groups": self.groups}

    @classmethod
    def _parts(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return {**super()._parts(fields), "window": Window.of(fields["window"]), "groups": fields["groups"]}

    def _shape_problems(self) -> list[str]:
        channels, groups = self.window.src_shape[0], self.groups
        if type(groups) is not int or groups < 1 or channels % groups or self.synapses.shape[0] % groups:
            return [f"has {groups!r} groups for {channels} -> {self.synapses.shape[0]} channels"]
        if self.synapses.shape[1] != channels // groups * self.window.taps:
            return [f"has a kernel of {self.synapses.shape}, expected {channels // groups * self.window.taps} columns"]
        return super()._shape_problems()


def _pair(value: int | Pair, other: int, flat: bool) -> Pair:
    """Return one number for both axes, or for the columns of planes of one row."""
    if isinstance(value, tuple):
        return (other, *value) if flat else value  # type: ignore[return-value]
    return (other, value) if flat else (value, value)


OP = Conv2d
