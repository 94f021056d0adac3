"""Boxes of states that no neuron leaves: over some steps, or over any number of them. Part of the range proof."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snnc.analysis.intervals import Ints, Span, Stepped, step
from snnc.analysis.linear_response import Response, response
from snnc.network.arithmetic import Fixed
from snnc.network.neuron import Neuron

_COUNTER = 1 << 17  # more than a counter of steps can hold, however small the registers are
MOST_STEPS = 10_000  # that are followed one by one
MOST_SWEEPS = 12  # over the states, of which each may widen what another can be
ENDLESS = 1 << 60  # beyond any register


@dataclass(frozen=True, eq=False)
class Reach:
    """What neurons can come to: intervals of (n,).

    ``found`` (n,): where that is proved. Elsewhere the states grow without end, and nothing is said.
    """

    states: Mapping[str, Span]  # at the end of a step
    held: Mapping[str, Span]  # state -> what its register is given to hold; ±ENDLESS where nothing is known
    fires: Any  # (n,) bool: whether a spike is possible
    found: Any  # (n,) bool


def reach(neuron: Neuron, current: Span, numeric: Fixed, steps: int | None) -> Reach:
    """What neurons whose input in each step lies in ``current`` (weight units) come to within ``steps``; None: ever."""
    rows, which = _unlike(neuron, current)
    found = _reach(*rows, numeric, steps)

    def spread(spans: Mapping[str, Span]) -> dict[str, Span]:
        return {
            name: Span(*(np.broadcast_to(end, (which.max() + 1,))[which] for end in (s.low, s.high))) for name, s in spans.items()
        }

    return Reach(spread(found.states), spread(found.held), found.fires[which], found.found[which])


def _unlike(neuron: Neuron, current: Span) -> tuple[tuple[Neuron, Span], Any]:
    """((neurons and inputs, those that are alike once), which of them each neuron is): places of a plane are mostly alike."""
    n = len(current.low)
    columns = [current.low, current.high, *(np.broadcast_to(getattr(neuron, name), n) for name in neuron.parameters())]
    first, which = _once(columns)
    own = dict(zip(neuron.parameters(), (np.asarray(column)[first] for column in columns[2:]), strict=True))
    return (replace(neuron, **own), Span(current.low[first], current.high[first])), which


def _once(columns: list[Ints]) -> tuple[Any, Any]:
    """(the first of all rows that are alike, which of those each row is); found by a sum that is then held against the rows."""
    alone = np.arange(len(columns[0]))
    if any(column.dtype == object for column in columns):
        return alone, alone
    mixed = np.zeros(len(alone), np.uint64)
    for column in columns:
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + column.astype(np.uint64)
    _, first, which = np.unique(mixed, return_index=True, return_inverse=True)
    alike = all(np.array_equal(column[first][which], column) for column in columns)
    return (first, which) if alike else (alone, alone)


def _reach(neuron: Neuron, current: Span, numeric: Fixed, steps: int | None) -> Reach:
    caps = _caps(current, numeric)
    if int(caps[1].max()) << numeric.decay_bits >= 1 << 62:
        current = Span(current.low.astype(object), current.high.astype(object))
        caps = (caps[0].astype(object), caps[1].astype(object))

    def follow(box: Mapping[str, Span]) -> Stepped:
        return step(neuron, box, current, numeric)

    linear = response(neuron, current, numeric, steps) if neuron.current_decay is None else None
    if linear and linear.found.all():
        return Reach(linear.states, linear.held, linear.fires, linear.found)
    first = {state.name: np.full_like(current.low, state.initial) for state in neuron.states}
    box = {name: Span(start, start) for name, start in first.items()}
    found = _after(box, follow, steps) if steps is not None else _ever(box, follow, caps)
    return found if linear is None else _either(linear, found)


def _either(linear: Response, box: Reach) -> Reach:
    """The linear response where it is proved, else the box; where neither is, what registers without an end would be given."""

    def chosen(a: Mapping[str, Span], b: Mapping[str, Span], first: Any) -> dict[str, Span]:
        return {name: Span(np.where(first, a[name].low, s.low), np.where(first, a[name].high, s.high)) for name, s in b.items()}

    states = chosen(linear.states, box.states, linear.found)
    held = chosen(linear.held, box.held, linear.found | ~box.found)
    return Reach(states, held, np.where(linear.found, linear.fires, box.fires), linear.found | box.found)


def _caps(current: Span, numeric: Fixed) -> tuple[Ints, Ints]:
    """Where to look for the end of a state: within the register first, then as far as a leak of one unit lets it climb."""
    limit, most = numeric.state_limit, max(int(current.high.max()), -int(current.low.min()), 1)
    far = max(4 * (numeric.lift(most) + limit) * max(1 << numeric.decay_bits, MOST_STEPS), _COUNTER)
    dtype = np.int64 if far < 1 << 62 else object
    return np.full(len(current.low), limit, dtype), np.full(len(current.low), far, dtype)


def _after(box: dict[str, Span], follow: Callable[[Mapping[str, Span]], Stepped], steps: int) -> Reach:
    """Step by step from the first state on."""
    states, held, fires = box, dict[str, Span](), np.zeros(1, np.bool_)
    for _ in range(steps):
        stepped = follow(box)
        if any((np.maximum(-s.low, s.high) > ENDLESS).any() for s in stepped.after.values()):
            return _nothing_known(states, stepped)
        states = {name: s.with_other(stepped.after[name]) for name, s in states.items()}
        held = {name: s.with_other(held.get(name, s)) for name, s in stepped.held.items()}
        fires = fires | (stepped.spikes.high > 0)
        if all((s.within(box[name]) & box[name].within(s)).all() for name, s in stepped.after.items()):
            break
        box = stepped.after
    return Reach(states, held, fires, np.ones(len(fires), np.bool_))


def _ever(box: dict[str, Span], follow: Callable[[Mapping[str, Span]], Stepped], caps: tuple[Ints, Ints]) -> Reach:
    """The least box around the first state that a step does not leave: guessed state by state, then held against a step, and
    again where one state has widened what another, before it, can be.

    The step has the last word: where it leads out of the box, nothing is claimed.
    """
    for _ in range(MOST_SWEEPS):
        before = dict(box)
        for name in box:
            for upward in (True, False):
                box[name] = _least(name, box, follow, caps, upward)
        stepped = follow(box)
        kept = np.logical_and.reduce([s.within(box[name]) for name, s in stepped.after.items()])
        if kept.all() or all((box[name].within(s) & s.within(box[name])).all() for name, s in before.items()):
            break
    held = {name: Span(np.where(kept, s.low, -ENDLESS), np.where(kept, s.high, ENDLESS)) for name, s in stepped.held.items()}
    return Reach(box, held, (stepped.spikes.high > 0) | ~kept, kept)


def _nothing_known(states: Mapping[str, Span], stepped: Stepped) -> Reach:
    n = len(stepped.spikes.high)
    endless = Span(np.full(n, -ENDLESS), np.full(n, ENDLESS))
    return Reach(
        dict.fromkeys(states, endless), dict.fromkeys(stepped.held, endless), np.ones(n, np.bool_), np.zeros(n, np.bool_)
    )


def _least(
    name: str, box: Mapping[str, Span], follow: Callable[[Mapping[str, Span]], Stepped], caps: tuple[Ints, Ints], upward: bool
) -> Span:
    """The state's interval with the nearest end, on one side, that a step does not lead beyond; found by halving."""

    def ended(x: Ints) -> Span:
        return Span(box[name].low, x) if upward else Span(-x, box[name].high)

    def kept(x: Ints) -> Any:
        after = follow({**box, name: ended(x)}).after[name]
        return after.high <= x if upward else after.low >= -x

    near, far = caps
    most = np.where(kept(near), near, far)
    first = box[name].high if upward else -box[name].low  # what it holds already, as the first state or by a sweep before
    least = np.maximum(np.zeros_like(most), first)
    while (least < most).any():
        middle = (least + most) // 2
        enough = kept(middle)
        least, most = np.where(enough, least, middle + 1), np.where(enough, middle, most)
    return ended(most)
