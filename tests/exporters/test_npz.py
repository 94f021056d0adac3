"""Plain data: NumPy and the standard library read it, and the network can be computed from it."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.networks import fixed_chain, fixed_loops, float_chain, spikes
from cases.programs import changes
from snnc.exporters.npz.program import operations

from snnc import neurons, store, targets
from snnc.cli import main
from snnc.network.arithmetic import Float
from snnc.network.model import Stage, arrays
from snnc.simulation.reference import simulate


def exported(net, folder):
    return targets.export("npz", net, None, folder, force=True).root


CASES = {
    "loops": fixed_loops,
    "exponents": lambda: fixed_chain(exponent=2, bias=640),
    "convolutions": lambda: convolutional(delays=True),
    "floats": lambda: convolutional(Float(), delays=True),
    **{f"float {model}": lambda model=model: float_chain(model=model) for model in neurons.names()},
}


def computed(root, inputs):
    """The spikes and states that the program of an artifact finds, in a folder where nothing but Python and NumPy is."""
    np.savez(root.parent / "inputs.npz", **inputs)
    words = [sys.executable, "-I", root / "run.py", root.parent / "inputs.npz", root.parent / "outputs.npz"]
    subprocess.run(words, cwd=root.parent, check=True)
    with np.load(root.parent / "outputs.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("case", CASES)
def test_the_network_can_be_computed_from_it(case, tmp_path):
    net = CASES[case]()
    inputs = spikes(net)
    expected, found = simulate(net, inputs, record=True), computed(exported(net, tmp_path / "a"), inputs)
    for p in net.populations:
        assert np.array_equal(found[p.name], expected.spikes[p.name])
        assert any(array.any() for key, array in found.items() if key in (p.name, f"{p.name}.v"))
        for variable, states in expected.states.get(p.name, {}).items():
            assert np.array_equal(found[f"{p.name}.{variable}"], states)


def test_the_program_imports_nothing_of_snnc(tmp_path):
    program = (exported(fixed_chain(), tmp_path / "a") / "run.py").read_text()
    imported = re.findall(r"^ *(?:import|from) ([.\w]+)", program, re.MULTILINE)
    assert set(imported) == {"json", "sys", "pathlib", "typing", "zipfile", "zlib", "numpy"}


def test_what_the_words_of_a_step_mean_is_said(tmp_path):
    said = json.loads((exported(fixed_chain(model="cuba_refractory"), tmp_path / "a") / "network.json").read_text())
    used = {operation for step in said["steps"].values() for _, operation, *_ in step["do"]}
    assert {"decay", "wrap", "positive", "clear"} <= used <= set(said["operations"])
    assert set(said["operations"]) == set(operations({"kind": "float"}))


@pytest.mark.parametrize("what", ["weight", "shift", "threshold", "decay_v", "bias", "delay"])
def test_a_changed_number_is_in_it(what, tmp_path):
    net = fixed_loops()
    inputs = spikes(net, samples=1, steps=300)
    expected = simulate(net, inputs, record=True)
    found = computed(exported(changes(net)[what], tmp_path / "a"), inputs)
    name = "output" if what == "delay" else "hidden1"
    assert not np.array_equal(found[f"{name}.v"], expected.states[name]["v"])


@pytest.mark.parametrize("net", [fixed_loops(), convolutional(delays=True), float_chain()], ids=["loops", "conv", "float"])
def test_every_array_and_word_of_the_network_is_there(net, tmp_path):
    root = exported(net, tmp_path / "a")
    with np.load(root / "network.npz", allow_pickle=False) as data:
        assert len(data.files) == len(list(arrays(net)))
        for key, array in arrays(net):
            assert np.array_equal(data[key.split("/", 1)[1].replace("/", ".")], array)
            assert data[key.split("/", 1)[1].replace("/", ".")].dtype == array.dtype
    said = json.loads((root / "network.json").read_text())
    assert said["order"] == [p.name for p in net.ordered]
    assert {c["name"]: c["delay_steps"] for c in said["connections"]} == {c.name: c.delay_steps for c in net.connections}
    assert set(said["rules"]) == {p.neuron.model() for p in net.populations if p.neuron}


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_tables_hold_the_same_numbers(tmp_path):
    net = convolutional(delays=True)
    root = exported(net, tmp_path / "a")
    for c in net.connections:
        s, found = c.op.synapses, rows(root / "connections" / f"{c.name}.csv")
        assert [int(r["weight"]) for r in found] == s.values.tolist()
        assert [(int(r["row"]), int(r["column"])) for r in found] == list(zip(s.rows.tolist(), s.indices.tolist(), strict=True))
        assert s.delays is None or [int(r["delay_steps"]) for r in found] == s.delays.tolist()
    found = rows(root / "populations" / "conv1.csv")
    assert [int(r["threshold"]) for r in found] == net["conv1"].neuron.threshold.tolist()
    assert [int(r["neuron"]) for r in found] == list(range(net["conv1"].size))


def test_the_mapping_is_written_where_a_chip_is_named(tmp_path, capsys):
    net = fixed_chain().after(Stage("quantise", {"scales": {"hidden1": 3.5, "output": 2.0}}))
    store.save(net, tmp_path / "net")
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path / "net"), "-t", "npz", "--hw", "loihi1", "-o", str(tmp_path / "a")])
    assert end.value.code == 0
    assert "prove it with: snnc verify" in capsys.readouterr().out
    found = rows(tmp_path / "a" / "mapping.csv")
    assert sum(int(r["stop"]) - int(r["start"]) for r in found) == 25
    assert json.loads((tmp_path / "a" / "network.json").read_text())["scales"] == {"hidden1": 3.5, "output": 2.0}


def test_a_damaged_file_is_one_sentence_that_does_not_tell_to_load_it_unsafely(tmp_path):
    root = exported(fixed_chain(), tmp_path / "a")
    np.savez(tmp_path / "in.npz", input=np.zeros((1, 2, 12), np.uint8))
    whole = (root / "network.npz").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"no archive", b""):
        (root / "network.npz").write_bytes(damaged)
        words = [sys.executable, root / "run.py", tmp_path / "in.npz", tmp_path / "out.npz"]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stderr == "network.npz or network.json is missing or damaged: export again\n"
