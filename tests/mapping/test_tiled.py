"""Equal tiles are solved once: what is said of all of them is what the whole network, with every synapse stored, costs there."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.ruled import network
from conftest import snnc as run

import snnc
import snnc.chips as chips
from snnc import store
from snnc.errors import DoesNotFitError, UnsupportedError
from snnc.importers import read
from snnc.mapping.arrange import packet_hops
from snnc.mapping.census import census
from snnc.mapping.strategies import levels
from snnc.mapping.task import Task, of_slices
from snnc.mapping.tiled import busiest
from snnc.network.tiling import one_tile, repeated
from snnc.pipeline.chip import map_tiles_with

TILES = 5


@pytest.fixture(scope="module")
def net():
    return snnc.quantise(network(tiles=TILES), "loihi2")


def small(neurons=37):
    """A system of eight chips of few small cores, so that a tile takes several cores of one chip."""
    chip = chips.load("kapoho_point")
    return replace(chip, cores=8 * 16, limits={**chip.limits, "neurons_per_core": neurons})


def test_a_tile_stands_for_all(net):
    made = map_tiles_with(net, small(), strategy="greedy")
    stored = replace(net, connections=tuple(replace(c, op=replace(c.op, synapses=c.op.synapses.drawn)) for c in net.connections))
    cores, places, sizes = [], [], {p.name: p.size // TILES for p in net.populations}
    for tile, chip in enumerate(made.first_chips.tolist()):
        for core, place in zip(made.tile.mapping.cores, made.tile.places.tolist(), strict=True):
            on = ((s, tile * sizes[s.population]) for s in core.slices)
            cores.append(tuple(replace(s, start=s.start + before, stop=s.stop + before) for s, before in on))
            places.append(chip * 16 + place)
    task = Task.of(stored, small())
    whole = census(task, of_slices(task, tuple(cores)))
    assert made.cores == whole.cores == TILES * made.tile.cores > TILES * 8
    assert made.packets == pytest.approx(whole.packets)
    assert made.packet_hops == pytest.approx(packet_hops(small(), whole, np.array(places)))
    for resource, amounts in whole.used.items():
        np.testing.assert_array_equal(amounts, np.tile(made.tile.census.used[resource], TILES))


def test_a_strategy_that_was_not_tried_for_a_tile_is_told(net, monkeypatch):
    monkeypatch.setattr(levels, "MOST_SYNAPSES", 10)
    made = map_tiles_with(net, small())
    assert made.tile.mapping.strategy != "levels"
    assert "tried up to 10" in made.failed["levels"]
    assert "--strategy levels" in made.failed["levels"]


def test_a_budget_counts_every_tile(net):
    budget, one = snnc.check(net, small()), snnc.check(one_tile(net), small())
    assert budget.fits
    assert budget.chip.used == TILES * one.chip.used
    assert {u.resource: u.used for u in budget.totals} == {u.resource: u.used and u.used * TILES for u in one.totals}
    too_few = replace(small(), chips=4, cores=4 * 16)
    assert snnc.check(net, too_few).fits  # as one network, whose tiles share chips
    with pytest.raises(DoesNotFitError, match="5 tiles take 5 chips, 1 each, kapoho_point has 4"):
        map_tiles_with(net, too_few, strategy="greedy")


def test_the_busiest_link_is_that_of_routes_along_rows_first():
    """Nine chips in a square; each sends 2 packets to the one before it, and chip 8's come from chip 0."""
    profile = replace(chips.load("kapoho_point"), chips=9, cores=9 * 120)
    assert busiest(profile, np.arange(9), {1: 2.0}) == 2.0
    assert busiest(profile, np.arange(9), {1: 2.0, 3: 1.0}) == 3.0  # down the last column, from chips 0 and 2 to chip 8
    assert busiest(profile, np.arange(9), {}) == 0


def test_tiles_are_taken_apart_and_put_together_again(net):
    assert repeated(one_tile(net), net).hash == net.hash
    assert one_tile(net).tiles == 1
    tile = one_tile(net)
    kept = tuple(replace(c, op=replace(c.op, synapses=c.op.synapses.drawn)) for c in tile.connections)
    stored = replace(tile, connections=kept)
    with pytest.raises(UnsupportedError, match="cannot repeat as 5 tiles"):
        repeated(stored, net)


def test_the_command_line_says_what_a_tile_costs(net, tmp_path, capsys):
    store.save(net, tmp_path / "net.snnc")
    words = ("map", tmp_path / "net.snnc", "--hw", "kapoho_point", "--strategy", "greedy", "-o", tmp_path / "map.json")
    assert run(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["tiles"] == TILES
    assert len(json.loads((tmp_path / "map.json").read_text())["first_chips"]) == TILES
    assert run(*words, "--force", "--picture", tmp_path / "a.svg") == 2
    assert "--picture" in capsys.readouterr().err


def test_the_example_fills_the_largest_system():
    net = read("examples/hala_point.toml").network
    assert sum(p.size for p in net.populations if p.neuron) == 122 * 1152 * 8192
    assert chips.load("hala_point").cores == 122 * 1152
    assert one_tile(net)["excitatory"].size == 98 * 8192
