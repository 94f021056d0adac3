"""The bound for random masks: sound against every assignment of tiny networks, and against how often drawn masks break it."""

import importlib.util
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from cases import fixed_chain, fixed_dense
from conftest import ROOT
from map_cases import chip

from snnc.mapper.census import census
from snnc.mapper.task import Task

spec = importlib.util.spec_from_file_location("random_masks", ROOT / "benchmarks" / "random_masks.py")
random_masks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(random_masks)


def drawn(rng, neurons, sources, fan_in):
    """(neurons, sources) a mask with so many sources for each neuron."""
    return np.array([np.isin(np.arange(sources), rng.choice(sources, fan_in, replace=False)) for _ in range(neurons)])


def fewest(mask):
    """(neurons + 1,) the sources that any so many neurons have at least, from all subsets."""
    subsets = (combinations(range(len(mask)), k) for k in range(1, len(mask) + 1))
    return np.array([0, *(min(int(mask[list(rows)].any(axis=0).sum()) for rows in of_k) for of_k in subsets)])


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


@pytest.mark.parametrize("limits", [{"axons_in": 4}, {"axons_in": 6, "axons_out": 2}, {"words": 5}, {"neurons": 3}])
def test_no_mapping_is_below_the_bound(limits):
    above = 0
    for seed in range(2):
        rng = np.random.default_rng(seed)
        masks = drawn(rng, 3, 5, 2), drawn(rng, 4, 3, 2)
        task = Task.of(with_masks(*masks), chip(**limits))
        best = min((1 + max(way) for way in partitions(7) if fits(task, way, 3)), default=7)
        a, b = (random_masks.Layer(len(mask), 2, fewest(mask)) for mask in masks)
        bound = random_masks.cores(a, b, task.profile, task.weight_bits)
        assert bound <= best
        above += bound > 1
    assert above  # it says something


def test_so_many_sources_are_reached_but_for_the_risk():
    rng, risk = np.random.default_rng(0), 0.2
    bound = random_masks.Layer.random(8, 12, 3, risk).reached
    broken = sum((fewest(drawn(rng, 8, 12, 3)) < bound).any() for _ in range(200))
    assert broken <= risk * 200
    assert bound[-1] > 3  # of one neuron
    certain = random_masks.Layer.random(8, 12, 3, 1e-300).reached
    assert (certain <= bound).all()
