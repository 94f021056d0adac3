"""Neurons that Lava lacks, as processes of snnc's own: exact in real Lava, plainly marked, and refused where they cannot be."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from cases.lava_graphs import generated, run_all
from cases.lava_networks import Wire, counted, network, rasters
from cases.networks import fixed_chain, spikes
from cases.programs import other, varied
from snnc.exporters import lava
from snnc.exporters.lava import own_neurons

from snnc import neurons, targets
from snnc.network.neuron import StateVar
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

OWN = own_neurons.own({name for name in neurons.names() if not own_neurons.neuron_problem(name)})


def whole_range(model, seed):
    """A network of these neurons and legal parameters of any size, whose registers overflow."""
    net, rng = network(seed, [Wire(exponent=e) for e in (0, 3, 5, 0, 5, 2)]), np.random.default_rng(seed)
    return replace(net, populations=tuple(replace(p, neuron=p.neuron and other(p.neuron, model, rng)) for p in net.populations))


def agree(cases, folder):
    """Hold real Lava against the reference; what happened on the way, counted."""
    seen = Counter()
    for (net, inputs), run in zip(cases, run_all(cases, folder), strict=True):
        with counted() as limits:
            reference = simulate(net, inputs, record=True)
        verdict = compare(reference, run)
        assert verdict.first is None, (net.name, verdict.first)
        assert len(verdict.states) == sum(len(p.neuron.variables()) for p in net.populations if p.neuron)
        seen.update(limits)
        seen.update(p.neuron.model() for p in net.populations if p.neuron and verdict.fired[p.name])
    return seen


@pytest.mark.lava
@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_every_neuron_computes_what_the_reference_computes(rounds, tmp_path):
    """Several samples; registers wrap and saturate as those of the network do."""
    nets = [whole_range(model, 10 * i + k) for k, model in enumerate(OWN) for i in range(rounds)]
    seen = agree([(net, rasters(net, i, 3, 20)) for i, net in enumerate(nets)], tmp_path)
    assert min(seen[name] for name in (*OWN, "wrap", "saturate")) >= rounds, seen


@pytest.mark.lava
@pytest.mark.slow
def test_generated_graphs_of_every_neuron_compute_what_the_reference_computes(tmp_path):
    """Loops, recurrence, delays across samples, every operator."""
    seen = agree([(net := varied(g, "lava"), rasters(net, g.seed, g.samples, g.steps)) for g in generated(100)], tmp_path)
    assert min(seen[name] for name in OWN) >= 10, seen


@pytest.mark.lava
def test_a_step_that_is_altered_is_found(tmp_path):
    net = fixed_chain(model="cuba_subtract", threshold=100)
    artifact = targets.export("lava", net, None, tmp_path / "a")
    path, inputs = artifact.root / "neurons.py", spikes(net, samples=3, rate=0.5)
    text = path.read_text()
    for right, wrong in ((" - lift0", " - lift0 - 1"), ("self.v[:] = 0", "pass")):
        assert text.count(right) == 1
        path.write_text(text.replace(right, wrong))
        verdict = compare(simulate(net, inputs, record=True), lava.run(artifact, inputs, True, 60))
        assert verdict.first is not None, right


def test_the_file_says_whose_it_is_and_is_there_only_where_it_is_needed(tmp_path):
    own = targets.export("lava", fixed_chain(model="cuba_subtract"), None, tmp_path / "own")
    text = (own.root / "neurons.py").read_text()
    assert "These processes are snnc's own, not Lava's." in text
    assert "Neurons 'cuba_subtract' of snnc; not a process of Lava." in text
    assert "CubaRefractoryNeurons" not in text
    compile(text, "neurons.py", "exec")
    assert "neurons.py" in own.files
    assert not (targets.export("lava", fixed_chain(), None, tmp_path / "lavas").root / "neurons.py").exists()
    assert OWN == ("adaptive_lif", "catalyst", "cuba_refractory", "cuba_subtract", "resonate")


def test_what_no_process_can_be_written_for_is_refused(monkeypatch):
    model = neurons.get("cuba_subtract")
    monkeypatch.setattr(model, "states", (*model.states, *(StateVar(f"x{i}", "none", "other") for i in range(7))))
    assert own_neurons.neuron_problem("cuba_subtract") == "it has 9 states, the program for Lava records at most 8"
    monkeypatch.setattr(model, "states", (*model.states[:2], StateVar("phase", "none", "other")))
    assert "its 'phase' is the name of something else in a process of Lava" in own_neurons.neuron_problem("cuba_subtract")
    monkeypatch.setattr(model, "states", (*model.states[:2], StateVar("bias", "none", "other")))
    assert "its 'bias' is the name of something else" in own_neurons.neuron_problem("cuba_subtract")


NAMES = """
import json, sys
sys.path.insert(0, sys.argv[1])
import run
class Plain(run.AbstractProcess):
    def __init__(self):
        super().__init__()
model = run.PyLoihiProcessModel.__init__.__code__.co_names + run.PyLoihiProcessModel.__bases__[0].__init__.__code__.co_names
print(json.dumps(sorted({*dir(Plain()), *dir(run.PyLoihiProcessModel), "a_in", "s_out", *model} - {*dir(run)})))
"""


@pytest.mark.lava
def test_the_names_that_lava_has_are_reserved(tmp_path):
    artifact = targets.export("lava", fixed_chain(), None, tmp_path / "a")
    done = subprocess.run([sys.executable, "-c", NAMES, artifact.root], capture_output=True, text=True, check=True)
    taken = {name for name in json.loads(done.stdout.splitlines()[-1]) if not name.startswith("_") and name.islower()}
    others = {"super", "update", "selector"}  # that only the code of Lava's constructors uses
    assert taken - others - own_neurons.RESERVED == set()


def test_a_bias_off_the_grid_of_lavas_lif_is_taken_by_a_process_of_ours():
    for model, refused in (("lif", True), ("cuba_subtract", False)):
        net = fixed_chain(model=model, bias=8191)
        assert bool(lava.problems(net, None)) == refused
