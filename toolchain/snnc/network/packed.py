"""Synapses whose arrays are narrow: those of large networks, as their files hold them."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.narrow import PIECE, Narrow, ends, type_for
from snnc.network.synapses import Synapses

_HELD = {"indices": "iu", "values": "iuf", "delays": "iu"}  # kinds of the types that arrays are held in
_READ: dict[str, tuple[Any, ...]] = {"indices": (np.int32,), "values": (np.float64, np.int64), "delays": (np.int32,)}


class Packed(Synapses):
    """Synapses with the arrays of `Synapses`, each held in the smallest type that will do, in memory or in a file.

    ``indices``, ``values`` and ``delays`` widen all of an array each time, ``block`` only some rows.

    Examples:
        >>> import numpy as np
        >>> columns = Narrow(np.array([0, 2], np.uint16), np.dtype(np.int32))
        >>> weights = Narrow(np.array([-1, 3], np.int8), np.dtype(np.int64), shift=1)
        >>> Packed((1, 3), np.array([0, 2]), columns, weights).to_dense().tolist()
        [[-2, 0, 6]]
    """

    narrow_indices: Narrow
    narrow_values: Narrow
    narrow_delays: Narrow | None

    def __init__(
        self, shape: tuple[int, int], indptr: NDArray[np.int64], indices: Narrow, values: Narrow, delays: Narrow | None = None
    ) -> None:
        for name, value in (("shape", shape), ("indptr", indptr), ("narrow_indices", indices), ("narrow_values", values)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "narrow_delays", delays)
        indptr.setflags(write=False)

    @property
    def indices(self) -> NDArray[np.int32]:
        return self.narrow_indices[:]

    @property
    def values(self) -> NDArray[Any]:
        return self.narrow_values[:]

    @property
    def delays(self) -> NDArray[np.int32] | None:
        return None if self.narrow_delays is None else self.narrow_delays[:]

    @property
    def count(self) -> int:
        return len(self.narrow_values)

    @property
    def dtype(self) -> Any:
        return self.narrow_values.dtype

    def stored(self) -> Iterator[tuple[str, NDArray[Any] | Narrow]]:
        yield from (("indptr", self.indptr), ("indices", self.narrow_indices), ("values", self.narrow_values))
        if self.narrow_delays is not None:
            yield "delays", self.narrow_delays

    def extremes(self) -> tuple[float, float]:
        return self._extremes

    @cached_property
    def _extremes(self) -> tuple[float, float]:
        return ends(self.narrow_values)

    def delay_extremes(self) -> tuple[int, int] | None:
        return self._delay_extremes

    @cached_property
    def _delay_extremes(self) -> tuple[int, int] | None:
        return super().delay_extremes()

    def weights(self, first: int, last: int) -> NDArray[Any]:
        return self.narrow_values[first:last]

    def block(self, start: int, stop: int) -> Synapses:
        at = slice(int(self.indptr[start]), int(self.indptr[stop]))
        delays = None if self.narrow_delays is None else self.narrow_delays[at]
        indptr = self.indptr[start : stop + 1] - at.start
        return Synapses((stop - start, self.shape[1]), indptr, self.narrow_indices[at], self.narrow_values[at], delays)

    def sources(self, start: int, stop: int) -> NDArray[np.int32]:
        return self.narrow_indices[int(self.indptr[start]) : int(self.indptr[stop])]

    def only(self, at: NDArray[np.int64]) -> Synapses:
        delays = None if self.narrow_delays is None else self.narrow_delays.only(at)
        indptr = np.searchsorted(at, self.indptr).astype(np.int64)
        return Packed(self.shape, indptr, self.narrow_indices.only(at), self.narrow_values.only(at), delays)

    def with_values(self, values: NDArray[Any]) -> Synapses:
        return self._with(Narrow(values, values.dtype))

    def _with(self, values: Narrow) -> Synapses:
        return Packed(self.shape, self.indptr, self.narrow_indices, values, self.narrow_delays)

    def weigh(self, inputs: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([self.block(*rows).weigh(inputs) for rows in self.slices()], axis=1)

    def on_grid(self, factor: float, step: int) -> Synapses:
        """Return `Synapses.on_grid` in the smallest type that holds it; ``step`` is a power of two."""
        low, high = np.rint(np.array(self.extremes()) * factor)
        held = np.empty(self.count, type_for(int(low), int(high)))
        for first in range(0, self.count, PIECE):
            held[first : first + PIECE] = np.rint(self.weights(first, first + PIECE) * factor)
        return self._with(Narrow(held, np.dtype(np.int64), step.bit_length() - 1))

    def _type_problems(self) -> list[str]:
        for name, array in self.stored():
            if isinstance(array, Narrow):
                held, kinds = array.held, _HELD[name]
                if held.ndim != 1 or held.dtype.kind not in kinds or array.dtype not in _READ[name]:
                    return [f"holds {name} of shape {held.shape} and type {held.dtype}, expected one row of {_READ[name][0]}"]
            elif array.ndim != 1 or array.dtype != np.int64:
                return [f"holds {name} of shape {array.shape} and type {array.dtype}, expected one row of int64"]
        return []
