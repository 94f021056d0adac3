"""The scale of a population's integers, and the exponents of its weights: which are possible, and which lose least.

For given lowest exponents the scale is the one at which the errors of weights and thresholds together are least. Which
exponents are best depends on more than that: below zero, weights are finer, but the sum of each step is rounded down. So where
exponents below zero are allowed, each choice is rehearsed (`snnc.passes.rehearsal`): what the spikes see decides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import Bound, population_bound, sent
from snnc.errors import NetworkError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network, Population
from snnc.network.narrow import pairwise
from snnc.network.op import Op, SignMode, weight_grid
from snnc.network.synapses import Synapses
from snnc.passes.rehearsal import Rehearsal
from snnc.passes.scaling import encode_parameter, encode_weights, must_lie_on_grid

OCTAVES = 4  # powers of two tried beyond the scale at which the finest connection fills its grid
WORTHWHILE = 0.9  # higher exponents, and those below zero, are taken only if they bring the error below this fraction
NO_WORSE = 1.05  # at each rate of the inputs: chance makes errors unequal, too
WRAP = "the wrap of the current"


@dataclass(frozen=True)
class _Grid:
    """How the weights of a connection lie on their grid."""

    sign_mode: SignMode
    step: int
    end: int  # magnitude of the grid's end that the weights reach first
    full: float  # the scale at which they reach it, at exponent 0
    lowest: int  # the lowest exponent allowed

    @property
    def finest(self) -> float:
        """The scale at which the weights fill the grid at the lowest exponent."""
        return self.full * 2.0**self.lowest

    @property
    def fractions(self) -> list[float]:
        """Parts of `finest` at which the largest weight lies on a value of the upper half of the grid."""
        return [landing / self.end for landing in range(self.end, self.end // 2, -self.step)]

    def exponent(self, scale: float) -> int:
        """Return the lowest exponent at which the weights reach no farther than the grid."""
        return max(self.lowest, ceil(log2(scale / self.full) - 1e-9))


class Wrapped(NamedTuple):
    """The last scale at which a register could wrap."""

    scale: float
    register: str
    bound: Bound  # what it could reach there


@dataclass(frozen=True)
class Choice:
    """The integers of a population at one scale."""

    scale: float
    ops: Mapping[str, Op]
    error: float  # sum of the relative squared errors of weights and thresholds
    limited_by: str = "nothing"  # what bounds the scale
    wrapped: Wrapped | None = None  # what made it smaller, if a register could wrap

    @property
    def lost(self) -> str | None:
        """The first connection all of whose weights round to zero."""
        return next((name for name, op in self.ops.items() if op.synapses.extremes() == (0, 0)), None)


@dataclass(frozen=True)
class Search:
    """What the search needs to know beside the population."""

    net: Network
    numeric: Fixed
    mixed: bool  # whether all connections are treated as ones of both signs
    rehearsal: Rehearsal | None = None  # None: no exponents below zero for spikes


def choose(p: Population, search: Search) -> Choice:
    """Return the best integers of a population within every limit of the chip.

    Raises NetworkError if there are none, or if all weights of a connection round to zero in each choice.
    """
    first = _within_limits(p, search, None)
    if search.rehearsal is None or not search.net.into(p.name):
        return first
    choices = [c for c in (first, *_with_lower_exponents(p, search)) if c.lost is None]
    return _best_rehearsed(p, choices, search, search.rehearsal) if choices else first


def _with_lower_exponents(p: Population, search: Search) -> Iterator[Choice]:
    """Yield the choices for each lowest exponent of spikes below zero."""
    for lowest in range(-1, search.numeric.weight_exponent_min - 1, -1):
        try:
            choice = _within_limits(p, search, lowest)
            encoded_population(p, choice.scale, search.numeric)
        except NetworkError:  # a threshold that must stay rounds to zero at so small a scale
            continue
        yield choice


def _best_rehearsed(p: Population, choices: list[Choice], search: Search, rehearsal: Rehearsal) -> Choice:
    """Return the choice whose spikes and voltages are nearest to those of the floats, of those that are worse at no rate of the
    inputs than the first; the first unless another is better.
    """

    def errors(choice: Choice) -> NDArray[np.float64]:
        into = [replace(c, op=choice.ops[c.name]) for c in search.net.into(p.name)]
        return rehearsal.errors(encoded_population(p, choice.scale, search.numeric), into, choice.scale, search.numeric)

    first = errors(choices[0])
    best, least = choices[0], WORTHWHILE * float(first.mean())
    for choice in choices[1:]:
        found = errors(choice)
        if float(found.mean()) < least and (found <= NO_WORSE * first).all():
            best, least = choice, float(found.mean())
    return best


def _within_limits(p: Population, search: Search, lowest: int | None) -> Choice:
    """Return the choice with the least error of weights and thresholds. ``lowest``: the lowest exponent of spikes."""
    net, numeric, into = search.net, search.numeric, search.net.into(p.name)
    grids = {c.name: _grid(c, net[c.src].message_bits, lowest, search) for c in into}
    cap, limit = min(_caps(p, grids, numeric))
    if max((g.finest for g in grids.values()), default=cap) < cap:
        limit = "the weight grid"
    wrapped = None
    sampled = tuple(replace(c, op=replace(c.op, synapses=c.op.synapses.sample())) for c in into)
    while True:
        choice = _best(p, sampled, grids, numeric, cap)
        choice = replace(choice, ops={c.name: _encoded_op(c, choice.scale, grids, numeric) for c in into})
        weighted = [(replace(c, op=choice.ops[c.name]), sent(net[c.src])) for c in into]
        bound = population_bound(encoded_population(p, choice.scale, numeric), weighted, numeric)
        if not bound.wraps:
            return replace(choice, limited_by=limit, wrapped=wrapped)
        if bound.endless:
            raise NetworkError(
                f"no bound of what its states can reach is known at any scale, and registers wrap at {bound.limit:,}",
                where=f"population {p.name!r}, neuron {bound.neuron}",
                fix="make its states decay faster, so that they forget old inputs",
            )
        cap, limit, wrapped = (
            choice.scale * min(0.99, bound.limit / bound.reach),
            WRAP,
            Wrapped(choice.scale, _wrapping(p), bound),
        )


def _wrapping(p: Population) -> str:
    """Return the name of the state whose register wraps."""
    return next(state.name for state in p.neuron.states if state.overflow == "wrap")  # type: ignore[union-attr]


def _grid(c: Connection, message_bits: int, lowest: int | None, search: Search) -> _Grid:
    low, high = map(float, c.op.synapses.extremes())
    mode: SignMode = "excitatory" if low >= 0 else "inhibitory" if high <= 0 else "mixed"
    mode = "mixed" if search.mixed else mode
    grid = weight_grid(search.numeric, mode)
    sides = ((high, grid[-1]), (-low, -grid[0]))
    full, end = min((end / largest, end) for largest, end in sides if largest > 0)
    lowest = -message_bits if lowest is None else min(lowest, -message_bits)
    lowest = min(max(lowest, search.numeric.weight_exponent_min), search.numeric.weight_exponent_max)
    return _Grid(mode, grid.step, end, full, lowest)


def _caps(p: Population, grids: Mapping[str, _Grid], numeric: Fixed) -> list[tuple[float, str]]:
    """Return the largest scale that each limit of the chip allows, the wrap of the current apart."""
    caps = [(grid.full * 2.0**numeric.weight_exponent_max, f"the weights of {name!r}") for name, grid in grids.items()]
    for name, field in p.neuron.parameters().items():  # type: ignore[union-attr]
        unit, largest = field.metadata["unit"], float(np.abs(getattr(p.neuron, name)).max())
        if unit.scaled and largest > 0:
            most = unit.integers(numeric, field.metadata["offset"])[1]
            caps.append((most / unit.per_float(1.0, numeric) / largest, f"the {name}"))
    return caps or [(1.0, "nothing")]


def _best(p: Population, into: tuple[Connection, ...], grids: Mapping[str, _Grid], numeric: Fixed, cap: float) -> Choice:
    """Return the choice with the least error at a scale up to ``cap``.

    The search starts where the finest connection fills its grid; beyond it only thresholds gain, and higher exponents must be
    worth it.
    """
    finest = max(grids.values(), key=lambda grid: grid.finest, default=None)
    top, fractions = (min(finest.finest, cap), finest.fractions) if finest else (cap, [1.0])
    if not 0 < top < np.inf or (finest and finest.full == np.inf):
        raise NetworkError("no scale fits its weights: they are next to zero", where=f"population {p.name!r}")
    best, squares = None, {c.name: _squares(c.op.synapses) for c in into}
    for octave in range(OCTAVES):
        start = min(top * 2.0**octave, cap)
        tried = (_at(p, into, grids, squares, numeric, start * f) for f in fractions)
        choice_here = min(tried, key=lambda choice: choice.error)
        if best and choice_here.error >= WORTHWHILE * best.error:
            return best
        best = choice_here
    return choice_here


def _at(
    p: Population, into: tuple[Connection, ...], grids: Mapping[str, _Grid], squares: Mapping[str, float],
    numeric: Fixed, scale: float,
) -> Choice:  # fmt: skip
    """Return the error of a population at a scale, without its integers. ``squares``: `_squares` of each connection."""
    off = {c.name: _weight_error(c.op.synapses, scale, grids[c.name], numeric) for c in into}
    error = sum(off[name] / squares[name] if squares[name] else 0.0 for name in off)
    for name, field in p.neuron.parameters().items():  # type: ignore[union-attr]
        if field.metadata["unit"].must_stay:
            exact = getattr(p.neuron, name)
            error += _relative(np.rint(exact * scale) / scale, exact)
    return Choice(scale, {}, error)


def _squares(synapses: Synapses) -> float:
    """Return the sum of squared weights, in units of the largest, so that none overflows; 0 if there is none other than 0."""
    largest = _largest(synapses)
    if not largest:
        return 0.0
    return float(pairwise(lambda first, last: np.square(synapses.weights(first, last) / largest).sum(), 0, synapses.count))


def _weight_error(synapses: Synapses, scale: float, grid: _Grid, numeric: Fixed) -> float:
    """Return the squared error of weights at a scale, in units of `_squares`; only a piece of them is in memory at once."""
    exponent, largest = grid.exponent(scale), _largest(synapses)
    must_lie_on_grid(synapses.extremes(), scale, exponent, grid.sign_mode, numeric)

    def off(first: int, last: int) -> Any:
        exact = synapses.weights(first, last)
        on_grid = np.rint(exact * (scale / 2.0**exponent / grid.step)) * grid.step
        return np.square((on_grid * (2.0**exponent / scale) - exact) / largest).sum()

    return float(pairwise(off, 0, synapses.count)) if largest else 0.0


def _largest(synapses: Synapses) -> float:
    return max(abs(float(end)) for end in synapses.extremes())


def _encoded_op(c: Connection, scale: float, grids: Mapping[str, _Grid], numeric: Fixed) -> Op:
    grid = grids[c.name]
    return encode_weights(c.op, scale, grid.exponent(scale), grid.sign_mode, numeric)


def _relative(got: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    """Return the squared error relative to the squared values, both in units of the largest so that neither overflows."""
    largest = float(np.abs(exact).max(initial=0))
    if not largest:
        return 0.0
    return float(np.square((got - exact) / largest).sum()) / float(np.square(exact / largest).sum())


def encoded_population(p: Population, scale: float, numeric: Fixed) -> Population:
    """Return a population with its parameters in a chip's integers. Raises NetworkError for one that the chip cannot hold."""
    values = {name: _encoded(p, name, scale, numeric) for name in p.neuron.parameters()}  # type: ignore[union-attr]
    return replace(p, neuron=type(p.neuron)(**values))  # type: ignore[misc]


def _encoded(p: Population, name: str, scale: float, numeric: Fixed) -> NDArray[np.int64]:
    neuron: Any = p.neuron
    meta, value = neuron.parameters()[name].metadata, getattr(neuron, name)
    try:
        encoded = encode_parameter(value, meta["unit"], meta["offset"], scale, numeric)
    except NetworkError as error:
        raise NetworkError(f"{name} {error.what}", where=f"population {p.name!r}", fix=error.fix) from error
    if meta["unit"].must_stay and (lost := (encoded == 0) & (value > 0)).any():
        raise NetworkError(
            f"{name} {value[lost].min():.3g} rounds to 0 at a scale of {scale:.3g}",
            where=f"population {p.name!r}",
            fix="make its weights smaller beside the threshold",
        )
    return encoded
