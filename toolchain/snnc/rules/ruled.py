"""Synapses stored as the rule that makes them, for whatever reads `Synapses`: slices are drawn when they are asked for."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snnc.base import units
from snnc.errors import DoesNotFitError, MissingDependencyError
from snnc.network.synapses import Synapses, stacked
from snnc.rules.rule import Rule

WHOLE = 1 << 26  # synapses that are drawn at once; what needs more has to ask for slices
KEPT = 1 << 22  # synapses that are kept once they were drawn
DRAWN_ALIKE = 1 << 14  # synapses that show how the others are


class Ruled(Synapses):
    """Synapses that a rule makes, with the arrays of `Synapses`.

    ``indices``, ``values`` and ``delays`` draw all of them, ``block`` only some rows. Few are kept in memory, many are drawn
    again. Raises DoesNotFitError where all are asked for and there are more than `WHOLE`.

    Examples:
        >>> from snnc.rules.rule import Draw, Rule
        >>> synapses = Ruled(Rule("one_to_one", 3, 3, Draw.constant(0.5)))
        >>> synapses.to_dense().tolist()
        [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]]
    """

    rule: Rule

    def __init__(self, rule: Rule) -> None:
        object.__setattr__(self, "rule", rule)
        object.__setattr__(self, "shape", rule.shape)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to a worker: the rule, and how many synapses each row has where that was counted."""
        return {name: self.__dict__[name] for name in ("rule", "shape", "_counts") if name in self.__dict__}

    def _with(self, rule: Rule) -> Self:
        """Return the synapses of a rule that draws as many in each row."""
        other = type(self)(rule)
        if "_counts" in self.__dict__:
            other.set_counts(self._counts)
        return other

    def set_counts(self, counts: NDArray[np.int64]) -> None:
        """Take how many synapses each row of one tile has, (n_dst,), as `snnc.rules.expand.count` counted them."""
        self.__dict__["_counts"] = counts

    @property
    def are_counted(self) -> bool:
        """Whether it is known how many synapses each row has, or known without drawing them."""
        return "_counts" in self.__dict__ or self.rule.pattern != "fixed_probability"

    @property
    def are_drawn(self) -> bool:
        return True

    @cached_property
    def indptr(self) -> NDArray[np.int64]:
        """The first synapse of each row, (n_dst + 1,)."""
        counts = np.tile(self._counts, self.rule.tiles)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        indptr.setflags(write=False)
        return indptr

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """The synapses of each row of one tile."""
        counts: NDArray[np.int64] = _expand().count(self.rule, 0, self.rule.n_dst)
        return counts

    @property
    def indices(self) -> NDArray[np.int32]:
        return self.drawn.indices

    @property
    def values(self) -> NDArray[Any]:
        return self.drawn.values

    @property
    def delays(self) -> NDArray[np.int32] | None:
        return self.drawn.delays if self.rule.delay else None

    @property
    def drawn(self) -> Synapses:
        """All synapses. Raises DoesNotFitError if there are more than `WHOLE`."""
        if self.count > WHOLE:
            fix = "use what goes by slices (snnc quantise, check, map), or make the network smaller"
            raise DoesNotFitError(f"a rule makes {self.count:,} synapses, at most {WHOLE:,} are drawn at once", fix=fix)
        return self._kept if self.count <= KEPT else _drawn(self)

    @cached_property
    def _kept(self) -> Synapses:
        return self.block(0, self.shape[0])

    @property
    def count(self) -> int:
        return self.rule.tiles * int(self._counts.sum())

    @property
    def dtype(self) -> Any:
        return np.dtype(np.int64 if self.rule.grid else np.float64)

    @property
    def tiles(self) -> int:
        return self.rule.tiles

    @property
    def source_tile(self) -> int:
        return self.rule.offset

    def of_one_tile(self) -> Self:
        return self._with(replace(self.rule, tiles=1, offset=0))

    def repeated(self, tiles: int, source_tile: int) -> Synapses:
        return self._with(replace(self.rule, tiles=tiles, offset=source_tile))

    def stated(self) -> dict[str, Any]:
        return {"rule": self.rule.to_json()}

    def stored(self) -> Iterator[tuple[str, NDArray[Any]]]:
        yield from ()

    def extremes(self) -> tuple[float, float]:
        """Return the ends between which weights are drawn; none need lie there."""
        low, high = self._on_grid(np.array([self.rule.weight.low, self.rule.weight.high]))
        return float(low), float(high)

    def delay_extremes(self) -> tuple[int, int] | None:
        """Return the ends between which delays are drawn; none need lie there."""
        return None if self.rule.delay is None else (int(self.rule.delay.low), int(self.rule.delay.high))

    def on_grid(self, factor: float, step: int) -> Synapses:
        if self.rule.grid:
            return super().on_grid(factor, step)
        return self._with(replace(self.rule, grid=(factor, step)))

    def is_multiple_of(self, step: int) -> bool:
        return (self.rule.grid[1] if self.rule.grid else 1) % step == 0

    def block(self, start: int, stop: int) -> Synapses:
        parts = [self._rows_of_a_tile(*rows) for rows in self._by_tile(start, stop)] or [self._rows_of_a_tile(0, 0, 0)]
        return parts[0] if len(parts) == 1 else stacked(parts)

    def sources(self, start: int, stop: int) -> NDArray[np.int32]:
        parts = [self._columns(first, self._starts(first, last), source) for first, last, source in self._by_tile(start, stop)]
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int32), *parts])

    def _by_tile(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield rows (first, last + 1) within a tile, and the tile that they come from."""
        while start < stop:
            tile, row = divmod(start, self.rule.n_dst)
            last = min(self.rule.n_dst, row + stop - start)
            yield row, last, (tile + self.rule.offset) % self.rule.tiles
            start += last - row

    def _starts(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return where the synapses of rows ``start`` .. ``stop - 1`` of a tile begin, and where they end."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self._counts[start:stop])])

    def _columns(self, start: int, starts: NDArray[np.int64], source: int) -> NDArray[np.int32]:
        """Draw the sources of rows of a tile, which lie in tile ``source``."""
        columns: NDArray[np.int32] = _expand().columns(self.rule, start, starts)
        if source:
            columns += np.int32(source * self.rule.n_src)
        return columns

    def _rows_of_a_tile(self, start: int, stop: int, source: int) -> Synapses:
        """Draw rows ``start`` .. ``stop - 1`` of a tile, which come from tile ``source``."""
        rule, starts = self.rule, self._starts(start, stop)
        columns = self._columns(start, starts, source)
        delays = _expand().delays(rule, rule.delay, start, starts) if rule.delay else None
        return Synapses((stop - start, self.shape[1]), starts, columns, self._weights(start, starts), delays)

    def _weights(self, start: int, starts: NDArray[np.int64]) -> NDArray[Any]:
        return self._on_grid(_expand().weights(self.rule, start, starts))

    def _on_grid(self, weights: NDArray[np.float64]) -> NDArray[Any]:
        if self.rule.grid is None:
            return weights
        factor, step = self.rule.grid
        return (np.rint(weights * factor) * step).astype(np.int64)

    def sample(self) -> Synapses:
        """Return a few rows, at least one: all are drawn alike."""
        tile = int(np.searchsorted(self._counts.cumsum(), DRAWN_ALIKE, side="right"))
        return self.of_one_tile().block(0, min(self.rule.n_dst, max(1, tile)))

    def row_sums(self, start: int = 0, stop: int | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
        rule, stop = self.rule, self.shape[0] if stop is None else stop
        if rule.tiles > 1:
            below, above = (np.tile(sums, rule.tiles)[start:stop] for sums in self.of_one_tile().row_sums())
            return below, above
        low, high = self.extremes()
        if rule.weight.kind == "constant":
            sums = self._counts[start:stop] * self.dtype.type(low)
            return np.minimum(sums, 0), np.maximum(sums, 0)
        below, above = (np.zeros(stop - start, self.dtype) for _ in range(2))
        for first, last in self.slices(start, stop):
            starts = self._starts(first, last)
            weights, at = self._weights(first, starts), starts[:-1][self._counts[first:last] > 0]
            filled = np.flatnonzero(self._counts[first:last]) + first - start
            if len(at):
                below[filled] = np.add.reduceat(np.minimum(weights, 0), at) if low < 0 else 0
                above[filled] = np.add.reduceat(np.maximum(weights, 0), at) if high > 0 else 0
        return below, above

    def fan_out(self, start: int, stop: int) -> NDArray[np.int64]:
        slices = list(self.slices(start, stop, units.SYNAPSES))
        work = units.Work("slices of rows", _fan_out, self, lambda: (json.dumps(self.stated()),))
        total = np.zeros(self.shape[1], np.int64)
        for often in units.mapped(work, slices):
            total += often["often"]
        return total

    def problems(self) -> list[str]:
        return list(self.rule.problems())


def _fan_out(synapses: Ruled, rows: tuple[int, int]) -> dict[str, NDArray[np.int64]]:
    return {"often": np.bincount(synapses.sources(*rows), minlength=synapses.shape[1])}


def _expand() -> Any:
    """Return the module that draws; it loads numba. Raises MissingDependencyError without it."""
    if find_spec("numba") is None:
        what = "synapses given by a rule are drawn by numba, which is not installed"
        raise MissingDependencyError(what, fix="pip install '.[engine]'")
    return import_module("snnc.rules.expand")


@lru_cache(maxsize=1)
def _drawn(synapses: Ruled) -> Synapses:
    """All synapses of the rule that was asked for last."""
    return synapses.block(0, synapses.shape[0])
