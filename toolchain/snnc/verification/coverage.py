"""Coverage of an integer network: the synapses, thresholds, registers, delays and ends of samples that the runs reached. A
verdict vouches only for what its runs reached.
"""

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import fixed, part_sums, sent
from snnc.analysis.range_proof import RangeProof, ends, prove_ranges
from snnc.network.delays import Part, parts
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.simulation.run import Run
from snnc.verification.refute import stepped_again

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

MOST_UNROLLED = 1 << 24  # synapses that are followed one by one; of more, the stored weights are
SLOTS_AT_ONCE = 1 << 21  # neurons times steps times samples that are stepped again side by side
WEIGHED_AT_ONCE = 1 << 24  # synapses times steps whose message is left out to see whether it mattered


@dataclass(frozen=True)
class Share:
    """How many places of one kind were reached, and how many of the others are proved to be out of reach."""

    total: int
    reached: int
    unreachable: int  # of those not reached

    @property
    def left(self) -> int:
        """Places that were not reached although nothing proves that they cannot be."""
        return self.total - self.reached - self.unreachable

    def to_json(self) -> dict[str, int]:
        """Return JSON values."""
        return {"total": self.total, "reached": self.reached, "unreachable": self.unreachable, "left": self.left}


@dataclass(frozen=True)
class Held:
    """Extreme values that a register of a population was given, over all its neurons, and the values that it can hold."""

    overflow: str  # what it does beyond its ends: wrap, saturate
    low: int
    high: int
    ends: tuple[int, int]
    overflowed: int  # neurons in which it did so


@dataclass(frozen=True)
class Delay:
    """Whether a connection carried messages over one of its delays."""

    steps: int
    arrived: bool  # whether one did
    in_flight: bool  # whether one was on its way when a sample ended, so that it must not reach the next


