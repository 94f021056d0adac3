"""Network (floats) -> Network (a chip's integers). Between pruning and the budget check; no torch.

All weights into a population, its threshold and its bias share one scale, up to the power of two of a connection's weight
exponent, so that the population computes ``scale`` times what it computed in floats. The scale is searched so that the
errors of weights and thresholds together are least; nothing is ever clipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import population_bound, sent
from snnc.base.config import Config, setting
from snnc.chips.profile import Profile
from snnc.errors import NetworkError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network, Population, Stage
from snnc.network.neuron import Neuron
from snnc.network.op import Op, SignMode, weight_grid
from snnc.passes.scaling import decode_weights, encode_parameter, encode_weights

OCTAVES = 4  # powers of two tried beyond the scale at which the finest connection fills its grid
WORTHWHILE = 0.9  # higher exponents are taken only if they bring the error below this fraction


@dataclass(frozen=True)
class QuantiseConfig(Config):
    """Settings of `quantise`.

    Examples:
        >>> import snnc
        >>> snnc.QuantiseConfig().sign_mode
        'auto'
    """

    sign_mode: Literal["auto", "mixed"] = setting(
        "auto", "auto: connections whose weights share a sign keep one bit more; mixed: treat all as mixed"
    )
    drop_zeros: bool = setting(False, "remove kept synapses whose weight rounds to zero")
    negative_exponents: bool = setting(
        False, "allow weight exponents below zero for spikes, too: finer weights, but each step's sum is rounded down"
    )


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


@dataclass(frozen=True)
class _Choice:
    """The integers of a population at one scale."""

    scale: float
    ops: Mapping[str, Op]
    error: float  # sum of the relative squared errors of weights and thresholds


def quantise(net: Network, profile: Profile, config: QuantiseConfig = QuantiseConfig()) -> Network:
    """Return a fixed-point network with the populations and synapses of ``net``.

    Weights round to the nearest value of the grid of their sign mode (`snnc.ops.weight_grid`), decays to 2**-decay_bits,
    thresholds to 1 / scale, biases to mantissa * 2**exponent. A scale at which a current could wrap is made smaller.
    Weight exponents are 0 unless a connection needs more, or brings graded messages (then down to -message_bits, as its
    messages are that much larger than spikes). The stage "quantise" in ``done`` holds scales and what limits each.

    Raises NetworkError if ``net`` is fixed already, if a parameter is out of the chip's range, or if a threshold or all
    weights of a connection round to zero.
    """
    if isinstance(net.numeric, Fixed):
        raise NetworkError(
            f"is fixed-point already, for {net.numeric.profile}",
            where=f"network {net.name!r}",
            fix="quantise the float network that it was made from",
        )
    numeric = profile.fixed()
    chosen = {p.name: _choose(p, net, numeric, config) for p in net.populations if p.neuron}
    populations = tuple(_population(p, chosen[p.name][0].scale, numeric) if p.neuron else p for p in net.populations)
    connections = tuple(replace(c, op=_stored(c, chosen[c.dst][0], config)) for c in net.connections)
    settings = {
        "profile": numeric.profile,
        "sign_mode": config.sign_mode,
        "drop_zeros": config.drop_zeros,
        "negative_exponents": config.negative_exponents,
        "scales": {name: choice.scale for name, (choice, _) in chosen.items()},
        "limited_by": {name: limit for name, (_, limit) in chosen.items()},
    }
    return net.after(Stage("quantise", settings), populations=populations, connections=connections, numeric=numeric)


def scales(net: Network) -> Mapping[str, float]:
    """Return the integers per float of each population of a fixed network, as recorded by `quantise`; empty if it was not.

    Raises NetworkError if the record, which a file may make up, holds no positive numbers.
    """
    scales_by_population = recorded(net, "scales")
    if not all(isinstance(scale, float) and 0 < scale < np.inf for scale in scales_by_population.values()):
        raise NetworkError("records scales that are no positive numbers", where=f"network {net.name!r}", fix="quantise it again")
    return scales_by_population


def recorded(net: Network, key: str) -> Mapping[str, Any]:
    """Return what `quantise` recorded of each population; empty if it did not. Raises NetworkError if that is no table."""
    settings: Any = next((s.settings.get(key, {}) for s in reversed(net.done) if s.name == "quantise"), {})
    if not isinstance(settings, dict):
        raise NetworkError(
            f"records {key} = {settings!r}, expected a table", where=f"network {net.name!r}", fix="quantise it again"
        )
    return settings


def _population(p: Population, scale: float, numeric: Fixed) -> Population:
    values = {name: _encoded(p, name, scale, numeric) for name in p.neuron.parameters()}  # type: ignore[union-attr]
    return replace(p, neuron=type(p.neuron)(**values))  # type: ignore[misc]


def _encoded(p: Population, name: str, scale: float, numeric: Fixed) -> NDArray[np.int64]:
    neuron: Neuron = p.neuron  # type: ignore[assignment]
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


def _stored(c: Connection, choice: _Choice, config: QuantiseConfig) -> Op:
    op = choice.ops[c.name]
    if not op.synapses.values.any():
        raise NetworkError(
            f"all {op.synapses.count} weights round to 0 at a scale of {choice.scale:.3g}; the largest is "
            f"{np.abs(c.op.synapses.values).max():.3g}",
            where=f"connection {c.name!r}",
            fix="make its weights larger beside the others and the threshold, or allow negative exponents",
        )
    return op.keep(op.synapses.values != 0) if config.drop_zeros else op


def _choose(p: Population, net: Network, numeric: Fixed, config: QuantiseConfig) -> tuple[_Choice, str]:
    """Return the best integers for a population within every limit of the chip, and the limit that bounds its scale."""
    into = net.into(p.name)
    grids = {c.name: _grid(c, net[c.src].message_bits, numeric, config) for c in into}
    cap, limit = min(_caps(p, grids, numeric))
    if max((g.finest for g in grids.values()), default=cap) < cap:
        limit = "the weight grid"
    while True:
        choice = _best(p, into, grids, numeric, cap)
        weighted = [(replace(c, op=choice.ops[c.name]), sent(net[c.src])) for c in into]
        bound = population_bound(_population(p, choice.scale, numeric), weighted, numeric)
        if not bound.wraps:
            return choice, limit
        if bound.endless:
            raise NetworkError(
                f"no bound of what its states can reach is known at any scale, and registers wrap at {bound.limit:,}",
                where=f"population {p.name!r}, neuron {bound.neuron}",
                fix="make its states decay faster, so that they forget old inputs",
            )
        cap, limit = choice.scale * min(0.99, bound.limit / bound.reach), "the wrap of the current"


def _grid(c: Connection, message_bits: int, numeric: Fixed, config: QuantiseConfig) -> _Grid:
    values = c.op.synapses.values
    mode: SignMode = "excitatory" if values.min() >= 0 else "inhibitory" if values.max() <= 0 else "mixed"
    grid = weight_grid(numeric, "mixed" if config.sign_mode == "mixed" else mode)
    sides = ((float(values.max()), grid[-1]), (-float(values.min()), -grid[0]))
    full, end = min((end / largest, end) for largest, end in sides if largest > 0)
    lowest = numeric.weight_exponent_min if config.negative_exponents else -message_bits
    mode = "mixed" if config.sign_mode == "mixed" else mode
    return _Grid(mode, grid.step, end, full, max(lowest, numeric.weight_exponent_min))


def _caps(p: Population, grids: Mapping[str, _Grid], numeric: Fixed) -> list[tuple[float, str]]:
    """Return the largest scale that each limit of the chip allows, the wrap of the current apart."""
    caps = [(grid.full * 2.0**numeric.weight_exponent_max, f"the weights of {name!r}") for name, grid in grids.items()]
    for name, field in p.neuron.parameters().items():  # type: ignore[union-attr]
        unit, largest = field.metadata["unit"], float(np.abs(getattr(p.neuron, name)).max())
        if unit.scaled and largest > 0:
            most = unit.integers(numeric, field.metadata["offset"])[1]
            caps.append((most / unit.per_float(1.0, numeric) / largest, f"the {name}"))
    return caps or [(1.0, "nothing")]


def _best(p: Population, into: tuple[Connection, ...], grids: Mapping[str, _Grid], numeric: Fixed, cap: float) -> _Choice:
    """Return the choice with the least error at a scale up to ``cap``.

    The search starts where the finest connection fills its grid; beyond it only thresholds gain, and higher exponents must be
    worth it.
    """
    finest = max(grids.values(), key=lambda grid: grid.finest, default=None)
    top, fractions = (min(finest.finest, cap), finest.fractions) if finest else (cap, [1.0])
    if not 0 < top < np.inf or (finest and finest.full == np.inf):
        raise NetworkError("no scale fits its weights: they are next to zero", where=f"population {p.name!r}")
    best = None
    for octave in range(OCTAVES):
        start = min(top * 2.0**octave, cap)
        choice_here = min((_at(p, into, grids, numeric, start * f) for f in fractions), key=lambda choice: choice.error)
        if best and choice_here.error >= WORTHWHILE * best.error:
            return best
        best = choice_here
    return choice_here


def _at(p: Population, into: tuple[Connection, ...], grids: Mapping[str, _Grid], numeric: Fixed, scale: float) -> _Choice:
    """Return the integers of a population at a scale."""
    ops = {c.name: encode_weights(c.op, scale, grids[c.name].exponent(scale), grids[c.name].sign_mode, numeric) for c in into}
    error = sum(_relative(decode_weights(ops[c.name], scale), c.op.synapses.values) for c in into)
    for name, field in p.neuron.parameters().items():  # type: ignore[union-attr]
        if field.metadata["unit"].must_stay:
            exact = getattr(p.neuron, name)
            error += _relative(np.rint(exact * scale) / scale, exact)
    return _Choice(scale, ops, error)


def _relative(got: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    """Return the squared error relative to the squared values, both in units of the largest so that neither overflows."""
    largest = float(np.abs(exact).max())
    if not largest:
        return 0.0
    return float(np.square((got - exact) / largest).sum()) / float(np.square(exact / largest).sum())
