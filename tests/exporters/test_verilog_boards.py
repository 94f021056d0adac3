"""Boards: constraints, and the host program that talks to the design through the bits of its serial port."""

import importlib.util
import json
import os
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from threading import Timer

import numpy as np
import pytest
from cases.networks import fixed_chain, fixed_loops, spikes
from conftest import snnc
from snnc.exporters.verilog import flash

from snnc import chips, targets
from snnc.neurons.li import LI
from snnc.simulation.reference import simulate

VERILOG = targets.load("verilog")


def test_a_board_has_a_known_fpga_and_a_whole_number_of_clocks_a_bit():
    for name, board in VERILOG.BOARDS.items():
        assert chips.load(board.device).fpga, name
        assert board.divider * 1_000_000 == board.mhz * 1_000_000
        file, text = board.constraints(bool(board.flash))
        assert all(f"set_io {port} {pin}" in text for port, pin in board.flash)
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


@contextmanager
def simulated(root, **parameters):
    """The module host.py of an artifact, and a board of it that is simulated bit by bit."""
    for name in ("serial.txt", "answers.txt"):
        os.mkfifo(root / name)
    sources = [path.name for path in sorted(root.glob("*.v")) if path.name != "testbench.v"]
    given = [f"-Pboard_testbench.{name}={value}" for name, value in parameters.items()]
    subprocess.run(["iverilog", "-g2005", "-s", "board_testbench", *given, "-o", "simulation", *sources], cwd=root, check=True)
    simulation = subprocess.Popen(["vvp", "-n", "simulation"], cwd=root, stdout=subprocess.DEVNULL)
    watch = Timer(100, simulation.kill)  # then the pipe ends, and with it the wait for an answer
    watch.start()
    pipes = Pipes(root)
    try:
        host = host_of(root)
        yield host, host.Board(pipes, root)
    finally:
        watch.cancel()
        simulation.kill()
        simulation.wait()
        pipes.close()


def flashed(root, data=None):
    """Put what a build writes for the flash of a board into the simulated one."""
    p = json.loads((root / "network.json").read_text())["parameters"]
    lanes = [(root / f"synapses_{lane}.hex").read_text().split() for lane in range(p["LANES"])]
    data = data or flash.image([[int(word, 16) for word in words] for words in lanes], p["SYNAPSE"])
    (root / "flash.hex").write_text("".join(f"{byte:02x}\n" for byte in data))
    return data


@pytest.mark.hdl
@pytest.mark.parametrize("synapses", ["in the bitstream", "from the host", "from flash"])
def test_the_host_program_streams_samples_bit_by_bit(synapses, tmp_path):
    """Every byte goes through the pins rx and tx of the simulated board; what the host gets are the spikes of the output."""
    net = fixed_loops(sizes=(12, 21, 5)) if synapses == "in the bitstream" else fixed_chain()
    root = targets.export("verilog", net, None, tmp_path / "a", options={"lanes": 2}).root
    flashed(root)
    inputs = spikes(net, samples=2, steps=5, rate=0.5)
    with simulated(root, LOADED=int(synapses == "from the host"), FLASH=int(synapses == "from flash")) as (host, board):
        if synapses == "from the host":
            board.load()
        heard = host.run(board, inputs)
    reference = simulate(net, inputs)
    sent = [name for name in heard if name not in inputs]
    assert sent
    for name in sent:
        assert heard[name].sum() > 0
        assert (heard[name] == reference.spikes[name]).all()


@pytest.mark.hdl
@pytest.mark.parametrize("lanes", [1, 4])
def test_the_voltages_of_a_readout_come_back(lanes, tmp_path):
    """A readout never fires; the host gets its voltage after each step, of no multiple of the lanes, and with it the class."""
    net = fixed_chain()
    readout = replace(net["output"], neuron=LI.example(), shape=(5,))
    readout = replace(readout, neuron=replace(readout.neuron, decay_u=np.int64(2048), decay_v=np.int64(512)))
    net = replace(net, populations=tuple(readout if p.name == "output" else p for p in net.populations))
    root = targets.export("verilog", net, None, tmp_path / "a", options={"lanes": lanes}).root
    inputs = spikes(net, samples=2, steps=5, rate=0.5)
    with simulated(root) as (host, board):
        heard = host.run(board, inputs)
    voltages = simulate(net, inputs, record=True).states["output"]["v"]
    assert voltages.min() < 0 < voltages.max()
    assert (heard["output.v"] == voltages).all()


@pytest.mark.hdl
@pytest.mark.parametrize("fault", ["erased", "one bit", "not loaded"])
def test_a_board_without_its_synapses_says_so(fault, tmp_path):
    """A flash that was not programmed, or holds another network's synapses; a host that loads none, and then does."""
    net = fixed_chain()
    root = targets.export("verilog", net, None, tmp_path / "a", options={"lanes": 2}).root
    data = bytearray(flashed(root))
    data[-1] ^= 1
    flashed(root, data if fault == "one bit" else b"\xff")
    by_host = fault == "not loaded"
    (root / "utilisation.json").write_text("{}" if by_host else '{"program": ["iceprog -o 1M synapses.bin"]}')
    inputs = spikes(net, samples=1, steps=2, rate=0.5)
    remedy = "add --load" if by_host else "program its flash: iceprog -o 1M synapses.bin"
    with simulated(root, LOADED=1, FLASH=int(not by_host)) as (host, board):
        with pytest.raises(SystemExit, match=rf"no synapses of this network \(02\): {remedy}"):
            host.run(board, inputs)
        if not by_host:
            with pytest.raises(SystemExit, match="reads its synapses from flash, so leave out --load"):
                board.load()
            return
        board.load()
        heard = host.run(board, inputs)
    assert (heard["output"] == simulate(net, inputs).spikes["output"]).all()


def test_the_checksum_is_the_one_of_its_name():
    """CRC-32/MPEG-2 of "123456789", as catalogues of checksums give it."""
    assert flash.checksum(b"123456789") == 0x0376E6E7


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
