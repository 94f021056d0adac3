"""SANA-FE itself runs what is exported: spikes, states and counts are those of our simulator, costs those of the profile."""

import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.networks import fixed_chain, fixed_loops, float_chain, spikes
from click.testing import CliRunner
from snnc.exporters import sanafe

from snnc import chips, store, targets
from snnc.cli import main
from snnc.errors import UnsupportedError
from snnc.mapping.choose import map_by
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.mapping.task import Task
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare
from snnc.verification.prove import from_noise, synaptic_operations, verify_artifact

pytestmark = pytest.mark.skipif(find_spec("sanafe") is None, reason="sanafe is not installed: pip install '.[sanafe]'")

LOIHI1 = chips.load("loihi1")
SMALL = replace(LOIHI1, name="small", limits={**LOIHI1.limits, "neurons_per_core": 24})


def exported(net, folder, chip=SMALL, strategy="greedy", **options):
    mapping = map_by(Task.of(net, chip), strategy).mapping
    return targets.export("sanafe", net, mapping, folder, **options)


NETWORKS = {
    "chain": lambda: fixed_chain(1, (12, 60, 30, 5), exponent=1),
    "biases": lambda: fixed_chain(2, (12, 40, 30, 5), bias=640),
    "loops": lambda: fixed_loops(0, (12, 60, 5)),
    "conv, biases and delays": lambda: convolutional(delays=True),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_spikes_states_and_operations_are_equal(name, tmp_path):
    net = NETWORKS[name]()
    artifact = exported(net, tmp_path / "a", strategy="patches")
    proof = verify_artifact(artifact, net, from_noise(net, 14, 0.3, 0), samples=3, by="reference", chip=SMALL)
    assert proof.exact, proof.verdict.first
    assert len(proof.verdict.states) == 2 * sum(p.neuron is not None for p in net.populations)
    assert proof.measured["synaptic_operations"] == proof.operations > 500
    assert proof.notes == (sanafe.REMARK,)


def test_run_length_synapses_cost_what_sparse_ones_do(tmp_path):
    net = fixed_chain(1, (12, 60, 30, 5), density=0.3)
    chip = chips.load("loihi1_nxtf")
    artifact = exported(net, tmp_path / "a", chip=replace(chip, storage=replace(chip.storage, formats=("run-length",))))
    assert verify_artifact(artifact, net, from_noise(net, 14, 0.3, 0), samples=1, by="reference", as_it_is=True).exact
    edges = (artifact.root / "network.yaml").read_text()
    assert edges.count("synapse_hw_name: sparse") == sum(c.op.synapse_count for c in net.connections)


@pytest.mark.parametrize("chip", ["loihi1", "loihi2", "kapoho_bay"])
def test_packets_and_hops_are_those_of_the_census(chip, tmp_path):
    net, limits = fixed_chain(3, (12, 90, 90, 10), density=0.2), {"neurons_per_core": 6}
    profile = replace(chips.load(chip), limits={**chips.load(chip).limits, **limits})
    inputs = spikes(net, samples=2)
    run = simulate(net, inputs)
    rates = {name: raster.astype(float).sum(axis=(0, 1)) for name, raster in run.spikes.items()}
    mapped = map_by(Task.of(net, profile, rates), "sequential")
    found = targets.load("sanafe").run(targets.export("sanafe", net, mapped.mapping, tmp_path / "a"), inputs, False, 100)
    assert compare(run, found).exact
    assert found.measured["packets"] == mapped.census.packets
    assert found.measured["packet_hops"] == mapped.packet_hops > 100
    assert found.measured["synaptic_operations"] == mapped.census.operations.sum() == synaptic_operations(net, run.spikes)


def test_energy_and_time_are_made_of_the_costs_of_the_profile(tmp_path):
    net = fixed_chain(1, (12, 40, 30, 5))
    costs = LOIHI1.costs
    free = {name: 0.0 for name in costs.__dict__ if name.endswith(("_pj", "_ns")) and name != "barrier_ns"}
    only = {
        "synapses": replace(costs, **free | {"synapse_sparse_pj": 2.0, "synapse_dense_pj": 2.0}),
        "axons": replace(costs, **free | {"axon_in_pj": 3.0}),
        "barrier": replace(costs, **free, barrier_tiles=(1, 2), barrier_ns=(5000.0, 5000.0)),
        "all": costs,
        "unknown": None,
    }
    inputs = spikes(net, samples=2)
    told = {}
    for name, made in only.items():
        artifact = exported(net, tmp_path / name, replace(SMALL, costs=made))
        told[name] = targets.load("sanafe").run(artifact, inputs, False, 100).measured
    late = 16 + 3  # steps of a sample until the last population has done all of its own
    assert told["synapses"]["energy_j"] >= 2e-12 * told["synapses"]["synaptic_operations"] > 1e-9
    assert told["axons"]["energy_j"] >= 3e-12 * told["axons"]["packets"]
    assert told["barrier"]["energy_j"] == 0
    assert told["barrier"]["time_s"] == pytest.approx(2 * late * 5e-6)
    assert told["all"]["energy_j"] > 0 < told["all"]["time_s"]
    assert "energy_j" not in told["unknown"]
    assert told["unknown"]["synaptic_operations"] == told["all"]["synaptic_operations"]


def test_what_sana_fe_cannot_do_exactly_is_refused(tmp_path):
    def problems(net):
        with pytest.raises(UnsupportedError) as caught:
            exported(net, tmp_path / "a")
        return str(caught.value)

    assert "rounds each sum down, SANA-FE adds fractions" in problems(fixed_chain(exponent=-2))
    assert "the current decay in floats" in problems(fixed_chain(model="cuba"))
    graded = fixed_chain()
    graded = replace(graded, populations=(replace(graded.populations[0], message_bits=4), *graded.populations[1:]))
    assert "SANA-FE's spikes carry none" in problems(graded)
    assert sanafe.problems(fixed_chain(), None) == ["it has no mapping to cores"]
    mapping = place(fixed_chain(), split(fixed_chain(), LOIHI1), LOIHI1)
    assert "quantise it first" in sanafe.problems(float_chain(), mapping)[0]


@pytest.fixture
def model(tmp_path):
    store.save(fixed_chain(1, (12, 40, 30, 5)), tmp_path / "net.snnc")
    return tmp_path / "net.snnc"


def called(*words):
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
def test_verify_prints_the_figures_with_their_error(chip, model, tmp_path):
    """And leaves out those whose constants nobody has published."""
    assert called("export", model, "-t", "sanafe", "--hw", chip, "-o", tmp_path / "a").exit_code == 0
    done = called("verify", tmp_path / "a", "--against", model, "--random", "0.3", "--samples", "2")
    assert done.exit_code == 0, done.output
    for words in ("12 % of energy and 25 % of time", "synaptic operations", "EXACT"):
        assert words in done.stdout
    assert ("energy_j, time_s: unknown" in done.stdout) == (chip == "loihi2")
    body = json.loads(called("verify", tmp_path / "a", "--against", model, "--random", "0.3", "--json").stdout)
    assert ("energy_j" in body["measured"]) == (chip == "loihi1")
    assert body["measured"]["synaptic_operations"] == body["synaptic_operations"] > 0


def test_an_edge_too_many_is_found_though_no_spike_differs(model, tmp_path):
    net = store.load(model)
    artifact = exported(net, tmp_path / "a")
    path = artifact.root / "network.yaml"
    missing = next(j for j in range(40) if f"input.0 -> hidden1.{j}:" not in path.read_text())
    edge = f"    - input.0 -> hidden1.{missing}: {{weight: 0, synapse_hw_name: sparse}}\n"
    path.write_text(path.read_text().replace("  edges:\n", "  edges:\n" + edge))
    done = called("verify", artifact.root, "--against", model, "--random", "0.5", "--samples", "2", "--as-it-is")
    assert done.exit_code == 1
    assert "NOT EXACT: sanafe 2.2.9 counted" in done.stdout
    assert "note: network.yaml is not what was exported" in done.stdout


def test_a_weight_that_differs_is_found(model, tmp_path):
    artifact = exported(store.load(model), tmp_path / "a")
    path = artifact.root / "network.yaml"
    path.write_text(path.read_text().replace("weight: ", "weight: 1", 40))
    done = called("verify", artifact.root, "--against", model, "--random", "0.5", "--samples", "2", "--as-it-is")
    assert done.exit_code == 1
    assert "NOT EXACT: first at" in done.stdout


def test_each_sample_starts_afresh(tmp_path):
    """Spikes on their way over a delay at the end of a sample are not seen by the next."""
    net = fixed_loops(0, (12, 60, 5))
    artifact, inputs = exported(net, tmp_path / "a"), spikes(net, samples=4, rate=0.6)
    together = targets.load("sanafe").run(artifact, inputs, True, 100)
    alone = targets.load("sanafe").run(artifact, {name: raster[3:] for name, raster in inputs.items()}, True, 100)
    for name, raster in alone.spikes.items():
        assert raster.any()
        np.testing.assert_array_equal(together.spikes[name][3:], raster)
