"""Real Lava 0.10.0: it computes what the reference computes, and whatever is wrong in an artifact is found and named."""

import ast
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import golden
from cases.lava_networks import Wire, counted, network, rasters
from cases.networks import fixed_chain, spikes
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from snnc import store, targets
from snnc.analysis.range_proof import prove_ranges
from snnc.cli import main
from snnc.errors import RunError
from snnc.network.arithmetic import Fixed
from snnc.neurons.lif import LIF
from snnc.simulation.reference import simulate
from snnc.simulation.run import Run
from snnc.verification.compare import compare
from snnc.verification.prove import BYTES_PER_SLOT, from_noise

pytestmark = pytest.mark.lava

wires = st.builds(Wire, st.sampled_from(["mixed", "excitatory", "inhibitory"]), st.integers(-8, 7))


def run(artifact, inputs, timeout_s=120):
    return targets.load(artifact.target).run(artifact, inputs, True, timeout_s)


def cli(capsys, *words):
    """The exit code of a verb and the JSON object that it printed."""
    with pytest.raises(SystemExit) as end:
        main([*(str(w) for w in words), "--json"])
    return end.value.code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("count", [2, pytest.param(24, marks=pytest.mark.slow)])
def test_the_reference_computes_what_lava_computes(count, tmp_path):
    seen, number = Counter(), iter(range(10_000))

    @settings(
        max_examples=count, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(
        seed=st.integers(0, 2**32 - 1), six=st.lists(wires, min_size=6, max_size=6), message_bits=st.integers(1, 8),
        weight_bits=st.integers(1, 8), samples=st.integers(1, 4), steps=st.integers(1, 25),
    )  # fmt: skip
    def equal(seed, six, message_bits, weight_bits, samples, steps):
        net = network(seed, six, message_bits=message_bits, weight_bits=weight_bits)
        inputs = rasters(net, seed, samples, steps)
        artifact = targets.export("lava", net, None, tmp_path / str(next(number)))
        with counted() as limits:
            reference = simulate(net, inputs, record=True)
        verdict = compare(reference, run(artifact, inputs))
        assert verdict.first is None, verdict.first
        assert set(verdict.states) == {f"{p.name}.{v}" for p in net.populations if p.neuron for v in "uv"}
        seen.update(limits)
        seen.update(verdict.fired)
        seen.update(examples=1)

    equal()
    assert seen["examples"] >= count
    assert min(seen[name] for name in ("wrap", "saturate", "many", "alike", "output")) >= 5 * count, seen


@pytest.mark.parametrize("model", ["lif", "cuba"])
@pytest.mark.parametrize("bias", [0, -640, 4095 << 7])
def test_samples_of_one_step_with_biases(model, bias, tmp_path):
    net = fixed_chain(model=model, bias=bias, sizes=(12, 20, 9, 5), threshold=200)
    artifact = targets.export("lava", net, None, tmp_path / "a")
    inputs = spikes(net, samples=16, steps=1, rate=0.6)
    verdict = compare(simulate(net, inputs, record=True), run(artifact, inputs))
    assert verdict.first is None, verdict.first
    assert verdict.fired["hidden1"] > 0


@pytest.mark.parametrize("path", golden.FILES, ids=lambda path: path.stem)
def test_lava_still_says_what_it_said(path, tmp_path):
    net, inputs, recorded = golden.read(path, tmp_path)
    verdict = compare(recorded, run(targets.export("lava", net, None, tmp_path / "a"), inputs))
    assert verdict.first is None, verdict.first


@pytest.fixture
def exported(tmp_path):
    """A network whose voltages often meet the threshold exactly, its file and its artifact."""
    net = fixed_chain(sizes=(12, 20, 8, 5))
    net = replace(
        net,
        populations=tuple(replace(p, neuron=p.neuron and LIF(128, 0, 0)) for p in net.populations),
        connections=tuple(with_weights(c, np.minimum((c.op.synapses.values + 32) // 64 * 64, 192)) for c in net.connections),
    )
    store.save(net, tmp_path / "net.snnc")
    targets.export("lava", net, None, tmp_path / "artifact")
    return net, tmp_path / "net.snnc", tmp_path / "artifact"


def with_weights(connection, values):
    return replace(connection, op=replace(connection.op, synapses=connection.op.synapses.with_values(values)))


SAMPLES, RATE = 6, 0.3


def verify(capsys, path, artifact):
    return cli(capsys, "verify", artifact, "--against", path, "--random", RATE, "--samples", SAMPLES, "-q", "--as-it-is")


def input_of(net):
    return from_noise(net, net.encoding.steps, RATE, 0)(0, SAMPLES)


def assert_found(capsys, path, artifact, expected, altered):
    """verify exits with 1 and names the divergence that was computed without Lava."""
    code, said = verify(capsys, path, artifact)
    assert code == 1
    assert not said["ok"]
    assert expected.first is not None
    first = said["first"]
    assert (first["sample"], first["population"], first["step"], first["neuron"]) == (
        expected.first.sample, expected.first.population, expected.first.step, expected.first.neuron,
    )  # fmt: skip
    assert {k: tuple(v) for k, v in first["states"].items()} == dict(expected.first.states)
    assert tuple(first["spike"]) == expected.first.spike
    assert first["cause"] == expected.first.cause
    assert {k: v["mismatches"] for k, v in said["spikes"].items()} == {k: d for k, (_, d) in expected.spikes.items()}
    assert said["notes"] == ([f"{altered} is not what was exported"] if altered else [])


def with_population(net, name, **parameters):
    populations = (replace(p, neuron=replace(p.neuron, **parameters)) if p.name == name else p for p in net.populations)
    return replace(net, populations=tuple(populations))


def test_an_untouched_artifact_is_exact(exported, capsys):
    _, path, artifact = exported
    code, said = verify(capsys, path, artifact)
    assert (code, said["exact"], said["mismatches"], said["first"], said["notes"]) == (0, True, 0, None, [])
    assert min(count["fired"] for count in said["spikes"].values()) > 20


@pytest.mark.parametrize("connection", ["fc1", "fc2", "fc3"])
def test_one_flipped_weight_is_found(exported, capsys, connection):
    net, path, artifact = exported
    with np.load(artifact / "weights.npz") as file:
        weights = dict(file)
    weights[f"{connection}.data"][3] += 64 if weights[f"{connection}.data"][3] < 0 else -64
    np.savez(artifact / "weights.npz", **weights)
    values = weights[f"{connection}.data"].astype(np.int64)
    altered = replace(net, connections=tuple(with_weights(c, values) if c.name == connection else c for c in net.connections))
    expected = compare(simulate(net, input_of(net), record=True), simulate(altered, input_of(net), record=True))
    assert expected.first.population == net.connections[int(connection[2]) - 1].dst
    assert expected.first.cause.startswith("the current u")
    assert_found(capsys, path, artifact, expected, "weights.npz")


def edit_json(path, population, **changes):
    content = json.loads(path.read_text())
    next(p for p in content["populations"] if p["name"] == population).update(changes)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("population", ["hidden1", "output"])
def test_a_wrong_threshold_is_found(exported, capsys, population):
    net, path, artifact = exported
    registers = json.loads((artifact / "network.json").read_text())["populations"][1]["registers"]
    edit_json(artifact / "network.json", population, registers={**registers, "vth": 127})
    altered = with_population(net, population, threshold=127)
    expected = compare(simulate(net, input_of(net), record=True), simulate(altered, input_of(net), record=True))
    assert expected.first.population == population
    assert_found(capsys, path, artifact, expected, "network.json")


def test_greater_or_equal_is_found(exported, capsys, monkeypatch):
    net, path, artifact = exported
    program = (artifact / "run.py").read_text()
    patch = (
        "from lava.proc.lif.models import PyLifResetModelBitAcc as M\nM.spiking_activation = lambda s: s.v >= s.effective_vth\n"
    )
    (artifact / "run.py").write_text(program.replace("class Recorder(", f"{patch}\n\nclass Recorder(", 1))
    reference = simulate(net, input_of(net), record=True)
    with monkeypatch.context() as m:
        m.setattr(Fixed, "above", lambda self, v, threshold: (v >= threshold).astype(np.uint8))
        altered = simulate(net, input_of(net), record=True)
    expected = compare(reference, altered)
    assert "threshold" in expected.first.cause
    assert_found(capsys, path, artifact, expected, "run.py")


def test_a_wrong_latency_is_found(exported, capsys):
    """What a population does in one step is taken for what it does in the step before."""
    net, path, artifact = exported
    manifest = json.loads((artifact / "manifest.json").read_text())
    manifest["latency"]["output"] += 1
    (artifact / "manifest.json").write_text(json.dumps(manifest))
    reference = simulate(net, input_of(net), record=True)
    spikes_late = {**reference.spikes, "output": one_step_early(reference.spikes["output"])}
    states_late = {**reference.states, "output": {k: one_step_early(v) for k, v in reference.states["output"].items()}}
    expected = compare(reference, Run("lava", net.dt_s, spikes_late, states_late, {}))
    code, said = verify(capsys, path, artifact)
    assert code == 1
    assert (said["first"]["sample"], said["first"]["population"], said["first"]["step"]) == (
        expected.first.sample, "output", expected.first.step,
    )  # fmt: skip
    assert said["spikes"]["hidden2"]["mismatches"] == 0


def one_step_early(raster):
    samples, steps, n = raster.shape
    flat = raster.reshape(-1, n)
    return np.concatenate([flat[1:], flat[-1:]]).reshape(samples, steps, n)


def test_a_reset_one_step_late_is_found(tmp_path, capsys):
    """A population with a bias then starts one step too early."""
    net = fixed_chain(sizes=(12, 20, 5), bias=640, threshold=300)
    store.save(net, tmp_path / "net.snnc")
    artifact = targets.export("lava", net, None, tmp_path / "artifact")
    edit_json(artifact.root / "network.json", "hidden1", reset_offset=3)
    early = {"input": np.concatenate([np.zeros((1, 1, 12), np.int64), input_of(net)["input"][:1]], axis=1)}
    expected = simulate(net, early, record=True)
    code, said = verify(capsys, tmp_path / "net.snnc", artifact.root)
    assert code == 1
    first = said["first"]
    assert (first["sample"], first["population"], first["step"]) == (0, "hidden1", 0)
    assert first["states"]["v"][1] == expected.states["hidden1"]["v"][0, 1, first["neuron"]]


def test_silence_proves_nothing(tmp_path, capsys):
    """Where the voltage may exceed the threshold, by its bound, and never does; a threshold above the bound is proved silent."""
    bound = next(c for c in prove_ranges(fixed_chain(threshold=131071)).certificates if c.population == "hidden1")
    highest = max(register.high for register in bound.registers if register.state == "v")
    net = fixed_chain(threshold=(highest >> 6) - 1)
    store.save(net, tmp_path / "net.snnc")
    targets.export("lava", net, None, tmp_path / "artifact")
    code, said = verify(capsys, tmp_path / "net.snnc", tmp_path / "artifact")
    assert (code, said["exact"], said["first"], said["silent"]) == (1, False, None, ["hidden1"])


def test_the_verdict_does_not_depend_on_how_samples_are_batched(exported, capsys, monkeypatch):
    net, path, artifact = exported
    registers = json.loads((artifact / "network.json").read_text())["populations"][1]["registers"]
    edit_json(artifact / "network.json", "output", registers={**registers, "vth": 256})
    at_once = verify(capsys, path, artifact)[1]
    monkeypatch.setattr(
        "snnc.verification.prove.BYTES_AT_ONCE", 2 * BYTES_PER_SLOT * net.encoding.steps * sum(p.size for p in net.populations)
    )
    by_twos = verify(capsys, path, artifact)[1]
    assert at_once["first"] is not None
    assert by_twos == at_once


def test_the_program_runs_without_snnc(exported, tmp_path):
    net, _, artifact = exported
    inputs = input_of(net)
    np.savez(tmp_path / "in.npz", **inputs)
    without = "import sys, runpy; sys.modules['snnc'] = None; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", without, artifact / "run.py", tmp_path / "in.npz", tmp_path / "out.npz"]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=120)
    reference = simulate(net, inputs, record=True)
    with np.load(tmp_path / "out.npz", allow_pickle=False) as outputs:
        for name, raster in reference.spikes.items():
            np.testing.assert_array_equal(outputs[name], raster)
    tree = ast.walk(ast.parse((artifact / "run.py").read_text()))
    assert "snnc" not in {node.module.split(".")[0] for node in tree if isinstance(node, ast.ImportFrom)}


def running(artifact):
    """Processes that still run the program of an artifact (seen on Linux only)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line, state = (folder / "cmdline").read_bytes(), (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if str(artifact).encode() in line and state != "Z":
            found.append(line)
    return found


def shared_memory():
    return {path.name for path in Path("/dev/shm").glob("psm_*")}


def gone_within(seconds, names):
    """Shared memory is given back by a process that outlives the run for a moment."""
    give_up = time.monotonic() + seconds
    while names & shared_memory() and time.monotonic() < give_up:
        time.sleep(0.1)
    return not names & shared_memory()


PATCH = """from lava.proc.lif.models import PyLifResetModelBitAcc as M
def broken(self):
    {what}
M.run_spk = broken


class Recorder("""


@pytest.mark.parametrize(
    ("what", "timeout_s", "message"),
    [
        ("raise ValueError('the synapse is on fire')", 60, "exit code 1; it says: ValueError: the synapse is on fire"),
        ("import time; time.sleep(1000)", 4, "did not finish within 4 s"),
        ("import os; os._exit(3)", 4, "did not finish within 4 s"),
    ],
)
def test_a_failing_run_is_one_error_and_leaves_nothing(exported, what, timeout_s, message):
    net, _, root = exported
    (root / "run.py").write_text((root / "run.py").read_text().replace("class Recorder(", PATCH.format(what=what), 1))
    memory = shared_memory()
    with pytest.raises(RunError) as caught:
        run(targets.read_artifact(root), input_of(net), timeout_s)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert running(root) == []
    assert gone_within(30, shared_memory() - memory)
