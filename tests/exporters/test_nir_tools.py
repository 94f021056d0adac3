"""Norse, snnTorch and sinabs open the NIR files that snnc writes; what they then compute, and why where it differs.

docs/targets.md says the same in words.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases import peers
from cases.networks import conv_net, fixed_chain, fixed_dense, fixed_loops, spikes
from tests.importers.test_nir_files import integrators, readout

from snnc import targets
from snnc.network.model import Connection
from snnc.passes.dequantise import dequantised
from snnc.simulation.reference import simulate

BY_ITS_RULE, DROPPED = "other spikes, by its own rule", "the readout is left out"
STEPS_OF = {"norse": 1e-4, "snntorch": 1e-4, "sinabs": 1.0}  # seconds: snnTorch knows 0.1 ms only, sinabs' tau are steps


def recurrent(model="lif"):
    net = fixed_chain(model=model)
    again = Connection("again", "hidden1", "hidden1", fixed_dense(np.random.default_rng(5), 20, 20), 1)
    return replace(net, connections=(*net.connections, again))


NETWORKS = {
    "LIF": fixed_chain,
    "LIF with bias": lambda: fixed_chain(bias=640),
    "CUBA": lambda: fixed_chain(model="cuba"),
    "CUBA with bias": lambda: fixed_chain(model="cuba", bias=640),
    "convolutions": conv_net,
    "recurrence": lambda: recurrent("cuba"),
    "integrators": lambda: replace(integrators(), populations=(*integrators().populations[:2], fixed_chain()["output"])),
    "delays": fixed_loops,
    "readout": readout,
}
OTHERWISE = {  # what a tool does with a file where it does not compute the same spikes
    ("norse", "CUBA with bias"): BY_ITS_RULE,
    ("norse", "delays"): "KeyError: 'back_delay'",
    ("norse", "readout"): DROPPED,
    ("snntorch", "CUBA with bias"): "AssertionError: v_leak not supported",
    ("snntorch", "recurrence"): "AttributeError: 'GraphModule' object has no attribute 'items'",
    ("snntorch", "integrators"): "AssertionError: r != 1 not supported",
    ("snntorch", "delays"): "ValueError: Unknown node type <class 'nir.ir.delay.Delay'>",
    ("snntorch", "readout"): "ValueError: Unknown node type <class 'nir.ir.neuron.CubaLI'>",
    ("sinabs", "LIF"): BY_ITS_RULE,
    ("sinabs", "LIF with bias"): BY_ITS_RULE,
    ("sinabs", "CUBA"): "KeyError: 'hidden1'",
    ("sinabs", "CUBA with bias"): "KeyError: 'hidden1'",
    ("sinabs", "convolutions"): "ValueError: The truth value of an array with more than one element is ambiguous",
    ("sinabs", "recurrence"): "KeyError: 'hidden1'",
    ("sinabs", "integrators"): BY_ITS_RULE,
    ("sinabs", "delays"): "KeyError: 'back_delay'",
    ("sinabs", "readout"): BY_ITS_RULE,
}
PAIRS = [(tool, name) for tool in STEPS_OF for name in NETWORKS]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """(tool, network) -> (float network, its run, what the nodes of the file sent in the tool), all in one process."""
    folder, jobs, ours = tmp_path_factory.mktemp("tools"), [], []
    for number, (tool, name) in enumerate(PAIRS):
        net = replace(NETWORKS[name](), dt_s=STEPS_OF[tool])
        inputs = spikes(net, samples=2, steps=40, rate=0.4)
        path = targets.export("nir", net, None, folder / str(number)).root / "network.nir"
        np.save(folder / f"{number}.npy", inputs["input"].reshape(2, 40, *net["input"].shape))
        jobs.append({"tool": tool, "file": str(path), "inputs": str(folder / f"{number}.npy"), "dt": net.dt_s})
        ours.append((dequantised(net), simulate(dequantised(net), inputs, record=True)))
    (folder / "jobs.json").write_text(json.dumps(jobs))
    peers.run("nir", "nir_tools.py", folder / "jobs.json", folder / "out.npz")
    with np.load(folder / "out.npz") as sent:
        theirs = [{k.split(".", 1)[1]: sent[k] for k in sent.files if k.startswith(f"{i}.")} for i in range(len(jobs))]
    return dict(zip(PAIRS, zip(*zip(*ours, strict=True), theirs, strict=True), strict=True))


def spiking(net):
    return [p.name for p in net.populations if p.neuron and p.neuron.rule.fires]


@peers.needs("nir")
@pytest.mark.parametrize(("tool", "name"), [pair for pair in PAIRS if pair not in OTHERWISE])
def test_the_tool_computes_the_same_spikes(tool, name, found):
    net, run, sent = found[tool, name]
    assert "error" not in sent, sent["error"]
    for p in spiking(net):
        assert run.spikes[p].any(), f"{p} is silent"
        assert np.array_equal(sent[p], run.spikes[p]), p


@peers.needs("nir")
@pytest.mark.parametrize(("tool", "name"), [pair for pair in OTHERWISE if OTHERWISE[pair] is not BY_ITS_RULE])
def test_what_the_tool_does_not_take(tool, name, found):
    """The day that it does, this fails, and the page has to be written anew."""
    net, run, sent = found[tool, name]
    if OTHERWISE[tool, name] is DROPPED:
        assert np.array_equal(sent["hidden1"], run.spikes["hidden1"])
        assert net.output.name not in sent
    else:
        assert str(sent["error"]).startswith(OTHERWISE[tool, name])


@peers.needs("nir")
@pytest.mark.parametrize(("tool", "name"), [pair for pair in OTHERWISE if OTHERWISE[pair] is BY_ITS_RULE])
def test_the_causes_of_other_spikes_are_these(tool, name, found):
    """With the tool's own rule for the numbers in the file, the spikes are its, all of them."""
    net, run, sent = found[tool, name]
    assert not np.array_equal(sent["hidden1"], run.spikes["hidden1"])
    before = run.spikes["input"]
    for c, p in zip(net.connections, spiking(net), strict=False):
        current = before @ c.op.synapses.to_dense().T + (net[p].neuron.bias if tool == "sinabs" else 0)
        before = (of_sinabs if tool == "sinabs" else of_norse)(current, net[p].neuron)
        assert before.any()
        assert np.array_equal(sent[p], before), p


