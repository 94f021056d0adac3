"""Target `verilog`: lanes, widths, memories and ports. What it computes is held against the reference with the other targets."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from cases import lava_networks
from cases.convolutions import conv
from cases.lava_graphs import generated
from cases.networks import LOIHI, fixed_chain, fixed_dense, fixed_loops, fixed_neuron, spikes
from cases.programs import takes, varied
from snnc.exporters.verilog.logic import literal, times

from snnc import targets
from snnc.cli import main
from snnc.errors import ConfigError, FileError, MissingDependencyError, RunError, UnsupportedError, UsageError
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

VERILOG = targets.load("verilog")
LANES = (1, 2, 4, 8)


def agree(net, inputs, folder, **options):
    """The verdict on a network's export; whatever differs fails the test."""
    artifact = targets.export("verilog", net, None, folder, force=True, options=options)
    found = compare(simulate(net, inputs, record=True), VERILOG.run(artifact, inputs, True, 120))
    assert found.first is None, (options, found.first)
    return found


def machine(artifact):
    return json.loads((artifact.root / "network.json").read_text())


@pytest.mark.hdl
@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize("lanes", LANES)
def test_any_number_of_lanes_computes_the_same(lanes, narrow, tmp_path):
    """Populations that are no multiple of the lanes, several spikes of a group, loops."""
    net = fixed_loops(sizes=(12, 21, 5))
    assert agree(net, spikes(net), tmp_path / "a", lanes=lanes, narrow=narrow).exact


@pytest.mark.hdl
def test_random_networks_on_random_lanes(tmp_path):
    fuzz(9, tmp_path)


@pytest.mark.slow
@pytest.mark.hdl
def test_many_random_networks_on_random_lanes(tmp_path):
    fuzz(200, tmp_path)


def fuzz(count, tmp_path):
    """Generated graphs, each on other lanes, every third with the chip's registers; all models have to be alive in some."""
    alive = set()
    for i, graph in enumerate(generated(count)):
        net = varied(graph, "verilog", i if i < len(takes("verilog")) else None)  # each model once, then mixtures
        inputs = lava_networks.rasters(net, graph.seed, graph.samples, graph.steps)
        found = agree(net, inputs, tmp_path / "a", lanes=LANES[i % 4], narrow=i % 3 > 0)
        alive |= {p.neuron.model() for p in net.populations if p.neuron and p.name not in found.silent}
    assert alive == set(takes("verilog"))


def planes(stride=1, channels=4):
    """Two convolutions and a dense output; the first may have a stride, and channels that are no multiple of the lanes."""
    rng = np.random.default_rng(stride)
    first = conv(rng, (channels, 2, 3, 3), (2, 8, 7), LOIHI, 0.8, stride=stride, padding=1)
    second = conv(rng, (4, channels, 3, 3), first.dst_shape, LOIHI, 0.8, padding=1)
    shapes = {"input": (2, 8, 7), "a": first.dst_shape, "b": second.dst_shape, "output": (5,)}
    populations = (Population(n, s, fixed_neuron("cuba", 300) if n != "input" else None) for n, s in shapes.items())
    out = fixed_dense(rng, 5, int(np.prod(second.dst_shape)))
    connections = (
        Connection("c1", "input", "a", first, 2),
        Connection("c2", "a", "b", second),
        Connection("c3", "b", "output", out),
    )
    return Network("planes", tuple(populations), connections, 1e-3, LOIHI, Encoding("rate", 8))


@pytest.mark.hdl
@pytest.mark.parametrize(("stride", "channels", "lanes"), [(1, 4, 1), (2, 4, 4), (1, 6, 4)])
def test_places_of_a_plane_share_rows_of_synapses(stride, channels, lanes, tmp_path):
    """The rows of a convolution are few: those of the middle, and those at the borders."""
    net = planes(stride, channels)
    found = agree(net, spikes(net, samples=2, steps=8, rate=0.3), tmp_path / "a", lanes=lanes)
    assert min(found.fired[name] for name in ("a", "b", "output")) > 0
    words = machine(targets.read_artifact(tmp_path / "a"))["parameters"]["SYNAPSES"]
    assert 3 * words * lanes < 2 * sum(c.op.synapse_count for c in net.connections)


