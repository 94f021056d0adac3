"""Synapses given by a rule: drawn alike in any slices, of the distributions that the rule names, and a network like any other."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cases.ruled import network, rules
from scipy.special import ndtri

import snnc
import snnc.chips as chips
from snnc import store
from snnc.errors import NetworkError, SnncError
from snnc.mapping.task import Task
from snnc.network.synapses import stacked
from snnc.rules import expand
from snnc.rules.rule import Draw, Rule
from snnc.rules.ruled import Ruled
from snnc.simulation import engine, reference

CONSTANT = Draw.constant(1.0)


def plain(net):
    """The same network with every synapse stored."""
    return replace(net, connections=tuple(replace(c, op=replace(c.op, synapses=c.op.synapses.drawn)) for c in net.connections))


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ((0,) * 6, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 6, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_random_numbers_are_those_of_philox4x32_10(words, numbers):
    """The known answers of Random123 1.14, tests/kat_vectors."""
    assert tuple(map(int, expand.philox(*map(np.uint32, words)))) == numbers


def test_normal_numbers_are_the_quantiles_of_random_words():
    words = np.array([0, 1, 1 << 20, 1 << 28, 1 << 31, 3 << 30, (1 << 32) - 1], np.uint32)
    made = [expand.standard_normal(word) for word in words]
    np.testing.assert_allclose(made, ndtri((words + 0.5) / 2**32), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", rules(tiles=1))
@pytest.mark.parametrize("tiles", [1, 3])
def test_slices_of_rows_are_those_of_the_whole(name, tiles):
    synapses = Ruled(rules(tiles=tiles)[name])
    n = synapses.shape[0]
    edges = [0, 1, n // 3 + 1, n - 1, n]
    parts = stacked([synapses.block(a, b) for a, b in pairwise(edges)])
    whole = synapses.drawn
    assert not whole.problems()
    for key, array in whole.arrays():
        np.testing.assert_array_equal(array, dict(parts.arrays())[key], strict=True)
    np.testing.assert_array_equal(synapses.indptr, whole.indptr)
    sources = [synapses.sources(a, b) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(sources), whole.indices, strict=True)
    assert not len(synapses.sources(3, 3))
    assert synapses.block(3, 3).shape == (0, synapses.shape[1])
    below, above = synapses.row_sums()
    dense = whole.to_dense()
    np.testing.assert_allclose(below, np.minimum(dense, 0).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(above, np.maximum(dense, 0).sum(axis=1), rtol=1e-12)


def test_tiles_are_equal_and_get_synapses_from_the_tile_named():
    one, three = Ruled(rules(tiles=1)["fixed_probability"]).mask(), Ruled(rules(tiles=3)["fixed_probability"]).mask()
    n_dst, n_src = one.shape
    for t in range(3):
        source = (t + 1) % 3
        block = three[t * n_dst : (t + 1) * n_dst]
        np.testing.assert_array_equal(block[:, source * n_src : (source + 1) * n_src], one)
        assert block.sum() == one.sum()


def test_every_pair_is_drawn_alike():
    """Counts by row, by column and by distance lie within 5 deviations; a rule that favours places would not."""
    probability, n = 0.03, 1500
    mask = Ruled(Rule("fixed_probability", n, n, CONSTANT, 5, probability=probability)).mask()
    for counts, trials in ((mask.sum(axis=0), n), (mask.sum(axis=1), n), (mask.reshape(-1, 50, n).sum(axis=(1, 2)), 50 * n)):
        deviation = np.sqrt(trials * probability * (1 - probability))
        assert np.abs(counts - trials * probability).max() < 5 * deviation
        assert 0.8 < counts.std() / deviation < 1.25
    together = (mask[:, 1:] & mask[:, :-1]).sum()  # neighbours are drawn apart
    assert abs(together - n * n * probability**2) < 5 * n * probability


@pytest.mark.parametrize("degree", [1, 7, 40, 290, 299, 300])
def test_an_in_degree_is_exact_and_even(degree):
    synapses = Ruled(Rule("fixed_in_degree", 2000, 300, CONSTANT, 9, in_degree=degree)).drawn
    assert not synapses.problems()
    assert set(np.diff(synapses.indptr)) == {degree}
    often, share = np.bincount(synapses.indices, minlength=300), degree / 300
    assert np.abs(often - 2000 * share).max() <= 5 * np.sqrt(2000 * share * (1 - share))


def test_weights_and_delays_have_their_distributions():
    rule = Rule("all_to_all", 200, 300, Draw.normal(1.0, 0.5, 0.0, 2.0), 3, delay=Draw.normal(4, 3, 1, 30))
    drawn = Ruled(rule).drawn
    assert drawn.values.min() >= 0
    assert drawn.values.max() <= 2
    assert drawn.values.mean() == pytest.approx(1.0, abs=0.01)
    assert drawn.values.std() == pytest.approx(0.4397, abs=0.01)  # of the normal cut at 2 deviations
    assert set(np.unique(drawn.delays)) == set(range(1, int(drawn.delays.max()) + 1))
    assert abs(np.corrcoef(drawn.values, drawn.delays)[0, 1]) < 0.02
    even = Ruled(replace(rule, weight=Draw("uniform", -1, 1), delay=Draw("uniform", 2, 4))).drawn
    assert np.bincount(even.delays, minlength=5).tolist()[:2] == [0, 0]
    assert np.abs(np.bincount(even.delays)[2:] - 20000).max() < 700
    assert abs(even.values.mean()) < 0.01


@pytest.mark.parametrize("tiles", [1, 3])
def test_a_network_of_rules_is_a_network(tiles, tmp_path):
    """It quantises, computes and fits as if every synapse were stored, and its file holds the rules only."""
    net = snnc.quantise(network(tiles=tiles), "loihi2")
    stored = plain(net)
    store.save(net, tmp_path / "net.snnc")
    assert store.load(tmp_path / "net.snnc").hash == net.hash
    assert (tmp_path / "net.snnc").stat().st_size < 5000
    raster = {"drive": (np.random.default_rng(0).random((2, 40, net["drive"].size)) < 0.1).astype(np.uint8)}
    runs = [reference.simulate(net, raster), engine.simulate(net, raster), reference.simulate(stored, raster)]
    for name, spikes in runs[0].spikes.items():
        assert spikes.sum() > 100
        for run in runs[1:]:
            np.testing.assert_array_equal(run.spikes[name], spikes)
    assert snnc.check(net, "loihi2").layers == snnc.check(stored, "loihi2").layers
    assert snnc.map(net, "loihi2", strategy="greedy").cores == snnc.map(stored, "loihi2", strategy="greedy").cores
    task = Task.of(net, chips.load("loihi2"))
    assert all(isinstance(c.op.synapses, Ruled) for c in task.unrolled.connections)


def test_a_rule_with_delays_may_draw_no_synapse():
    net = network(tiles=1)
    at = next(i for i, c in enumerate(net.connections) if c.op.synapses.rule.delay is not None)
    none = replace(net.connections[at].op.synapses.rule, pattern="fixed_probability", probability=1e-9, in_degree=0)
    changed = replace(net.connections[at], op=replace(net.connections[at].op, synapses=Ruled(none)))
    net = snnc.quantise(replace(net, connections=(*net.connections[:at], changed, *net.connections[at + 1 :])), "loihi2")
    raster = {"drive": (np.random.default_rng(0).random((2, 40, net["drive"].size)) < 0.1).astype(np.uint8)}
    runs = [run(net, raster).spikes for run in (reference.simulate, engine.simulate)]
    assert sum(spikes.sum() for spikes in runs[0].values()) > 100
    assert all((runs[1][name] == spikes).all() for name, spikes in runs[0].items())
    assert snnc.inspect(net)


def test_quantised_weights_are_the_nearest_of_the_grid():
    float_net = network()
    net = snnc.quantise(float_net, "loihi2")
    for exact, whole in zip(float_net.connections, net.connections, strict=True):
        factor, step = whole.op.synapses.rule.grid
        np.testing.assert_array_equal(whole.op.synapses.values, np.rint(exact.op.synapses.values * factor) * step)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probability": 0.0}, "probability 0.0, expected more than 0"),
        ({"probability": float("nan")}, "probability nan"),
        ({"pattern": "ring"}, "has the rule 'ring', expected one of all_to_all"),
        ({"seed": -1}, "the seed -1"),
        ({"pattern": "fixed_in_degree", "in_degree": 201}, "in-degree of 201, 1 to 200"),
        ({"pattern": "one_to_one", "n_src": 201}, "one to one|has weights for"),
        ({"weight": Draw("uniform", 1, 0)}, "whose order is wrong"),
        ({"weight": Draw.normal(3, 1, 0, 2)}, "draws around 3"),
        ({"weight": CONSTANT, "delay": Draw("uniform", 1, 2.5)}, "delays of 1 .. 2.5 steps"),
        ({"weight": Draw.constant(0.0)}, "no weight other than 0"),
        ({"offset": 1}, "comes from 1 tiles on"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(changes, message):
    net = network()
    c = net.connections[1]
    odd = replace(c, op=replace(c.op, synapses=Ruled(replace(c.op.synapses.rule, **changes))))
    with pytest.raises(NetworkError, match=message):
        replace(net, connections=(net.connections[0], odd, *net.connections[2:]))


@pytest.mark.parametrize("weight", [None, "one", True, {"normal": [1, 2]}, {"uniform": [1]}, {"uniform": [1, "2"]}, [1, 2]])
def test_a_draw_that_says_nothing_is_refused(weight):
    with pytest.raises(SnncError):
        Draw.of(weight)
