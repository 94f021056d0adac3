"""How much of each layer a budget leaves: where a removed synapse saves most for what it is worth. Before pruning; no torch.

A chip charges for words and axons, not for weights. So the synapses of each connection are put in order of importance, and
for a few numbers of kept ones both sides are counted: the importance that goes, and what the exact cost model then charges.
All connections together give up first what saves most for the importance lost (the steepest way down their convex hulls),
until the network, measured as a whole, is within the budget.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snnc.base.bisect import first
from snnc.budget.goal import Goal
from snnc.budget.measure import Uses, measure
from snnc.errors import DoesNotFitError, UsageError
from snnc.mapping.task import Rates
from snnc.mapping.usage import words_for
from snnc.network.connectivity import parameter_connectivity
from snnc.network.model import Connection, Network
from snnc.passes.prune_by_magnitude import Importance, Keep, Ranks, prune_by_rank, ranked

POINTS = 24  # numbers of kept synapses, in even ratios, at which a connection is measured
TOLERANCE = 1 / 2000  # of a connection's parameters


@dataclass(frozen=True, eq=False)
class PruningPlan:
    """The most that a budget leaves. ``net``: the network with only the most important synapses of each connection."""

    net: Network
    uses: Uses

    @property
    def connectivity(self) -> dict[str, float]:
        """Of each connection: kept / all parameters."""
        return {c.name: parameter_connectivity(c) for c in self.net.connections}


@dataclass(frozen=True)
class _Point:
    """A connection of which ``kept`` synapses stay."""

    kept: int
    lost: float  # importance
    cost: float  # parts of the limits, with one synapse a neuron elsewhere


def plan(net: Network, goal: Goal, importance: Importance, rates: Rates | None = None) -> PruningPlan:
    """Return the connectivity of each layer that the goal allows, spread by importance lost for what is saved.

    Deterministic. Raises UsageError if the goal is met already, DoesNotFitError if one synapse a neuron exceeds it.
    """
    trial = Trial(net, goal, importance, rates)
    trial.must_be_possible()
    ways = list(_descent(trial))
    reached = first(lambda i: goal.is_met(trial.uses(ways[i])), 0, len(ways))
    if reached == len(ways):
        return trial.plan(trial.least)
    before, after = ways[reached - 1] if reached else trial.all, ways[reached]
    return trial.plan(largest_between(trial, after, before))


def uniform(net: Network, goal: Goal, importance: Importance, rates: Rates | None = None) -> PruningPlan:
    """Return the same connectivity for every layer, the largest that the goal allows: `plan` is to beat it. Raises as `plan`."""
    trial = Trial(net, goal, importance, rates)
    trial.must_be_possible()
    parameters = {c.name: c.op.parameters for c in net.connections}
    most = max(count / parameters[name] for name, count in trial.all.items())

    def keep(part: float) -> Keep:
        return {name: min(count, max(1, round(part * most * parameters[name]))) for name, count in trial.all.items()}

    kept = first(lambda i: not goal.is_met(trial.uses(keep(i / 4000))), 1, 4001) - 1
    return trial.plan(keep(kept / 4000) if kept else trial.least)


@dataclass(frozen=True, eq=False)
class Trial:
    """Prunes a network by importance and measures what is left."""

    net: Network
    goal: Goal
    importance: Importance
    rates: Rates | None

    @cached_property
    def _ranks(self) -> Ranks:
        return ranked(self.importance)

    @property
    def all(self) -> Keep:
        """What there is."""
        return {c.name: c.op.synapses.count for c in self.net.connections}

    @property
    def least(self) -> Keep:
        """As many synapses as the connection has target neurons."""
        return {c.name: min(c.op.synapses.count, c.op.n_dst) for c in self.net.connections}

    def pruned(self, keep: Keep) -> Network:
        """Return the network with the ``keep`` most important synapses of each connection."""
        return prune_by_rank(self.net, keep, self._ranks)

    def uses(self, keep: Keep) -> Uses:
        """Measure what is left of the network on the chip."""
        return measure(self.pruned(keep), self.goal.profile, self.rates, self.goal.lanes)

    def plan(self, keep: Keep) -> PruningPlan:
        """Return what is left as a plan, measured."""
        net = self.pruned(keep)
        return PruningPlan(net, measure(net, self.goal.profile, self.rates, self.goal.lanes))

    def must_be_possible(self) -> None:
        """Raise UsageError if the goal is met already, DoesNotFitError if one synapse a neuron exceeds it."""
        where = f"network {self.net.name!r}"
        if self.goal.is_met(uses := self.uses(self.all)):
            needs = in_words(uses, self.goal)
            raise UsageError(f"needs {needs}, which {self.goal} hold already", where=where, fix="ask for less, or do not prune")
        if not self.goal.is_met(uses := self.uses(self.least)):
            needs = in_words(uses, self.goal)
            raise DoesNotFitError(
                f"needs {needs} even with one synapse a neuron, asked for are {self.goal}",
                where=where,
                fix="allow more, make it narrower, or pick another chip",
            )


def in_words(uses: Uses, goal: Goal) -> str:
    """Return "4 cores", or what else of the goal's is used most beside its limit; if infinite, that no core holds one neuron."""
    limits = {**goal.profile.totals, **goal.limits}
    worst = max(limits, key=lambda key: uses[key] / limits[key])
    if uses[worst] == float("inf"):
        return "more than any core has for one of its neurons"
    word = words_for(worst)
    return f"{uses[worst]:,.0f} {word.removesuffix('s') if uses[worst] == 1 else word}"