@pytest.mark.hdl
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("row_base <= base", "row_base <= {GROUP{1'b0}}"),
        ("state <= look_next ? LOOK : START", "state <= START"),
        ("stream_base_b <= stream_base", "stream_base_b <= row_base"),
    ],
)
def test_a_mistake_in_shared_rows_is_found(old, new, tmp_path):
    net = planes(2)
    inputs = spikes(net, samples=2, steps=8, rate=0.3)
    artifact = targets.export("verilog", net, None, tmp_path / "a", options={"lanes": 2})
    control = artifact.root / "snn_control.v"
    assert old in control.read_text()
    control.write_text(control.read_text().replace(old, new))
    assert compare(simulate(net, inputs, record=True), VERILOG.run(artifact, inputs, True, 120)).first is not None


@pytest.mark.hdl
@pytest.mark.parametrize("lanes", [1, 8])
def test_spikes_that_reach_one_neuron_in_a_row_are_all_added(lanes, tmp_path):
    """Rows of one synapse into the same neuron follow each other clock by clock, where a sum is needed before it is written."""
    rng = np.random.default_rng(0)
    one = fixed_dense(rng, 1, 40, density=1.0, sign_mode="excitatory")
    populations = (Population("input", (40,), None), Population("output", (1,), fixed_neuron("cuba", 900)))
    net = Network("row", populations, (Connection("c", "input", "output", one),), 1e-3, LOIHI, Encoding("rate", 30))
    assert agree(net, spikes(net, rate=0.9), tmp_path / "a", lanes=lanes).exact


@pytest.mark.hdl
def test_parameters_of_neurons_and_populations(tmp_path):
    """One threshold a neuron lies in memory, one a population comes with the instruction; decays that differ are multiplied."""
    net = fixed_chain(sizes=(12, 20, 9, 5), model="cuba", bias=640)
    rng = np.random.default_rng(3)
    each = {"threshold": rng.integers(100, 400, 20), "decay_v": rng.integers(100, 4000, 20)}
    changed = {"hidden1": each, "hidden2": {"decay_v": np.array(1234)}, "output": {"threshold": np.array(123)}}
    populations = [replace(p, neuron=p.neuron and replace(p.neuron, **changed[p.name])) for p in net.populations]
    net = replace(net, populations=tuple(populations))
    assert agree(net, spikes(net), tmp_path / "a", lanes=2).exact
    assert machine(targets.read_artifact(tmp_path / "a"))["parameters"]["HAS_OWN"] == 1


@pytest.mark.hdl
def test_samples_leave_nothing_behind(tmp_path):
    """The second sample is silent, and so are its states."""
    net = fixed_loops()
    inputs = spikes(net, samples=2, rate=0.6)
    inputs["input"][1] = 0
    found = agree(net, inputs, tmp_path / "a", lanes=2)
    assert found.fired["hidden1"] > 0


def test_registers_are_as_narrow_as_is_proved(tmp_path):
    net = fixed_chain()
    narrow, wide = (
        machine(targets.export("verilog", net, None, tmp_path / str(narrow), options={"narrow": narrow}))
        for narrow in (True, False)
    )
    assert narrow["parameters"]["STATE"] < wide["parameters"]["STATE"] == LOIHI.state_bits
    assert all(dict(states)["v"] == LOIHI.state_bits for _, _, states in wide["neurons"])


def test_only_synapses_that_exist_are_stored(tmp_path):
    net = fixed_chain(density=0.2)
    stored = machine(targets.export("verilog", net, None, tmp_path / "a"))
    exist = sum(c.op.synapses.count for c in net.connections)
    assert (stored["synapses"], stored["memories"]["synapses"]["words"]) == (exist, exist)


def test_state_that_no_step_reads_is_not_stored(tmp_path):
    """A LIF's current is computed anew in each step."""
    for model, bits in (("lif", 24), ("cuba", 25 + 24)):  # u reaches +2**23
        artifact = targets.export("verilog", fixed_chain(model=model), None, tmp_path / model, options={"narrow": False})
        assert machine(artifact)["parameters"]["STATE"] == bits


