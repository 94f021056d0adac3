"""What every operator must say about itself."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError
from snnc.network.arithmetic import Fixed, Numeric
from snnc.network.synapses import Synapses
from snnc.network.window import Window

SignMode = Literal["mixed", "excitatory", "inhibitory"]
Ints = NDArray[np.int64]

MAX_SYNAPSES = 1 << 26  # that `Op.unrolled` makes unless it is told another number


def weight_grid(numeric: Fixed, sign_mode: SignMode) -> range:
    """Return the integers that a weight of this sign mode can be.

    A mixed-sign weight loses its lowest bit to the sign: at 8 bits these are the even numbers -256 .. 254. Source: Lava
    0.10.0, lava/utils/weightutils.py (clip_weights, truncate_weights), whose clipping limits stay at 8 bits.
    """
    step = 1 << (8 - numeric.weight_bits + (sign_mode == "mixed"))
    match sign_mode:
        case "mixed":
            return range(-256, 256, step)
        case "excitatory":
            return range(0, 256, step)
        case "inhibitory":
            return range(-(255 // step) * step, 1, step)


@dataclass(frozen=True, eq=False)
class Op(ABC):
    """Abstract: current[i] = sum over j of weight[i, j] * message[j], where neurons may share weights.

    ``synapses`` holds each weight that exists once, whatever the number of neurons that share it. In a fixed network the
    weights are integers on `weight_grid` and the sum is shifted by ``exponent`` (towards minus infinity when negative).
    With ``pool``, the weights see sums of messages: those of the source under each place of the pool's window, whose places
    do not overlap. What the weights see are the *inputs*; without a pool they are the source.
    """

    synapses: Synapses
    exponent: int = 0
    sign_mode: SignMode | None = None  # stated in fixed networks, None in float ones
    pool: Window | None = field(default=None, kw_only=True)

    kind: ClassVar[str]
    remedy: ClassVar[str] = ""  # what to do where it cannot be computed; empty: nothing is known
    linear: ClassVar[bool] = True  # False: it computes something else from its weighted sums, and has no `row` and `unrolled`

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Of what the weights see."""

    @property
    @abstractmethod
    def dst_shape(self) -> tuple[int, ...]:
        """Of the neurons that get the currents, (n,) or (channels, rows, columns)."""

    @property
    @abstractmethod
    def possible_synapses(self) -> int:
        """Synapses if nothing were pruned."""

    @abstractmethod
    def _weighed(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Turn inputs (samples, inputs) into weighted sums (samples, n_dst)."""

    @abstractmethod
    def _sums(self, values: NDArray[Any], often: NDArray[np.int64]) -> NDArray[Any]:
        """Return `sums`, each synapse counted for the source neurons of its input: ``often``, of shape `input_shape`."""

    @abstractmethod
    def _strongest(self, values: NDArray[Any], often: NDArray[np.int64], most: int) -> NDArray[Any]:
        """Return `strongest`, where each input stands for as many source neurons as ``often`` (shape `input_shape`) says."""

    @abstractmethod
    def joins(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which stored weights join one of these source neurons (n_src,) with one of these destinations (n_dst,)."""

    @abstractmethod
    def between(self, sources: NDArray[np.bool_], destinations: NDArray[np.bool_]) -> Self | None:
        """Return the operator between those neurons only; None if they are none that an operator of this kind can join."""

    @abstractmethod
    def _axons(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """Return `axons` of the inputs."""

    @abstractmethod
    def _rows(self, start: int, stop: int) -> tuple[Ints, Ints, Ints]:
        """Return `rows` of the inputs, and which stored weight each synapse has; inputs ascending in a row."""

    @property
    def src_shape(self) -> tuple[int, ...]:
        """Of the neurons that send, (n,) or (channels, rows, columns)."""
        return self.pool.src_shape if self.pool else self.input_shape

    @property
    def n_src(self) -> int:
        """Neurons that send."""
        return prod(self.src_shape)

    @property
    def n_dst(self) -> int:
        """Neurons that get a current."""
        return prod(self.dst_shape)

    @property
    def parameters(self) -> int:
        """Trainable weights, pruned ones included."""
        return prod(self.synapses.shape)

    @property
    def synapse_count(self) -> int:
        """Synapses that exist, a weight counted for each pair of neurons that it joins."""
        return int(self._fan_in.sum())

    def fan_in(self) -> Ints:
        """Return the synapses of each destination neuron, shape (n_dst,), read-only."""
        return self._fan_in

    @cached_property
    def _fan_in(self) -> Ints:
        fan_in = self._counted()
        fan_in.setflags(write=False)
        return fan_in

    def _counted(self) -> Ints:
        """Return `fan_in`."""
        return np.asarray(self.sums(np.ones(self.synapses.count, np.int64)), np.int64)

    def fan_out(self) -> Ints:
        """Return the synapses of each source neuron, shape (n_src,)."""
        counts = np.zeros(self.n_src, np.int64)
        sources, synapses = self.axons(0, self.n_dst)
        counts[sources] = synapses
        return counts

    def ends(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return what all weights below 0, and all above, sum to at each destination neuron, (n_dst,) each: as `sums` does."""
        values = self.synapses.values
        return -self.sums(np.maximum(-values, 0)), self.sums(np.maximum(values, 0))

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return for each destination neuron the sum of ``values``, one a stored weight, over its synapses: shape (n_dst,).

        Where an operator is not linear, this is the most that weights ``values`` >= 0 can bring.
        """
        return self._sums(values, self._often())

    def strongest(self, values: NDArray[Any], most: int) -> NDArray[Any]:
        """Return for each destination neuron the most that ``values`` >= 0, one a stored weight, sum to over ``most`` synapses.

        Shape (n_dst,). May be too large beside the edges of a pool that leaves out neurons, never too small.
        """
        return self._strongest(values, self._often(), most)

    def _often(self) -> NDArray[np.int64]:
        """Return for how many source neurons each input stands, shape `input_shape`."""
        if self.pool is None:
            return np.ones(self.input_shape, np.int64)
        return self.pool.sums(np.ones(self.pool.src_shape, np.int64)).reshape(self.input_shape)

    def axons(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """Return (source neurons, ascending, with a synapse into destination neurons start .. stop - 1; how many each has)."""
        inputs, counts = self._axons(start, stop)
        if self.pool is None:
            return inputs, counts
        at, sources = _expanded(inputs, self._members)
        order = np.argsort(sources)
        return sources[order], counts[at[order]]

    def rows(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """Return the synapses that end in destination neurons start .. stop - 1: (neuron - start, ascending; source neuron)."""
        rows, inputs, _ = self._rows(start, stop)
        if self.pool is None:
            return rows, inputs
        at, sources = _expanded(inputs, self._members)
        return rows[at], sources

    def row(self, neuron: int) -> tuple[Ints, NDArray[Any]]:
        """Return the synapses of one destination neuron: (source neurons, weights)."""
        _, inputs, stored = self._rows(neuron, neuron + 1)
        if self.pool is None:
            return inputs, self.synapses.values[stored]
        at, sources = _expanded(inputs, self._members)
        return sources, self.synapses.values[stored[at]]

    @cached_property
    def _members(self) -> NDArray[np.int64]:
        """The source neurons of each input, -1 for none: shape (inputs, most that one has)."""
        assert self.pool is not None  # noqa: S101 - for the type checker; callers have a pool
        channels, height, width = self.pool.src_shape
        plane = self.pool.sources(np.arange(self.pool.taps), 0, self.pool.places).T
        members = plane + (np.arange(channels) * (height * width))[:, None, None]
        return np.where(plane < 0, -1, members).reshape(-1, self.pool.taps)

    def pooled(self, sources: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which inputs stand for one of those source neurons, (n_src,)."""
        if self.pool is None:
            return sources
        return self.pool.sums(sources.reshape(self.pool.src_shape).astype(np.int64)).reshape(-1) > 0

    def weigh(self, messages: NDArray[Any]) -> NDArray[Any]:
        """Turn messages (samples, n_src) into weighted sums (samples, n_dst), not yet shifted; computed in the messages' type."""
        if self.pool is None:
            return self._weighed(messages)
        pooled = self.pool.sums(messages.reshape(-1, *self.pool.src_shape))
        return self._weighed(pooled.reshape(len(messages), -1))

    def apply(self, messages: NDArray[Any], numeric: Numeric) -> NDArray[Any]:
        """Turn messages (samples, n_src) into currents (samples, n_dst) in weight units."""
        total = self.weigh(messages.astype(numeric.dtype))
        current: NDArray[Any] = numeric.shift(total, self.exponent) if isinstance(numeric, Fixed) else total
        return current

    def unrolled(self, max_synapses: int = MAX_SYNAPSES) -> Synapses:
        """Return every synapse with a weight of its own: shape (n_dst, n_src), delays included.

        Raises DoesNotFitError, before anything is made, if there are more than ``max_synapses``.
        """
        if (count := self.synapse_count) > max_synapses:
            raise DoesNotFitError(
                f"{self.synapses.count:,} shared weights unroll to {count:,} synapses, at most {max_synapses:,} are allowed",
                fix=f"prune it, or allow them with --max-synapses {count}",
            )
        rows, columns, stored = self._rows(0, self.n_dst)
        if self.pool:
            at, columns = _expanded(columns, self._members)
            order = np.lexsort((columns, rows[at]))
            rows, columns, stored = rows[at[order]], columns[order], stored[at[order]]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=self.n_dst))])
        values, delays = self.synapses.values, self.synapses.delays
        of_each = None if delays is None else delays[stored]
        return Synapses((self.n_dst, self.n_src), indptr.astype(np.int64), columns.astype(np.int32), values[stored], of_each)

    def influence(self, max_synapses: int = MAX_SYNAPSES) -> Any:
        """Return by how much a message of each source moves each destination's current: a sparse matrix (n_dst, n_src).

        Raises as `unrolled`.
        """
        return self.unrolled(max_synapses).to_scipy() * 2.0**self.exponent

    def keep(self, kept: NDArray[np.bool_]) -> Self:
        """Return the operator with only those of its stored weights; ``kept``: shape (stored weights,)."""
        return replace(self, synapses=self.synapses.keep(kept))

    def with_values(self, values: NDArray[Any]) -> Self:
        """Return the operator with other stored weights: shape (stored weights,)."""
        return replace(self, synapses=self.synapses.with_values(values))

    def geometry(self) -> dict[str, Any]:
        """Return what decides which neurons a weight joins, beside the shape of the synapses: as JSON values."""
        return {"pool": self.pool.to_json()} if self.pool else {}

    @classmethod
    def of_geometry(cls, synapses: Synapses, exponent: int, sign_mode: SignMode | None, fields: dict[str, Any]) -> Self:
        """Make an operator from what `geometry` returned. Raises what a damaged file brings about."""
        return cls(synapses, exponent, sign_mode, **cls._parts(fields))

    @classmethod
    def _parts(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return {"pool": Window.of(fields["pool"]) if "pool" in fields else None}

    def problems(self, numeric: Numeric) -> list[str]:
        """Return what is wrong with the shapes and the weights, if anything."""
        if wrong := self.shape_problems() or self.synapses.problems():
            return wrong
        if self.synapses.extremes() == (0, 0):
            return [f"has no weight other than 0 ({self.synapses.count} of {self.parameters} weights exist)"]
        if isinstance(numeric, Fixed):
            return self._fixed_problems(numeric)
        if self.synapses.dtype != np.float64 or self.exponent or self.sign_mode:
            return ["holds integers in a float network"]
        return []

    def shape_problems(self) -> list[str]:
        """Return what is wrong with the shapes, if anything."""
        return self._shape_problems()

    def _shape_problems(self) -> list[str]:
        if self.pool is None:
            return []
        pooled = (self.pool.src_shape[0], *self.pool.grid)
        if prod(pooled) != prod(self.input_shape):
            return [f"pools its messages to {pooled}, its weights are for {self.input_shape}"]
        if self.pool.overlaps:
            return [
                f"pools its messages with overlapping windows (kernel {self.pool.kernel}, stride {self.pool.stride});"
                " put the pool before neurons of its own"
            ]
        return []

    def _fixed_problems(self, numeric: Fixed) -> list[str]:
        if self.synapses.dtype != np.int64 or self.sign_mode is None:
            return ["holds weights that are not integers with a sign mode, in a fixed network"]
        grid = weight_grid(numeric, self.sign_mode)
        low, high = map(int, self.synapses.extremes())
        wrong = []
        if low < grid[0] or high > grid[-1]:
            wrong.append(
                f"holds weights {low} .. {high}, {self.sign_mode} {numeric.weight_bits}-bit weights reach {grid[0]} .. {grid[-1]}"
            )
        if not self.synapses.is_multiple_of(grid.step):
            wrong.append(f"holds weights that are no multiple of {grid.step}, which {self.sign_mode} weights must be")
        if not numeric.weight_exponent_min <= self.exponent <= numeric.weight_exponent_max:
            wrong.append(
                f"has weight exponent {self.exponent}, allowed are {numeric.weight_exponent_min} .. {numeric.weight_exponent_max}"
            )
        return wrong


def _expanded(inputs: Ints, members: NDArray[np.int64]) -> tuple[Ints, Ints]:
    """Replace each input by the source neurons that it stands for: (positions in ``inputs``, source neurons)."""
    sources = members[inputs]
    at, column = np.nonzero(sources >= 0)
    return at, sources[at, column]
