"""A NIR file that snnc writes: other tools read the same network, and snnc reads back all of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.lava_graphs import generated, network
from cases.networks import LOIHI, fixed_chain, fixed_dense, fixed_loops, float_chain, spikes

from snnc import targets
from snnc.errors import FileError, UnsupportedError
from snnc.importers import ImportConfig, read
from snnc.network.arithmetic import Float
from snnc.network.model import Connection, Stage, structure
from snnc.neurons.cuba import Cuba
from snnc.neurons.cuba_subtract import CubaSubtract
from snnc.neurons.li import LI
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense
from snnc.passes.dequantise import dequantised
from snnc.simulation.reference import simulate

h5py = pytest.importorskip("h5py", reason="NIR files need h5py: pip install '.[exchange]'")


def changed(net, name, neuron):
    return replace(net, populations=tuple(replace(p, neuron=neuron) if p.name == name else p for p in net.populations))


def with_zeros(seed):
    """A kept synapse whose weight rounded to 0, in a network with every parameter by neuron."""
    net, rng = fixed_chain(seed), np.random.default_rng(seed)
    values = net.connections[0].op.synapses.values.copy()
    values[::5] = 0
    first = replace(net.connections[0], op=net.connections[0].op.with_values(values))
    own = Cuba(rng.integers(100, 500, 20), rng.integers(1, 4096, 20), rng.integers(1, 4096, 20), rng.integers(-900, 900, 20))
    return changed(replace(net, connections=(first, *net.connections[1:])), "hidden1", own)


def late(net, seed=3):
    """Delays of synapses in the first connection, of axons in the second; an exponent."""
    rng, (first, second) = np.random.default_rng(seed), net.connections
    steps = rng.integers(0, 4, first.op.synapses.count).astype(np.int32)
    first = replace(first, op=replace(first.op, synapses=replace(first.op.synapses, delays=steps), exponent=-2), delay_steps=1)
    return replace(net, connections=(first, replace(second, axon_delays=rng.integers(0, 5, second.op.n_src).astype(np.int32))))


def readout():
    net = fixed_chain()
    return changed(net, "output", LI(np.array(1000), np.array(300), np.arange(-320, 320, 128)))


def integrators():
    net = fixed_chain(bias=640)
    return changed(changed(net, "hidden1", LIF(300, 0, 640)), "output", LI(np.array(4096), np.array(0), np.array(64)))


def one_to_one():
    """A recurrence of each neuron to itself, in one step and in three."""
    net, eye = fixed_chain(), np.eye(20, dtype=np.int64)
    op = replace(
        fixed_dense(np.random.default_rng(0), 20, 20), synapses=type(net.connections[0].op.synapses).from_dense(eye * -100)
    )
    again = [Connection("self", "hidden1", "hidden1", op, 1), Connection("slow", "hidden1", "hidden1", op, 3)]
    return replace(net, connections=(*net.connections, *again))


NETWORKS = {
    "lif": fixed_chain,
    "cuba": lambda: fixed_chain(model="cuba"),
    "bias": lambda: fixed_chain(bias=640),
    "cuba bias": lambda: fixed_chain(model="cuba", bias=-77),
    "float": float_chain,
    "float cuba": lambda: float_chain(model="cuba"),
    "pruned": lambda: float_chain(density=0.2),
    "loops": fixed_loops,
    "zeros": lambda: with_zeros(2),
    "delays": lambda: late(fixed_chain()),
    "float delays": lambda: dequantised(late(fixed_chain())),
    "readout": readout,
    "integrators": integrators,
    "recurrence": one_to_one,
    "conv": convolutional,
    "conv delays": lambda: convolutional(delays=True),
    "float conv": lambda: convolutional(Float(), delays=True),
}


@pytest.fixture(scope="module", params=NETWORKS)
def case(request, tmp_path_factory):
    """(network, its file)"""
    net = NETWORKS[request.param]().after(Stage("quantise", {"seed": 3}))
    return net, exported(net, tmp_path_factory.mktemp("nir"))


def exported(net, folder):
    return targets.export("nir", net, None, folder / "a").root / "network.nir"


def test_network_to_nir_to_network_loses_nothing(case):
    net, path = case
    back = read(str(path), ImportConfig()).network
    assert back.hash == net.hash
    assert (back.name, back.done[:-1], back.encoding) == (net.name, net.done, net.encoding)
    assert [p.name for p in back.populations] == [p.name for p in net.populations]
    assert [(c.name, c.src, c.dst) for c in back.connections] == [(c.name, c.src, c.dst) for c in net.connections]


def plain(path):
    """The file as a tool leaves it that knows nothing of snnc."""
    with h5py.File(path, "r+") as file:
        del file["node/metadata"]
        for node in file["node/nodes"].values():
            if "metadata" in node:
                del node["metadata"]
    return path


def flat(net):
    """With flat populations, dense connections and leaks everywhere: what NIR has nodes for, whatever else is in the network."""
    populations = []
    for p in net.populations:
        leaks = p.neuron and replace(p.neuron, decay_v=np.maximum(p.neuron.decay_v, 1))
        populations.append(replace(p, shape=(p.size,), neuron=leaks))
    wires = [c for c in net.connections if c.op.unrolled().values.any()]
    wires = [replace(c, op=Dense(c.op.unrolled(), c.op.exponent, c.op.sign_mode)) for c in wires]
    return replace(net, populations=tuple(populations), connections=tuple(wires))


def test_generated_graphs_come_back(tmp_path):
    """Loops, skips, several inputs, messages, delays of axons and synapses, stored zeros, exponents."""
    nets = [flat(network(graph)) for graph in generated(10)]
    known = [net for net in nets if not targets.load("nir").problems(net, None)]
    for number, net in enumerate(known):
        path = targets.export("nir", net, None, tmp_path / str(number)).root / "network.nir"
        found = read(str(path), ImportConfig()).network
        assert structure(found) == structure(net)
        assert found.hash == net.hash
    assert len(known) >= 5, "the others have what NIR has no nodes for"


def test_the_plain_nodes_compute_the_same_spikes(case, tmp_path):
    """The nodes alone, in steps of forward Euler, are the network in real numbers."""
    net, path = case
    real, copy = dequantised(net), tmp_path / "x.nir"
    copy.write_bytes(path.read_bytes())
    found = read(str(plain(copy)), ImportConfig(dt_s=net.dt_s, discretise="euler")).network
    inputs = spikes(net, steps=40, rate=0.4)
    a, b = simulate(real, inputs, record=True), simulate(found, inputs, record=True)
    for p in real.populations:
        if p.neuron and p.neuron.rule.fires:
            assert a.spikes[p.name].any(), f"{p.name} is silent"
            assert (a.spikes[p.name] != b.spikes[p.name]).mean() < 1e-3, p.name  # integers meet thresholds exactly
        elif p.neuron:
            np.testing.assert_allclose(a.states[p.name]["v"], b.states[p.name]["v"], rtol=1e-6, atol=1e-6)


def test_nir_itself_reads_the_file(case):
    net, path = case
    nir = pytest.importorskip("nir", reason="needs nir: pip install nir")
    square = all(len(set(c.op.window.kernel)) == 1 for c in net.connections if c.op.kind == "conv2d")
    graph = nir.read(path, type_check=square)  # nir 1.0.8 takes every kernel for a square one
    assert json.loads(graph.metadata["snnc"])["name"] == net.name
    assert sum(isinstance(node, nir.Input) for node in graph.nodes.values()) == 1
    for p in net.populations:
        assert p.name in graph.nodes
        assert p.neuron is None or graph.nodes[p.name].metadata["snnc"].keys() == p.neuron.parameters().keys()


def test_exports_are_byte_identical(tmp_path):
    one, two = (targets.export("nir", convolutional(), None, tmp_path / name).root for name in "ab")
    assert (one / "network.nir").read_bytes() == (two / "network.nir").read_bytes()


def test_names_of_an_imported_file_are_written_back(tmp_path):
    net = fixed_chain().after(
        Stage("import", {"names": {"populations": {"hidden1": "features.0.lif"}, "connections": {"fc1": "0"}}})
    )
    path = exported(net, tmp_path)
    with h5py.File(path) as file:
        assert {"features.0.lif", "0", "fc2"} <= set(file["node/nodes"])
    assert read(str(path), ImportConfig()).network.hash == net.hash


def said(old, new):
    """What replaces a part of the header."""
    return lambda header: header[()].decode().replace(old, new)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("nodes/fc1/weight", lambda w: w + 0.5, "'fc1' was changed: its weights are no integers any more"),
        ("nodes/hidden1/tau", lambda t: t * 2, r"node 'hidden1' was changed: its decay_v is 0\.0625, its metadata say 0\.125"),
        ("nodes/hidden1/v_threshold", lambda t: t + 1, "node 'hidden1' was changed: its threshold is 308, its metadata say 300"),
        ("metadata/snnc", lambda _: "{", "'node/metadata/snnc' is no JSON"),
        ("metadata/snnc", lambda _: '{"schema": "snnc.nir/9"}', "'node/metadata/snnc' is not of schema"),
        ("metadata/snnc", lambda _: '{"schema": "snnc.nir/1"}', "has damaged metadata: KeyError"),
        ("metadata/snnc", said('"delay_steps":0', '"delay_steps":2'), "was changed: it has a delay of 0 steps"),
        ("metadata/snnc", said('"exponent":0', '"exponent":"x"'), "has damaged metadata"),
        ("metadata/snnc", said('"node":"hidden1"', '"node":"nothing"'), "has damaged metadata"),
        ("metadata/snnc", said('"state_bits":24', '"state_bits":-1'), "has state_bits -1"),
        ("nodes/hidden1/metadata/snnc/decay_v", lambda _: np.array(0.5), "holds 0.5, expected integers"),
    ],
)  # fmt: skip
def test_a_file_that_contradicts_its_metadata_is_refused(entry, value, message, tmp_path):
    path = exported(fixed_chain(), tmp_path)
    with h5py.File(path, "r+") as file:
        old = file["node"][entry]
        new = value(old if entry.endswith("snnc") else old[()])
        del file["node"][entry]
        file["node"][entry] = new
    with pytest.raises(FileError, match=message) as error:
        read(str(path), ImportConfig())
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (CubaSubtract(1.0, 0.5, 0.1, 0.0), "NIR has no neuron 'cuba_subtract'"),
        (LIF(1.0, np.linspace(0, 0.5, 20), 0.0), "has neurons with and without leak"),
        (Cuba(1.0, 0.0, 0.5, 0.0), "has a synaptic current that never decays"),
        (Cuba(1.0, 0.5, 0.0, 0.0), "has a synaptic current and no leak"),
    ],
)
def test_what_nir_cannot_say_is_refused(neuron, message, tmp_path):
    with pytest.raises(UnsupportedError, match=message):
        exported(changed(float_chain(), "hidden1", neuron), tmp_path)


def test_a_recurrence_of_planes_is_refused(tmp_path):
    net = convolutional(LOIHI)
    op = fixed_dense(np.random.default_rng(0), 270, 270, density=0.01)
    with pytest.raises(UnsupportedError, match="population 'conv1' gets planes and flat values"):
        exported(replace(net, connections=(*net.connections, Connection("again", "conv1", "conv1", op, 1))), tmp_path)
