"""The memory of synapses by NxTF's rule: worked by hand, against plain loops, and the same in every place that counts it."""

from dataclasses import replace

import numpy as np
import pytest
from cases.boundary_networks import full, joined, only_sparse
from cases.convolutions import convolutional
from cases.mappings import STRATEGIES, must_be_the_longest
from cases.memory import words_by_format
from cases.networks import LOIHI, fixed_chain, fixed_loops, fixed_neuron
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc import chips
from snnc.budget.check import check
from snnc.chips.memory import Axons, words_by_core
from snnc.chips.schema import LONGEST
from snnc.mapping import strategies
from snnc.mapping.census import census
from snnc.mapping.choose import map_by
from snnc.mapping.configurations import SYNAPSES
from snnc.mapping.meter import CoreMeter
from snnc.mapping.model import Slice
from snnc.mapping.place import fill
from snnc.mapping.task import Task, cores_in
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense

CHIP = chips.load("loihi1_nxtf")
RULE = CHIP.storage
WORDS = "synapse_words_per_core"


def words(*axons, neurons, delay_bits=0, rule=RULE, **more):
    """The words in each format of axons that each end in the neurons named."""
    counts = np.array([len(axon) for axon in axons])
    made = Axons(np.zeros(len(axons), np.int64), counts, lambda: np.concatenate(axons))
    return {form: w.total for form, w in words_by_format(rule, made, neurons, 8, delay_bits, **more).items()}


def entries(targets, reach, span=1 << 20):
    """Cut before a step over ``reach``, after 60 synapses, and before what lies ``span`` neurons behind an entry's first."""
    found = []
    for t in targets:
        if not found or t - found[-1][-1] > reach or len(found[-1]) == 60 or t - found[-1][0] >= span:
            found.append([])
        found[-1].append(t)
    return found


