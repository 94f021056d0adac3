"""Strategy levels: costs of moves are those of the census, never worse than its start, on several chips, without all synapses."""

from dataclasses import replace

import numpy as np
import pytest
from cases.mappings import LOIHI1, chip, must_cover_once, needs_library
from cases.networks import conv_net, fixed_chain, fixed_loops
from cases.ruled import network

import snnc
from snnc import chips, neurons
from snnc.errors import DoesNotFitError
from snnc.mapping import groups as grouping
from snnc.mapping.arrange import hops, packet_hops
from snnc.mapping.census import census
from snnc.mapping.choose import map_by
from snnc.mapping.groups import Groups
from snnc.mapping.moves import Moves, moved
from snnc.mapping.placed import placed
from snnc.mapping.task import Task, of_slices
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense


def case(net, limited):
    """A task whose neurons fire at random, its slices as they are placed, and groups of single neurons."""
    rng = np.random.default_rng(0)
    task = Task.of(net, limited, {p.name: rng.random(p.size) * 4 for p in net.populations})
    start = placed(task, of_slices(task, tuple((s,) for s in task.slices)))
    made = Groups.of_assignment(task, start.core_of, start.census, {p.name: 1 for p in net.populations})
    far = hops(task.profile, start.places[:, None], start.places[None, :]).astype(float)
    return task, start, made, far


def paid(task, start, made, cores):
    return packet_hops(task.profile, census(task, made.assignment(cores)), start.places)


@pytest.mark.parametrize("net", [fixed_loops(2, (12, 30, 5)), fixed_chain(1, (12, 40, 30, 5), density=0.2)])
def test_costs_of_moves_and_exchanges_are_those_of_the_census(net):
    task, start, made, far = case(net, chip(neurons=5))
    state = Moves(made, made.place_of(start.core_of), far)
    before = paid(task, start, made, state.cores)
    assert state.paid() == pytest.approx(before)
    assert before > 0
    rng = np.random.default_rng(1)
    for _ in range(20):
        group, to = int(rng.integers(made.count)), int(rng.integers(start.census.cores))
        if to == state.cores[group] or np.count_nonzero(state.cores == state.cores[group]) == 1:
            continue  # it does not move, or leaves an empty core, which the census has not
        costs, one = state.costs(), state.cost(group, to)
        assert costs[group, to] == pytest.approx(one)
        state.move(group, to)
        after = paid(task, start, made, state.cores)
        assert after - before == pytest.approx(one)
        assert state.paid() == pytest.approx(after)
        before = after


def test_moves_save_packets_x_hops_within_every_limit():
    task, start, made, far = case(fixed_loops(2, (12, 30, 5)), chip(neurons=4))
    first = made.place_of(start.core_of)
    cores = moved(made, first, far, seed=3)
    np.testing.assert_array_equal(cores, moved(made, first, far, seed=3))
    assert paid(task, start, made, cores) < 0.9 * paid(task, start, made, first)
    assert np.bincount(cores).max() <= 4


@needs_library
@pytest.mark.parametrize("net", [conv_net(), fixed_chain(1, (12, 90, 90, 10), density=0.1)], ids=["conv", "chain"])
def test_several_chips_are_legal_deterministic_and_never_worse_than_patches(net):
    profile = replace(
        chip(cores=12 * 8, neurons=16, axons_out=400), chips=12, mesh=replace(LOIHI1.mesh, tile_columns=2, tile_rows=1)
    )
    start, made = map_by(Task.of(net, profile, seed=2), "patches"), map_by(Task.of(net, profile, seed=2), "levels")
    again = map_by(Task.of(net, profile, seed=2), "levels")
    assert made.mapping.to_json() == again.mapping.to_json()
    assert made.cores > profile.cores_per_chip
    assert made.packet_hops < start.packet_hops
    assert made.cores <= 1.1 * start.cores
    must_cover_once(net, made.mapping.cores)


@needs_library
def test_what_belongs_together_shares_a_core_and_a_chip():
    """Four rings, neuron i in ring i modulo 4: slices in order send to every core, and there is a mapping that sends to none."""
    mask = np.zeros((64, 64))
    mask[(np.arange(64) + 4) % 64, np.arange(64)] = 1.0
    cells = neurons.get("lif").example()
    net = Network(
        "rings",
        (Population("input", (1,), None), Population("cells", (64,), cells)),
        (
            Connection("first", "input", "cells", Dense(Synapses.from_dense(np.ones((64, 1))))),
            Connection("ring", "cells", "cells", Dense(Synapses.from_dense(mask)), 1),
        ),
        1e-3,
    )
    profile = replace(
        chip(cores=4, neurons=16), chips=2, mesh=replace(LOIHI1.mesh, tile_columns=2, tile_rows=1, cores_per_tile=1)
    )
    assert map_by(Task.of(net, profile), "patches").packet_hops > 10
    made = map_by(Task.of(net, profile), "levels")
    assert (made.packet_hops, made.cores) == (0, 4)


@needs_library
def test_rules_are_mapped_without_an_array_of_their_synapses(monkeypatch):
    """Axons are drawn group by group, and a sample of them is moved."""
    net = snnc.quantise(network(n=200), "loihi2")
    limited = replace(chips.load("kapoho_point"), name="small", limits={"neurons_per_core": 40})
    monkeypatch.setattr(grouping, "PINS", 2000)
    monkeypatch.setattr(Task, "patterns", property(lambda _: pytest.fail("all synapses were made")))
    monkeypatch.setattr("snnc.mapping.streaming.STREAMED", 0)
    start, made = map_by(Task.of(net, limited), "patches"), map_by(Task.of(net, limited), "levels")
    assert made.packet_hops <= start.packet_hops
    must_cover_once(net, made.mapping.cores)


@needs_library
def test_too_few_cores_are_refused_with_both_numbers():
    with pytest.raises(DoesNotFitError, match="needs 7 cores, tiny has 6"):
        map_by(Task.of(fixed_chain(0, (12, 20, 5)), chip(cores=6, neurons=4)), "levels")