@pytest.mark.hdl
def test_clocks_are_counted(tmp_path):
    """At least one for each event, synaptic operation and neuron; more lanes need fewer."""
    net, clocks = fixed_chain(sizes=(40, 64, 10)), {}
    inputs = spikes(net)
    for lanes in LANES:
        artifact = targets.export("verilog", net, None, tmp_path / str(lanes), options={"lanes": lanes})
        clocks[lanes] = VERILOG.run(artifact, inputs, False, 60).measured["clocks"]
    reference = simulate(net, inputs)
    operations = sum((reference.spikes[c.src].sum((0, 1)) * c.op.fan_out()).sum() for c in net.connections)
    neurons_updated = reference.spikes["hidden1"].size + reference.spikes["output"].size
    least = operations + neurons_updated + inputs["input"].sum()
    assert least < clocks[1] < 2 * least
    assert clocks[1] > clocks[2] > clocks[4] > clocks[8]


@pytest.mark.hdl
def test_words_that_verilog_reserves_are_names(tmp_path):
    words = {"input": "module", "hidden1": "always", "output": "reg", "fc1": "wire", "fc2": "begin"}
    net = fixed_chain(sizes=(6, 12, 5), density=0.9, threshold=100)
    populations = tuple(replace(p, name=words[p.name]) for p in net.populations)
    wires = tuple(replace(c, name=words[c.name], src=words[c.src], dst=words[c.dst], delay_steps=1) for c in net.connections)
    net = replace(net, name="endmodule */ `define \n".strip(), populations=populations, connections=wires)
    assert agree(net, spikes(net), tmp_path / "a").exact


@pytest.mark.parametrize("lanes", [0, 3, 128])
def test_lanes_that_cannot_be_are_refused(lanes, tmp_path):
    with pytest.raises(ConfigError, match=f"lanes: is {lanes}, expected a power of two up to 64"):
        targets.export("verilog", fixed_chain(), None, tmp_path / "a", options={"lanes": lanes})
    assert not (tmp_path / "a").exists()


def test_other_targets_have_no_lanes(tmp_path):
    with pytest.raises(UsageError, match="target 'c' has no option 'lanes'"):
        targets.export("c", fixed_chain(), None, tmp_path / "a", options={"lanes": 2})


def test_a_register_that_would_wrap_twice_is_refused(tmp_path):
    net = fixed_chain(numeric=replace(LOIHI, state_bits=12))
    with pytest.raises(UnsupportedError, match="can get a current of"):
        targets.export("verilog", net, None, tmp_path / "a")


def test_a_missing_simulator_is_named(tmp_path, monkeypatch):
    artifact = targets.export("verilog", fixed_chain(), None, tmp_path / "a")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="apt-get install iverilog") as caught:
        VERILOG.run(artifact, spikes(fixed_chain()), True, 60)
    assert caught.value.exit_code == 5
    monkeypatch.setenv("SNNC_VERILOG", "modelsim")
    with pytest.raises(ConfigError, match="SNNC_VERILOG: is 'modelsim', expected iverilog or verilator"):
        VERILOG.run(artifact, spikes(fixed_chain()), True, 60)


@pytest.mark.hdl
def test_what_is_wrong_with_the_files_is_one_error(tmp_path, capsys):
    net = fixed_chain()
    artifact = targets.export("verilog", net, None, tmp_path / "a")
    (artifact.root / "neurons.v").write_text("module snn_neurons (input wire x)\n")
    with pytest.raises(RunError, match="Icarus Verilog failed"):
        VERILOG.run(artifact, spikes(net), True, 60)
    (artifact.root / "network.json").write_text("{}")
    with pytest.raises(FileError, match=r"network\.json: is damaged"):
        VERILOG.run(artifact, spikes(net), True, 60)
    (artifact.root / "snn.v").unlink()
    with pytest.raises(SystemExit):
        main(["verify", str(artifact.root), "--against", "reference"])
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("value", [0, 1, -1, 15, 16, -16, 4095, -4096])
def test_literals_hold_their_value(value):
    sign = -1 if literal(value).startswith("-") else 1
    bits, digits = literal(value).lstrip("-").split("'sd")
    assert sign * int(digits) == value
    assert int(digits) < 1 << (int(bits) - 1)


@pytest.mark.parametrize("factor", [*range(0, 4097, 7), 4095, 4096])
def test_products_by_constants_are_what_they_say(factor):
    text = re.sub(r"\d+'sd", "", times("x", factor)).replace("<<<", "<<")
    assert [eval(text, {"x": x}) for x in (-5, 0, 77)] == [factor * x for x in (-5, 0, 77)]
