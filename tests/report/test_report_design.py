"""The report's section about an FPGA: what `snnc build` recorded, however damaged, and nothing where nothing was built."""

import json

import pytest
from cases.networks import fixed_chain

from snnc import store
from snnc.errors import FileError
from snnc.report.compose import report_of
from snnc.report.design import designs
from snnc.report.markdown import markdown

BUILT = {
    "device": "ice40up5k", "board": "icebreaker", "synapses": "loaded through the serial port", "f_max_mhz": 27.9,
    "seeds": [{"seed": 1}, {"seed": 2}],
    "used": {"logic cells": {"used": 1080, "of": 5280}, "block RAMs": {"used": 23, "of": 30}},
    "estimated": {"block RAMs": 24, "memories": [
        {"memory": "synapses", "where": "large RAM", "rams": 3}, {"memory": "rows", "where": "block RAM", "rams": 1},
    ]},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    store.save(fixed_chain(), tmp_path / "fixed.snnc")
    (tmp_path / "bitstream").mkdir()
    (tmp_path / "bitstream" / "utilisation.json").write_text(json.dumps(BUILT))
    return tmp_path


def test_the_estimate_stands_beside_what_was_counted(folder):
    text = markdown(report_of(folder))
    assert "FPGA: bitstream" in text
    assert "27.9 MHz with the best of 2 seeds" in text
    assert "1,080 of 5,280" in text
    assert next(line for line in text.splitlines() if "block RAMs" in line).replace(" ", "").startswith("|blockRAMs|24|23of30")
    assert "nothing was run on an FPGA" in text


def test_nothing_is_said_where_nothing_was_built(folder):
    (folder / "bitstream" / "utilisation.json").unlink()
    assert designs(folder) == ()
    assert "FPGA" not in markdown(report_of(folder))


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"used": {"x": 3, "y": {"used": "a", "of": 0}}, "estimated": {"memories": [1]}}']
)
def test_a_damaged_record_says_less(folder, content):
    (folder / "bitstream" / "utilisation.json").write_text(content)
    assert "an FPGA" in markdown(report_of(folder))


def test_a_record_that_is_no_json_is_one_error(folder):
    (folder / "bitstream" / "utilisation.json").write_text("{")
    with pytest.raises(FileError, match=r"utilisation\.json"):
        report_of(folder)
