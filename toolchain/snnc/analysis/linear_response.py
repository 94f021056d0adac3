"""How far states go that turn into each other, as those of a resonator: the sum of what a linear step makes of all past inputs.

No box of intervals holds a rotation that hardly decays: each step would widen it. But where a step is linear between two
spikes, and a spike sets all states to constants, every state is M^t z + the sum over k of M^k (b I + e): from the first state or
the last reset z, the inputs I since then, and the roundings e. The model's own `step`, run on linear forms, says M, b and e;
docs/proof.md says why the sums are bounds. Part of the range proof.
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.intervals import Span
from snnc.network.arithmetic import Fixed
from snnc.network.neuron import Neuron
from snnc.network.symbols import Operations, Symbol

Floats = NDArray[np.float64]

MOST_STEPS = 1 << 13  # after which a step has to have shrunk what it began with
SHRUNK = 2.0**-12
SAFETY = 1e-6  # of a bound, far more than rounding of float64 adds up to in so many steps


class NotLinear(Exception):
    """The step does something that no linear form can follow."""


@dataclass(frozen=True, eq=False)
class _Form(Symbol):
    """Sum of ``factors`` (n, states + 1) times the states and the input, and of anything from ``low`` to ``high`` (n,)."""

    factors: Floats
    low: Floats
    high: Floats
    resets: "tuple[tuple[_Spikes, Any], ...]" = ()  # which spikes set it to which number

    def operate(self, operation: str, left: Any, right: Any) -> "_Form":
        if operation == "mul":
            form, factor = (left, right) if isinstance(left, _Form) else (right, left)
            return form.times(factor)
        other = _form(right, self)
        return _form(left, self).plus(other if operation == "add" else other.times(-1.0))

    def times(self, factor: Any) -> "_Form":
        """The product with numbers that the model knows."""
        if isinstance(factor, Symbol) or self.resets:
            raise NotLinear
        by = np.asarray(factor, np.float64)
        ends = by * self.low, by * self.high
        return _Form(self.factors * by[..., None], np.minimum(*ends), np.maximum(*ends))

    def plus(self, other: "_Form") -> "_Form":
        """The sum."""
        if self.resets or other.resets:
            raise NotLinear
        return _Form(self.factors + other.factors, self.low + other.low, self.high + other.high)

    def off_by(self, low: Any, high: Any) -> "_Form":
        """With a rounding."""
        return replace(self, low=self.low + low, high=self.high + high)


@dataclass(frozen=True, eq=False)
class _Spikes(Symbol):
    """Spikes, with which nothing can be computed: they only say where a state is reset, and by what they are decided."""

    asked: "tuple[_Form, Any, bool] | None" = None  # a form, what it was held against, and whether being equal is enough

    def operate(self, operation: str, left: Any, right: Any) -> Any:
        raise NotLinear


def _form(x: Any, like: _Form) -> _Form:
    if isinstance(x, _Form):
        return x
    if isinstance(x, Symbol):
        raise NotLinear
    number = np.broadcast_to(np.asarray(x, np.float64), like.low.shape)
    return _Form(np.zeros_like(like.factors), number, number)


@dataclass(frozen=True, eq=False)
class _Forms(Operations):
    """The `Arith` of linear forms over the integers of ``numeric``, where no register wraps or saturates."""

    numeric: Fixed
    registers: list[_Form] = field(default_factory=list)

    def apply(self, operation: str, *operands: Any) -> Any:
        if not any(isinstance(x, Symbol) for x in operands):
            return getattr(self.numeric, operation)(*operands)
        return getattr(self, f"_{operation}")(*operands)

    def _lift(self, x: Any) -> _Form:
        return _only(x).times(float(1 << self.numeric.state_shift))

    def _decay(self, x: Any, decay: Any) -> _Form:
        return self._multiply(x, (1 << self.numeric.decay_bits) - np.asarray(decay))

    def _multiply(self, x: Any, fraction: Any) -> _Form:
        """Off by less than one, unless nothing is rounded: by 0, 1 or -1."""
        exact = np.isin(np.abs(fraction), (0, 1 << self.numeric.decay_bits))
        return self._part(x, fraction).off_by(np.where(exact, 0.0, -1.0), np.where(exact, 0.0, 1.0))

    def _floor_decay(self, x: Any, decay: Any) -> _Form:
        return self._part(x, (1 << self.numeric.decay_bits) - np.asarray(decay)).off_by(-1.0, 0.0)

    def _part(self, x: Any, fraction: Any) -> _Form:
        if isinstance(fraction, Symbol):
            raise NotLinear
        return _only(x).times(np.asarray(fraction) / (1 << self.numeric.decay_bits))

    def _wrap(self, x: Any) -> _Form:
        self.registers.append(_only(x))
        return self.registers[-1]

    _saturate = _clamp = _wrap

    def _leak(self, x: Any, decay: Any) -> _Form:
        raise NotLinear

    def _count(self, v: Any, threshold: Any, most: int) -> _Form:
        raise NotLinear

    _remainder = _count

    def _above(self, v: Any, threshold: Any) -> _Spikes:
        return _Spikes((_only(v), threshold, False))

    def _at_least(self, v: Any, threshold: Any) -> _Spikes:
        return _Spikes((_only(v), threshold, True))

    def _positive(self, x: Any) -> _Spikes:
        return _Spikes()

    _silent = _positive

    def _clear(self, v: Any, spikes: Any) -> _Form:
        return self._reset_to(v, spikes, 0)

    def _reset_to(self, v: Any, spikes: Any, value: Any) -> _Form:
        if isinstance(value, Symbol) or not isinstance(spikes, _Spikes):
            raise NotLinear
        return replace(_only(v), resets=(*_only(v).resets, (spikes, value)))

    def _subtract(self, v: Any, spikes: Any, amount: Any) -> _Form:
        raise NotLinear


def _only(x: Any) -> _Form:
    if not isinstance(x, _Form):
        raise NotLinear
    return x


@dataclass(frozen=True, eq=False)
class _Quiet(_Forms):
    """The same of a neuron that never fires and whose counters rest at 0: what an input adds then."""

    def _above(self, v: Any, threshold: Any) -> Any:
        return _only(v).times(0.0)

    _at_least = _above

    def _positive(self, x: Any) -> Any:
        return _only(x).times(0.0)

    def _subtract(self, v: Any, spikes: Any, amount: Any) -> Any:
        return v

    def _reset_to(self, v: Any, spikes: Any, value: Any) -> Any:
        return v


def impulse_response(neuron: Neuron, numeric: Fixed, steps: int) -> dict[str, Floats] | None:
    """Return what is left of an input of 1 after 0, 1, ... steps in each state, (steps,), in a neuron that neither rounds nor
    fires; None if its step is not linear even then. The parameters of ``neuron`` are those of one neuron.
    """
    forms = _unit_forms(neuron, 1)
    try:
        after, _ = neuron.step(dict(zip(neuron.variables(), forms[:-1], strict=True)), forms[-1], _Quiet(numeric))
        factors = np.stack([_only(after[name]).factors[0] for name in neuron.variables()])
    except NotLinear:
        return None
    left, rows = factors[:, -1], []
    for _ in range(steps):
        rows.append(left)
        left = factors[:, :-1] @ left
    return dict(zip(neuron.variables(), np.array(rows).T, strict=True))


def _unit_forms(neuron: Neuron, n: int) -> list[_Form]:
    """Each state, and the input, as a form of its own."""
    one = np.eye(len(neuron.states) + 1)
    return [_Form(np.broadcast_to(row, (n, len(row))), np.zeros(n), np.zeros(n)) for row in one]


class LinearStep(NamedTuple):
    """A step between two spikes: z <- M z + b I + e, for n neurons with S states each."""

    matrix: Floats  # (n, S, S)
    input: Floats  # (n, S), of a current in weight units
    low: Floats  # (n, S), what is added besides: biases and roundings, from here
    high: Floats  # (n, S), to here
    starts: tuple[Floats, ...]  # (n, S) each: the first state, and what a spike sets all states to
    spike: tuple[int, Any, bool] | None  # the state that is compared, with what, and whether being equal is enough


def linear_step(neuron: Neuron, numeric: Fixed, n: int) -> LinearStep | None:
    """Return the linear step of neurons, None if the model has none, or if a spike leaves some states and resets others."""
    forms, names = _unit_forms(neuron, n), neuron.variables()
    try:
        after, spikes = neuron.step(dict(zip(names, forms[:-1], strict=True)), forms[-1], _Forms(numeric))
        found = [_only(after[name]) for name in names]
    except NotLinear:
        return None
    first = np.broadcast_to(np.array([float(state.initial) for state in neuron.states]), (n, len(names)))
    resets = [x.resets for x in found]
    starts: tuple[Floats, ...] = (first,)
    if any(resets):
        if any(len(r) != 1 or r[0][0] is not resets[0][0][0] for r in resets):
            return None
        starts += (np.stack([np.broadcast_to(np.asarray(r[0][1], np.float64), n) for r in resets], axis=1),)
    factors = np.stack([x.factors for x in found], axis=1)
    low, high = (np.stack([getattr(x, end) for x in found], axis=1) for end in ("low", "high"))
    return LinearStep(factors[:, :, :-1], factors[:, :, -1], low, high, starts, _spike(found, spikes))


def _spike(found: list[_Form], spikes: Any) -> tuple[int, Any, bool] | None:
    """Which state, before its reset, decides about spikes; None if none does alone."""
    if not isinstance(spikes, _Spikes) or spikes.asked is None or isinstance(spikes.asked[1], Symbol):
        return None
    form, threshold, equal = spikes.asked
    states = [i for i, x in enumerate(found) if x.factors is form.factors]
    return (states[0], threshold, equal) if states else None


class Response(NamedTuple):
    """What states come to, (n,) by state. ``found``: where that is proved, as no register overflows on the way.

    Elsewhere ``held`` is what the registers would be given if they had no end; infinite where a step does not shrink the states.
    """

    states: dict[str, Span]
    held: dict[str, Span]
    found: NDArray[np.bool_]
    fires: NDArray[np.bool_]  # whether a spike is possible


def response(neuron: Neuron, current: Span, numeric: Fixed, steps: int | None) -> Response | None:
    """Bound the states of neurons whose input in each step lies in ``current``, within ``steps``; None: ever.

    None if the model has no linear step.
    """
    linear = linear_step(neuron, numeric, len(current.low))
    if linear is None:
        return None
    least, most = _sums(linear, current, steps)
    held, states, found = {}, {}, np.ones(len(least), np.bool_)
    for i, state in enumerate(neuron.states):
        low, high = _outward(least[:, i], most[:, i])
        held[state.name] = Span(low, high)
        found &= (low > -numeric.state_limit) & (high < numeric.state_limit)
        ends = [start[:, i] for start in linear.starts]
        reset = Span(np.minimum.reduce(ends).astype(np.int64), np.maximum.reduce(ends).astype(np.int64))
        states[state.name] = held[state.name].with_other(reset)
    fires = np.ones(len(found), np.bool_)
    if linear.spike:
        at, threshold, equal = linear.spike
        most_of_it = held[neuron.states[at].name].high
        fires = most_of_it >= threshold if equal else most_of_it > threshold
    return Response(states, held, found, fires)


def _outward(low: Floats, high: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole numbers around the bounds, with room for the rounding of the floats."""
    room = SAFETY * np.maximum(np.abs(low), np.abs(high)) + SAFETY
    most = float(1 << 60)
    return np.floor(np.maximum(low - room, -most)).astype(np.int64), np.ceil(np.minimum(high + room, most)).astype(np.int64)


