"""What shared lists of synapses would save: equal to loops over cores, axons and synapses, for any bases."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from cases.boundary_networks import joined
from cases.mappings import chip, fixed_conv, held
from cases.networks import conv_net, fixed_chain, fixed_loops, fixed_neuron
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc import chips, store
from snnc.budget.check import check
from snnc.chips.profile import Sharing
from snnc.cli import main
from snnc.mapping import shared_lists as sharing
from snnc.mapping.choose import map_by
from snnc.mapping.shared_lists import Saved, copies, saved
from snnc.mapping.task import Task, of_slices
from snnc.network.synapses import Synapses
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense

LOIHI1 = chips.load("loihi1")
NENGO = LOIHI1.storage


def few_weights(seed, density=0.1):
    """Connections of few synapses with two weights, or with one and two delays, so that lists are alike by chance."""
    rng = np.random.default_rng(seed)
    net = fixed_loops(seed, (14, 30, 8), density=density)

    def alike(c):
        s = c.op.with_values(rng.choice([2] if c.name == "twin" else [2, 4], c.op.synapses.count)).synapses
        delayed = rng.integers(0, 2, s.count).astype(np.int32) if c.name == "twin" else None
        return replace(c, op=replace(c.op, synapses=replace(s, delays=delayed)))

    return replace(net, connections=tuple(map(alike, net.connections)))


def soft(seed):
    """`few_weights` with neurons of two compartments."""
    net = few_weights(seed)
    neuron = fixed_neuron("cuba_subtract")
    return replace(net, populations=tuple(replace(p, neuron=p.neuron and neuron) for p in net.populations))


def entry_words(synapses, bits):
    parts = [min(64, synapses - i) for i in range(0, synapses, 64)]
    return sum(-(-(10 + n * bits) // 64) for n in parts)


def fewest_copies(places, rule):
    """Of one list that is to start at each of those places: reach by reach, remainder by remainder."""
    count = 0
    for rest in range(rule.base_step):
        left = sorted(p for p in places if p % rule.base_step == rest)
        while left:
            count += 1
            left = [p for p in left if p > left[0] + rule.base_max]
    return count


def saved_by_hand(task, mapping, name):
    """Loops over cores and axons; nengo-loihi's rule."""
    c = next(c for c in task.net.connections if c.name == name)
    s, delayed, rule = c.op.unrolled(), task.delays[name].bit_length(), task.profile.sharing
    weights = {(int(r), int(j)): (v, d) for r, j, v, d in zip(s.rows, s.indices, s.values, _delays(s), strict=True)}
    words = shared = more = 0
    for core in mapping.cores:
        order = [(core_slice.population, i) for core_slice in core.slices for i in range(core_slice.start, core_slice.stop)]
        ends = np.cumsum([0, *(task.compartments[population] for population, _ in order)])
        place = {i: int(ends[n]) for n, (population, i) in enumerate(order) if population == c.dst}
        index = next(w for w in NENGO.index_field_bits if 2**w >= len(order))
        axons = {j: sorted((place[r], *w) for (r, k), w in weights.items() if k == j and r in place) for j in range(c.op.n_src)}
        axons = {j: synapses for j, synapses in axons.items() if synapses}
        sparse = {j: entry_words(len(a), 8 + delayed + index) for j, a in axons.items()}
        dense = entry_words(len(place), 8 + delayed)
        own = min(sum(sparse.values()), dense * len(axons))
        same = {tuple(a): j for j, a in axons.items()}
        equal = min(own, sum(sparse[j] for j in same.values()), dense * len(same))
        lists = {}
        for j, a in axons.items():
            lists.setdefault(tuple((p - a[0][0], *w) for p, *w in a), []).append(j)
        based = sum(sparse[js[0]] * fewest_copies({axons[j][0][0] for j in js}, rule) for js in lists.values())
        words, shared = words + own, shared + min(equal, based)
        if based < equal and task.net[c.src].neuron:
            more += (rule.output_axons - 1) * sum(_moved([axons[j][0][0] for j in js], rule) for js in lists.values())
    return Saved(words, shared, more)


def _delays(s):
    return np.zeros(s.count, np.int64) if s.delays is None else s.delays