def by_hand(axons, neurons, bits):
    """(words, those of the longest axon) in each format, entry by entry: the rule as the module says it, a line for each way."""
    index = next(b for b in range(6, 11) if neurons <= 1 << b)
    ways = {"sparse": [lambda t: sum(10 + len(e) * (bits + index) for e in entries(t, 1 << 20))]}
    ways["run-length"] = [
        lambda t, w=w: sum(10 + index + len(e) * (bits + w) for e in entries(t, 2**w - 1)) for w in (2, 3, 4, 5)
    ]
    ways["dense"] = [
        lambda t: sum(10 + index + len(e) * bits for e in entries(t, 1)),
        lambda t: sum(10 + index + (e[-1] - e[0] + 1) * bits for e in entries(t, 1 << 20, span=60)),
    ]

    def rounded(n):
        return -(-n // 64) + (n % 64 == 0 or n % 64 >= 59)

    taken = {form: [[rounded(way(t)) for t in axons] for way in some] for form, some in ways.items()}
    best = {form: min(some, key=sum) for form, some in taken.items()}
    return {form: (sum(each), max(each)) for form, each in best.items()}


def totals(table):
    return {form: total for form, (total, _) in table.items()}


def test_one_synapse_and_a_full_entry_worked_by_hand():
    """64 neurons, so an index of 6 bits; weights of 8.

    One synapse. Sparse: 10 + 8 + 6 = 24 bits. Run-length: 10 + 6 + 8 + 2 = 26. Dense: 10 + 6 + 8 = 24. Each one word.
    60 of 60. Sparse: 10 + 60 x 14 = 850 = 13 x 64 + 18, 14 words. Run-length: 16 + 60 x 10 = 616 = 9 x 64 + 40, 10 words.
    Dense: 16 + 60 x 8 = 496 = 7 x 64 + 48, 8 words.
    """
    assert words([63], neurons=64) == {"sparse": 1, "run-length": 1, "dense": 1}
    assert words(range(60), neurons=64) == {"sparse": 14, "run-length": 10, "dense": 8}


def test_delays_take_no_bits_or_three_to_six():
    """10 neighbours of 64. Dense without delays 16 + 10 x 8 = 96 bits, 2 words; with delays of 1 to 3 bits, which take 3,
    16 + 10 x 11 = 126 = 64 + 62, one more than 2; of 4 bits 16 + 120 = 136, 3 words; of 6 bits 16 + 140 = 156, 3 words."""
    assert [words(range(10), neurons=64, delay_bits=bits)["dense"] for bits in (0, 1, 2, 3, 4, 6)] == [2, 3, 3, 3, 3, 3]
    assert [words(range(20), neurons=64, delay_bits=bits)["sparse"] for bits in (0, 1, 3, 4, 5, 6)] == [5, 6, 6, 6, 7, 7]
    assert words(range(10), neurons=64, delay_bits=7) == {}


def test_indices_take_six_to_ten_bits():
    """7 sparse synapses: 10 + 7 x (8 + index) bits: 108 with 6, 115 with 7 (2 words), 122 with 8 (64 + 58, 2 words),
    129 with 9, 136 with 10 (3 words)."""
    found = [words(range(7), neurons=n)["sparse"] for n in (1, 64, 65, 128, 129, 256, 257, 512, 513, 1024)]
    assert found == [2, 2, 2, 2, 2, 2, 3, 3, 3, 3]
    assert words(range(7), neurons=1025) == {}


@pytest.mark.parametrize(("bits", "expected"), [(58, 1), (59, 2), (63, 2), (64, 2), (65, 2), (122, 2), (123, 3), (128, 3)])
def test_a_word_more_where_an_axon_fills_its_last_word(bits, expected):
    """Header and index take 16 bits, one weight the rest: 58 bits mod 64 still fit, 59 and 0 do not."""
    one = replace(RULE, weight_field_bits=(bits - 16,), formats=("dense",))
    assert words([0], neurons=64, rule=one) == {"dense": expected}


@pytest.mark.parametrize(("synapses", "count"), [(59, 1), (60, 1), (61, 2), (119, 2), (120, 2), (121, 3)])
def test_an_entry_has_at_most_60_synapses(synapses, count):
    """By headers of 1,000 words, of which only an entry's count: 64,000 bits each."""
    heavy = replace(RULE, entry_header_bits=64_000)
    for form, n in words(range(synapses), neurons=128, rule=heavy).items():
        assert n // 1000 == count, form


def test_steps_that_fit_no_field_open_entries_worked_by_hand():
    """1,024 neurons, so an index of 10 bits: headers of 20. Steps of 3, 31 and 32 after each other, 40 synapses.

    A step of 3 takes 2 bits: 20 + 40 x 10 = 420 = 6 x 64 + 36, 7 words. Of 31 takes 5: 20 + 40 x 13 = 540 = 8 x 64 + 28, 9.
    Of 32 does not fit 5: every synapse is an entry, with 2 bits for no step: 40 x (20 + 10) = 1200 = 18 x 64 + 48, 19 words.
    """
    found = [words(np.arange(0, 40 * step, step)[:40] % 2048, neurons=1024)["run-length"] for step in (3, 31)]
    assert found == [7, 9]
    assert words(np.arange(0, 32 * 30, 32), neurons=1024)["run-length"] == 15  # 30 x 30 = 900 = 14 x 64 + 4


def test_the_step_field_is_the_best_of_all_axons_on_the_core():
    """An axon of 50 neighbours and one of 3 synapses with steps of 20. With 5 bits: 20 + 50 x 13 = 670, 11 words, and
    20 + 39 = 59, 2 words. With 2 bits: 20 + 500 = 520, 9 words, and 3 x 30 = 90, 2 words: 11 words together."""
    assert words(range(50), [0, 20, 40], neurons=1024)["run-length"] == 9 + 2


def test_dense_splits_at_gaps_or_pads_them_whichever_is_cheaper():
    """128 neurons, an index of 7 bits: headers of 17.

    Every second of 40: padded 17 + 39 x 8 = 329, 6 words; split 20 x (17 + 8) = 500 = 7 x 64 + 52, 8 words.
    Two at the ends of 50: padded 17 + 50 x 8 = 417 = 6 x 64 + 33, 7 words; split 2 x 25 = 50 bits, 1 word.
    Two that are 61 apart are in two entries, padded or not.
    """
    assert words(range(0, 40, 2), neurons=128)["dense"] == 6
    assert words([0, 49], neurons=128)["dense"] == 1
    assert words([0, 60], neurons=128)["dense"] == 1
    assert words(np.r_[0:120:2], neurons=128)["dense"] == 16  # two windows, 0 .. 58 and 60 .. 118: 2 x (17 + 59 x 8) = 978


@pytest.mark.parametrize(
    ("most", "formats"), [(14, {"sparse", "run-length", "dense"}), (13, {"run-length", "dense"}), (9, {"dense"}),
                          (8, {"dense"}), (7, {"sparse", "run-length", "dense"})],
)  # fmt: skip
def test_a_format_with_a_longer_axon_is_taken_only_if_there_is_no_other(most, formats):
    """60 neighbours of 64 take 14, 10 and 8 words. Where no format is within the limit, what each takes is told."""
    assert set(words(range(60), neurons=64, most=most)) == formats


def test_padding_that_is_not_the_cheapest_is_counted_where_the_cheapest_has_too_long_an_axon():
    """64 neurons, headers of 16. 54 of 60 with 6 gaps of 2: padded 16 + 480 = 496, 8 words; split 7 x 16 + 432 = 544, and
    run-length 16 + 540 = 556, 9 words each. Every third of 58: padded 16 + 464 = 480, 8 words; run-length 16 + 200, 4 words."""
    axons = [t for t in range(60) if t % 10 != 5], range(0, 58, 3)
    made = Axons(np.zeros(2, np.int64), np.array([54, 20]), lambda: np.concatenate([list(axon) for axon in axons]))
    one = np.array([64])
    any_length, at_most_8 = (words_by_core(RULE, made, one, one, 8, most=most) for most in (9, 8))
    assert {form: (w.total[0], w.longest[0]) for form, w in any_length.items()}["run-length"] == (13, 9)
    assert {form: (w.total[0], w.longest[0]) for form, w in at_most_8.items()}["dense"] == (16, 8)


AXONS = st.lists(st.lists(st.integers(0, 299), min_size=1, max_size=200, unique=True).map(sorted), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(AXONS, st.sampled_from([300, 512, 1000]), st.sampled_from([0, 3, 6]))
def test_words_are_those_of_a_loop_over_entries(axons, neurons, delay_bits):
    assert words(*axons, neurons=neurons, delay_bits=delay_bits) == totals(by_hand(axons, neurons, 8 + delay_bits))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=300), st.integers(0, 1000))
