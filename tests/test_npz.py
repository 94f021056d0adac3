"""Plain data: NumPy and the standard library read it, and the network can be computed from it."""

import csv
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cases import fixed_chain, fixed_loops, float_chain, spikes
from conv_cases import convolutional
from programs import changes

from snnc import store, targets
from snnc.cli import main
from snnc.ir import Stage, arrays
from snnc.simulate import simulate


def exported(net, folder):
    return targets.export("npz", net, None, folder, force=True).root


def recomputed(root, raster):
    """v of hidden1 of a LIF network that only the input reaches, by the description alone: (steps, n)."""
    said = json.loads((root / "network.json").read_text())
    data = np.load(root / "network.npz", allow_pickle=False)
    numeric = said["numeric"]
    v, trace = np.zeros(said["populations"][1]["shape"], np.int64), []
    for step in range(len(raster)):
        current = np.zeros(len(v), np.int64)
        for c in said["connections"]:
            if c["dst"] == "hidden1" and step >= c["delay_steps"]:
                indptr, indices, values = (data[f"{c['name']}.{part}"] for part in ("indptr", "indices", "values"))
                terms = values * raster[step - c["delay_steps"]][indices].astype(np.int64)
                sums = np.array([terms[a:b].sum() for a, b in pairwise(indptr)])
                current += sums << c["exponent"] if c["exponent"] >= 0 else sums >> -c["exponent"]
        u = current << numeric["state_shift"]
        kept = (1 << numeric["decay_bits"]) - data["hidden1.decay_v"]
        v = np.sign(v) * (np.abs(v) * kept >> numeric["decay_bits"]) + u + data["hidden1.bias"]
        v = np.where(v > data["hidden1.threshold"] << numeric["state_shift"], 0, v)
        trace.append(v)
    return np.array(trace)


def feed_forward(net):
    """Without what leads back to hidden1."""
    return replace(net, connections=tuple(c for c in net.connections if c.dst != "hidden1" or c.src == "input"))


def test_the_network_can_be_computed_from_it(tmp_path):
    net = feed_forward(fixed_loops())
    inputs = spikes(net, samples=1, steps=20)
    expected = simulate(net, inputs, record=True).states["hidden1"]["v"][0]
    assert np.count_nonzero(expected) > 100
    found = recomputed(exported(net, tmp_path / "a"), inputs["input"][0])
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("what", ["weight", "shift", "threshold", "decay_v", "bias"])
def test_a_changed_number_is_in_it(what, tmp_path):
    net = feed_forward(fixed_loops())
    inputs = spikes(net, samples=1, steps=300)
    expected = simulate(net, inputs, record=True).states["hidden1"]["v"][0]
    found = recomputed(exported(changes(net)[what], tmp_path / "a"), inputs["input"][0])
    assert not np.array_equal(found, expected)


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
    assert "it cannot be run here: it is data without a program" in capsys.readouterr().out
    found = rows(tmp_path / "a" / "mapping.csv")
    assert sum(int(r["stop"]) - int(r["start"]) for r in found) == 25
    assert json.loads((tmp_path / "a" / "network.json").read_text())["scales"] == {"hidden1": 3.5, "output": 2.0}
    with pytest.raises(SystemExit) as end:
        main(["verify", str(tmp_path / "a"), "--against", str(tmp_path / "net"), "--random", "0.3"])
    assert end.value.code == 4
    assert "artifacts of target 'npz' cannot be run here; it is data without a program" in capsys.readouterr().err