def _moved(places, rule):
    """How many axons name a copy that is named from several places."""
    count = 0
    for rest in range(rule.base_step):
        left = sorted(p for p in places if p % rule.base_step == rest)
        while left:
            mine = [p for p in left if p <= left[0] + rule.base_max]
            count += len(mine) if len(set(mine)) > 1 else 0
            left = left[len(mine) :]
    return count


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.builds(lambda make, seed: make(seed), st.sampled_from([few_weights, soft, fixed_conv, conv_net]), st.integers(0, 99)),
    st.builds(Sharing, st.sampled_from([0, 3, 8, 255]), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2])),
    st.sampled_from([20, 64, 300]), st.sampled_from(["sequential", "greedy", "patches"]),
)  # fmt: skip
def test_it_is_what_loops_over_axons_say(net, rule, neurons, strategy):
    profile = replace(chip(256, neurons=neurons), sharing=rule)
    task = Task.of(net, profile)
    mapped = map_by(task, strategy)
    found = saved(task, of_slices(task, tuple(core.slices for core in mapped.mapping.cores)))
    assert found == {c.name: saved_by_hand(task, mapped.mapping, c.name) for c in task.net.connections}
    assert sum(s.words for s in found.values()) == mapped.census.used["synapse_words_per_core"].sum()
    assert all(s.shared <= s.words for s in found.values())


def test_the_test_above_compares_something():
    """Lists are shared with and without bases, and copies are needed for remainders and for reach."""
    task = Task.of(fixed_conv(0), replace(chip(neurons=300), sharing=Sharing(255, 4, 2)))
    core_of = of_slices(task, tuple(core.slices for core in map_by(task, "sequential").mapping.cores))
    by_rule = {}
    for base_max, step in product((0, 8, 255), (1, 4)):
        one = replace(task, profile=replace(task.profile, sharing=Sharing(base_max, step, 2)))
        by_rule[base_max, step] = sum(s.shared for s in saved(one, core_of).values())
    words = sum(s.words for s in saved(task, core_of).values())
    assert by_rule[255, 1] < by_rule[8, 1] < by_rule[0, 1] <= words
    assert by_rule[255, 1] < by_rule[255, 4] < by_rule[8, 4]
    assert saved(replace(task, profile=replace(task.profile, sharing=None)), core_of) == {}


def test_a_kernel_on_one_core_as_worked_by_hand():
    """300 neurons in a row see 3 neighbours each: 298 axons of 3 equal synapses, and one of 2 at either end."""
    kernel = np.array([[[1.0, 2.0, 3.0]]])
    op = Conv2d.from_kernel(kernel, (1, 300), padding=1)
    net = joined(("input", "core", op), ("core", "output", Dense(Synapses.from_dense(np.ones((1, 300))))))
    net = replace(net, populations=tuple(replace(p, shape=(1, 1, 300)) if p.size == 300 else p for p in net.populations))
    task = Task.of(net, replace(chip(), sharing=Sharing(255, 4, 2)))
    core_of = of_slices(task, tuple((core_slice,) for core_slice in task.slices))
    # the axon of neuron i starts at place i - 1, 0 to 297: 4 remainders, each in 2 reaches of 252, and the 2 lists at the ends
    assert saved(task, core_of)["fc0"] == Saved(300, 4 * 2 + 2, 0)  # an entry of 3 synapses fits a word; inputs lie off chip
    assert saved(task, core_of)["fc1"] == Saved(300, 1, 0)  # 300 times the one list of one synapse, which needs no base


@pytest.mark.parametrize("seed", range(40))
def test_no_list_lies_there_more_often_than_it_must(seed):
    rng = np.random.default_rng(seed)
    rule = Sharing(int(rng.integers(0, 12)), int(rng.integers(1, 5)), 2)
    group, first = rng.integers(0, 3, 30), rng.integers(0, 40, 30)
    copy = copies(group, first, rule)
    for number in set(copy.tolist()):
        mine = first[copy == number]
        assert len(set(group[copy == number].tolist())) == 1
        bases = mine - mine.min()
        assert bases.max() <= rule.base_max
        assert not (bases % rule.base_step).any()
    assert len(set(copy.tolist())) == sum(fewest_copies(first[group == g], rule) for g in set(group.tolist()))


def test_equal_hashes_do_not_make_lists_equal(monkeypatch):
    task = Task.of(few_weights(3), replace(chip(neurons=20), sharing=Sharing(255, 1, 2)))
    core_of = of_slices(task, tuple((core_slice,) for core_slice in task.slices))
    expected = saved(task, core_of)
    monkeypatch.setattr(sharing, "_hashes", lambda found: np.zeros(len(found.core), np.uint64))
    assert saved(task, core_of) == expected


