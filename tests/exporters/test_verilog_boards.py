"""Boards: constraints, and the host program that talks to the design through the bits of its serial port."""

import importlib.util
import os
import subprocess
from threading import Timer

import numpy as np
import pytest
from cases.networks import fixed_chain, fixed_loops, spikes
from conftest import snnc

from snnc import chips, targets
from snnc.simulation.reference import simulate

VERILOG = targets.load("verilog")


def test_a_board_has_a_known_fpga_and_a_whole_number_of_clocks_a_bit():
    for name, board in VERILOG.BOARDS.items():
        assert chips.load(board.device).fpga, name
        assert board.divider * 1_000_000 == board.mhz * 1_000_000
        file, text = board.constraints()
        assert file.endswith(".pcf" if board.device.startswith("ice40") else ".lpf")
        assert all(pin in text for pin in (board.clk, board.rx, board.tx))


class Pipes:
    """A serial port whose other end is a simulation: bytes as hexadecimal lines in two pipes."""

    def __init__(self, folder):
        self.out = os.open(folder / "serial.txt", os.O_RDWR)  # read and write, so that opening does not wait for the simulator
        self.back = (folder / "answers.txt").open()

    def close(self):
        os.close(self.out)
        self.back.close()

    def write(self, data):
        os.write(self.out, "".join(f"{byte:02x}\n" for byte in data).encode())

    def read(self, count):
        return bytes(int(self.back.readline(), 16) for _ in range(count))


def host_of(folder):
    """The module host.py of an artifact."""
    spec = importlib.util.spec_from_file_location("host", folder / "host.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.hdl
@pytest.mark.parametrize("loaded", [False, True])
def test_the_host_program_streams_samples_bit_by_bit(loaded, tmp_path):
    """Every byte goes through the pins rx and tx of the simulated board; what the host gets are the spikes of the output."""
    net = fixed_chain() if loaded else fixed_loops(sizes=(12, 21, 5))
    root = targets.export("verilog", net, None, tmp_path / "a", options={"lanes": 2}).root
    for name in ("serial.txt", "answers.txt"):
        os.mkfifo(root / name)
    sources = [path.name for path in sorted(root.glob("*.v")) if path.name != "testbench.v"]
    words = ["iverilog", "-g2005", "-s", "board_testbench", f"-Pboard_testbench.LOADED={int(loaded)}", "-o", "simulation"]
    subprocess.run([*words, *sources], cwd=root, check=True)
    simulation = subprocess.Popen(["vvp", "-n", "simulation"], cwd=root, stdout=subprocess.DEVNULL)
    watch = Timer(100, simulation.kill)  # then the pipe ends, and with it the wait for an answer
    watch.start()
    pipes = Pipes(root)
    try:
        host = host_of(root)
        board = host.Board(pipes, root)
        if loaded:
            board.load()
        inputs = spikes(net, samples=2, steps=5, rate=0.5)
        heard = host.run(board, inputs)
    finally:
        watch.cancel()
        simulation.kill()
        simulation.wait()
        pipes.close()
    reference = simulate(net, inputs)
    sent = [name for name in heard if name not in inputs]
    assert sent
    for name in sent:
        assert heard[name].sum() > 0
        assert (heard[name] == reference.spikes[name]).all()


def test_one_of_device_and_board_is_named(tmp_path, capsys):
    artifact = targets.export("verilog", fixed_chain(), None, tmp_path / "a").root
    for words in ((), ("--device", "ice40up5k", "--board", "icebreaker")):
        assert snnc("build", artifact, *words, "-o", tmp_path / "out") == 2
        assert "needs one of --device and --board" in capsys.readouterr().err
    assert snnc("build", artifact, "--board", "icebraker", "-o", tmp_path / "out") == 2
    assert "board: is 'icebraker'; did you mean 'icebreaker'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_host_says_what_does_not_answer(tmp_path):
    net = fixed_chain()
    root = targets.export("verilog", net, None, tmp_path / "a").root

    class Silent:
        def write(self, data):
            pass

        def read(self, count):
            return b""

    host = host_of(root)
    with pytest.raises(SystemExit, match="did not answer within 10 s"):
        host.run(host.Board(Silent(), root), spikes(net))
    with pytest.raises(SystemExit, match="has 12 neurons, the raster 3"):
        host.Board(Silent(), root).step({"input": np.zeros(3, int)})
