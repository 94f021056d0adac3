"""SumPool2d: every place of a plane sums what lies under its window, times one weight. An AvgPool2d has 1 / (rows * columns).

Stored: that one weight, in a matrix of shape (1, 1). Places may overlap.
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from snnc.network.op import Ints, Op
from snnc.network.synapses import Synapses
from snnc.network.window import Window, boxes, of_channels


@final
@dataclass(frozen=True, eq=False)
class SumPool2d(Op):
    """current[c, y, x] = weight * sum over i, j of message[c, y * stride + i * dilation - padding, ...]."""

    window: Window = field(kw_only=True)

    kind: ClassVar[str] = "sumpool2d"

    @classmethod
    def of_weight(cls, weight: float, window: Window) -> Self:
        """Return a pool with this weight: a float, or an int for a fixed network."""
        return cls(Synapses.from_dense(np.array([[weight]]), np.ones((1, 1), np.bool_)), window=window)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.window.src_shape

    @property
    def dst_shape(self) -> tuple[int, ...]:
        return (self.window.src_shape[0], *self.window.grid)

    @property
    def possible_synapses(self) -> int:
        return int(self.window.sums(self._often()).sum())

    def _weighed(self, inputs: NDArray[Any]) -> NDArray[Any]:
        planes = self.window.sums(inputs.reshape(-1, *self.window.src_shape))
        total: NDArray[Any] = planes.reshape(len(inputs), -1) * self.synapses.values.sum().astype(inputs.dtype)
        return total

    def _sums(self, values: NDArray[Any], often: NDArray[np.int64]) -> NDArray[Any]:
        total: NDArray[Any] = self.window.sums(often).reshape(-1) * values.sum()
        return total

    def _strongest(self, values: NDArray[Any], often: NDArray[np.int64], most: int) -> NDArray[Any]:
        return np.asarray(np.minimum(self.window.sums(often), most).reshape(-1) * values.sum())

    def joins(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> NDArray[np.bool_]:
        met = self.window.sums(self.pooled(sources).reshape(self.input_shape).astype(np.int64)).reshape(-1)
        return np.full(self.synapses.count, bool((destinations & (met > 0)).any()))

    def between(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> Self | None:
        channels, others = of_channels(sources, self.src_shape), of_channels(destinations, self.dst_shape)
        if channels is None or others is None or (channels != others).any():
            return None
        return replace(self, window=self.window.of_channels(channels), pool=self.pool and self.pool.of_channels(channels))

    def _axons(self, start: int, stop: int) -> tuple[Ints, Ints]:
        blocks = list(boxes(start, stop, self.dst_shape)) if self.synapses.count else []
        first = min((block.channels[0] for block in blocks), default=0)
        last = max((block.channels[1] for block in blocks), default=0)
        _, height, width = self.window.src_shape
        counts = np.zeros((last - first, height, width), np.int64)
        for block in blocks:
            channels = slice(block.channels[0] - first, block.channels[1] - first)
            for tap in range(self.window.taps):
                _, (y, x) = self.window.meets(tap, block.rows, block.columns)
                counts[channels, y, x] += 1
        sources = np.flatnonzero(counts)
        return sources + first * height * width, counts.reshape(-1)[sources]

    def _rows(self, start: int, stop: int) -> tuple[Ints, Ints, Ints]:
        _, height, width = self.window.src_shape
        channel, place = np.divmod(np.arange(start, stop), self.window.places)
        plane = self.window.sources(np.arange(self.window.taps), 0, self.window.places).T[place]
        exists = plane >= 0 if self.synapses.count else np.zeros(plane.shape, np.bool_)
        rows = np.nonzero(exists)[0]
        return rows, plane[exists] + channel[rows] * (height * width), np.zeros(len(rows), np.int64)

    def geometry(self) -> dict[str, Any]:
        return {**super().geometry(), "window": self.window.to_json()}

    @classmethod
    def _parts(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return {**super()._parts(fields), "window": Window.of(fields["window"])}

    def _shape_problems(self) -> list[str]:
        if self.synapses.shape != (1, 1):
            return [f"has weights of shape {self.synapses.shape}, a pool has (1, 1)"]
        return super()._shape_problems()


OP = SumPool2d
