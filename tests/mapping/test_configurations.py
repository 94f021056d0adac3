"""Configurations of neurons, thresholds and synapses: counted as by hand, alone and on shared cores, binding exactly, advised."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cases.mappings import STRATEGIES, chip, held
from cases.networks import conv_net, fixed_chain, fixed_dense, fixed_neuron, float_chain
from cases.remedies import advised
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc import chips, store
from snnc.budget.check import check
from snnc.chips.schema import DISTINCT
from snnc.cli import main
from snnc.errors import DoesNotFitError
from snnc.mapping.census import census
from snnc.mapping.choose import map_by
from snnc.mapping.configurations import DECAYS, SYNAPSES, THRESHOLDS
from snnc.mapping.legality import must_be_legal
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.mapping.task import Task, of_slices
from snnc.mapping.usage import OverLimitError
from snnc.network.latency import chip_delays
from snnc.network.model import Connection, Network, Population

LOIHI1 = chips.load("loihi1")
ROOMY = dict.fromkeys(DISTINCT, 1 << 20)


def limited(profile=None, **limits):
    profile = profile or chip()
    return replace(profile, limits={**profile.limits, **ROOMY, **limits})


def with_neurons(net, name, **parameters):
    """The network with other parameters of one population."""
    others = tuple(replace(p, neuron=replace(p.neuron, **parameters)) if p.name == name else p for p in net.populations)
    return replace(net, populations=others)


def mixed(seed=0, sizes=(12, 30, 20, 5), density=0.5, kinds=4, model="lif"):
    """Neurons that differ in thresholds and decays, and connections in their exponents."""
    rng = np.random.default_rng(seed)
    net = fixed_chain(seed, sizes, density=density, model=model)
    for p in net.populations[1:]:
        decays, thresholds = 500 + rng.integers(0, kinds, p.size), 300 + rng.integers(0, kinds, p.size)
        net = with_neurons(net, p.name, decay_v=decays, threshold=thresholds)
    connections = tuple(replace(c, op=replace(c.op, exponent=-int(rng.integers(0, kinds)))) for c in net.connections)
    return replace(net, connections=connections)


def star(connections, size=6):
    """One population that as many inputs reach; ``wires``: (exponent, density, delay) of each."""
    rng = np.random.default_rng(0)
    inputs = [Population(f"in{i}", (8,), None) for i in range(len(connections))]
    joined = [
        Connection(f"fc{i}", f"in{i}", "output", fixed_dense(rng, size, 8, density=density, exponent=exponent), delayed)
        for i, (exponent, density, delayed) in enumerate(connections)
    ]
    populations = (*inputs, Population("output", (size,), fixed_neuron("lif")))
    return Network("star", populations, tuple(joined), 1e-3, fixed_chain().numeric)


def needed_by_hand(net, core):
    """What a core needs, neuron by neuron and connection by connection."""
    decays, thresholds, connections = set(), set(), set()
    for p in net.populations:
        for i in held(core, p.name):
            of = {name: np.broadcast_to(getattr(p.neuron, name), (p.size,))[i] for name in p.neuron.parameters()}
            decays.add((p.neuron.model(), of.get("decay_u"), of["decay_v"], of.get("period")))
            thresholds.add(of["threshold"])
    for c in net.connections:
        if c.op.unrolled().mask()[held(core, c.dst)].any():
            connections.add((c.op.exponent, c.op.sign_mode, chip_delays(net)[c.name].bit_length(), core.formats[c.name]))
    return {DECAYS: len(decays), THRESHOLDS: len(thresholds), SYNAPSES: len(connections)}


def counted(core):
    return {resource: core.used[resource] for resource in DISTINCT}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("model", ["lif", "cuba", "cuba_refractory"])
def test_cores_are_counted_as_by_hand_whoever_shares_them(model, strategy):
    net = mixed(1, (12, 50, 40, 5), model=model)
    profile = limited(chip(neurons=24), **{DECAYS: 5, THRESHOLDS: 4, SYNAPSES: 2})
    mapped = map_by(Task.of(net, profile), strategy)
    seen = Counter()
    for core in mapped.mapping.cores:
        assert counted(core) == needed_by_hand(net, core)
        assert all(core.used[resource] <= profile.limits[resource] for resource in DISTINCT)
        seen[len(core.slices) > 1] += 1
    must_be_legal(net, mapped.mapping.cores, profile)
    assert max(core.used[THRESHOLDS] for core in mapped.mapping.cores) == 4
    assert strategy == "sequential" or seen[True]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.builds(mixed, st.integers(0, 999), density=st.sampled_from([0.1, 1.0]), kinds=st.integers(1, 9)),
    st.tuples(*[st.integers(1, 6)] * 3), st.integers(4, 60), st.sampled_from(["greedy", "patches", "sequential"]),
)  # fmt: skip
def test_no_strategy_makes_a_core_of_too_many(net, most, neurons, strategy):
    profile = limited(chip(256, neurons=neurons), **dict(zip(DISTINCT, most, strict=True)))
    placed = place(net, split(net, profile), profile)
    assert check(net, profile).fits
    for cores in (placed.cores, map_by(Task.of(net, profile), strategy).mapping.cores):
        must_be_legal(net, cores, profile)
        assert all(counted(core) == needed_by_hand(net, core) for core in cores)
    slices = tuple(core.slices for core in placed.cores)
    assert {r: n.tolist() for r, n in census(Task.of(net, profile), of_slices(Task.of(net, profile), slices)).used.items()} == {
        r: [core.used[r] for core in placed.cores] for r in profile.limits
    }


@pytest.mark.parametrize("kind", range(3))
def test_small_layers_share_a_core_up_to_the_limit(kind):
    """Three layers that differ in all: what they need on one core is 3 of each kind."""
    net, resource = fixed_chain(0, (12, 20, 20, 5)), DISTINCT[kind]
    for i, name in enumerate(("hidden1", "hidden2", "output")):
        net = with_neurons(net, name, threshold=300 + i, decay_v=500 + i)
    connections = tuple(replace(c, op=replace(c.op, exponent=-i)) for i, c in enumerate(net.connections))
    net = replace(net, connections=connections)
    cores = {limit: map_by(Task.of(net, limited(**{resource: limit})), "greedy").mapping.cores for limit in (1, 2, 3, 4)}
    assert {limit: len(found) for limit, found in cores.items()} == {1: 3, 2: 2, 3: 1, 4: 1}
    (together,) = cores[3]
    assert counted(together) == dict.fromkeys(DISTINCT, 3)
    with pytest.raises(OverLimitError, match=r"core 0: needs 3 \w+ configurations, a core of tiny has 2"):
        must_be_legal(net, cores[3], limited(**{resource: 2}))


def test_layers_that_are_alike_share_a_core_whatever_the_limit():
    net = fixed_chain(0, (12, *[9] * 9, 5))
    one = dict.fromkeys(DISTINCT, 1)
    profile = limited(**one | {SYNAPSES: len(LOIHI1.storage.ways)})
    (core,) = map_by(Task.of(net, profile), "greedy").mapping.cores
    assert counted(core) == needed_by_hand(net, core)
    assert core.used[THRESHOLDS] == 1
    assert len(core.formats) == 10


@pytest.mark.parametrize("resource", [DECAYS, THRESHOLDS])
def test_a_population_is_cut_where_its_neurons_need_too_many(resource):
    parameter = "decay_v" if resource == DECAYS else "threshold"
    values = np.array([5, 5, 6, 5, 7, 7, 8, 5, 9, 9, 5, 6])
    net = with_neurons(fixed_chain(0, (4, 12, 5)), "hidden1", **{parameter: 300 + values})
    stops = {n: [s.stop for s in split(net, limited(**{resource: n})) if s.population == "hidden1"] for n in (1, 2, 3, 5)}
    assert stops == {1: [2, 3, 4, 6, 7, 8, 10, 11, 12], 2: [4, 7, 11, 12], 3: [6, 11, 12], 5: [12]}


@pytest.mark.parametrize(("limit", "fits"), [(3, False), (4, True), (5, True)])
def test_connections_into_one_neuron_bind_exactly(limit, fits):
    """Six connections, of which two and two are alike; a neuron alone stores every axon in the same format."""
    net = star([(0, 1.0, 0), (0, 1.0, 0), (-1, 1.0, 0), (-2, 1.0, 0), (-2, 1.0, 0), (0, 1.0, 3)])
    profile = limited(**{SYNAPSES: limit})
    budget = check(net, profile)
    assert budget.fits is fits
    if fits:
        assert {u.resource: u.used for u in budget.cores[0].uses}[SYNAPSES] == 4
        return
    assert (budget.binding.resource, budget.binding.used, budget.binding.limit) == (SYNAPSES, 4, 3)
    assert advised(net, profile)[0] == "fits if output needs at most 1 synapse configurations in each format (now 4)"
    with pytest.raises(DoesNotFitError, match="needs 4 synapse configurations, a core of tiny has 3; give one weight exponent"):
        split(net, profile)


@pytest.mark.parametrize("limit", [2, 3, 4])
def test_formats_that_change_with_the_length_of_a_slice_are_counted_at_every_length(limit):
    net = star([(0, 1.0, 0), (0, 0.1, 0), (-1, 1.0, 0), (-1, 0.1, 0)], size=40)
    profile = limited(**{SYNAPSES: limit})
    slices = split(net, profile)
    for core_slice in slices:
        assert needed_by_a_slice(net, core_slice) <= limit
        assert core_slice.stop == 40 or needed_by_a_slice(net, replace(core_slice, stop=core_slice.stop + 1)) > limit
    assert (len(slices) == 1) is (limit == 4)


def needed_by_a_slice(net, core_slice):
    """Synapse configurations, by the formats in which a core without that limit stores them."""
    cut = [replace(core_slice, start=a, stop=b) for a, b in pairwise((0, core_slice.start, core_slice.stop, 40)) if a < b]
    cores = place(net, cut, limited(), 0).cores
    return needed_by_hand(net, cores[cut.index(core_slice)])[SYNAPSES]


def test_a_float_network_needs_as_many_as_it_can_once_quantised():
    net = float_chain(0, (12, 20, 5))
    (core,) = map_by(Task.of(net, limited()), "greedy").mapping.cores
    assert counted(core) == {DECAYS: 1, THRESHOLDS: 2, SYNAPSES: 2}
    assert check(net, LOIHI1).assumptions[1].startswith("each connection counts for a configuration of its own")
    assert len(check(net, chip()).assumptions) == 1


def test_what_a_profile_does_not_limit_is_unknown_and_never_ok():
    net = with_neurons(fixed_chain(0, (12, 20, 5)), "hidden1", threshold=300 + np.arange(20) % 3)
    assert check(net, LOIHI1).unknown == ()
    (said,) = check(net, chip()).unknown
    assert said == (
        "threshold configurations: population 'hidden1' needs 3 different ones;"
        " how many a core of tiny holds is not in its profile"
    )
    biased = with_neurons(fixed_chain(0, (12, 20, 5)), "hidden1", bias=np.arange(20) * 64)
    assert not check(biased, chip()).unknown


@pytest.mark.parametrize(("cores", "helps"), [(2, True), (1, False)])
def test_the_advised_number_of_thresholds_fits(cores, helps):
    net = with_neurons(fixed_chain(0, (12, 20, 5)), "hidden1", threshold=300 + np.arange(20))
    profile = limited(chip(cores), **{THRESHOLDS: 7})
    said = "fits if hidden1 needs at most 7 threshold configurations (now 20)"
    assert (said in advised(net, profile)) is helps
    fewer = with_neurons(net, "hidden1", threshold=300 + np.arange(20) % 7)
    assert check(fewer, profile).fits is helps


def test_only_what_leaves_no_room_binds():
    net = with_neurons(fixed_chain(0, (12, 20, 5)), "hidden1", threshold=300 + np.arange(20) % 7)
    assert check(net, LOIHI1).binding.resource == THRESHOLDS
    assert check(fixed_chain(0, (12, 20, 5)), LOIHI1).binding.resource == "neurons_per_core"


def test_check_shows_them(tmp_path):
    path = tmp_path / "net.snnc"
    store.save(with_neurons(fixed_chain(0, (12, 20, 5)), "hidden1", threshold=300 + np.arange(20)), path)
    done = CliRunner().invoke(main, ["check", str(path), "--hw", "loihi1"])
    assert (done.exit_code, "7/7 100.0%" in done.stdout) == (0, True)
    assert "different configurations" in done.stdout
    assert "different configurations" not in CliRunner().invoke(main, ["check", str(path), "--hw", "loihi2"]).stdout


def test_neurons_of_feature_maps_keep_their_parameters_when_they_are_numbered_by_place():
    net = conv_net(0, (2, 4), 6)
    net = with_neurons(net, "conv1", threshold=1.0 + np.arange(net["conv1"].size) % 5)
    profile = limited(chip(neurons=30), **{THRESHOLDS: 3})
    for core in map_by(Task.of(net, profile), "patches").mapping.cores:
        of = net["conv1"].neuron.threshold[held(core, "conv1")]
        assert core.used[THRESHOLDS] == len(set(of.tolist())) + bool(held(core, "output")) <= 3
