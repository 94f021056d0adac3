"""What can enter a neuron in one step, and how far its current can climb: exact, from the integer weights, for every input that
there can be. Used by quantising, the range proof, the engine and the exporters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from json import dumps
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.intervals import Ints, Span, step
from snnc.analysis.linear_response import response
from snnc.analysis.reachability import ENDLESS, reach
from snnc.base import units
from snnc.base.bisect import first
from snnc.errors import DoesNotFitError, NetworkError
from snnc.network.arithmetic import Fixed
from snnc.network.delays import Part, parts
from snnc.network.model import Connection, Network, Population
from snnc.network.neuron import FORGETS, Neuron
from snnc.network.synapses import SLICE
from snnc.network.tiling import one_tile

_LARGE = 1 << 40  # int64 holds anything below, shifted by an exponent, lifted and multiplied by a decay


class Sent(NamedTuple):
    """What a population can send in one step."""

    largest: int  # the largest message; 0: nothing
    neurons: NDArray[np.bool_] | None = None  # (n,): which of them can send at all; None: all
    at_most: int | None = None  # how many send in one step; None: all can


class Bound(NamedTuple):
    """What the registers that wrap, of each neuron of a population, can reach, in state units, if they had no end."""

    low: Ints  # (n,)
    high: Ints  # (n,)
    limit: int  # the register holds -limit + 1 .. limit (`snnc.network.arithmetic.Fixed.wrap`)

    @property
    def wraps(self) -> bool:
        return bool(self.high.max() > self.limit or self.low.min() <= -self.limit)

    @property
    def endless(self) -> bool:
        """Whether no bound is known of some neuron."""
        return self.reach >= ENDLESS

    @property
    def reach(self) -> int:
        """The largest magnitude of all neurons."""
        return max(int(self.high.max()), -int(self.low.min()))

    @property
    def neuron(self) -> int:
        """The neuron that reaches farthest."""
        return int(np.maximum(self.high, -self.low).argmax())


Arriving = Sequence[tuple[Connection, Sent]]  # connections into a population, with what their sources can send


def sent(p: Population, max_spikes_per_step: int | None = None) -> Sent:
    """What a population can send: spikes, nothing from a readout, an input's messages within its budget and this promise."""
    fires = p.neuron is None or p.neuron.rule.fires
    return Sent(2 ** max(p.sent_bits, 1) - 1 if fires else 0, at_most=promised(p, max_spikes_per_step))


def promised(p: Population, max_spikes_per_step: int | None) -> int | None:
    """Return how many messages an input sends in a step, by its budget and by a promise for all inputs; None: any number."""
    if p.neuron is not None:
        return None
    return min((n for n in (p.max_spikes_per_step, max_spikes_per_step) if n is not None), default=None)


def arriving(net: Network, population: str) -> list[tuple[Connection, Sent]]:
    """The connections into a population, with what their sources can send by their kind."""
    return [(c, sent(net[c.src])) for c in net.into(population)]


@lru_cache(maxsize=1)  # for each chip that a network is held against, the same is asked
def current_bound(net: Network) -> dict[str, Bound]:
    """The reach of what wraps in every population; sound for all inputs, and reached by one where there is a closed form.

    Worst case: every synapse with a positive (negative) weight brings its largest message in every step. A current that
    decays by `Neuron.current_decay` then climbs to the smallest x with x = (x * (2**bits - decay) >> bits) + input, which has
    a closed form; other models are bounded by their own step. Of equal tiles, one is bounded. Raises NetworkError for floats.
    """
    numeric, net = fixed(net), one_tile(net)
    neurons = [p for p in net.populations if p.neuron]
    currents = step_currents([(p, arriving(net, p.name)) for p in neurons], numeric)
    return {p.name: _bound(p, current, numeric) for p, current in zip(neurons, currents, strict=True)}


