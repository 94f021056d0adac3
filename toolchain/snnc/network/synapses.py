"""The synapses that exist between two populations. Part of every operator that has weights."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_DTYPES = {"indptr": ("int64",), "indices": ("int32",), "values": ("float64", "int64"), "delays": ("int32",)}
MAX_DELAY_STEPS = 1 << 16
_MAX_COLUMNS = (1 << 31) - 1  # what an index of 32 bits can name


@dataclass(frozen=True, eq=False)
class Synapses:
    """Compressed sparse rows: row = destination neuron, column = source neuron, columns ascending in a row.

    What is stored exists, what is not stored was pruned: a stored 0 is a synapse that was kept and whose weight rounds to
    zero. Memory is O(synapses). The arrays are read-only.

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
    def rows(self) -> NDArray[np.int64]:
        """The destination neuron of each synapse, in storage order: shape (synapses,)."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    def keep(self, kept: NDArray[np.bool_]) -> Self:
        """Only some of the synapses: ``kept`` has shape (synapses,)."""
        before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        delays = None if self.delays is None else self.delays[kept]
        return type(self)(self.shape, before[self.indptr], self.indices[kept], self.values[kept], delays)

    def select(self, rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> Self:
        """The synapses of some rows and columns, which are numbered anew."""
        kept = self.keep(rows[self.rows] & columns[self.indices])
        indptr = np.concatenate([[0], np.cumsum(np.diff(kept.indptr)[rows])]).astype(np.int64)
        indices = (np.cumsum(columns) - 1)[kept.indices].astype(np.int32)
        return replace(kept, shape=(int(rows.sum()), int(columns.sum())), indptr=indptr, indices=indices)

    def with_values(self, values: NDArray[Any]) -> Self:
        """The same synapses with other weights: shape (synapses,)."""
        return replace(self, values=values)

    def to_dense(self) -> NDArray[Any]:
        """A (n_dst, n_src) array in which pruned synapses are 0."""
        dense = np.zeros(self.shape, self.values.dtype)
        dense[self.rows, self.indices] = self.values
        return dense

    def at(self, places: "Synapses") -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the weights at the places of other synapses of this shape, 0 where there is none, and where there is one.

        Both have shape (synapses of ``places``,). Nothing is made dense.
        """
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

    def problems(self) -> list[str]:
        """What is wrong with the arrays, if anything: sizes, order, range, NaN."""
        n_dst, n_src = self.shape
        for name, array in self.arrays():
            dtypes = _DTYPES[name]
            if array.ndim != 1 or array.dtype not in dtypes:
                return [f"holds {name} of shape {array.shape} and type {array.dtype}, expected one row of {dtypes[0]}"]
        if self.delays is not None and len(self.delays) != self.count:
            return [f"holds {len(self.delays)} delays for {self.count} synapses"]
        if len(self.indptr) != n_dst + 1 or len(self.indices) != len(self.values):
            return [f"holds {len(self.indptr)} row pointers for {n_dst} rows"]
        if self.indptr[0] != 0 or self.indptr[-1] != self.count or (np.diff(self.indptr) < 0).any():
            return ["holds row pointers that do not ascend from 0 to the number of synapses"]
        if self.count == 0:
            return []
        if n_src > _MAX_COLUMNS:
            return [f"holds rows of {n_src} synapses, at most {_MAX_COLUMNS} are possible"]
        if self.indices.min() < 0 or self.indices.max() >= n_src:
            return [f"names source neuron {int(self.indices.max())} of {n_src}"]
        key = self.rows * n_src + self.indices
        if (np.diff(key) <= 0).any():
            return ["holds a synapse twice or out of order"]
        if self.delays is not None and not 0 <= self.delays.min() <= self.delays.max() <= MAX_DELAY_STEPS:
            low, high = self.delays.min(), self.delays.max()
            return [f"has synapses with delays of {low} .. {high} steps, 0 to {MAX_DELAY_STEPS} are possible"]
        if bad := np.count_nonzero(~np.isfinite(self.values)):
            return [f"holds {bad} weights that are NaN or infinite"]
        return []