def shifted(n, starts, others):
    """An operator of lists of n - 4 equal synapses from each of ``starts`` on, and of as many that are like no other."""
    weight = np.zeros((n, len(starts) + others))
    for j in range(len(starts) + others):
        start = starts[j] if j < len(starts) else 0
        weight[start : start + n - 4, j] = 1.0 if j < len(starts) else 2.0 + j
    return Dense(Synapses.from_dense(weight))


@pytest.mark.parametrize(
    ("n", "starts", "others", "expected"),
    [
        (24, [0, 4, 0, 4], 0, Saved(16, 5, 4)),  # dense 4 words each; sparse 20 x (8 + 6) + 10 bits, 5 words, once for all
        (24, [0, 1, 2, 3], 0, Saved(16, 16, 0)),  # no two bases of 4 remainders: 4 sparse lists would take 20 words
        (24, [0, 0, 4], 3, Saved(24, 20, 0)),  # the 5 lists that differ are less as dense ones than 4 as sparse ones, with a base
        (24, [0, 0, 4], 2, Saved(20, 15, 3)),  # and the other way round
    ],
)  # fmt: skip
def test_only_lists_with_an_index_are_shared_by_bases(n, starts, others, expected):
    op = shifted(n, starts, others)
    net = joined(("input", "middle", Dense(Synapses.from_dense(np.ones((op.n_src, 1))))), ("middle", "output", op))
    task = Task.of(net, replace(chip(), sharing=Sharing(255, 4, 2)))
    core_of = of_slices(task, tuple((core_slice,) for core_slice in task.slices))
    assert saved(task, core_of)["fc1"] == expected


@pytest.mark.parametrize("make", [few_weights, soft, fixed_conv])
def test_lists_are_counted_by_the_rule_of_the_profile(make):
    """By NxTF's, too: what the budgets count, and no more."""
    net, profile = make(0), chips.load("loihi1_nxtf")
    mapped = map_by(Task.of(net, profile), "greedy")
    found = saved(Task.of(net, profile), of_slices(Task.of(net, profile), tuple(c.slices for c in mapped.mapping.cores)))
    assert sum(s.words for s in found.values()) == mapped.census.used["synapse_words_per_core"].sum()
    assert sum(s.shared for s in found.values()) < sum(s.words for s in found.values())


def test_check_says_what_map_says_of_the_same_cores(monkeypatch, tmp_path):
    net, profile = fixed_conv(0), LOIHI1
    task = Task.of(net, profile)
    found = saved(task, of_slices(task, tuple(core.slices for core in map_by(task, "sequential").mapping.cores)))
    assert {s.connection: (s.words, s.shared) for s in check(net, profile).storage} == {
        name: (s.words, s.shared) for name, s in found.items()
    }
    assert {s.shared for s in check(net, replace(LOIHI1, sharing=None)).storage} == {None}
    path = tmp_path / "net.snnc"
    store.save(net, path)
    assert "with shared lists" in CliRunner().invoke(main, ["check", str(path), "--hw", "loihi1"]).stdout
    monkeypatch.setattr("snnc.budget.check.LISTED_SYNAPSES", sum(c.op.synapse_count for c in net.connections) - 1)
    assert {s.shared for s in check(net, LOIHI1).storage} == {None}


def test_map_prints_it(tmp_path):
    path = tmp_path / "net.snnc"
    store.save(fixed_conv(0), path)
    done = CliRunner().invoke(main, ["map", str(path), "--hw", "loihi1", "--strategy", "sequential"])
    assert done.exit_code == 0
    assert "if axons shared their lists of synapses, which the budgets do not count on" in done.stdout
    assert "shared their lists" not in CliRunner().invoke(main, ["map", str(path), "--hw", "loihi2"]).stdout


def test_neurons_lie_as_the_mapping_says():
    net = fixed_chain(0, (12, 20, 20, 5))
    task = Task.of(net, replace(chip(), sharing=Sharing(255, 4, 2)))
    (core,) = map_by(task, "greedy").mapping.cores
    places = sharing._places(task, of_slices(task, (core.slices,)))
    assert np.concatenate([places[s.population] for s in core.slices]).tolist() == list(range(45))
    assert held(core, "hidden2") == list(range(20))
