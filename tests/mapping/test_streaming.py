"""A census core by core counts what that of all synapses counts; many cores are placed in levels, better than in order."""

import numpy as np
import pytest
from cases.ruled import network

import snnc
import snnc.chips as chips
from snnc.mapping import arrange, census, streaming
from snnc.mapping.task import Task, cores_in


@pytest.fixture(scope="module")
def task():
    net = snnc.quantise(network(n=600), "loihi2")
    rng = np.random.default_rng(1)
    return Task.of(net, chips.load("kapoho_point"), {p.name: rng.random(p.size) for p in net.populations})


def test_cores_are_counted_alike_one_by_one(task, monkeypatch):
    rng = np.random.default_rng(0)
    core_of = {name: np.concatenate([np.arange(7), rng.integers(0, 7, 593)]) for name in task.neurons}
    whole = census.census(task, core_of)
    monkeypatch.setattr(streaming, "STREAMED", 0)
    streamed = census.census(task, core_of)
    assert streamed.used.keys() == whole.used.keys()
    for resource, amounts in whole.used.items():
        np.testing.assert_array_equal(streamed.used[resource], amounts)
    for a, b in zip(streamed.links, whole.links, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    np.testing.assert_allclose(streamed.operations, whole.operations, rtol=1e-12)
    assert streamed.local_packets == pytest.approx(whole.local_packets)
    assert streamed.input_packets == pytest.approx(whole.input_packets)
    assert streamed.formats == whole.formats
    assert whole.links[2].sum() > 1000


def test_many_cores_are_placed_in_levels(task, monkeypatch):
    """Of a ring of cores that are little shuffled: each place is there once, and hops are saved against both plain orders."""
    profile, rng = task.profile, np.random.default_rng(3)
    n = 300
    at = np.argsort(np.arange(n) + rng.normal(0, 40, n))  # which core stands at a place of the ring
    src, dst = at, np.roll(at, 1)
    base = {name: np.arange(600) % n for name in task.neurons}
    made = census.census(task, base)
    made = census.replace(made, links=(src, dst, rng.random(n)))
    monkeypatch.setattr(arrange, "LARGEST", 100)
    places = arrange.arrange(profile, made)
    assert cores_in(base) == len(places) == len(set(places.tolist())) == n
    assert 0 <= places.min() <= places.max() < profile.cores
    plain = min(arrange.packet_hops(profile, made, order[:n]) for order in (np.arange(n), arrange.hilbert(profile)))
    assert arrange.packet_hops(profile, made, places) < 0.7 * plain


def test_swaps_find_the_best_of_few_places():
    """With cores that stay, against all orders of five cores on six places."""
    from itertools import permutations

    rng = np.random.default_rng(5)
    flow, far, fixed = rng.random((6, 6)), rng.random((6, 6)), rng.random((6, 6))
    flow[5], flow[:, 5], fixed[5] = 0, 0, 0
    flow, far = flow + flow.T, far + far.T
    np.fill_diagonal(flow, 0)
    np.fill_diagonal(far, 0)

    def paid(at):
        return sum(flow[i, j] * far[at[i], at[j]] / 2 for i in range(5) for j in range(5)) + sum(
            fixed[i, at[i]] for i in range(5)
        )

    swapped = arrange.swaps(flow, far, 5, fixed)
    best = min(permutations(range(6), 5), key=paid)
    assert paid(best) <= paid(swapped) < 0.9 * paid(range(5))
    assert all(paid(_exchanged(swapped, i, j)) >= paid(swapped) - 1e-9 for i in range(5) for j in range(6))


def _exchanged(at, i, j):
    """The places with core i at place j, and who is there at its place."""
    return [at[i] if place == j else j if core == i else place for core, place in enumerate(at.tolist())]
