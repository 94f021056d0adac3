"""What `snnc verify` proves of target `verilog` is not proved by chance: a change of the Verilog or of a memory is found."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from cases.networks import fixed_loops, spikes

from snnc import targets
from snnc.errors import RunError
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

VERILOG = targets.load("verilog")
CHANGES = [  # file, what is there, what stands there instead
    ("snn_lane.v", "write_sum && target_b == target_c", "1'b0"),
    ("snn_lane.v", "old_sum + added : old_sum", "old_sum - added : old_sum"),
    ("snn_lane.v", "valid_b && weight != 0", "valid_b && weight > 0"),
    ("snn_lane.v", "fresh ? {STATE{1'b0}} : read_state", "read_state"),
    ("snn_lane.v", "sweep || write_neuron ? {FIELDS*FIELD{1'b0}} : new_sums", "new_sums"),
    ("snn_lane.v", "own_2 <= read_own", "own_2 <= own_2"),
    ("snn_lane.v", "spike_3 <= spike;", "spike_3 <= spike && !fresh;"),
    ("snn_control.v", "delay_r > age", "delay_r >= age"),
    ("snn_control.v", "if (age != {AGE{1'b1}})", "if (1'b0)"),
    ("snn_control.v", "first_row_r + index", "first_row_r + index + 1'b1"),
    ("snn_control.v", "row[SYNAPSE_ADDRESS-1:0] - 1'b1", "row[SYNAPSE_ADDRESS-1:0]"),
    ("snn_control.v", "active <= row != row_start", "active <= 1'b1"),
    ("snn_control.v", "waiting != 1", "waiting != 2"),
    ("snn_control.v", "event_write_address = list_r + 1'b1 + fired", "event_write_address = list_r + fired"),
    ("snn_control.v", "unsent & (unsent - 1'b1)", "unsent & 1'b0"),
    ("snn_control.v", "issuing <= group_1 != last_group_r", "issuing <= group_1 + 1'b1 != last_group_r"),
    ("snn_control.v", "last_lanes_r : {LANES{1'b1}}", "last_lanes_r : {LANES{1'b0}}"),
    ("snn_control.v", "fired <= fired + 1'b1", "fired <= fired + 2'd2"),
    ("snn_control.v", "if (!active && !valid_b && !valid_c)", "if (1'b1)"),
    ("snn_control.v", "counts[population_r] <= {INDEX{1'b0}}", "counts[population_r] <= counts[population_r]"),
    ("snn_control.v", "age <= {AGE{1'b0}};\n                    for", "for"),
    ("snn.v", "next_constants[0 +:", "next_constants[1 +:"),
    ("snn.v", "last_group = 10", "last_group = 9"),
    ("snn.v", "first_state = 11", "first_state = 10"),
    ("snn.v", " delay = 3;", " delay = 2;"),
    ("snn.v", "sends = 1'b1;", "sends = 1'b0;"),
    ("snn.v", "head_hidden1 + ", "1 + head_hidden1 + "),
    ("neurons.v", "<<< 6", "<<< 5"),
    ("neurons.v", " > parameter_threshold", " < parameter_threshold"),
    ("neurons.v", " > parameter_threshold", " >= parameter_threshold"),
    ("neurons.v", "< 0 ?", ">= 0 ?"),
    ("neurons.v", "[0] ? 1'sd0 :", "[0] ? 1'sd0 + 1'b1 :"),
    ("neurons.v", "+ parameter_bias", "- parameter_bias"),
]
IMAGES = [("synapses_0.hex", 5), ("synapses_0.hex", 40), ("synapses_1.hex", 3), ("synapses_1.hex", 60), ("rows.hex", 4),
          ("rows.hex", 12), ("own_0.hex", 2), ("own_1.hex", 7)]  # fmt: skip


def network():
    """Loops, delays, unequal populations on two lanes; a bias for each neuron, a threshold for each population."""
    net = fixed_loops(sizes=(12, 21, 5))
    bias = {"hidden1": np.arange(21) * 100 - 600, "output": np.array(640)}
    threshold = {"hidden1": np.array(301), "output": np.array(270)}  # met to one unit
    populations = [
        p if p.neuron is None else replace(p, neuron=replace(p.neuron, bias=bias[p.name], threshold=threshold[p.name]))
        for p in net.populations
    ]
    return replace(net, populations=tuple(populations))


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """(artifact, inputs, what the reference makes of them)."""
    net = network()
    artifact = targets.export("verilog", net, None, tmp_path_factory.mktemp("verilog") / "a", options={"lanes": 2})
    inputs = spikes(net, samples=3, rate=0.5)
    return artifact, inputs, simulate(net, inputs, record=True)


def is_caught(case, folder, change):
    """Whether a changed copy of the artifact no longer computes the same."""
    artifact, inputs, reference = case
    shutil.copytree(artifact.root, folder)
    change(folder)
    try:
        found = compare(reference, VERILOG.run(replace(artifact, root=folder), inputs, True, 20))
    except RunError:
        return True
    return found.first is not None


def rewritten(name, old, new):
    def change(folder):
        text = (folder / name).read_text()
        assert old in text, (name, old)
        (folder / name).write_text(text.replace(old, new, 1))

    return change


def incremented(name, word):
    def change(folder):
        lines = (folder / name).read_text().splitlines()
        lines[word] = f"{int(lines[word], 16) ^ 1:0{len(lines[word])}x}"
        (folder / name).write_text("\n".join(lines) + "\n")

    return change


@pytest.mark.hdl
def test_the_artifact_itself_is_exact(case, tmp_path):
    assert not is_caught(case, tmp_path / "a", lambda folder: None)


@pytest.mark.hdl
@pytest.mark.parametrize(
    ("name", "old", "new"), [pytest.param(*c, marks=[pytest.mark.slow] if i % 8 else []) for i, c in enumerate(CHANGES)]
)
def test_a_change_of_the_verilog_is_caught(name, old, new, case, tmp_path):
    assert is_caught(case, tmp_path / "a", rewritten(name, old, new))


@pytest.mark.hdl
@pytest.mark.parametrize(
    ("name", "word"), [pytest.param(*c, marks=[pytest.mark.slow] if i % 4 else []) for i, c in enumerate(IMAGES)]
)
def test_a_change_of_a_memory_is_caught(name, word, case, tmp_path):
    assert is_caught(case, tmp_path / "a", incremented(name, word))


def test_there_are_more_than_forty():
    assert len(CHANGES) + len(IMAGES) == 41


def test_a_threshold_is_met_to_one_unit(case):
    """Or no input would tell > from >=."""
    *_, reference = case
    assert (reference.states["output"]["v"] == 270 << 6).any()
