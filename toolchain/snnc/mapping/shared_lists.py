"""What a mapping would save if axons shared lists of synapses. The budgets give each axon a list of its own.

An axon names where its list lies and a base, which is added to the numbers of the neurons in it: those of a kernel that see
the same weights, each a few neurons further on, can name one list. Bases are multiples of a step up to a limit, so that a list
lies there once for each remainder and each reach of bases. Source: nengo-loihi, docs/tips.rst and builder/validate.py.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnc.chips.memory import INEXPRESSIBLE, Axons, words_by_core
from snnc.chips.profile import Sharing
from snnc.chips.schema import LONGEST
from snnc.mapping.task import Assignment, Task, by_population, cores_in
from snnc.network.model import Connection

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Saved:
    """Of a connection on all cores: memory words with a list for each axon, and with shared ones where that takes fewer."""

    words: int
    shared: int
    output_axons: int  # that shared lists take more, as an axon with a base takes several


@dataclass(frozen=True, eq=False)
class Lists:
    """The synapses of a connection, axon after axon; axons by core and source, their synapses in ascending order."""

    core: Ints  # (axons,)
    source: Ints  # (axons,)
    starts: Ints  # (axons,) the first synapse of each
    counts: Ints  # (axons,) synapses of each
    first: Ints  # (axons,) the compartment on its core of the first neuron that each reaches
    relative: Ints  # (synapses,) how many neurons further each one lies
    kinds: tuple[NDArray[np.uint64], ...]  # (synapses,) each: weights, and delays if they differ

    def synapses(self, axons: Ints) -> Ints:
        """Return the positions of all synapses of some axons, in order."""
        counts = self.counts[axons]
        positions: Ints = np.arange(counts.sum()) + np.repeat(self.starts[axons] - (np.cumsum(counts) - counts), counts)
        return positions


def saved(task: Task, core_of: Assignment) -> dict[str, Saved]:
    """Return what each connection would save on the cores of an assignment; empty if the profile knows no shared lists.

    O(synapses log synapses). Neurons lie on their core in the order of populations and of their numbers.
    """
    if task.profile.sharing is None or task.profile.storage is None:
        return {}
    places = _places(task, core_of)
    neurons = np.bincount(np.concatenate(list(core_of.values())), minlength=cores_in(core_of))
    return {c.name: _saved(task, c, core_of[c.dst], places[c.dst], neurons) for c in task.unrolled.connections}


def _places(task: Task, core_of: Assignment) -> dict[str, Ints]:
    """Return the compartment on its core at which each neuron begins, from 0 on."""
    every = np.concatenate(list(core_of.values()))
    each = np.concatenate([np.full(len(cores), task.compartments[name]) for name, cores in core_of.items()])
    order = np.argsort(every, kind="stable")
    ends = np.cumsum(each[order])
    held = np.bincount(every, each).astype(np.int64)
    place = np.empty(len(every), np.int64)
    place[order] = ends - each[order] - np.repeat(np.cumsum(held) - held, np.bincount(every))
    return by_population(core_of, place)


def lists(c: Connection, core_of: Ints, places: Ints, compartments: int) -> Lists:
    """Return the lists of a connection whose synapses are unrolled; of its destination, ``core_of`` and ``places``: shape (n,).

    ``compartments``: of one neuron there.
    """
    s = c.op.synapses
    key = core_of[s.rows] * c.op.n_src + s.indices
    order = np.argsort(key, kind="stable")  # rows ascend already, and with them the places on a core
    key, place = key[order], places[s.rows[order]]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    counts = np.diff(starts, append=len(key))
    kinds = [s.values.view(np.uint64)[order], *([] if s.delays is None else [s.delays[order].astype(np.uint64)])]
    return Lists(
        key[starts] // c.op.n_src, key[starts] % c.op.n_src, starts, counts, place[starts],
        (place - np.repeat(place[starts], counts)) // compartments, tuple(kinds),
    )  # fmt: skip


def alike(lists_of_axons: Lists) -> Ints:
    """Return a number for each axon, (axons,): the same for those of a core with equal lists, as seen from their first neurons.

    Candidates are selected by 64-bit hashes and compared synapse by synapse.
    """
    group, left = np.empty(len(lists_of_axons.core), np.int64), np.arange(len(lists_of_axons.core))
    hashes = _hashes(lists_of_axons)
    while len(left):
        _, at, inverse = np.unique(hashes[left], return_index=True, return_inverse=True)
        model = left[at][inverse]
        equal = _equal(lists_of_axons, left, model)
        group[left[equal]] = model[equal]
        left = left[~equal]
    return group


def _hashes(lists_of_axons: Lists) -> NDArray[np.uint64]:
    """Return a hash of each axon's core, number of synapses and list."""
    mixed = _mixed(lists_of_axons.relative.astype(np.uint64))
    for kind in lists_of_axons.kinds:
        mixed = _mixed(mixed + kind)
    sums = np.add.reduceat(mixed, lists_of_axons.starts) if len(lists_of_axons.starts) else mixed
    return _mixed(sums + _mixed(lists_of_axons.core.astype(np.uint64)))


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit of a number over all 64: the finaliser of SplitMix64 (Steele et al., OOPSLA 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _equal(lists_of_axons: Lists, axons: Ints, models: Ints) -> NDArray[np.bool_]:
    """Return whether each axon is on the core of its model and has its list: shape (axons,)."""
    equal: NDArray[np.bool_] = (lists_of_axons.core[axons] == lists_of_axons.core[models]) & (
        lists_of_axons.counts[axons] == lists_of_axons.counts[models]
    )
    here = np.flatnonzero(equal & (axons != models))
    mine, theirs = lists_of_axons.synapses(axons[here]), lists_of_axons.synapses(models[here])
    differ = lists_of_axons.relative[mine] != lists_of_axons.relative[theirs]
    for kind in lists_of_axons.kinds:
        differ |= kind[mine] != kind[theirs]
    counts = lists_of_axons.counts[axons[here]]
    if len(here):
        equal[here] = np.add.reduceat(differ, np.cumsum(counts) - counts, dtype=np.int64) == 0
    return equal


def copies(group: Ints, first: Ints, rule: Sharing) -> Ints:
    """Return the copy of its list that each axon names, by number: (axons,); as few as there can be.

    An axon whose list starts at place ``first`` can name any copy that starts so many bases before it: the first one starts
    at the first place of all, the next one at the first place that no base reaches from there.
    """
    order = np.lexsort((first, first % rule.base_step, group))
    group, first = group[order], first[order]
    kind = np.cumsum((np.diff(group, prepend=-1) != 0) | (np.diff(first % rule.base_step, prepend=-1) != 0))
    reach = rule.base_max + 1
    key = kind * (int(first.max(initial=0)) + reach + 1) + first  # ascending: all of a kind, by place
    starts = np.flatnonzero(np.diff(kind, prepend=-1))
    opens, ends = np.zeros(len(key), np.bool_), np.append(starts[1:], len(key))
    while len(starts):
        opens[starts] = True
        following = np.searchsorted(key, key[starts] + reach)
        more = following < ends
        starts, ends = following[more], ends[more]
    copy_of = np.empty(len(key), np.int64)
    copy_of[order] = np.cumsum(opens) - 1
    return copy_of


def _saved(task: Task, c: Connection, core_of: Ints, places: Ints, neurons: Ints) -> Saved:
    """Return what one connection saves. ``core_of``, ``places``: of its destination; ``neurons``: (cores,) on each."""
    rule = task.profile.sharing
    assert rule  # noqa: S101 - for the type checker
    lists_of_axons = lists(c, core_of, places, task.compartments[c.dst])
    group = alike(lists_of_axons)
    copy = copies(group, lists_of_axons.first, rule)
    targets = np.bincount(core_of, minlength=len(neurons))
    own = _words(task, c, lists_of_axons, neurons, targets, np.ones(len(group), np.bool_), based=False)
    equal = _words(task, c, lists_of_axons, neurons, targets, _firsts(group, lists_of_axons.first), based=False)
    based = _words(task, c, lists_of_axons, neurons, targets, _firsts(copy), based=True)
    least = np.minimum(own, equal)
    moved = _differ(copy, lists_of_axons.first) & (based < least)[lists_of_axons.core]
    more = (rule.output_axons - 1) * np.count_nonzero(moved) if c.src in task.neurons else 0
    return Saved(int(own.sum()), int(np.minimum(least, based).sum()), int(more))


def _firsts(*keys: Ints) -> NDArray[np.bool_]:
    """Return the first axon with each combination of keys: shape (axons,)."""
    order = np.lexsort(keys)
    new = np.any([np.diff(key[order], prepend=-1) != 0 for key in keys], axis=0)
    first = np.zeros(len(order), np.bool_)
    first[order[new]] = True
    return first


def _differ(copy: Ints, first: Ints) -> NDArray[np.bool_]:
    """Return which axons name a copy with another base than another axon does: shape (axons,)."""
    low, high = np.full(len(copy), np.iinfo(np.int64).max), np.full(len(copy), -1)
    np.minimum.at(low, copy, first)
    np.maximum.at(high, copy, first)
    differs: NDArray[np.bool_] = low[copy] < high[copy]
    return differs


def _words(
    task: Task, c: Connection, lists_of_axons: Lists, neurons: Ints, targets: Ints, which: NDArray[np.bool_], *, based: bool
) -> Ints:
    """Return the words of some lists on each core, in the cheapest format: (cores,). ``based``: of formats with an index."""
    storage = task.profile.storage
    assert storage  # noqa: S101 - for the type checker
    axons = Axons(
        lists_of_axons.core,
        lists_of_axons.counts,
        lambda: np.repeat(lists_of_axons.first, lists_of_axons.counts) + lists_of_axons.relative,
    ).some(which)
    most, bits = task.profile.limits.get(LONGEST, INEXPRESSIBLE), task.delays[c.name].bit_length()
    words = words_by_core(storage, axons, neurons, targets, task.weight_bits, bits, most, only_best=False)
    unindexed = storage.rule.UNINDEXED if based else ()
    taken = [w.total for stored_as, w in words.items() if stored_as not in unindexed]
    least = np.min([np.full(len(neurons), INEXPRESSIBLE), *taken], axis=0)
    return np.where(np.bincount(axons.core, minlength=len(neurons)) > 0, least, 0)