def _sums(linear: LinearStep, current: Span, steps: int | None) -> tuple[Floats, Floats]:
    """The least and the most of each state before a reset, (n, S); infinite where the powers of M do not shrink."""
    n, size = linear.input.shape
    power = np.broadcast_to(np.eye(size), (n, size, size))
    low, high, first_low, first_high = (np.zeros((n, size)) for _ in range(4))
    ends = [np.asarray(end, np.float64)[:, None] for end in (current.low, current.high)]
    for k in range(MOST_STEPS if steps is None else steps):
        added = (power @ linear.input[:, :, None])[:, :, 0]
        terms = [(added * ends[0], added * ends[1])]
        terms += [(power[:, :, j] * linear.low[:, j : j + 1], power[:, :, j] * linear.high[:, j : j + 1]) for j in range(size)]
        low += sum(np.minimum(np.minimum(*pair), 0) for pair in terms)
        high += sum(np.maximum(np.maximum(*pair), 0) for pair in terms)
        power = linear.matrix @ power
        for start in linear.starts:
            moved = (power @ start[:, :, None])[:, :, 0]
            first_low, first_high = np.minimum(first_low, moved), np.maximum(first_high, moved)
        if steps is None and k % 32 == 31 and (_norm(power) <= SHRUNK).all():
            break
    low, high = low + first_low, high + first_high
    if steps is not None:
        return low, high
    norm = _norm(power)
    rest = np.maximum(-low, high).max(axis=1) * norm / np.where(norm <= SHRUNK, 1 - norm, 1)
    rest = np.where(norm <= SHRUNK, rest, np.inf)[:, None]
    return low - rest, high + rest


def _norm(power: Floats) -> Floats:
    """(n,): by how much the largest state can grow, at most."""
    norm: Floats = np.abs(power).sum(axis=2).max(axis=1)
    return norm
