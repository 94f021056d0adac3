"""Mapping: complete, within every limit, deterministic, measured as by hand, and the mapped network computes the same."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from cases.mappings import CHIPS, LOIHI1, NETWORKS, STRATEGIES, chip, held, must_cover_once, needs_library
from cases.networks import conv_net, fixed_chain

from snnc import chips
from snnc.errors import DoesNotFitError, MissingDependencyError, UsageError
from snnc.mapping import partitioner, strategies
from snnc.mapping.arrange import arrange, busiest_link, hilbert, hops, link_loads, packet_hops, tiles
from snnc.mapping.census import census
from snnc.mapping.choose import map_by, map_by_all
from snnc.mapping.legality import must_be_legal
from snnc.mapping.lower_bounds import lower_bounds
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.mapping.strategies import greedy, patches
from snnc.mapping.task import Task, of_slices, slices_of


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("limited", CHIPS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_mapping_is_complete_legal_deterministic_and_measured_as_by_hand(name, limited, strategy):
    net, profile = NETWORKS[name](), CHIPS[limited]
    rng = np.random.default_rng(0)
    rates = {p.name: rng.random(p.size) * 4 for p in net.populations}
    task = Task.of(net, profile, rates, seed=5)
    mapped = map_by(task, strategy)
    assert mapped.mapping.to_json() == map_by(Task.of(net, profile, rates, seed=5), strategy).mapping.to_json()
    cores = mapped.mapping.cores
    assert [core.index for core in cores] == sorted({core.index for core in cores})
    assert cores[-1].index < profile.cores
    must_cover_once(net, cores)
    must_be_legal(net, cores, profile)
    must_be_measured(net, task, mapped)
    bounds = lower_bounds(task)
    assert bounds.cores <= mapped.cores
    assert bounds.packets <= mapped.census.packets + 1e-9
    assert bounds.packet_hops <= mapped.packet_hops + 1e-9
    assert bounds.busiest_operations <= mapped.busiest_operations + 1e-9


def must_be_measured(net, task, mapped):
    """Uses, packets, hops and operations, from dense masks and loops over cores."""
    masks = {c.name: c.op.unrolled().mask() for c in net.connections}
    packets = packet_hops_ = 0.0
    for a, core in enumerate(mapped.mapping.cores):
        into = {c.name: masks[c.name][held(core, c.dst)] for c in net.connections}
        assert core.used["neurons_per_core"] == sum(s.stop - s.start for s in core.slices)
        assert core.used["input_axons_per_core"] == sum(int(m.any(axis=0).sum()) for m in into.values())
        out = 0
        for c in net.connections:
            rate = task.rates[c.src]
            packets += (into[c.name].any(axis=0) * rate).sum()
            for b, other in enumerate(mapped.mapping.cores):
                reaches = masks[c.name][held(other, c.dst)].any(axis=0)
                mine = held(core, c.src) if net[c.src].neuron else []
                out += int(reaches[mine].sum())
                far = abs(int(hops(task.profile, mapped.places[a : a + 1], mapped.places[b : b + 1])[0]))
                packet_hops_ += far * (reaches * rate)[mine].sum()
        assert core.used["output_axons_per_core"] == out
        operations = sum((into[c.name].sum(axis=0) * task.rates[c.src]).sum() for c in net.connections)
        assert operations == pytest.approx(mapped.census.operations[a])
        assert set(core.formats) == {name for name, m in into.items() if m.any()}
    assert packets == pytest.approx(mapped.census.packets)
    assert packet_hops_ == pytest.approx(mapped.packet_hops)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("limited", CHIPS)
def test_the_census_of_contiguous_slices_is_what_place_measures(name, limited):
    net, profile = NETWORKS[name](), CHIPS[limited]
    slices = split(net, profile)
    placed = place(net, slices, profile)
    found = census(Task.of(net, profile), of_slices(Task.of(net, profile), tuple((s,) for s in slices)))
    for i, core in enumerate(placed.cores):
        assert {resource: int(amounts[i]) for resource, amounts in found.used.items()} == dict(core.used)
        used = {name: form for name in core.formats if (form := found.formats[name][i]) is not None}
        assert used.items() <= dict(core.formats).items()


@needs_library
def test_convolutions_are_cut_by_place_and_save_most_packets():
    net = conv_net(0, (3, 16, 16), 16, density=0.2)
    task = Task.of(net, chip(neurons=256))
    made, failed = map_by_all(task)
    by_name = {m.mapping.strategy: m for m in made}
    assert not failed
    assert set(by_name) == set(strategies.names())
    worst = by_name["sequential"]
    assert worst.cores >= 16
    assert by_name["hypergraph"].packet_hops < 0.7 * worst.packet_hops
    assert by_name["patches"].packet_hops < 0.7 * worst.packet_hops
    assert by_name["levels"].packet_hops < 0.8 * by_name["patches"].packet_hops
    assert made[0].packet_hops == min(m.packet_hops for m in made)
    assert made[0].cores <= np.ceil(1.1 * lower_bounds(task).cores)


@needs_library
def test_small_populations_share_a_core():
    net = fixed_chain(0, (12, 20, 20, 20, 5))
    mapped = {name: map_by(Task.of(net, chip(neurons=64)), name) for name in strategies.names()}
    assert {name: m.cores for name, m in mapped.items()} == {
        "sequential": 4,
        "greedy": 2,
        "patches": 2,
        "hypergraph": 2,
        "levels": 2,
    }


def test_without_the_library_the_other_strategies_still_map(monkeypatch):
    partitioner.library.cache_clear()
    monkeypatch.setitem(sys.modules, "mtkahypar", None)
    task = Task.of(fixed_chain(), chip(neurons=8))
    made, failed = map_by_all(task)
    assert {m.mapping.strategy for m in made} == set(strategies.names()) - {"hypergraph", "levels"}
    for name in ("hypergraph", "levels"):
        assert "pip install '.[map]'" in failed[name]
        with pytest.raises(MissingDependencyError):
            map_by(task, name)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_network_that_does_not_fit_is_refused(strategy):
    with pytest.raises(DoesNotFitError, match="needs 7 cores, tiny has 6"):
        map_by(Task.of(fixed_chain(0, (12, 20, 5)), chip(cores=6, neurons=4)), strategy)
    with pytest.raises(DoesNotFitError):
        map_by(Task.of(fixed_chain(0, (20, 12, 5), density=1.0), chip(axons_in=19)), strategy)
    with pytest.raises(UsageError, match="did you mean 'greedy'"):
        map_by(Task.of(fixed_chain(), chip()), "gredy")


def test_a_curve_meets_every_place_once_and_neighbours_are_near():
    order = hilbert(LOIHI1)
    assert sorted(order) == list(range(128))
    assert hops(LOIHI1, order[:-1], order[1:]).max() <= 4
    assert hops(LOIHI1, order[:-1], order[1:]).mean() < 0.5  # four cores a tile
    square = replace(LOIHI1, mesh=replace(LOIHI1.mesh, tile_columns=8, tile_rows=8, cores_per_tile=1), cores=64)
    along = hilbert(square)
    assert (hops(square, along[:-1], along[1:]) == 1).all()
    assert hops(LOIHI1, np.array([0, 0, 0]), np.array([3, 4, 127])).tolist() == [0, 1, 10]
    assert hops(chips.load("kapoho_bay"), np.array([0]), np.array([128])).tolist() == [8]


def test_swaps_only_save_hops():
    task = Task.of(fixed_chain(1, (12, 90, 90, 10), density=0.1), chip(neurons=8))
    found = census(task, of_slices(task, tuple((s,) for s in task.slices)))
    places = arrange(task.profile, found)
    assert len(set(places.tolist())) == found.cores
    assert packet_hops(task.profile, found, places) < 0.95 * packet_hops(task.profile, found, np.arange(found.cores))


def test_slices_of_an_assignment_are_its_runs():
    core_of = {"a": np.array([0, 0, 1, 0]), "b": np.array([1])}
    runs = [[(s.population, s.start, s.stop) for s in core] for core in slices_of(core_of, 2)]
    assert runs == [[("a", 0, 2), ("a", 3, 4)], [("a", 2, 3), ("b", 0, 1)]]


def test_link_loads_are_those_of_packets_that_go_along_their_row_first():
    mapped = map_by(Task.of(fixed_chain(1, (12, 90, 90, 10), density=0.1), chip(neurons=8)), "greedy")
    column, row = tiles(LOIHI1, mapped.places)
    loads = {}
    for a, b, packets in zip(*mapped.census.links, strict=True):
        x, y = int(column[a]), int(row[a])
        while (x, y) != (column[b], row[b]):
            step = (int(np.sign(column[b] - x)), 0) if x != column[b] else (0, int(np.sign(row[b] - y)))
            link = min((x, y), (x + step[0], y + step[1])), step[0] != 0
            loads[link] = loads.get(link, 0) + packets
            x, y = x + step[0], y + step[1]
    along_rows, along_columns = link_loads(LOIHI1, mapped.census, mapped.places)
    found = {((x, y), True): along_rows[y, x] for y, x in np.argwhere(along_rows).tolist()}
    found |= {((x, y), False): along_columns[y, x] for y, x in np.argwhere(along_columns).tolist()}
    assert found == loads
    assert mapped.busiest_link == busiest_link(LOIHI1, mapped.census, mapped.places) == max(loads.values()) > 0
    assert sum(loads.values()) == pytest.approx(mapped.packet_hops)


def test_a_slow_strategy_is_tried_for_many_synapses_only_if_it_is_named(monkeypatch):
    task = Task.of(fixed_chain(), chip(neurons=8))
    synapses = sum(c.op.synapse_count for c in task.net.connections)
    monkeypatch.setattr(patches, "MOST_SYNAPSES", synapses, raising=False)
    monkeypatch.setattr(greedy, "MOST_SYNAPSES", synapses - 1, raising=False)
    made, failed = map_by_all(task)
    assert "patches" in {m.mapping.strategy for m in made}
    assert "greedy" not in {m.mapping.strategy for m in made}
    assert failed["greedy"].startswith(f"{synapses:,} synapses, tried up to {synapses - 1:,}")
    assert "--strategy greedy" in failed["greedy"]
    assert [m.mapping.strategy for m in map_by_all(task, ["greedy"])[0]] == ["greedy"]


def test_cores_full_of_neurons_are_emptied_into_the_room_that_others_leave():
    net = fixed_chain(0, (2, 128, 24), density=0.1)
    task = Task.of(net, chip(neurons=32, axons_in=60))
    apart, together = map_by(task, "greedy"), map_by(task, "patches")
    assert apart.cores == 10
    assert together.cores == lower_bounds(task).cores == 5  # the four that are full of hidden neurons are gone, and a small one
    roomy = Task.of(net, chip(neurons=64))
    assert map_by(roomy, "patches").cores == map_by(roomy, "greedy").cores == lower_bounds(roomy).cores