def fixed(net: Network) -> Fixed:
    """The integers of a network. Raises NetworkError for one that computes in floats."""
    if not isinstance(net.numeric, Fixed):
        raise NetworkError("computes in floats, which do not wrap", where=f"network {net.name!r}", fix="quantise it first")
    return net.numeric


def must_not_wrap(net: Network) -> None:
    """Raises DoesNotFitError that names the first population and neuron whose current can wrap."""
    for name, bound in current_bound(net).items():
        if bound.endless:
            raise DoesNotFitError(
                f"no bound of what its states can reach is known, registers wrap at {bound.limit:,}",
                where=f"population {name!r}, neuron {bound.neuron}",
                fix="make its states decay faster, so that they forget old inputs",
            )
        if bound.wraps:
            raise DoesNotFitError(
                f"the current can reach {bound.reach:,} and wraps at {bound.limit:,}",
                where=f"population {name!r}, neuron {bound.neuron}",
                fix=_remedy(net, bound),
            )


def wrap_problems(net: Network) -> Iterator[str]:
    """Yield in words the first current that can wrap, as `must_not_wrap` says it; nothing for a float network."""
    try:
        if isinstance(net.numeric, Fixed):
            must_not_wrap(net)
    except DoesNotFitError as error:
        yield str(error)


def _remedy(net: Network, bound: Bound) -> str:
    """Return what helps against a current that can wrap: a budget of the inputs, if there is one under which none does."""
    down = f"scale its weights and threshold down by {bound.reach / bound.limit:.3g}, or prune it"
    most = largest_budget(net)
    if most is None:
        return down
    return f"give its inputs a budget of {most:,} messages a step or less (snnc limit), if they never send more; or {down}"


@lru_cache(maxsize=1)  # each chip that a network is checked for asks
def largest_budget(net: Network) -> int | None:
    """Return the largest budget of all inputs, in messages a step, with which no register of a fixed network can wrap.

    None if none can, or if a budget of 1 is not enough. Budgets that inputs have already stay where they are smaller.
    """
    net = one_tile(net)
    largest = max(p.size for p in net.inputs)

    def wraps(budget: int) -> bool:
        into = {p.name: [(c, sent(net[c.src], budget)) for c in net.into(p.name)] for p in net.populations if p.neuron}
        return any(population_bound(net[name], arrives, fixed(net)).wraps for name, arrives in into.items())

    most = first(wraps, 1, largest + 1) - 1
    return most if 1 <= most < largest else None


def population_bound(p: Population, into: Arriving, numeric: Fixed) -> Bound:
    """`current_bound` of one population, whose connections are given with what their sources can send."""
    return _bound(p, step_current(p, into, numeric), numeric)


def _bound(p: Population, current: tuple[Ints, Ints], numeric: Fixed) -> Bound:
    """Return the bound of a population for the least and the most that the input of one step sums to."""
    assert p.neuron is not None  # noqa: S101 - for the type checker; callers ask for neurons only
    if p.neuron.current_decay is None:
        return _bound_of_step(p.neuron, Span(*current), numeric)
    low, high = map(numeric.lift, current)
    decay = _decay(p.neuron, numeric)
    return Bound(-_climb(-low, decay, numeric), _climb(high, decay, numeric), numeric.state_limit)


def most_given(p: Population, into: Arriving, numeric: Fixed) -> dict[str, int]:
    """Return the largest magnitude that one step can give each register that wraps, from whatever all registers hold."""
    neuron = p.neuron
    if neuron is None:
        return {}
    wrapping = [state.name for state in neuron.states if state.overflow == "wrap"]
    if neuron.current_decay is not None:  # what it holds, undecayed, and the input
        low, high = step_input(p, into, numeric)
        return dict.fromkeys(wrapping, max(int(high.max()), -int(low.min())) + numeric.state_limit)
    anything = Span(np.full(p.size, -numeric.state_limit), np.full(p.size, numeric.state_limit))
    current = Span(*step_current(p, into, numeric))
    held = step(neuron, dict.fromkeys(neuron.variables(), anything), current, numeric).held
    return {name: max(int(held[name].high.max()), -int(held[name].low.min())) for name in wrapping}