def of_sinabs(current, neuron):
    """exp(-1 / tau) for 1 - 1 / tau, r taken for 1 (thresholds are in its unit), as many spikes as thresholds are reached,
    each of which is subtracted; voltages of integrators stay above minus the threshold."""
    decay = neuron.decay_v
    kept, threshold = (np.exp(-decay), neuron.threshold * decay) if decay else (1.0, neuron.threshold)
    v, sent = np.zeros(current[:, 0].shape), np.zeros(current.shape)
    for step in range(current.shape[1]):
        v = kept * v + current[:, step]
        sent[:, step] = np.maximum(np.trunc(v / threshold), 0)
        v = v - sent[:, step] * threshold
        v = v if decay else np.maximum(v, -threshold)
    return sent


def of_norse(current, neuron):
    """v_leak enters the current as well as the voltage, and both start there."""
    leak = neuron.bias / neuron.decay_v
    u, v, sent = np.full(current[:, 0].shape, leak), np.full(current[:, 0].shape, leak), np.zeros(current.shape)
    for step in range(current.shape[1]):
        u = u + neuron.decay_u * (leak - u) + current[:, step]
        v = v + neuron.decay_v * (leak - v) + u
        sent[:, step] = v > neuron.threshold
        v = np.where(sent[:, step] > 0, 0, v)
    return sent


@peers.needs("nir-1.0.7")
def test_two_versions_of_nir_read_the_same(tmp_path):
    """Every field of every node, in 1.0.7 and in what is installed."""
    names = ("LIF with bias", "CUBA", "convolutions", "delays", "readout")
    nets = [NETWORKS[name]() for name in names]
    files = [targets.export("nir", net, None, tmp_path / str(i)).root / "network.nir" for i, net in enumerate(nets)]
    old, new = (json.loads(peers.run(folder, "nir_content.py", *files)) for folder in ("nir-1.0.7", "nir"))
    assert (old["version"], new["version"]) == ("1.0.7", "1.0.8")
    assert old["files"] == new["files"]
    for net, nodes in zip(nets, old["files"], strict=True):
        assert {p.name for p in net.populations} <= nodes.keys()
        assert len(nodes["fc2" if "fc2" in nodes else "fc"]) > 1
