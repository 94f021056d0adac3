"""Targets that compute what the reference computes, in every spike and state: onnx in onnxruntime, c compiled by gcc."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from cases import lava_networks
from cases.convolutions import convolutional
from cases.lava_graphs import generated, traits
from cases.networks import LOIHI, fixed_chain, fixed_loops, float_chain, spikes
from cases.programs import changes, run, takes, varied
from snnc.exporters.verilog import REMARK

from snnc import neurons, store, targets
from snnc.cli import main
from snnc.errors import FileError, MissingDependencyError, RunError, UnsupportedError
from snnc.network.arithmetic import Float
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

TARGETS = ("c", "onnx", pytest.param("verilog", marks=pytest.mark.hdl))
OFTEN = ("dense", "one_to_one", "conv2d", "sumpool2d", "pooled", "groups", "axons", "synapses", "delayed", "recurrent", "back",
         "skip", "across_samples", "active")  # fmt: skip
STRICT = "gcc -O0 -Werror -Wconversion -fsanitize=undefined,address -fno-sanitize-recover=all"


@pytest.fixture(autouse=True)
def strict_compiler(monkeypatch):
    """Undefined behaviour and every warning are errors."""
    monkeypatch.setenv("CC", STRICT)


def verdict(target, net, inputs, folder):
    return compare(simulate(net, inputs, record=True), run(target, net, inputs, folder))


def all_states(net):
    return {f"{p.name}.{v}" for p in net.populations if p.neuron for v in p.neuron.variables()}


@pytest.mark.parametrize("target", TARGETS)
def test_generated_graphs_compute_what_the_reference_computes(target, tmp_path):
    """Every neuron, every operator, every delay, several samples, messages of up to 6 bits."""
    agree(target, 24 if target == "onnx" else 14, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_many_generated_graphs_compute_what_the_reference_computes(target, tmp_path):
    agree(target, 100, tmp_path)


def agree(target, count, tmp_path):
    """Hold a target against the reference on generated graphs; enough has to happen in them."""
    seen, models = Counter(), Counter()
    for turn, graph in enumerate(generated(count)):
        net = varied(graph, target, turn if turn < len(takes(target)) else None)  # each model once, then mixtures
        inputs = lava_networks.rasters(net, graph.seed, graph.samples, graph.steps)
        reference = simulate(net, inputs, record=True)
        found = compare(reference, run(target, net, inputs, tmp_path / "a"))
        assert found.first is None, (graph, found.first)
        assert set(found.states) == all_states(net)
        seen.update(traits(graph, reference))
        alive = [p for p in net.populations if p.neuron and reference.states[p.name][p.neuron.readout].any()]
        models.update(p.neuron.model() for p in alive)
    assert min(seen[name] for name in OFTEN) > 0, seen
    assert min(models[name] for name in takes(target)) > 0, models


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("bits", [7, 8, 14])
def test_large_messages_and_every_sign(target, bits, tmp_path):
    """Messages that do not fit a byte, weights at the ends of their grids, exponents of both signs; u wraps, v saturates."""
    signs = ["mixed", "excitatory", "inhibitory"]
    wires = [lava_networks.Wire(signs[i % 3], (-4, 0, 3)[i // 2]) for i in range(6)]
    net = lava_networks.network(bits, wires, message_bits=bits)
    inputs = lava_networks.rasters(net, bits, 3, 30)
    with lava_networks.counted() as limits:
        found = verdict(target, net, inputs, tmp_path / "a")
    assert found.first is None, found.first
    assert min(found.fired["many"], found.fired["output"]) > 0
    assert bits == 14 or min(limits["wrap"], limits["saturate"]) > 0  # the weights of the largest messages are small


@pytest.mark.parametrize("target", TARGETS)
def test_the_edges_of_u_are_met_exactly(target, tmp_path):
    net = lava_networks.edges()
    found = verdict(target, net, {"spikes": np.ones((1, 40, 6), np.uint8)}, tmp_path / "a")
    assert found.exact, found.first


@pytest.mark.parametrize("target", TARGETS)
def test_v_saturates_at_both_ends(target, tmp_path):
    """Of readouts: neurons that fire never stay at the upper end."""
    net = fixed_chain(model="li", steps=40)
    bias = np.array([524_160, -524_160, 524_160, -524_160, 0])
    readout = replace(net["output"], neuron=replace(net["output"].neuron, decay_v=np.array(0), bias=bias))
    net = replace(net, populations=(*net.populations[:-1], readout))
    inputs = spikes(net)
    reached = simulate(net, inputs).states["output"]["v"]
    assert (reached.max(), reached.min()) == (2**23 - 1, 1 - 2**23)
    found = verdict(target, net, inputs, tmp_path / "a")
    assert found.exact, found.first


@pytest.mark.parametrize("target", TARGETS)
def test_other_widths_than_a_chips(target, tmp_path):
    """32-bit states, which +2**31 leaves, 20-bit decays, 4-bit weights."""
    numeric = replace(LOIHI, state_bits=32, decay_bits=20, weight_bits=4, weight_exponent_max=8, state_shift=12)
    net = fixed_chain(numeric=numeric, exponent=8, threshold=40_000)
    neuron = replace(net["hidden1"].neuron, decay_v=np.array(1 << 14), bias=np.array(-500_000))
    net = replace(net, populations=(net["input"], replace(net["hidden1"], neuron=neuron), net["output"]))
    found = verdict(target, net, spikes(net, rate=0.8), tmp_path / "a")
    assert found.exact, (found.first, found.silent)


@pytest.mark.parametrize("model", neurons.names())
@pytest.mark.parametrize("case", [float_chain, convolutional])
def test_onnx_computes_floats_bit_for_bit(case, model, tmp_path):
    net = float_chain(model=model) if case is float_chain else convolutional(Float(), delays=model == "lif")
    found = verdict("onnx", net, spikes(net), tmp_path / "a")
    assert found.exact, found.first
    assert set(found.states) == all_states(net)


@pytest.mark.parametrize("target", TARGETS)
def test_one_changed_number_is_found(target, tmp_path):
    """The program of a network that differs in one number is not the program of this one."""
    net = fixed_loops()
    inputs = spikes(net, samples=4)
    reference = simulate(net, inputs, record=True)
    assert compare(reference, run(target, net, inputs, tmp_path / "a")).exact
    for what, other in changes(net).items():
        first = compare(reference, run(target, other, inputs, tmp_path / "a")).first
        assert first is not None, what
        assert first.population == ("output" if what == "delay" else "hidden1"), what


def verify(folder, capsys):
    words = ["--random", "0.4", "--samples", "3", "--json"]
    with pytest.raises(SystemExit) as end:
        main(["verify", str(folder / "a"), "--against", str(folder / "net"), "--as-it-is", *words])
    return end.value.code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("target", TARGETS)
def test_the_command_line_proves_and_refutes(target, tmp_path, capsys):
    net = fixed_loops()
    store.save(net, tmp_path / "net")
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path / "net"), "-t", target, "-o", str(tmp_path / "a"), "--json"])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out)["bytes"] > 1000
    code, said = verify(tmp_path, capsys)
    remarks = [REMARK] if target == "verilog" else []
    assert (code, said["exact"], said["notes"]) == (0, True, remarks)
    assert said["states"]["hidden1.v"]["compared"] > 0
    targets.export(target, changes(net)["weight"], None, tmp_path / "a", force=True)
    code, said = verify(tmp_path, capsys)
    assert (code, said["first"]["population"]) == (1, "hidden1")
    assert "the artifact was made from network" in said["notes"][0]


def test_a_float_network_is_verified_against_a_float_network(tmp_path, capsys):
    store.save(float_chain(), tmp_path / "net")
    targets.export("onnx", float_chain(), None, tmp_path / "a")
    code, said = verify(tmp_path, capsys)
    assert (code, said["exact"]) == (0, True)
    store.save(fixed_chain(), tmp_path / "net", force=True)
    code, said = verify(tmp_path, capsys)
    assert (code, "is a fixed network, the artifact was made from a float one" in said["message"]) == (2, True)


def test_c_takes_no_floats(tmp_path):
    with pytest.raises(UnsupportedError, match="float network; quantise it first"):
        targets.export("c", float_chain(), None, tmp_path / "a")


@pytest.mark.parametrize(
    ("target", "setting", "said"),
    [("onnx", "SNNC_ONNX_PYTHON", "install it: pip install onnx onnxruntime"), ("c", "CC", "install one: apt-get install gcc")],
)
def test_what_is_missing_is_named(target, setting, said, tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv(setting, str(script) if target == "onnx" else "no-such-compiler -O1")
    artifact = targets.export(target, fixed_chain(), None, tmp_path / "a")
    with pytest.raises(MissingDependencyError, match=said):
        targets.load(target).run(artifact, spikes(fixed_chain()), True, 60)


def c_artifact(folder):
    return targets.export("c", fixed_chain(), None, folder / "a")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "[" * 100_000, '{"inputs": [["input", 12]], "neurons": [["hidden1", 0, []], ["output", 5, []]]}',
     '{"inputs": [["input", 12]], "neurons": [["hidden1", 20, ["u", "v"]]]}', '{"inputs": 3, "neurons": 4}'],
)  # fmt: skip
def test_a_damaged_description_is_one_error(content, tmp_path):
    artifact = c_artifact(tmp_path)
    (artifact.root / "network.json").write_text(content)
    with pytest.raises(FileError, match=r"network\.json: ") as caught:
        targets.load("c").run(artifact, spikes(fixed_chain()), True, 60)
    assert "\n" not in str(caught.value)


def test_a_program_of_another_size_is_one_error(tmp_path):
    artifact = c_artifact(tmp_path)
    path = artifact.root / "network.json"
    path.write_text(path.read_text().replace("20", "21"))
    with pytest.raises(RunError, match=r"left .* numbers, not"):
        targets.load("c").run(artifact, spikes(fixed_chain()), True, 60)


def test_an_error_of_the_compiler_is_shown(tmp_path):
    artifact = c_artifact(tmp_path)
    (artifact.root / "snn.c").write_text("int main(void)\n{\n    return x;\n}\n")
    with pytest.raises(RunError, match=r"C compiler failed with exit code 1; it says: .*snn\.c:3:12: error: .x. undeclared"):
        targets.load("c").run(artifact, spikes(fixed_chain()), True, 60)


def test_a_c_program_that_never_ends_is_ended(tmp_path):
    artifact = c_artifact(tmp_path)
    (artifact.root / "run.c").write_text("int main(void)\n{\n    for (;;)\n        ;\n}\n")
    with pytest.raises(RunError, match=r"the C program did not finish within 4 s"):
        targets.load("c").run(artifact, spikes(fixed_chain()), True, 4)  # seconds: the compiler has them, too


@pytest.mark.parametrize("case", [fixed_loops(), convolutional(delays=True)], ids=["loops", "convolutional"])
def test_sizes_are_those_of_the_compiler(case, tmp_path):
    artifact = targets.export("c", case, None, tmp_path / "a")
    said = json.loads((artifact.root / "network.json").read_text())
    (tmp_path / "size.c").write_text(
        '#include <stdio.h>\n#include "snn.c"\nint main(void) { printf("%d", (int)(sizeof(snn_state) == SNN_STATE_BYTES)); }\n'
    )
    subprocess.run(["gcc", "-std=c99", "-I", artifact.root, tmp_path / "size.c", "-o", tmp_path / "size"], check=True)
    assert subprocess.run([tmp_path / "size"], capture_output=True, check=True).stdout == b"1"
    subprocess.run(["gcc", "-c", "-O0", "-I", artifact.root, artifact.root / "snn.c", "-o", tmp_path / "snn.o"], check=True)
    sections = subprocess.run(["size", "-A", tmp_path / "snn.o"], capture_output=True, text=True, check=True).stdout.split("\n")
    tables = next(int(line.split()[1]) for line in sections if line.startswith(".rodata"))
    assert said["table_bytes"] <= tables <= said["table_bytes"] + 32 * 30  # gcc aligns large arrays to 32 bytes
    assert f"SNN_STATE_BYTES {said['state_bytes']} " in (artifact.root / "snn.h").read_text()


@pytest.mark.parametrize("name", ["a */ int x; /* b", "// ends in \\\\", "??/ ??=", "Ünïcode", "int"])
def test_names_do_not_become_code(name, tmp_path):
    """Neither that of the network nor those of populations, which may be words of C."""
    net = fixed_chain(sizes=(6, 12, 5), density=0.9, threshold=100)
    words = {"input": "for", "hidden1": "int64_t", "output": "s", "fc1": "double", "fc2": "i"}
    populations = tuple(replace(p, name=words[p.name]) for p in net.populations)
    wires = tuple(replace(c, name=words[c.name], src=words[c.src], dst=words[c.dst]) for c in net.connections)
    net = replace(net, name=name, populations=populations, connections=wires)
    found = verdict("c", net, spikes(net), tmp_path / "a")
    assert found.exact, (found.first, found.silent)


def test_c_refuses_what_its_registers_cannot_hold(tmp_path):
    net = fixed_chain(sizes=(40, 4, 2), density=1.0, model="cuba", exponent=7)
    with pytest.raises(UnsupportedError, match=r"population 'hidden1' can get a current of .* at most 16,777,216"):
        targets.export("c", net, None, tmp_path / "a")
