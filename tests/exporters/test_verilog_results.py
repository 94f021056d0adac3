"""docs/fpga.md says what results/fpga.json holds: builds, simulations at both levels, random networks."""

import json
import re

from conftest import ROOT

PAGE = (ROOT / "docs" / "fpga.md").read_text()
RESULTS = json.loads((ROOT / "results" / "fpga.json").read_text())


def on_page(number):
    return re.search(rf"(?<![\d.,]){re.escape(str(number))}(?![\d,]|\.\d)", PAGE)


def test_the_page_has_the_numbers_of_the_builds():
    for name, built in RESULTS["built"].items():
        assert on_page(built["f_max_mhz"]), name
        assert built["f_max_mhz"] == max(built["f_max_mhz_by_seed"]), name
        for kind in ("logic cells", "block RAMs", "DP16KD", "TRELLIS_COMB", "LUT4"):
            if kind in built["used"]:
                assert on_page(f"{built['used'][kind]['used']:,}"), (name, kind)


def test_the_page_has_the_numbers_of_the_simulations():
    for device, run in RESULTS["netlist"].items():
        assert run["mismatches"] == 0
        assert on_page(f"{run['spike_slots']:,}"), device
        assert min(run["fired"].values()) > 0
    assert any(on_page(f"{run['images']:,}") and run["images"] >= 10_000 for run in RESULTS["rtl"].values())
    assert not any(run["mismatches"] for run in RESULTS["rtl"].values())


def test_the_random_networks_are_those_of_the_page():
    random = RESULTS["random"]
    assert random["neuron_steps"] == sum(row["neuron_steps"] for row in random["rows"])
    assert on_page(f"{random['neuron_steps']:,}")
    assert random["mismatches"] == 0
    for row in random["rows"]:
        assert f"`{row['model']}`" in PAGE
        assert min(row["fired"][name] for name in ("first", "second")) > 0


def test_latency_is_clocks_by_frequency():
    built = RESULTS["built"]["ice40up5k, 1 lane"]
    clocks = RESULTS["netlist"]["ice40up5k"]["clocks_an_image"]
    assert abs(built["ms_an_image"] - clocks / built["f_max_mhz"] / 1000) < 0.001
    assert built["used"]["logic cells"]["used"] <= 1200
    assert built["ms_an_image"] <= 7


def test_the_page_has_the_numbers_of_the_network_that_was_pruned_to_fit():
    fitted = RESULTS["pruned to fit"]
    for number in (*(f"{used['used']:,}" for used in fitted["used"].values()), fitted["f_max_mhz"], fitted["ms_an_image"]):
        assert number == "0" or on_page(number), number
    assert fitted["rtl"]["mismatches"] == 0
    assert on_page(f"{fitted['rtl']['states']:,}")
    assert on_page(f"{round(fitted['clocks_an_image']):,}")
    assert all(on_page(f"{100 * accuracy:.2f}") for accuracy in fitted["accuracy"].values())
    assert abs(fitted["ms_an_image"] - fitted["clocks_an_image"] / fitted["f_max_mhz"] / 1000) < 0.001


def test_the_page_has_the_numbers_of_the_letters():
    for run in (RESULTS["braille"]["rtl"], RESULTS["braille"]["netlist"]):
        assert run["mismatches"] == 0
        assert all(on_page(f"{run[name]:,}") for name in ("samples", "spike_slots", "states"))
    assert on_page(f"{100 * RESULTS['braille']['rtl']['accuracy']:.2f}")