@dataclass(eq=False)
class Coverage:
    """Counts what runs of a fixed network reach; `add` takes one run after another.

    A synapse is reached if a message changed the sum of its neuron, after the shift by the weight exponent. A threshold is
    reached from below once a voltage was at it or within one weight unit below it, and from above once a voltage was within one
    unit above it: then a threshold that is one unit lower or higher gives another spike. The end of a sample is reached by a
    neuron whose state was not the initial one when a sample ended and another followed.
    """

    net: Network
    steps: int = 0  # of the longest sample
    samples: int = 0
    carried: dict[str, Bools] = field(default_factory=dict)  # connection -> (synapses, or stored weights,)
    below: dict[str, Bools] = field(default_factory=dict)  # population -> (n,)
    above: dict[str, Bools] = field(default_factory=dict)
    ended: dict[str, Bools] = field(default_factory=dict)
    low: dict[str, dict[str, Ints]] = field(default_factory=dict)  # population -> state -> (n,)
    high: dict[str, dict[str, Ints]] = field(default_factory=dict)
    over: dict[str, dict[int, tuple[bool, bool]]] = field(default_factory=dict)  # connection -> delay -> arrived, in flight

    def __post_init__(self) -> None:
        fixed(self.net)
        self._synapses = {c.name: _follow(c) for c in self.net.connections}
        self.carried = {name: np.zeros(s.count, np.bool_) for name, s in self._synapses.items()}
        self.over = {c.name: {part.delay_steps: (False, False) for part in parts(c)} for c in self.net.connections}
        neurons = [p for p in self.net.populations if p.neuron]
        firing = [p for p in neurons if p.neuron and p.neuron.rule.fires]
        self.below, self.above = ({p.name: np.zeros(p.size, np.bool_) for p in firing} for _ in range(2))
        self.ended = {p.name: np.zeros(p.size, np.bool_) for p in neurons}

    def add(self, run: Run) -> None:
        """Count what a run reached. Its states have to be recorded."""
        samples, steps, _ = run.spikes[self.net.inputs[0].name].shape
        self.steps, self.samples = max(self.steps, steps), self.samples + samples
        for c in self.net.connections:
            self._add_connection(c, run.spikes[c.src])
        at_once = max(1, SLOTS_AT_ONCE // (steps * max(p.size for p in self.net.populations)))
        for first in range(0, samples, at_once):
            some = run.of_samples(slice(first, first + at_once))
            for name in self.ended:
                self._add_population(name, some)
        for name, ended in self.ended.items():
            for state in self.net[name].neuron.states:  # type: ignore[union-attr]
                ended |= (run.states[name][state.name][:-1, -1] != state.initial).any(axis=0)

    def copy(self) -> "Coverage":
        """Return a copy to which runs can be added without changing this coverage."""
        other = replace(self)
        for name in ("carried", "below", "above", "ended"):
            setattr(other, name, {key: array.copy() for key, array in getattr(self, name).items()})
        other.low, other.high = ({key: dict(kinds) for key, kinds in of.items()} for of in (self.low, self.high))
        other.over = {key: dict(of) for key, of in self.over.items()}
        return other

    def _add_connection(self, c: Connection, spikes: NDArray[Any]) -> None:
        steps, unrolled = spikes.shape[1], self._synapses[c.name]
        for part in parts(c):
            early = spikes[:, : max(steps - part.delay_steps, 0)]
            delayed = spikes[:, max(steps - part.delay_steps, 0) :]
            arrived, in_flight = self.over[c.name][part.delay_steps]
            sources = np.ones(c.op.n_src, np.bool_) if part.sources is None else part.sources
            self.over[c.name][part.delay_steps] = (
                arrived or bool((early.any(axis=(0, 1)) & sources).any()),
                in_flight or bool((delayed[:-1].any(axis=(0, 1)) & sources).any()),
            )
            if unrolled.rows is not None:
                self.carried[c.name] |= self._mattered(c, part, unrolled, early)
            else:
                everywhere = np.ones(c.op.n_dst, np.bool_)
                self.carried[c.name] |= c.op.joins(early.any(axis=(0, 1)) & sources, everywhere) & _of_delay(c, part)

    def _mattered(self, c: Connection, part: Part, s: "_Followed", early: NDArray[Any]) -> Bools:
        """Return which synapses carried a message that changed the sum of their neuron."""
        assert s.rows is not None  # noqa: S101 - for the type checker; callers follow single synapses
        there: Bools = s.of_part(c, part) & (s.values != 0)
        largest = early.max(axis=(0, 1), initial=0).astype(np.int64)
        brought: Bools = there & (largest[s.columns] > 0)
        lost = brought & (np.abs(s.values) < 1 << max(-c.op.exponent, 0)) & ~self.carried[c.name]
        reached: Bools = brought & ~lost
        at = np.flatnonzero(lost)
        if not len(at):
            return reached
        messages = early.reshape(-1, early.shape[2]).astype(np.int64)
        if part.sources is not None:
            messages = messages * part.sources
        rows_at_once = max(1, WEIGHED_AT_ONCE // (len(at) + c.op.n_dst))
        for first in range(0, len(messages), rows_at_once):
            some = messages[first : first + rows_at_once]
            whole = part.op.weigh(some)[:, s.rows[at]]
            without = whole - s.values[at] * some[:, s.columns[at]]
            reached[at] |= ((whole >> -c.op.exponent) != (without >> -c.op.exponent)).any(axis=0)
        return reached

    def _add_population(self, name: str, run: Run) -> None:
        again, unit = stepped_again(self.net, run, name), 1 << fixed(self.net).state_shift
        low, high = self.low.setdefault(name, {}), self.high.setdefault(name, {})
        for state, held in again.held.items():
            least, most = held.low.min(axis=(0, 1)), held.high.max(axis=(0, 1))
            low[state] = np.minimum(low.get(state, least), least)
            high[state] = np.maximum(high.get(state, most), most)
        if again.spikes.asked:
            v, threshold = (x.low for x in again.spikes.asked)
            self.below[name] |= ((v <= threshold) & (v > threshold - unit)).any(axis=(0, 1))
            self.above[name] |= ((v > threshold) & (v <= threshold + unit)).any(axis=(0, 1))

    @cached_property
    def proof(self) -> RangeProof:
        """The range proof: what no input can reach, for any number of steps."""
        return prove_ranges(self.net)

    def unreachable(self, c: Connection) -> Bools:
        """Return which synapses provably never change a sum: weights of 0, and those of neurons that never fire."""
        s, sends = self._synapses[c.name], self._can_send(c.src)
        never: Bools = s.values == 0
        if s.rows is None:
            return np.asarray(never | ~c.op.joins(sends, np.ones(c.op.n_dst, np.bool_)))
        never = never | ~sends[s.columns]
        if c.op.exponent < 0:
            never |= self._always_rounded_away(c, s)
        return never

    def _always_rounded_away(self, c: Connection, s: "_Followed") -> Bools:
        """Return the synapses of neurons whose sums over a part are all shifted to the same number, whatever is sent."""
        assert s.rows is not None  # noqa: S101 - for the type checker; callers follow single synapses
        lost = np.zeros(s.count, np.bool_)
        for part in parts(c):
            low, high = (x >> -c.op.exponent for x in part_sums(part, sent(self.net[c.src])))
            lost |= s.of_part(c, part) & np.asarray(low == high, np.bool_)[s.rows]
        return lost

    def left(self, c: Connection) -> Bools:
        """Return which synapses were not reached although they may be."""
        return ~self.carried[c.name] & ~self.unreachable(c)

    def sources_left(self, population: str) -> Bools:
        """Return the neurons of a population that have an unreached synapse which may be reached: (n,)."""
        wanted = np.zeros(self.net[population].size, np.bool_)
        for c in self.net.out_of(population):
            s, left = self._synapses[c.name], self.left(c)
            if s.rows is not None:
                wanted[s.columns[left]] = True
            elif left.any():
                wanted |= True
        return wanted & self._can_send(population)

    def _can_send(self, population: str) -> Bools:
        p = self.net[population]
        if p.neuron is None:
            return np.ones(p.size, np.bool_)
        fires = self.proof.reaches[population].fires
        return np.broadcast_to(np.asarray(fires, np.bool_) & p.neuron.rule.fires, p.size)

    def synapses(self) -> dict[str, Share]:
        """Return how many synapses were reached, by connection."""
        shares = {}
        for c in self.net.connections:
            carried = self.carried[c.name]
            never = self.unreachable(c) & ~carried
            shares[c.name] = Share(carried.size, int(carried.sum()), int(never.sum()))
        return shares

    def thresholds(self) -> dict[str, dict[str, Share]]:
        """Return how many neurons were one unit "below" and "above" their threshold, by population."""
        unit, shares = 1 << fixed(self.net).state_shift, dict[str, dict[str, Share]]()
        for name in self.below:
            p, reach = self.net[name], self.proof.reaches[name]
            never = {"below": self._stays_far_below(p, unit), "above": ~reach.fires}
            shares[name] = {
                side: Share(p.size, int(reached.sum()), int((never[side] & ~reached).sum()))
                for side, reached in (("below", self.below[name]), ("above", self.above[name]))
            }
        return shares

    def _stays_far_below(self, p: Population, unit: int) -> Bools:
        """Return the neurons whose voltage provably never comes within a unit of the threshold; none for models with states
        other than current and voltage.
        """
        reach, neuron = self.proof.reaches[p.name], p.neuron
        roles = {state.role: state.name for state in neuron.states} if neuron else {}
        voltage = reach.held.get(roles.get("voltage", ""))
        if neuron is None or voltage is None or "other" in roles or "threshold" not in neuron.parameters():
            return np.zeros(p.size, np.bool_)
        threshold = fixed(self.net).lift(np.broadcast_to(getattr(neuron, "threshold"), p.size))  # noqa: B009 - not every model has one
        return np.asarray(reach.found & (voltage.high <= threshold - unit), np.bool_)

    def registers(self) -> dict[str, dict[str, Held]]:
        """Return how near registers came to their ends, by population and state."""
        numeric, held = fixed(self.net), dict[str, dict[str, Held]]()
        for name, kinds in self.low.items():
            does = {state.name: state.overflow for state in self.net[name].neuron.states}  # type: ignore[union-attr]
            held[name] = {}
            for state, low in kinds.items():
                high, (least, most) = self.high[name][state], ends(does[state], numeric)
                overflowed = int(((low < least) | (high > most)).sum())
                held[name][state] = Held(does[state], int(low.min()), int(high.max()), (least, most), overflowed)
        return held

    def delays(self) -> dict[str, tuple[Delay, ...]]:
        """Return which delays were crossed by a message, by connection; delays of 0 steps are not counted."""
        over = {name: {steps: crossed for steps, crossed in of.items() if steps} for name, of in self.over.items()}
        return {name: tuple(Delay(steps, *crossed) for steps, crossed in of.items()) for name, of in over.items() if of}

    def sample_ends(self) -> dict[str, Share]:
        """Return in how many neurons something had to be reset when a sample ended and another followed."""
        return {name: Share(ended.size, int(ended.sum()), 0) for name, ended in self.ended.items()}

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        unit = {name: "synapses" if s.rows is not None else "weights" for name, s in self._synapses.items()}
        return {
            "samples": self.samples,
            "synapses": {name: {"counted": unit[name], **share.to_json()} for name, share in self.synapses().items()},
            "thresholds": {name: {k: s.to_json() for k, s in sides.items()} for name, sides in self.thresholds().items()},
            "registers": {name: {k: asdict(h) for k, h in states.items()} for name, states in self.registers().items()},
            "delays": {name: [asdict(delay) for delay in of] for name, of in self.delays().items()},
            "sample_ends": {name: share.to_json() for name, share in self.sample_ends().items()},
        }


@dataclass(frozen=True, eq=False)
class _Followed:
    """The synapses of a connection that are followed: each on its own, or (``rows`` None) the weights that they share."""

    values: NDArray[Any]
    delays: NDArray[Any] | None
    columns: Ints
    rows: Ints | None

    @property
    def count(self) -> int:
        return len(self.values)

    def of_part(self, c: Connection, part: Part) -> Bools:
        """Return which of the synapses a part of the connection carries."""
        steps = part.delay_steps - c.delay_steps
        if self.delays is not None:
            return np.asarray(self.delays == steps, np.bool_)
        return np.ones(self.count, np.bool_) if part.sources is None else part.sources[self.columns]


def _follow(c: Connection) -> _Followed:
    if c.op.synapse_count > MOST_UNROLLED or not c.op.linear:
        s = c.op.synapses
        return _Followed(s.values, s.delays, s.indices.astype(np.int64), None)
    s = c.op.unrolled(MOST_UNROLLED)
    return _Followed(s.values, s.delays, s.indices.astype(np.int64), _rows(s))


def _rows(s: Synapses) -> Ints:
    return np.repeat(np.arange(s.shape[0]), np.diff(s.indptr))


def _of_delay(c: Connection, part: Part) -> Bools:
    delays = c.op.synapses.delays
    return np.ones(c.op.synapses.count, np.bool_) if delays is None else np.asarray(delays == part.delay_steps - c.delay_steps)
