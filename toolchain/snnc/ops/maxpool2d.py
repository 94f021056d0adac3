"""MaxPool2d: neurons get the largest under their place of the weighted sums that another operator makes.

    current[c, y, x] = max over i, j of sum[c, y * stride + i * dilation - padding, ...], as in max_pool2d(conv2d(x))

Stored: what the other operator stores. A bias that all sums under a place share may be added after the pool, as the largest sum
plus a number is the largest of the sums plus that number; the same holds for a factor above 0 and for the shift by the weight
exponent. It is not linear: messages that arrive over different delays cannot be weighed apart. A max-pool of *spikes* is none
of these, but neurons that fire when a spike comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array

from snnc.base import registry
from snnc.errors import NetworkError, UnsupportedError
from snnc.network.op import MAX_SYNAPSES, Ints, Op, SignMode
from snnc.network.synapses import Synapses
from snnc.network.window import Window, of_channels


@final
@dataclass(frozen=True, eq=False)
class MaxPool2d(Op):
    """current[c, y, x] = the largest of another operator's sums under a place; see the docstring of the module."""

    sums_of: Mapping[str, Any] = field(kw_only=True)  # kind of the other operator under "op", and its geometry
    window: Window = field(kw_only=True)  # over the planes of its sums

    kind: ClassVar[str] = "maxpool2d"
    linear: ClassVar[bool] = False
    remedy: ClassVar[str] = "put the pool behind the neurons, where it is one of spikes, or average instead, and retrain"

    @classmethod
    def of(cls, summing: Op, window: Window) -> Self:
        """Return the max-pool of an operator's sums."""
        kind = {"op": summing.kind, **summing.geometry()}
        return cls(summing.synapses, summing.exponent, summing.sign_mode, sums_of=kind, window=window)

    @cached_property
    def summing(self) -> Op:
        """The operator whose sums are pooled."""
        kind, fields = self.sums_of["op"], {name: value for name, value in self.sums_of.items() if name != "op"}
        op: Op = registry.OPERATORS.module(kind).OP.of_geometry(self.synapses, self.exponent, self.sign_mode, fields)
        return op

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.summing.src_shape

    @property
    def dst_shape(self) -> tuple[int, ...]:
        return (self.window.src_shape[0], *self.window.grid)

    @property
    def possible_synapses(self) -> int:
        shape = self.synapses.shape
        full = type(self.summing).of_geometry(Synapses.from_dense(np.ones(shape)), 0, None, self.summing.geometry())
        return int(self._each_sum(full.fan_in()).sum())

    def _each_sum(self, counts: Ints) -> Ints:
        """Return for each neuron the sum of ``counts``, one a sum, over what lies under its place."""
        return np.asarray(self.window.sums(counts.reshape(self.window.src_shape)).reshape(-1), np.int64)

    @cached_property
    def _fan_in(self) -> Ints:
        """Each sum has synapses of its own, so that a source counts once for every sum under the place that it reaches."""
        fan_in = self._each_sum(self.summing.fan_in())
        fan_in.setflags(write=False)
        return fan_in

    def largest(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return the largest of sums, (samples, sums), under each place: (samples, n_dst)."""
        planes = self.window.maxima(sums.reshape(-1, *self.window.src_shape))
        return planes.reshape(len(planes), -1)

    def _weighed(self, inputs: NDArray[Any]) -> NDArray[Any]:
        return self.largest(self.summing.weigh(inputs))

    def _sums(self, values: NDArray[Any], often: NDArray[np.int64]) -> NDArray[Any]:
        """Return the most that a neuron can get: the largest of the sums under its place, for ``values`` >= 0."""
        most: NDArray[Any] = self.largest(self.summing.sums(values)[None])[0]
        return most

    def _strongest(self, values: NDArray[Any], often: NDArray[np.int64], most: int) -> NDArray[Any]:
        strongest: NDArray[Any] = self.largest(self.summing.strongest(values, most)[None])[0]
        return strongest

    def joins(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return self.summing.joins(sources, self._under(destinations))

    def _under(self, destinations: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which sums lie under the places of these neurons."""
        under, planes = np.zeros(self.window.src_shape, np.bool_), destinations.reshape(self.dst_shape)
        for tap in range(self.window.taps):
            (y, x), (from_y, from_x) = self.window.meets(tap)
            under[:, from_y, from_x] |= planes[:, y, x]
        return under.reshape(-1)

    def between(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> Self | None:
        channels = of_channels(destinations, self.dst_shape)
        if channels is None:
            return None
        summing = self.summing.between(sources, np.repeat(channels, prod(self.window.src_shape[1:])))
        return None if summing is None else type(self).of(summing, self.window.of_channels(channels))

    def axons(self, start: int, stop: int) -> tuple[Ints, Ints]:
        return np.unique(self.rows(start, stop)[1], return_counts=True)

    def rows(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """Return the synapses of all sums under the places of neurons start .. stop - 1, as `Op.rows`."""
        channel, place = np.divmod(np.arange(start, stop), self.window.places)
        cells = self.window.sources(np.arange(self.window.taps), 0, self.window.places).T[place]
        row, tap = np.nonzero(cells >= 0)
        sums = cells[row, tap] + channel[row] * prod(self.window.src_shape[1:])
        first, last = int(sums.min(initial=self.summing.n_dst)), int(sums.max(initial=-1)) + 1
        of_sum, sources = self.summing.rows(min(first, last), last)
        starts = np.searchsorted(of_sum, np.arange(last - first + 1)) if len(sums) else np.zeros(1, np.int64)
        lengths = np.diff(starts)[sums - first]
        before = np.cumsum(lengths) - lengths
        at = np.repeat(starts[sums - first] - before, lengths) + np.arange(int(lengths.sum()))
        rows, met = np.repeat(row, lengths), sources[at]
        order = np.lexsort((met, rows))
        return rows[order], met[order]

    def row(self, neuron: int) -> tuple[Ints, NDArray[Any]]:
        raise self._no_sum()

    def unrolled(self, max_synapses: int = MAX_SYNAPSES) -> Synapses:
        raise self._no_sum()

    def _axons(self, start: int, stop: int) -> tuple[Ints, Ints]:
        return self.axons(start, stop)

    def _rows(self, start: int, stop: int) -> tuple[Ints, Ints, Ints]:
        raise self._no_sum()

    def _no_sum(self) -> UnsupportedError:
        return UnsupportedError("takes the largest of several sums, which no list of synapses says", fix=self.remedy)

    def influence(self, max_synapses: int = MAX_SYNAPSES) -> Any:
        """Return what all sums under a place together would make of a message: a direction for searches, no current."""
        channels, height, width = self.window.src_shape
        cells = self.window.sources(np.arange(self.window.taps), 0, self.window.places).T
        place, tap = np.nonzero(cells >= 0)
        plane = csr_array((np.ones(len(place)), (place, cells[place, tap])), (self.window.places, height * width))
        return block_diag([plane] * channels, format="csr") @ self.summing.influence(max_synapses)

    def geometry(self) -> dict[str, Any]:
        return {"sums_of": dict(self.sums_of), "window": self.window.to_json()}

    @classmethod
    def _parts(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return {"sums_of": fields["sums_of"], "window": Window.of(fields["window"])}

    @classmethod
    def of_geometry(cls, synapses: Synapses, exponent: int, sign_mode: SignMode | None, fields: dict[str, Any]) -> Self:
        if (kind := fields["sums_of"]["op"]) == cls.kind or not isinstance(kind, str):
            raise NetworkError(f"pools the sums of {kind!r}, which makes none")
        op = super().of_geometry(synapses, exponent, sign_mode, fields)
        _ = op.summing  # so that what a damaged file brings about is raised here
        return op

    def _shape_problems(self) -> list[str]:
        if not self.summing.linear or self.pool:
            return [f"pools the sums of operator {self.summing.kind!r}, expected one that adds up"]
        if wrong := self.summing.shape_problems():
            return wrong
        if prod(self.window.src_shape) != self.summing.n_dst:
            return [f"pools sums of shape {self.window.src_shape}, there are {self.summing.n_dst}"]
        if not all(met.any() for _, met in self.window.patterns):
            return [f"has a pool with a place that holds nothing (kernel {self.window.kernel}, padding {self.window.padding})"]
        return []


OP = MaxPool2d
