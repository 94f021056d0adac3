"""A core of a few neurons is emptied where others lack little room: fewer cores, every neuron on one, no limit exceeded."""

import numpy as np
import pytest
from cases.mappings import chip
from cases.networks import fixed_chain, fixed_loops
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snnc.errors import DoesNotFitError
from snnc.mapping.census import census
from snnc.mapping.choose import map_by
from snnc.mapping.cutting import emptied as emptied_module
from snnc.mapping.cutting.emptied import emptied
from snnc.mapping.cutting.first_fit import first_fit
from snnc.mapping.lower_bounds import cores_at_least
from snnc.mapping.task import Task, cores_in

FULL = fixed_chain(0, (8, 17, 32), density=0.3), chip(neurons=16, axons_out=16)  # 8 sources of 2 axons, 16 neurons: both full


def must_be_sound(task, core_of):
    """Every neuron on a core, all cores with neurons, none over a limit."""
    assert {name: cores.shape for name, cores in core_of.items()} == {n: (task.net[n].size,) for n in task.neurons}
    assert set(np.concatenate(list(core_of.values())).tolist()) == set(range(cores_in(core_of)))
    used = census(task, core_of).used
    assert all((used[resource] <= limit).all() for resource, limit in task.profile.limits.items())


@pytest.mark.parametrize(
    ("net", "profile", "before", "after"),
    [
        (*FULL, 5, 4),
        (fixed_chain(2, (30, 33), density=0.2), chip(neurons=16, axons_in=16), 13, 10),
        (fixed_chain(1, (30, 33), density=0.2), chip(words=40), 3, 2),
    ],
    ids=["output axons", "input axons", "words"],
)
def test_a_core_less_by_axons_that_end(net, profile, before, after):
    task = Task.of(net, profile)
    first = first_fit(task, task.slices)
    fewer = emptied(task, first, 1)
    assert (cores_in(first), cores_in(fewer)) == (before, after)
    must_be_sound(task, fewer)


def test_the_neuron_that_is_left_over_takes_no_core_of_its_own():
    task = Task.of(*FULL)
    assert (map_by(task, "greedy").cores, map_by(task, "patches").cores) == (5, 4)
    assert cores_at_least(task) == 4


def test_no_core_is_emptied_where_there_are_not_too_many(monkeypatch):
    task = Task.of(*FULL)
    first = first_fit(task, task.slices)
    assert emptied(task, first, 5) is first
    monkeypatch.setattr(emptied_module, "WORK", 0)
    assert emptied(task, first, 1) is first


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from([(fixed_chain, (14, 30, 20, 8)), (fixed_loops, (14, 30, 8))]),
    st.integers(0, 9999),
    st.sampled_from([0.05, 0.2, 0.4]),
    st.tuples(st.integers(3, 60), st.integers(15, 100), st.integers(20, 100), st.integers(20, 300)),
)
def test_never_more_cores_none_over_a_limit_and_the_same_again(network, seed, density, limits):
    make, sizes = network
    task = Task.of(make(seed, sizes, density=density), chip(512, *limits))
    try:
        first = first_fit(task, task.slices)
    except DoesNotFitError:
        assume(False)
    fewer, again = emptied(task, first, 1), emptied(task, first, 1)
    must_be_sound(task, fewer)
    assert cores_in(fewer) <= cores_in(first)
    assert all((fewer[name] == again[name]).all() for name in task.neurons)