def step_input(p: Population, into: Arriving, numeric: Fixed) -> tuple[Ints, Ints]:
    """The least and the most that one step can add to u of each neuron, in state units; arguments as `population_bound`."""
    low, high = step_current(p, into, numeric)
    return numeric.lift(low), numeric.lift(high)


def step_current(p: Population, into: Arriving, numeric: Fixed) -> tuple[Ints, Ints]:
    """The least and the most that the input of one step can sum to, (n,) each, in weight units; never above, below 0.

    Messages of unequal delay that arrive together are sent at unlike times, so each part of a connection has its worst case.
    """
    return step_currents([(p, into)], numeric)[0]


def step_currents(arrivals: Sequence[tuple[Population, Arriving]], numeric: Fixed) -> list[tuple[Ints, Ints]]:
    """Return `step_current` of several populations. What is drawn is summed slice by slice of rows, by whoever does units."""
    drawn: list[Arriving] = [[(c, what) for c, what in into if _is_sliced(c, what)] for _, into in arrivals]
    others: list[Arriving] = [[(c, what) for c, what in into if not _is_sliced(c, what)] for _, into in arrivals]
    totals = [_summed(p.size, into, numeric) for (p, _), into in zip(arrivals, others, strict=True)]
    slices = [(i, start, stop) for i, into in enumerate(drawn) if into for start, stop in _slices(into)]
    work = units.Work("slices of rows", _of_rows, (drawn, numeric), lambda: (repr(numeric), [*map(_stated, drawn)]))
    for (i, start, stop), made in zip(slices, units.mapped(work, slices), strict=True):
        low, high = totals[i]
        low[start:stop] += made["low"]
        high[start:stop] += made["high"]
    return totals


def _is_sliced(c: Connection, what: Sent) -> bool:
    """Tell whether a connection is drawn, row by row, and its sums are far from what int64 holds."""
    if not c.op.synapses.are_drawn or c.op.pool is not None or what.neurons is not None:
        return False
    largest = max(map(abs, c.op.synapses.extremes())) * what.largest * 2.0 ** max(c.op.exponent, 0)
    return largest * c.op.n_src < _LARGE


def _slices(into: Arriving) -> list[tuple[int, int]]:
    return units.slices(np.sum([c.op.fan_in() for c, _ in into], axis=0), units.SYNAPSES)


def _stated(into: Arriving) -> list[Any]:
    """Return what identifies drawn connections, and what their sources send."""
    return [
        (dumps(c.op.synapses.stated()), c.delay_steps, c.axon_delays, c.op.exponent, what.largest, what.at_most)
        for c, what in into
    ]


def _of_rows(given: tuple[list[Arriving], Fixed], unit: tuple[int, int, int]) -> dict[str, Ints]:
    """Return what the input of one step to some rows of a population can sum to."""
    (drawn, numeric), (i, start, stop) = given, unit
    low, high = _summed(stop - start, drawn[i], numeric, start)
    return {"low": low, "high": high}


def _summed(rows: int, into: Arriving, numeric: Fixed, start: int = 0) -> tuple[Ints, Ints]:
    """Return `step_current` of so many neurons, ``start`` and those after it; of what is not sliced they are all."""
    low: Ints = np.zeros(rows, np.int64)
    high: Ints = np.zeros(rows, np.int64)
    for c, what in into:
        for least, most in _sums(c, what, start, start + rows):
            low = _exact(low + numeric.shift(_exact(least), c.op.exponent))
            high = _exact(high + numeric.shift(_exact(most), c.op.exponent))
    return low, high