def test_dense_lists_with_few_gaps_are_those_of_a_loop_over_entries(holes, seed):
    """Nearly full ones, in which padding pays off."""
    drawn = np.random.default_rng(seed)
    axon = np.flatnonzero(drawn.random(len(holes) * 3) < 0.8)
    axon = axon if len(axon) else np.array([0])
    assert words(axon, axon[::2], neurons=1000) == totals(by_hand([axon.tolist(), axon[::2].tolist()], 1000, 8))


def chip(neurons, total=CHIP.limits[WORDS], longest=256, formats=RULE.formats):
    limits = {**CHIP.limits, "neurons_per_core": neurons, WORDS: total, LONGEST: longest}
    return replace(CHIP, limits=limits, cores=4000, storage=replace(RULE, formats=formats))


NETWORKS = st.one_of(
    st.builds(
        lambda make, seed, density: make(seed, (30, 200, 90), density=density),
        st.sampled_from([fixed_chain, fixed_loops]), st.integers(0, 1000), st.sampled_from([0.03, 0.3, 0.8, 1.0]),
    ),
    st.builds(convolutional, seed=st.integers(0, 50), delays=st.booleans()),
)  # fmt: skip


def reference(net, profile, held):
    """(words, longest axon) of a core that holds the neurons ``held``, by population, ascending; by `by_hand`'s entries."""
    neurons, total, longest = sum(map(len, held.values())), 0, 0
    delays = CoreMeter.of(net, profile).delays
    for c in net.connections:
        mask = c.op.unrolled().mask()[held.get(c.dst, [])]
        axons = [np.flatnonzero(column).tolist() for column in mask.T if column.any()]
        bits = 8 + next(w for w in (0, 3, 4, 5, 6) if w >= delays[c.name].bit_length())
        if not axons:
            continue
        table = by_hand(axons, neurons, bits)
        words, most = min((table[form] for form in profile.storage.formats), key=lambda w: w[0])
        total, longest = total + words, max(longest, most)
    return total, longest


