"""A note tells what the file of a tool leaves out, though the tool's spikes depend on it."""

from dataclasses import replace

import numpy as np
import pytest

nir = pytest.importorskip("nir", reason="NIR files are made with nir: pip install nir")
pytest.importorskip("torch", reason="graphs of other tools are made beside torch's: pip install '.[train]'")

from cases.networks import fixed_chain  # noqa: E402
from cases.nir_graphs import chain, leaky, recurrent, settled, synaptic  # noqa: E402

from snnc import targets  # noqa: E402
from snnc.errors import FileError, UnsupportedError  # noqa: E402
from snnc.importers import ImportConfig, read  # noqa: E402

ONES, ZEROS, N = np.ones(3), np.zeros(3), 3
EULER = ImportConfig(dt_s=1e-4, discretise="euler")
SINABS = ImportConfig(dt_s=1.0, discretise="exp")
TAU = np.full(N, 20.0)


def lif(tau, r, **fields):
    return nir.LIF(**{"tau": tau, "r": r, "v_leak": ZEROS, "v_threshold": ONES, "v_reset": ZEROS} | fields)


def current(**fields):
    values = {"tau_syn": ONES * 5e-4, "tau_mem": ONES * 1e-3, "r": 7 * ONES, "v_leak": ZEROS, "v_threshold": ONES}
    return nir.CubaLIF(**values | {"v_reset": ZEROS} | fields)


def of_rockpool(dt):
    tau = np.full(N, 2e-2)
    return lif(tau, tau * np.exp(-dt / tau) / dt)


def notes(neuron, config, path):
    graph = chain(nir.Linear(np.eye(N)), neuron, shape=[N])
    nir.write(path, settled(graph))
    return " | ".join(read(str(path), config).notes)


@pytest.mark.parametrize(
    ("neuron", "config", "says"),
    [
        (leaky(N, 0.9), EULER, "snnTorch wrote it (r = tau / 1e-4 and v_reset = 0), whose files say a reset to zero whatever"),
        (synaptic(N, 0.5, 0.9), EULER, "leave out reset_delay, graded_spikes_factor"),
        (lif(TAU, ONES), SINABS, "sinabs wrote it (r = 1), whose files leave out MultiSpike and MembraneSubtract (its defaults)"),
        (nir.IF(ONES, ONES, ZEROS), replace(SINABS, discretise=None), "and in Norse with v_reset = 0"),
        (lif(ONES * 1e-5, ONES), replace(EULER, dt_s=1e-6), "Norse or SpikingJelly wrote it (r = 1): files of Norse 1.1.0 leave"),
        (nir.IF(ONES * 1e4, ONES, ZEROS), replace(EULER, discretise=None), "SpikingJelly wrote it (r = 1, 1 / dt or tau / dt)"),
        (lif(ONES * 2e-3, 20 * ONES, v_reset=-0.3 * ONES, v_leak=-0.3 * ONES), EULER, "fires where v equals v_threshold"),
        (nir.LI(TAU, ONES, ZEROS), SINABS, "norm_input=False (that of ExpLeak)"),
        (of_rockpool(1e-3), replace(EULER, dt_s=1e-3), "Rockpool wrote it (r = tau exp(-dt / tau) / dt), whose neurons subtract"),
        (current(w_in=ONES), EULER, "node '1' (CubaLIF) has w_in = 1: NIR adds dt / tau_syn of a spike's weight"),
    ],
)
def test_who_seems_to_have_written_a_file_and_what_it_leaves_out_is_told(neuron, config, says, tmp_path):
    said = notes(neuron, config, tmp_path / "x.nir")
    assert says in said
    assert said.count("looks as if") == (0 if "w_in" in says else 1)
    assert "its steps need" not in said


@pytest.mark.parametrize(
    ("neuron", "config", "says"),
    [
        (leaky(N, 0.9), replace(EULER, dt_s=5e-4), "; its steps need --dt 0.0001 --discretise euler"),
        (leaky(N, 0.9), replace(EULER, discretise="exp"), "; its steps need --dt 0.0001 --discretise euler"),
        (lif(TAU, ONES), replace(SINABS, dt_s=1e-3), "; its steps need --dt 1 --discretise exp"),
        (nir.IF(ONES, ONES, ZEROS), ImportConfig(dt_s=1e-3), "; its steps need --dt 1"),
        (nir.IF(ONES, ONES, ZEROS), ImportConfig(dt_s=1e-3), "node '1' (IF) has r = 1: NIR adds dt of its input, here 0.001"),
    ],
)
def test_steps_that_are_not_those_of_the_tool_are_told(neuron, config, says, tmp_path):
    assert says in notes(neuron, config, tmp_path / "x.nir")


