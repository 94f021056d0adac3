"""What holds for every network, chip, strategy and seed, drawn by hypothesis."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases.mappings import STRATEGIES, chip, fixed_conv, held, must_cover_once, needs_library
from cases.networks import conv_net, fixed_chain, fixed_loops, spikes
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snnc import targets
from snnc.budget.check import check
from snnc.errors import DoesNotFitError
from snnc.mapping import strategies
from snnc.mapping.choose import map_by
from snnc.mapping.legality import must_be_legal
from snnc.mapping.task import Task
from snnc.network.model import Connection
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense
from snnc.simulation.reference import simulate

drawn = settings(max_examples=25, deadline=None, derandomize=True)
few = settings(max_examples=12, deadline=None, derandomize=True)  # each takes a tenth of a second or more
networks = st.builds(
    lambda make, seed, density: make(seed, density=density),
    st.sampled_from([lambda seed, density: fixed_chain(seed, (14, 30, 20, 8), density=density),
                     lambda seed, density: fixed_loops(seed, (14, 30, 8), density=density), fixed_conv]),
    st.integers(0, 9999), st.sampled_from([0.05, 0.4, 1.0]),
)  # fmt: skip
chips = st.builds(
    lambda neurons, axons_in, axons_out, words: chip(512, neurons, axons_in, axons_out, words),
    st.integers(3, 60), st.integers(15, 200), st.integers(20, 300), st.integers(20, 600),
)  # fmt: skip
quick = st.sampled_from([name for name in strategies.names() if name not in ("hypergraph", "levels")])  # which takes seconds
any_seed = st.integers(0, 2**31)


def must_be_sound(net, profile, strategy, seed):
    """A mapping that covers each neuron once, is within every limit and comes out the same again; None if there is none."""
    try:
        mapped = map_by(Task.of(net, profile, seed=seed), strategy)
    except DoesNotFitError:
        return None
    must_cover_once(net, mapped.mapping.cores)
    must_be_legal(net, mapped.mapping.cores, profile)
    for core in mapped.mapping.cores:
        assert all(core.used[resource] <= limit for resource, limit in profile.limits.items())
        assert core.used["neurons_per_core"] == sum(s.stop - s.start for s in core.slices)
    again = map_by(Task.of(net, profile, seed=seed), strategy)
    assert json.dumps(again.mapping.to_json()) == json.dumps(mapped.mapping.to_json())
    return mapped


@drawn
@given(networks, chips, quick, any_seed)
def test_a_mapping_is_sound(net, profile, strategy, seed):
    assume(must_be_sound(net, profile, strategy, seed) is not None)


@needs_library
@settings(max_examples=4, deadline=None, derandomize=True)
@given(networks, chips, st.sampled_from(["hypergraph", "levels"]), any_seed)
def test_a_partitioned_mapping_is_sound(net, profile, strategy, seed):
    assume(must_be_sound(net, profile, strategy, seed) is not None)


@few
@given(networks, chips, quick, st.sampled_from(["loihi", "sanafe", "npz"]))
def test_whatever_check_accepts_is_mapped_and_exported(net, profile, strategy, target):
    budget = check(net, profile)
    assume(budget.fits)
    mapped = map_by(Task.of(net, profile), strategy)
    assert mapped.cores <= budget.chip.used
    with tempfile.TemporaryDirectory() as folder:
        artifact = targets.export(target, net, mapped.mapping, Path(folder) / "a")
        assert "mapping.json" in artifact.files


def sliced(net, cores):
    """The network with a population for each core and population that lies on it, and connections between those."""
    parts = {(core.index, p.name): held(core, p.name) for core in cores for p in net.populations}
    parts |= {("in", p.name): list(range(p.size)) for p in net.inputs}
    parts = {key: held_ for key, held_ in parts.items() if held_}
    populations = [
        replace(net[name], name=f"{name}_{core}", shape=(len(held_),)) for (core, name), held_ in parts.items()
    ]  # the neurons of a case share their parameters
    connections = []
    for c in net.connections:
        s = c.op.unrolled()
        for (i, src), columns in parts.items():
            for (j, dst), rows in parts.items():
                if (src, dst) != (c.src, c.dst) or not (mask := s.mask()[np.ix_(rows, columns)]).any():
                    continue
                weight = s.to_dense()[np.ix_(rows, columns)]
                op = Dense(Synapses.from_dense(weight, mask), c.op.exponent, c.op.sign_mode)
                connections.append(Connection(f"{c.name}_{i}_{j}", f"{src}_{i}", f"{dst}_{j}", op, c.delay_steps))
    whole = replace(net, populations=tuple(populations), connections=tuple(connections))
    return whole, parts


def must_equal_its_parts(net, cores):
    """Each core simulated as populations of its own: the spikes of the whole."""
    inputs = spikes(net, samples=2)
    expected = simulate(net, inputs).spikes
    apart, parts = sliced(net, cores)
    found = simulate(apart, {f"{p.name}_in": inputs[p.name] for p in net.inputs}).spikes
    for p in net.populations:
        together = np.zeros_like(expected[p.name])
        for (core, population), neurons in parts.items():
            if population == p.name:
                together[:, :, neurons] = found[f"{p.name}_{core}"]
        assert (together == expected[p.name]).all()
    return sum(int(expected[p.name].sum()) for p in net.populations if p.neuron)


@few
@given(networks, chips, quick)
def test_a_network_run_core_by_core_equals_the_whole(net, profile, strategy):
    mapped = must_be_sound(net, profile, strategy, 0)
    assume(mapped is not None and mapped.cores > len(net.populations))
    assume(must_equal_its_parts(net, mapped.mapping.cores) > 20)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_floats_run_core_by_core_equal_the_whole(strategy):
    net = conv_net(1, (2, 3, 4), 6)
    mapped = map_by(Task.of(net, chip(neurons=24)), strategy)
    assert mapped.cores > len(net.populations)
    assert must_equal_its_parts(net, mapped.mapping.cores) > 20
