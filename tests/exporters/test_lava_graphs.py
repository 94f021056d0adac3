"""Graphs in real Lava 0.10.0: loops, branches and delays compute what the reference computes, sample by sample."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from cases.lava_graphs import generated, network, run_all, traits
from cases.lava_networks import rasters
from cases.networks import fixed_loops, fixed_neuron, spikes

from snnc import targets
from snnc.network.model import Population
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

pytestmark = pytest.mark.lava


OFTEN = ("dense", "one_to_one", "conv2d", "sumpool2d", "pooled", "groups", "axons", "synapses", "delayed", "recurrent", "back",
         "skip", "across_samples", "active", "readouts", "stride", "padding", "dilation", "oblong", "shifted_down")  # fmt: skip


def agree(count, folder):
    """Hold real Lava against the reference on generated graphs; what happened in them, counted."""
    drawn = generated(count)
    cases = [(net := network(g), rasters(net, g.seed, g.samples, g.steps)) for g in drawn]
    seen = Counter()
    for graph, (net, inputs), lava in zip(drawn, cases, run_all(cases, folder), strict=True):
        reference = simulate(net, inputs, record=True)
        verdict = compare(reference, lava)
        assert verdict.first is None, (graph, verdict.first)
        assert set(verdict.states) == {f"{p.name}.{v}" for p in net.populations if p.neuron for v in "uv"}
        seen.update(traits(graph, reference))
    return seen


@pytest.mark.parametrize("count", [12, pytest.param(120, marks=pytest.mark.slow)])
def test_generated_graphs_compute_what_lava_computes(count, tmp_path):
    seen = agree(count, tmp_path)
    print(seen)
    assert min(seen[name] for name in OFTEN) >= count // 12, seen


def loops(tmp_path):
    """`fixed_loops`, whose delays cross samples, its artifact and an input of several samples."""
    net = fixed_loops()
    artifact = targets.export("lava", net, None, tmp_path / "a")
    return net, artifact, spikes(net, samples=4, steps=8)


def first_difference(net, artifact, inputs):
    lava = targets.load("lava").run(artifact, inputs, True, 60)
    return compare(simulate(net, inputs, record=True), lava).first


def edited(artifact, edit):
    path = artifact.root / "network.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["again", "back", "twin"])
def test_a_delay_that_is_not_forgotten_is_found(name, tmp_path):
    """What a sample left behind reaches the next one."""
    net, artifact, inputs = loops(tmp_path)
    edited(artifact, lambda content: next(c for c in content["connections"] if c["name"] == name).update(forget=None))
    first = first_difference(net, artifact, inputs)
    assert first.sample >= 1
    assert (first.population, first.step < 3) == ("hidden1", True)
    assert first.cause.startswith("the current u")


def test_a_sample_without_its_pause_is_found(tmp_path):
    """What the end of a sample would have got is dropped too early."""
    net, artifact, inputs = loops(tmp_path)
    edited(artifact, lambda content: content.update(pause_steps=content["pause_steps"] - 1))
    first = first_difference(net, artifact, inputs)
    assert (first.sample, first.population, first.step) == (0, "hidden1", 7)


def test_populations_that_nothing_joins_run_too(tmp_path):
    net = fixed_loops()
    alone = (Population("apart", (3,), None), Population("biased", (4,), fixed_neuron("cuba", bias=6400)))
    net = replace(net, populations=(*net.populations, *alone))
    artifact = targets.export("lava", net, None, tmp_path / "a")
    inputs = spikes(net, samples=2, steps=8)
    verdict = compare(simulate(net, inputs, record=True), targets.load("lava").run(artifact, inputs, True, 60))
    assert verdict.exact, verdict.first
    assert verdict.fired["apart"] > 0
