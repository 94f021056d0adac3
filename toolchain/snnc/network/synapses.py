"""The synapses that exist between two populations. Part of every operator that has weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snnc.errors import UnsupportedError
from snnc.network.narrow import Narrow

_DTYPES = {"indptr": ("int64",), "indices": ("int32",), "values": ("float64", "int64"), "delays": ("int32",)}
MAX_DELAY_STEPS = 1 << 16
_MAX_COLUMNS = (1 << 31) - 1  # what an index of 32 bits can name
SLICE = 1 << 19  # synapses that are looked at together
SAMPLED = 1 << 22  # of more synapses, what needs only a sample sees so many


@dataclass(frozen=True, eq=False)
class Synapses:
    """Compressed sparse rows: row = destination neuron, column = source neuron, columns ascending in a row.

    What is stored exists, what is not stored was pruned: a stored 0 is a synapse that was kept and whose weight rounds to
    zero. Memory is O(synapses). The arrays are read-only. Subclasses may make them when they are asked for; what goes by
    slices (`slices`, `block`) never needs all at once.

    Examples:
        >>> import snnc
        >>> import numpy as np
        >>> synapses = snnc.Synapses.from_dense(np.array([[0.5, 0.0], [0.25, -1.0]]))
        >>> synapses.count, synapses.values.tolist()
        (3, [0.5, 0.25, -1.0])
    """

    shape: tuple[int, int]  # (n_dst, n_src)
    indptr: NDArray[np.int64]  # (n_dst + 1,)
    indices: NDArray[np.int32]  # (synapses,)
    values: NDArray[Any]  # (synapses,), float64 or int64
    delays: NDArray[np.int32] | None = None  # (synapses,) steps, on top of those of the connection

    def __post_init__(self) -> None:
        for _, array in self.arrays():
            array.setflags(write=False)

    def arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """The arrays by name; delays only if there are."""
        yield from (("indptr", self.indptr), ("indices", self.indices), ("values", self.values))
        if self.delays is not None:
            yield "delays", self.delays

    @classmethod
    def from_dense(cls, weight: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> Self:
        """From a (n_dst, n_src) array; ``mask`` says which synapses exist (default: those that are not 0)."""
        dtype = np.int64 if weight.dtype.kind in "iu" else np.float64
        exists = weight != 0 if mask is None else mask
        rows, columns = np.nonzero(exists)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=weight.shape[0]))])
        values = weight[rows, columns].astype(dtype)
        n_dst, n_src = weight.shape
        return cls((n_dst, n_src), indptr.astype(np.int64), columns.astype(np.int32), values)

    @property
    def count(self) -> int:
        """The number of synapses that exist."""
        return len(self.values)

    @property
    def dtype(self) -> Any:
        """The type of the weights."""
        return self.values.dtype

    @property
    def are_drawn(self) -> bool:
        """Whether they are made when they are asked for, so that sending them takes no more than what makes them."""
        return False

    @property
    def tiles(self) -> int:
        """How many equal copies of the same synapses follow each other, from copies of one population to copies of another."""
        return 1

    @property
    def source_tile(self) -> int:
        """How many copies further on the sources lie, modulo `tiles`."""
        return 0

    def of_one_tile(self) -> "Synapses":
        """Return the synapses of one of `tiles` copies, those from other copies as if they came from the same one."""
        return self

    def repeated(self, tiles: int, source_tile: int) -> "Synapses":
        """Return the synapses of so many copies, of which these are one: the inverse of `of_one_tile`.

        Raises UnsupportedError for stored synapses.
        """
        if (tiles, source_tile) != (1, 0):
            raise UnsupportedError(f"stored synapses cannot repeat as {tiles} tiles", fix="leave them as their rule makes them")
        return self

    def stated(self) -> dict[str, Any]:
        """Return what a file says of the synapses beside `stored`, as JSON values."""
        return {}

    def stored(self) -> Iterator[tuple[str, NDArray[Any] | Narrow]]:
        """Return the arrays that a file holds."""
        return self.arrays()

    def extremes(self) -> tuple[float, float]:
        """Return two ends between which all weights lie, (0, 0) if there is none other than 0."""
        return self.values.min(initial=0), self.values.max(initial=0)

    def delay_extremes(self) -> tuple[int, int] | None:
        """Return two ends between which all delays lie; None if there are no delays."""
        if (delays := self.delays) is None:
            return None
        return int(delays.min(initial=MAX_DELAY_STEPS)), int(delays.max(initial=0))

    def weights(self, first: int, last: int) -> NDArray[Any]:
        """Return the weights of synapses ``first`` .. ``last - 1``, in storage order."""
        return self.values[first:last]

    def on_grid(self, factor: float, step: int) -> "Synapses":
        """Return the synapses with each weight w as the integer step * rint(factor * w)."""
        return self.with_values((np.rint(self.values * factor) * step).astype(np.int64))

    def is_multiple_of(self, step: int) -> bool:
        """Tell whether ``step`` divides every weight."""
        return not any((self.block(*rows).values % step).any() for rows in self.slices())

    def slices(self, start: int = 0, stop: int | None = None, most: int = SLICE) -> Iterator[tuple[int, int]]:
        """Yield rows ``start`` .. ``stop - 1`` as slices of at most ``most`` synapses, or of one row."""
        stop = self.shape[0] if stop is None else stop
        while start < stop:
            end = int(np.searchsorted(self.indptr, self.indptr[start] + most, side="right")) - 1
            end = min(stop, max(end, start + 1))
            yield start, end
            start = end

    def block(self, start: int, stop: int) -> "Synapses":
        """Return the synapses of rows ``start`` .. ``stop - 1``, which are numbered from 0 on."""
        first, last = int(self.indptr[start]), int(self.indptr[stop])
        delays = None if self.delays is None else self.delays[first:last]
        indptr = self.indptr[start : stop + 1] - first
        return Synapses((stop - start, self.shape[1]), indptr, self.indices[first:last], self.values[first:last], delays)

    def sources(self, start: int, stop: int) -> NDArray[np.int32]:
        """Return the source neuron of each synapse of rows ``start`` .. ``stop - 1``."""
        return self.indices[self.indptr[start] : self.indptr[stop]]

    def sample(self) -> "Synapses":
        """Return about `SAMPLED` synapses, of rows that are spread evenly; all if there are no more."""
        if self.count <= SAMPLED:
            return self
        rows = np.unique(np.linspace(0, self.shape[0] - 1, max(1, SAMPLED * self.shape[0] // self.count)).astype(np.int64))
        return stacked([self.block(row, row + 1) for row in rows.tolist()])

    def row_sums(self, start: int = 0, stop: int | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the sums of the weights below and above 0 of each of rows ``start`` .. ``stop - 1``, (rows,) each."""
        stop = self.shape[0] if stop is None else stop
        below, above = (np.zeros(stop - start, self.dtype) for _ in range(2))
        for first, last in self.slices(start, stop):
            block = self.block(first, last)
            filled = np.flatnonzero(np.diff(block.indptr))
            if len(filled):
                at = block.indptr[filled]
                below[filled + first - start] = np.add.reduceat(np.minimum(block.values, 0), at)
                above[filled + first - start] = np.add.reduceat(np.maximum(block.values, 0), at)
        return below, above

    def fan_out(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return how many synapses of rows ``start`` .. ``stop - 1`` come from each column, (n_src,)."""
        often = np.zeros(self.shape[1], np.int64)
        for first, last in self.slices(start, stop):
            often += np.bincount(self.sources(first, last), minlength=len(often))
        return often

    @property
    def rows(self) -> NDArray[np.int64]:
        """The destination neuron of each synapse, in storage order: shape (synapses,)."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    def keep(self, kept: NDArray[np.bool_]) -> "Synapses":
        """Only some of the synapses: ``kept`` has shape (synapses,)."""
        return self.only(np.flatnonzero(kept))

    def only(self, at: NDArray[np.int64]) -> "Synapses":
        """Return only the synapses at these places, which ascend."""
        delays = None if self.delays is None else self.delays[at]
        indptr = np.searchsorted(at, self.indptr).astype(np.int64)
        return Synapses(self.shape, indptr, self.indices[at], self.values[at], delays)

    def select(self, rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> "Synapses":
        """The synapses of some rows and columns, which are numbered anew."""
        kept = self.keep(rows[self.rows] & columns[self.indices])
        indptr = np.concatenate([[0], np.cumsum(np.diff(kept.indptr)[rows])]).astype(np.int64)
        indices = (np.cumsum(columns) - 1)[kept.indices].astype(np.int32)
        return Synapses((int(rows.sum()), int(columns.sum())), indptr, indices, kept.values, kept.delays)

    def with_values(self, values: NDArray[Any]) -> "Synapses":
        """The same synapses with other weights: shape (synapses,)."""
        return Synapses(self.shape, self.indptr, self.indices, values, self.delays)

    def to_dense(self) -> NDArray[Any]:
        """A (n_dst, n_src) array in which pruned synapses are 0."""
        dense = np.zeros(self.shape, self.values.dtype)
        dense[self.rows, self.indices] = self.values
        return dense

    def at(self, places: "Synapses") -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the weights at the places of other synapses of this shape, 0 where there is none, and where there is one.

        Both have shape (synapses of ``places``,). Nothing is made dense.
        """
        if places.count > SLICE and self.shape[0] > 1:
            parts = [self.block(*rows).at(places.block(*rows)) for rows in places.slices()]
            values, exists = (np.concatenate(each) for each in zip(*parts, strict=True))
            return values, exists
        ours, theirs = (s.rows * self.shape[1] + s.indices for s in (self, places))
        found = np.minimum(np.searchsorted(ours, theirs), max(len(ours) - 1, 0))
        exists = ours[found] == theirs if len(ours) else np.zeros(len(theirs), np.bool_)
        values = self.values[found] if len(ours) else np.zeros(len(theirs), self.values.dtype)
        return np.where(exists, values, 0), exists

    def mask(self) -> NDArray[np.bool_]:
        """A (n_dst, n_src) array: which synapses exist."""
        dense = np.zeros(self.shape, np.bool_)
        dense[self.rows, self.indices] = True
        return dense

    def to_scipy(self) -> Any:
        """A scipy.sparse.csr_array that shares this memory."""
        from scipy.sparse import csr_array

        return csr_array((self.values, self.indices, self.indptr), shape=self.shape)

    def weigh(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the weighted sums (samples, n_dst) of inputs (samples, n_src)."""
        total: NDArray[Any] = (self.to_scipy() @ inputs.T).T
        return total

    def problems(self) -> list[str]:
        """Return what is wrong with the arrays, if anything: sizes, order, range, NaN."""
        n_dst, n_src = self.shape
        if wrong := self._type_problems():
            return wrong
        lengths = {name: len(array) for name, array in self.stored()}
        if lengths.get("delays", self.count) != self.count:
            return [f"holds {lengths['delays']} delays for {self.count} synapses"]
        if lengths["indptr"] != n_dst + 1 or lengths["indices"] != self.count:
            return [f"holds {lengths['indptr']} row pointers for {n_dst} rows"]
        if self.indptr[0] != 0 or self.indptr[-1] != self.count or (np.diff(self.indptr) < 0).any():
            return ["holds row pointers that do not ascend from 0 to the number of synapses"]
        if n_src > _MAX_COLUMNS and self.count:
            return [f"holds rows of {n_src} synapses, at most {_MAX_COLUMNS} are possible"]
        return next((wrong for rows in self.slices() if (wrong := self.block(*rows)._row_problems())), [])

    def _type_problems(self) -> list[str]:
        """Return what is wrong with the types of the arrays, if anything."""
        for name, array in self.arrays():
            if array.ndim != 1 or array.dtype not in _DTYPES[name]:
                return [f"holds {name} of shape {array.shape} and type {array.dtype}, expected one row of {_DTYPES[name][0]}"]
        return []

    def _row_problems(self) -> list[str]:
        """Return what is wrong with the synapses of well-formed rows, if anything."""
        indices, delays = self.indices, self.delays
        if len(indices) == 0:
            return []
        if indices.min() < 0 or indices.max() >= self.shape[1]:
            return [f"names source neuron {int(indices.max())} of {self.shape[1]}"]
        ascends = np.diff(indices) > 0
        starts = self.indptr[1:-1]
        ascends[starts[(starts > 0) & (starts < len(indices))] - 1] = True
        if not ascends.all():
            return ["holds a synapse twice or out of order"]
        if delays is not None and not 0 <= delays.min() <= delays.max() <= MAX_DELAY_STEPS:
            return [f"has synapses with delays of {delays.min()} .. {delays.max()} steps, 0 to {MAX_DELAY_STEPS} are possible"]
        if bad := np.count_nonzero(~np.isfinite(self.values)):
            return [f"holds {bad} weights that are NaN or infinite"]
        return []


def stacked(blocks: Sequence[Synapses]) -> Synapses:
    """Return rows below rows, of at least one block; all have as many columns."""
    before = np.cumsum([0, *(block.count for block in blocks)])
    indptr = np.concatenate([np.zeros(1, np.int64), *(b.indptr[1:] + first for b, first in zip(blocks, before, strict=False))])
    delays = None if blocks[0].delays is None else np.concatenate([b.delays for b in blocks if b.delays is not None])
    indices, values = np.concatenate([b.indices for b in blocks]), np.concatenate([b.values for b in blocks])
    return Synapses((len(indptr) - 1, blocks[0].shape[1]), indptr, indices, values, delays)
