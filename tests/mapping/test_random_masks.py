"""The bound for random masks: sound against every assignment of tiny networks, and against how often drawn masks break it."""

import importlib.util
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from cases.mappings import LOIHI1, chip
from cases.networks import fixed_chain, fixed_dense
from conftest import ROOT

from snnc.chips.memory.nengo_loihi import entry_words
from snnc.mapping.census import census
from snnc.mapping.task import Task

spec = importlib.util.spec_from_file_location("random_masks", ROOT / "benchmarks" / "random_masks.py")
random_masks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(random_masks)


def drawn(rng, neurons, sources, fan_in):
    """(neurons, sources) a mask with so many sources for each neuron."""
    return np.array([np.isin(np.arange(sources), rng.choice(sources, fan_in, replace=False)) for _ in range(neurons)])


def fewest(mask, measure, most=None):
    """(most + 1,) the least that any 0, 1, ... neurons have, from all subsets: ``measure`` of their synapses by source."""
    subsets = (combinations(range(len(mask)), k) for k in range((most or len(mask)) + 1))
    return np.array([min(int(measure(mask[list(rows)].sum(axis=0))) for rows in of_k) for of_k in subsets])


def sources(synapses):
    return (synapses > 0).sum()


def words(bits):
    return lambda synapses: entry_words(LOIHI1.storage, synapses, bits).sum()


def exact(mask):
    """A layer of this mask, with what its neurons have at least."""
    return random_masks.Layer(len(mask), fewest(mask, sources), lambda k, bits: fewest(mask, words(bits))[k])


def partitions(n):
    """Every way to put n neurons on cores, as their numbers."""
    if n == 0:
        yield ()
        return
    for rest in partitions(n - 1):
        for core in range(max(rest, default=-1) + 2):
            yield (*rest, core)


def with_masks(*masks):
    """A chain with these synapses."""
    net = fixed_chain(0, (masks[0].shape[1], *(len(m) for m in masks)), density=1.0)
    rng = np.random.default_rng(0)
    full = [fixed_dense(rng, *m.shape, density=1.0) for m in masks]
    ops = [op.keep(m.ravel()) for op, m in zip(full, masks, strict=True)]
    return replace(net, connections=tuple(replace(c, op=op) for c, op in zip(net.connections, ops, strict=True)))


def fits(task, way, n):
    found = census(task, {"hidden1": np.array(way[:n]), "output": np.array(way[n:])})
    return all((found.used[resource] <= limit).all() for resource, limit in task.profile.limits.items())


@pytest.mark.parametrize(
    ("limits", "fan_ins"),
    [
        ({"axons_in": 4}, (2, 2)), ({"axons_in": 6, "axons_out": 2}, (2, 2)), ({"neurons": 4, "axons_out": 3}, (2, 2)),
        ({"words": 5}, (2, 2)), ({"words": 5}, (5, 3)), ({"neurons": 3}, (2, 2)),
    ],
)  # fmt: skip
def test_no_mapping_is_below_the_bound(limits, fan_ins):
    above = 0
    for seed in range(2):
        rng = np.random.default_rng(seed)
        masks = drawn(rng, 3, 5, fan_ins[0]), drawn(rng, 4, 3, fan_ins[1])
        task = Task.of(with_masks(*masks), chip(**limits))
        best = min((1 + max(way) for way in partitions(7) if fits(task, way, 3)), default=7)
        bound = random_masks.cores(*map(exact, masks), task.profile, task.weight_bits)
        assert bound <= best
        above += bound > 1
    assert above  # it says something


def test_so_many_sources_are_reached_but_for_the_risk():
    rng, risk = np.random.default_rng(0), 0.2
    bound = random_masks.Layer.random(8, 12, 3, LOIHI1.storage, risk).reached
    broken = sum((fewest(drawn(rng, 8, 12, 3), sources) < bound).any() for _ in range(200))
    assert broken <= risk * 200
    assert bound[-1] > 3  # of one neuron
    certain = random_masks.Layer.random(8, 12, 3, LOIHI1.storage, 1e-300).reached
    assert (certain <= bound).all()


@pytest.mark.parametrize(("neurons", "most"), [(8, 8), (40, 2)])
@pytest.mark.parametrize("bits", [18, 26, 40])
def test_so_many_words_are_taken_but_for_the_risk(bits, neurons, most):
    rng, risk = np.random.default_rng(0), 0.5
    found = np.array([fewest(drawn(rng, neurons, 16, 3), words(bits), most) for _ in range(100)])
    f = entry_words(LOIHI1.storage, np.arange(most + 1), bits)
    least = [0, *(random_masks._least_words(f[: k + 1], neurons, 16, 3, np.log(risk)) for k in range(1, most + 1))]
    assert ((found < least).mean(axis=0) <= risk).all()
    assert (least >= 0.6 * found.min(axis=0)).all()
    spread = random_masks.Layer.random(neurons, 16, 3, LOIHI1.storage, risk).words
    assert all(spread(k, bits) <= least[k] for k in range(1, most + 1))