def _sums(c: Connection, what: Sent, start: int, stop: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield `part_sums` of the parts whose worst cases add up, or of all in one where nothing tells them apart."""
    sliced = _is_sliced(c, what)
    if not _is_one_part(c, what):
        of_rows = replace(c, op=replace(c.op, synapses=c.op.synapses.block(start, stop))) if sliced else c
        yield from (part_sums(part, what) for part in parts(of_rows))
    elif sliced:
        below, above = c.op.synapses.row_sums(start, stop)
        yield below * what.largest, above * what.largest
    else:
        yield part_sums(Part(c.delay_steps, c.op), what)


def _is_one_part(c: Connection, what: Sent) -> bool:
    """Tell whether synapses are many, and neither rounding nor a budget tells those of unequal delay apart."""
    many = c.op.synapses.are_drawn or c.op.synapses.count > SLICE
    return many and c.op.linear and c.op.exponent >= 0 and c.axon_delays is None and what.at_most is None and what.neurons is None


def part_sums(part: Part, what: Sent) -> tuple[Ints, Ints]:
    """The least and the most that a step's weighted messages can sum to, by destination neuron, not yet shifted.

    Negative and positive weights are summed apart, shared ones as such: nothing is unrolled.
    """
    if not what.largest:
        return np.zeros(part.op.n_dst, np.int64), np.zeros(part.op.n_dst, np.int64)
    if part.op.synapses.count > SLICE and part.sources is None and what.neurons is None and what.at_most is None:
        below, above = part.op.ends()
        return below * what.largest, above * what.largest
    values = part.op.synapses.values
    return -_most(part, np.maximum(-values, 0), what), _most(part, np.maximum(values, 0), what)


def _most(part: Part, values: Ints, what: Sent) -> Ints:
    """The most that a step's messages, weighed with ``values`` >= 0, can sum to."""
    total = part.sums(values) if what.neurons is None else _from(part, values, what.neurons)
    if what.at_most is not None:
        total = np.minimum(total, part.op.strongest(values, what.at_most))
    return total * what.largest


def _from(part: Part, values: Ints, neurons: NDArray[np.bool_]) -> Ints:
    """`Part.sums` over those source neurons only."""
    senders = neurons if part.sources is None else neurons & part.sources
    total: Ints = part.op.with_values(values).weigh(senders[None].astype(values.dtype))[0]
    return total


def _exact(x: Ints) -> Ints:
    return x.astype(object) if x.dtype != object and x.size and int(np.abs(x).max()) >= _LARGE else x


def _bound_of_step(neuron: Neuron, current: Span, numeric: Fixed) -> Bound:
    """What the model's own step says of all its registers that wrap."""
    held = (response(neuron, current, numeric, None) or reach(neuron, current, numeric, None)).held
    wrapping = [held[state.name] for state in neuron.states if state.overflow == "wrap"]
    nothing = np.zeros(len(current.low), np.int64)
    low = np.minimum.reduce([nothing, *(span.low for span in wrapping)])
    return Bound(low, np.maximum.reduce([nothing, *(span.high for span in wrapping)]), numeric.state_limit)


def _decay(neuron: Neuron, numeric: Fixed) -> Any:
    """How much of the current leaks per step."""
    whole = np.int64(1 << numeric.decay_bits)
    return whole if neuron.current_decay in (None, FORGETS) else getattr(neuron, str(neuron.current_decay))


def _climb(step: Ints, decay: Any, numeric: Fixed) -> Ints:
    """Where a state from 0 ends that gains ``step`` >= 0 in every step and decays.

    x is a fixed point if x - step <= x * (one - decay) / one < x - step + 1, that is, if
    one * (step - 1) < x * decay <= one * step; the smallest such x is where the climb ends.
    """
    one, step = 1 << numeric.decay_bits, _exact(step)
    leaks = np.broadcast_to(np.asarray(decay), step.shape)
    climbed = np.where(step > 0, one * (step - 1) // np.maximum(leaks, 1) + 1, 0)
    return np.where((leaks == 0) & (step > 0), ENDLESS, climbed)