def test_neurons_with_and_without_leak_of_spikingjelly_are_known_by_each(tmp_path):
    neurons = nir.IF(ONES * 1e4, ONES, ZEROS), lif(ONES * 2e-4, ONES)
    graph = chain(nir.Linear(np.eye(N)), neurons[0], nir.Linear(np.eye(N)), neurons[1], shape=[N])
    nir.write(tmp_path / "x.nir", settled(graph))
    assert "SpikingJelly wrote it (r = 1, 1 / dt" in read(str(tmp_path / "x.nir"), EULER).notes[-1]


def test_a_layer_that_may_have_been_called_twice_is_told(tmp_path):
    """Such a module, and one with a recurrence, are the same file."""
    nodes = {"input": nir.Input(np.array([N])), "fc": nir.Linear(np.eye(N)), "a": lif(ONES * 1e-3, 3 * ONES)}
    nodes |= {"b": lif(ONES * 1e-3, 3 * ONES), "output": nir.Output(np.array([N]))}
    edges = [("input", "fc"), ("fc", "a"), ("a", "fc"), ("fc", "b"), ("b", "output")]
    nir.write(tmp_path / "x.nir", nir.NIRGraph(nodes, edges, type_check=False))
    assert read(str(tmp_path / "x.nir"), EULER).notes == (
        "node 'fc' gets what 'a' behind it sends, a step later; a layer that the module calls twice in a step is written the"
        " same: if it is one, give each call a layer of its own",
    )
    inside = recurrent(leaky(N, 0.9), nir.Linear(np.eye(N)), N)  # as snnTorch writes RLeaky
    assert "calls twice" not in notes(inside, EULER, tmp_path / "y.nir")


def test_nothing_is_told_of_a_file_that_no_tool_gives_away_nor_of_ours(tmp_path):
    assert notes(lif(ONES * 1e-3, 3 * ONES), EULER, tmp_path / "x.nir") == ""
    assert notes(current(w_in=2 * ONES), EULER, tmp_path / "x.nir") == ""
    for model in ("lif", "cuba"):
        artifact = targets.export("nir", fixed_chain(model=model, bias=640), None, tmp_path / model)
        said = " | ".join(read(str(artifact.root / "network.nir"), ImportConfig()).notes)
        assert "looks as if" not in said
        assert "starts" not in said


def test_where_the_first_voltage_lies_is_told_if_the_tool_may_start_elsewhere(tmp_path):
    leak = 0.1 * ONES
    elsewhere = notes(lif(ONES * 1e-3, 3 * ONES, v_leak=leak), EULER, tmp_path / "x.nir")
    assert "'n1' starts at 0, not at its v_leak (0.1)" in elsewhere
    reset = notes(lif(ONES * 1e-3, 3 * ONES, v_reset=-leak, v_leak=-leak), EULER, tmp_path / "x.nir")
    assert "'n1' starts at its v_reset (-0.1); NIR leaves" in reset


@pytest.mark.parametrize(
    ("tau", "error", "says"),
    [
        (ONES * 1e-5, UnsupportedError, "choose a smaller --dt (Norse 1.1.0 writes with 1e-6 what it steps by 1e-3)"),
        (ONES * -1e-2, UnsupportedError, "they must be above 0 (snnTorch writes a beta above 1 so"),
        (ONES * np.nan, UnsupportedError, "'node/nodes/1/tau' holds 3 numbers that are NaN or infinite; write the file again"),
    ],
)
def test_time_constants_that_cannot_be_come_with_a_remedy(tau, error, says, tmp_path):
    with pytest.raises((error, FileError)) as raised:
        notes(lif(tau, 3 * ONES), EULER, tmp_path / "x.nir")
    assert says in str(raised.value)


def test_axes_of_time_or_batch_in_the_sample_are_named(tmp_path):
    graph = chain(nir.Linear(np.eye(N)), lif(ONES * 1e-3, 3 * ONES), shape=[60, N])
    graph.nodes["output"] = nir.Output(np.array([N]))
    nir.write(tmp_path / "x.nir", graph)
    says = r"takes 3 values, it gets 180 \(shape \(60, 3\)\); write it from a sample without axes"
    with pytest.raises(UnsupportedError, match=says):
        read(str(tmp_path / "x.nir"), EULER)
