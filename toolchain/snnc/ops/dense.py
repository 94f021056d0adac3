"""Dense: any neuron to any neuron, each synapse with a weight of its own.

Stored: the (n_dst, inputs) matrix as compressed sparse rows; memory and time are O(synapses).
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from snnc.network.largest import largest_sums
from snnc.network.op import Ints, Op


@final
@dataclass(frozen=True, eq=False)
class Dense(Op):
    """current[i] = sum over j of weight[i, j] * message[j]."""

    kind: ClassVar[str] = "dense"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.synapses.shape[1],)

    @property
    def dst_shape(self) -> tuple[int, ...]:
        return (self.synapses.shape[0],)

    @property
    def possible_synapses(self) -> int:
        return self.n_dst * int(self._often().sum())

    def _weighed(self, inputs: NDArray[Any]) -> NDArray[Any]:
        total: NDArray[Any] = (self.synapses.to_scipy() @ inputs.T).T
        return total

    def _sums(self, values: NDArray[Any], often: NDArray[np.int64]) -> NDArray[Any]:
        total = np.zeros(self.n_dst, values.dtype)
        np.add.at(total, self.synapses.rows, values * often[self.synapses.indices])
        return total

    def _strongest(self, values: NDArray[Any], often: NDArray[np.int64], most: int) -> NDArray[Any]:
        return largest_sums(self.synapses.rows, values, often[self.synapses.indices], most, self.n_dst)

    def joins(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return destinations[self.synapses.rows] & self.pooled(sources)[self.synapses.indices]

    def between(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> Self | None:
        if self.pool and not sources.all():
            return None
        inputs = np.ones(self.synapses.shape[1], np.bool_) if self.pool else sources
        return replace(self, synapses=self.synapses.select(destinations, inputs))

    def _axons(self, start: int, stop: int) -> tuple[Ints, Ints]:
        s = self.synapses
        often = np.bincount(s.indices[s.indptr[start] : s.indptr[stop]], minlength=s.shape[1])
        inputs = np.flatnonzero(often)
        return inputs, often[inputs]

    def _rows(self, start: int, stop: int) -> tuple[Ints, Ints, Ints]:
        s = self.synapses
        first, last = int(s.indptr[start]), int(s.indptr[stop])
        rows = np.repeat(np.arange(stop - start), np.diff(s.indptr[start : stop + 1]))
        return rows, s.indices[first:last].astype(np.int64), np.arange(first, last)


OP = Dense
