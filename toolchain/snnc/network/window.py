"""How a kernel slides over the planes of a source: geometry, shared by convolutions and pools."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snnc.errors import NetworkError

Pair = tuple[int, int]
Area = tuple[slice, slice]  # rows and columns of a plane

MAX_SIDE = 1 << 24
MAX_KERNEL = 1 << 16  # positions in a kernel


@dataclass(frozen=True)
class Box:
    """Destination neurons that make a block: channels, rows and columns, each from .. to (exclusive)."""

    channels: Pair
    rows: Pair
    columns: Pair


@dataclass(frozen=True)
class Window:
    """A kernel of ``kernel`` = (rows, columns) over planes of shape ``src_shape`` = (channels, rows, columns).

    Position k of the kernel meets, for the destination in row y, the source row y * stride + k * dilation - padding, as in
    torch.nn.functional.conv2d; outside the plane there is nothing. Raises NetworkError for a window that cannot be.
    """

    src_shape: tuple[int, int, int]
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def __post_init__(self) -> None:
        parts = {"src_shape": (3, 1), "kernel": (2, 1), "stride": (2, 1), "padding": (2, 0), "dilation": (2, 1)}
        for name, (length, least) in parts.items():
            value = getattr(self, name)
            whole = type(value) is tuple and len(value) == length and all(type(n) is int for n in value)
            if not whole or not all(least <= n <= MAX_SIDE for n in value):
                raise NetworkError(f"has a window with {name} {value!r}, expected {length} whole numbers from {least} on")
        if self.kernel[0] * self.kernel[1] > MAX_KERNEL:
            raise NetworkError(f"has a kernel of {self.kernel[0]} x {self.kernel[1]}, at most {MAX_KERNEL} weights are possible")
        if min(self.grid) < 1:
            raise NetworkError(
                f"has a kernel of {self.kernel} with dilation {self.dilation} on planes of {self.src_shape[1:]} with padding "
                f"{self.padding}, where it has no place"
            )

    @classmethod
    def of(cls, fields: Any) -> Self:
        """Make a window from what `to_json` returned. Raises TypeError, ValueError or NetworkError for a damaged file."""
        return cls(**{name: tuple(value) for name, value in fields.items()})

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {name: list(value) for name, value in asdict(self).items()}

    @property
    def grid(self) -> Pair:
        """Rows and columns of the destination."""
        rows, columns = (self._places(axis) for axis in (0, 1))
        return rows, columns

    def _places(self, axis: int) -> int:
        reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        return (self.src_shape[1 + axis] + 2 * self.padding[axis] - reach) // self.stride[axis] + 1

    @property
    def taps(self) -> int:
        """Positions in the kernel, counted row by row."""
        return self.kernel[0] * self.kernel[1]

    @property
    def overlaps(self) -> bool:
        """Whether a source neuron can lie under more than one place of the window."""
        return any(s < k or d > 1 for s, k, d in zip(self.stride, self.kernel, self.dilation, strict=True))

    def meets(self, tap: int, rows: Pair | None = None, columns: Pair | None = None) -> tuple[Area, Area]:
        """Return (destinations, sources) that a position of the kernel joins: areas of equal shape, maybe empty.

        ``rows`` and ``columns``: only destinations from .. to (exclusive).
        """
        ky, kx = divmod(tap, self.kernel[1])
        y, x = self._along(0, ky, rows), self._along(1, kx, columns)
        return (y[0], x[0]), (y[1], x[1])

    def span(self, rows: Pair) -> Pair:
        """Return the source rows, first .. last + 1, that destinations in these rows can meet."""
        reach = self.dilation[0] * (self.kernel[0] - 1) + 1
        first, last = (row * self.stride[0] - self.padding[0] for row in (rows[0], rows[1] - 1))
        return max(0, first), min(self.src_shape[1], last + reach)

    def _along(self, axis: int, k: int, within: Pair | None) -> tuple[slice, slice]:
        start, stop = within or (0, self._places(axis))
        stride, shift = self.stride[axis], k * self.dilation[axis] - self.padding[axis]
        first = max(start, -(shift // stride))
        stop = min(stop, (self.src_shape[1 + axis] - 1 - shift) // stride + 1)
        if stop <= first:
            return slice(0, 0), slice(0, 0)
        return slice(first, stop), slice(first * stride + shift, (stop - 1) * stride + shift + 1, stride)

    def of_channels(self, kept: NDArray[np.bool_]) -> Self:
        """Return the window over only those of its source's channels."""
        return replace(self, src_shape=(int(kept.sum()), *self.src_shape[1:]))

    @cached_property
    def patterns(self) -> list[tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]]:
        """Places that meet the same positions of the kernel, the others lying outside of the plane: (places, positions).

        Positions: shape (taps,). Few, as only places beside the edges differ from the rest.
        """
        rows, columns = self._patterns_along(0), self._patterns_along(1)
        return [((y[:, None], x[None, :]), np.outer(tall, wide).reshape(-1)) for y, tall in rows for x, wide in columns]

    def _patterns_along(self, axis: int) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
        places = np.arange(self._places(axis)) * self.stride[axis] - self.padding[axis]
        met = places[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis]
        seen, which = np.unique((met >= 0) & (met < self.src_shape[1 + axis]), axis=0, return_inverse=True)
        return [(np.flatnonzero(which.reshape(-1) == i), pattern) for i, pattern in enumerate(seen)]

    def sums(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Sum all that lies under the window: (..., rows, columns) of a source -> (..., rows, columns) of the destination."""
        total = np.zeros((*planes.shape[:-2], *self.grid), planes.dtype)
        for tap in range(self.taps):
            (y, x), (from_y, from_x) = self.meets(tap)
            total[..., y, x] += planes[..., from_y, from_x]
        return total

    def maxima(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Return the largest of all that lies under the window, shapes as in `sums`; no place may hold nothing."""
        largest = np.full((*planes.shape[:-2], *self.grid), planes.min(initial=0), planes.dtype)
        for tap in range(self.taps):
            (y, x), (from_y, from_x) = self.meets(tap)
            largest[..., y, x] = np.maximum(largest[..., y, x], planes[..., from_y, from_x])
        return largest

    @property
    def places(self) -> int:
        """Neurons of the destination in a channel."""
        return self.grid[0] * self.grid[1]

    def sources(self, taps: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
        """Return, for each of these positions of the kernel, the source (row * columns + column) of each place; -1 for none.

        Places start .. stop - 1 of the destination, counted row by row: shape (positions, places).
        """
        y, x = np.divmod(np.arange(start, stop), self.grid[1])
        ky, kx = np.divmod(taps[:, None], self.kernel[1])
        y = y * self.stride[0] + ky * self.dilation[0] - self.padding[0]
        x = x * self.stride[1] + kx * self.dilation[1] - self.padding[1]
        _, height, width = self.src_shape
        return np.where((y >= 0) & (y < height) & (x >= 0) & (x < width), y * width + x, -1)


def of_channels(neurons: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return the channels that those neurons (n,) make up, (channels,); None if they are no whole channels."""
    planes = neurons.reshape(shape[0], -1)
    return planes[:, 0] if (planes == planes[:, :1]).all() else None


def boxes(start: int, stop: int, shape: tuple[int, ...]) -> Iterator[Box]:
    """Yield the neurons start .. stop - 1 of a population of ``shape`` (channels, rows, columns), as at most 7 blocks."""
    _, height, width = shape
    for (first, last), within in _runs(start, stop, height * width):
        for rows, columns in _runs(*within, width):
            yield Box((first, last), rows, columns)


def _runs(start: int, stop: int, size: int) -> Iterator[tuple[Pair, Pair]]:
    """Cut start .. stop - 1 at multiples of ``size``: yield runs of blocks, and the part of each block that is in it."""
    first, begin = divmod(start, size)
    last, end = divmod(stop, size)
    if first == last:
        if begin < end:
            yield (first, first + 1), (begin, end)
        return
    if begin:
        yield (first, first + 1), (begin, size)
        first += 1
    if first < last:
        yield (first, last), (0, size)
    if end:
        yield (last, last + 1), (0, end)
