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
        return self.parameters if self.pool is None else self.n_dst * int(self._often().sum())

    @property
    def synapse_count(self) -> int:
        return self.synapses.count if self.pool is None else super().synapse_count

    def _counted(self) -> Ints:
        return np.diff(self.synapses.indptr) if self.pool is None else super()._counted()

    def ends(self) -> tuple[NDArray[Any], NDArray[Any]]:
        return self.synapses.row_sums() if self.pool is None else super().ends()

    def _weighed(self, inputs: NDArray[Any]) -> NDArray[Any]:
        return self.synapses.weigh(inputs)

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
        often = self.synapses.fan_out(start, stop)
        inputs = np.flatnonzero(often)
        return inputs, often[inputs]

    def _rows(self, start: int, stop: int) -> tuple[Ints, Ints, Ints]:
        block, first = self.synapses.block(start, stop), int(self.synapses.indptr[start])
        return block.rows, block.indices.astype(np.int64), np.arange(first, first + block.count)

    def row(self, neuron: int) -> tuple[Ints, NDArray[Any]]:
        if self.pool:
            return super().row(neuron)
        block = self.synapses.block(neuron, neuron + 1)
        return block.indices.astype(np.int64), block.values


OP = Dense