def largest_between(trial: Trial, fits: Keep, too_much: Keep) -> Keep:
    """Return the plan nearest to ``too_much`` on the straight way from ``fits`` that is within the goal."""
    steps = max(1, *(round((too_much[name] - fits[name]) / max(1, c.op.parameters * TOLERANCE)) for name, c in _named(trial)))

    def at(i: int) -> Keep:
        return {name: kept + (too_much[name] - kept) * i // steps for name, kept in fits.items()}

    return at(first(lambda i: not trial.goal.is_met(trial.uses(at(i))), 1, steps + 1) - 1)


def _named(trial: Trial) -> Iterator[tuple[str, Connection]]:
    return ((c.name, c) for c in trial.net.connections)


def _descent(trial: Trial) -> Iterator[Keep]:
    """Yield plans that each give up more of one connection than the last, what saves most for the importance lost first."""
    steps = [(slope, name, kept) for name, _ in _named(trial) for slope, kept in _hull(_points(trial, name))]
    keep = trial.all
    for _, name, kept in sorted(steps, key=lambda step: (step[0], step[1], -step[2])):
        keep = {**keep, name: kept}
        yield keep


def _points(trial: Trial, name: str) -> list[_Point]:
    """Measure one connection at several numbers of kept synapses, the largest first."""
    count, least = trial.all[name], trial.least[name]
    important = np.sort(trial.importance[name])
    lost = np.concatenate([[0.0], np.cumsum(important)])
    used = max(least, int(np.count_nonzero(important)))  # what has no importance goes first of all
    kept = sorted({used, *(round(k) for k in np.geomspace(least, count, POINTS))}, reverse=True)
    return [_Point(k, float(lost[count - k]), trial.goal.cost(trial.uses({**trial.least, name: k}))) for k in kept]


def _hull(points: list[_Point]) -> Iterator[tuple[float, int]]:
    """Yield (importance lost for each part saved, kept), from the most kept to the least, in ascending order of the former."""
    here = points[0]
    while cheaper := [p for p in points if p.cost < here.cost]:
        best = min(cheaper, key=lambda p: (_slope(here, p), p.kept))
        yield _slope(here, best), best.kept
        here = best


def _slope(here: _Point, there: _Point) -> float:
    return (there.lost - here.lost) / (here.cost - there.cost) if np.isfinite(here.cost) else there.lost - here.lost