@settings(max_examples=25, deadline=None)
@given(NETWORKS, st.integers(1, 5), st.integers(0, 1000))
def test_every_place_counts_the_same_words(net, cores, seed):
    """Neurons spread over cores at random: the census against the plain loop. Slices: `place` and the census against it."""
    task, rng = Task.of(net, chip(1024)), np.random.default_rng(seed)
    spread = {name: rng.integers(0, cores, net[name].size) for name in task.neurons}
    for name in task.neurons:
        spread[name][:1] = cores - 1
    must_be_counted(net, task, spread, cores)
    slices = [Slice(name, 0, net[name].size // 2 + 1) for name in task.neurons]
    slices += [Slice(s.population, s.stop, net[s.population].size) for s in slices if s.stop < net[s.population].size]
    cuts = {name: np.zeros(net[name].size, np.int64) for name in task.neurons}
    for i, core_slice in enumerate(slices):
        cuts[core_slice.population][core_slice.start : core_slice.stop] = i
    found = must_be_counted(net, task, cuts, len(slices))
    for i, core in enumerate(fill(net, slices, task.profile)):
        assert (core.used[WORDS], core.used[LONGEST]) == (found.used[WORDS][i], found.used[LONGEST][i])
        assert dict(core.formats) == {name: forms[i] for name, forms in found.formats.items() if forms[i]}


def must_be_counted(net, task, core_of, cores):
    found = census(task, core_of)
    for i in range(cores):
        held = {name: np.flatnonzero(where == i) for name, where in core_of.items() if (where == i).any()}
        assert (found.used[WORDS][i], found.used[LONGEST][i]) == reference(net, task.profile, held)
    return found


@settings(max_examples=80, deadline=None)
@given(
    NETWORKS,
    st.sampled_from([40, 300, 1024]),
    st.sampled_from([60, 400, 3000, 16383]),
    st.sampled_from([3, 8, 256]),
    st.sampled_from([RULE.formats, ("sparse",), ("run-length",), ("dense",)]),
    st.data(),
)
def test_the_longest_slice_is_that_of_measuring_each(net, neurons, total, longest, formats, data):
    profile = chip(neurons, total, longest, formats)
    must_be_the_longest(CoreMeter.of(net, profile), data, ("input_axons_per_core", WORDS, LONGEST))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_every_strategy_is_within_the_limits(strategy, seed):
    net = [fixed_chain(seed, (30, 200, 90), density=0.3), convolutional(seed=seed)][seed % 2]
    for profile in (chip(64, 300), chip(100, 1000, 20), chip(1024, 250, formats=("run-length",))):
        mapped = map_by(Task.of(net, profile), strategy)  # holds it against every limit
        assert mapped.cores > 1


@pytest.mark.parametrize("strategy", ["greedy", "patches"])
def test_a_census_with_other_numbers_for_the_cores_is_that_of_the_renumbered_assignment(strategy):
    task = Task.of(convolutional(), chip(20))
    core_of = strategies.load(strategy).cut(task)
    number = np.random.default_rng(0).permutation(cores_in(core_of))
    found = census(task, core_of).renumbered(number)
    expected = census(task, {name: number[cores] for name, cores in core_of.items()})
    assert found.cores > 5
    assert found.formats == expected.formats
    for one, other in zip((*found.links, found.operations), (*expected.links, expected.operations), strict=True):
        assert np.array_equal(one, other)
    assert all(np.array_equal(found.used[resource], amounts) for resource, amounts in expected.used.items())


@pytest.mark.parametrize(("step", "configurations"), [(2, 1), (20, 2)])
def test_fields_of_different_widths_are_different_configurations(step, configurations):
    """Two connections alike, both in run-length entries: steps of 1 or 2 take 2 bits, of 20 they take 5."""
    weights = np.zeros((2, 1000, 1), np.int64)
    weights[0, :300] = weights[1, ::step] = 1
    ops = [Dense(Synapses.from_dense(weight), 0, "excitatory") for weight in weights]
    alike = tuple(Connection(f"fc{i}", "input", "core", op) for i, op in enumerate(ops))
    populations = (Population("input", (1,), None), Population("core", (1000,), fixed_neuron("lif")))
    net = Network("two", populations, alike, 1e-3, LOIHI, Encoding("rate", 4, 0))
    profile = chip(1024, formats=("run-length",))
    task = Task.of(net, profile)
    assert census(task, {"core": np.zeros(1000, np.int64)}).used[SYNAPSES] == [configurations]
    assert fill(net, [Slice("core", 0, 1000)], profile)[0].used[SYNAPSES] == configurations


def test_an_axon_that_is_too_long_is_told_with_both_numbers():
    """1,024 sparse synapses: 18 x 10 + 1024 x 18 = 18,612 bits = 290 x 64 + 52: 291 words. Dense they take 134."""
    net = joined(("input", "core", full(1024, 1)))
    assert check(net, CHIP).fits
    sparse = replace(CHIP, storage=only_sparse(RULE), cores=1)
    budget = check(net, sparse)
    assert not budget.fits
    whole = fill(net, [Slice("core", 0, 1024)], sparse)[0]
    assert (whole.used[LONGEST], whole.used[WORDS]) == (291, 291)


def test_check_tells_what_each_format_would_take():
    net = fixed_chain(0, (12, 100, 30), density=0.1)
    budget = check(net, CHIP)
    for shown in budget.storage:
        assert set(shown.by_format) == {"sparse", "run-length", "dense"}
        assert shown.words == min(shown.by_format.values())
    masks = {c.name: c.op.synapses.mask() for c in net.connections}
    for shown in budget.storage:
        mask = masks[shown.connection]
        axons = [np.flatnonzero(column).tolist() for column in mask.T if column.any()]
        assert shown.by_format == totals(by_hand(axons, len(mask), 8))
