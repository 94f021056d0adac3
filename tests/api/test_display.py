"""Objects of the API show themselves: short in a terminal, as escaped HTML in a notebook."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("torch", reason="the network is trained")

import snnc
from snnc import data
from snnc.network.html import MOST_ROWS, block


@pytest.fixture(scope="module")
def shown():
    net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
    fixed = replace(snnc.quantise(net, "loihi1"), name="<b>&")
    verification = snnc.verify(fixed, "reference", data="digits", samples=5)
    return {
        "network": fixed,
        "budget": snnc.check(fixed, "loihi1"),
        "core map": snnc.map(fixed, "loihi1", strategy="sequential"),
        "verdict": verification.verdict,
        "verification": verification,
    }


class Tags(HTMLParser):
    """The tags of a text, which have to be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.all, self.words = [], set(), []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.all.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize("kind", ["network", "budget", "core map", "verdict", "verification"])
def test_each_shows_a_table_and_a_short_line(shown, kind):
    thing = shown[kind]
    assert len(repr(thing)) < 130
    assert "\n" not in repr(thing)
    tags = Tags(thing._repr_html_())
    assert {"table", "tr", "td"} <= tags.all <= {"div", "strong", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert "hidden1" in " ".join(tags.words)


def test_lines_say_what_matters(shown):
    assert repr(shown["budget"]) == "Budget(<b>& on loihi1: fits, 2 of 128 cores)"
    assert repr(shown["core map"]) == "CoreMap(loihi1, 2 cores, strategy 'sequential', seed 0)"
    assert repr(shown["network"]).startswith("Network('<b>&', fixed, 26 neurons, ")


def test_a_difference_and_silence_are_shown():
    first = snnc.Divergence(0, "output", 3, 7, "the current u", spike=(0, 1), states={})
    differs = snnc.Verdict("engine", "lava", {"output": (10, 2)}, {}, {"output": 3}, first)
    assert repr(differs) == "Verdict(lava against engine: 2 mismatches)"
    assert "step=3" in differs._repr_html_()
    silent = snnc.Verdict("engine", "lava", {"output": (10, 0)}, {}, {"output": 0}, None)
    assert repr(silent) == "Verdict(lava against engine: silent: output)"


def test_text_is_escaped_and_long_tables_are_cut():
    page = block("<i>", {"a": "<script>"}, ("x",), [(i,) for i in range(MOST_ROWS + 3)], ["a & b"])
    assert page.count("<tr>") == MOST_ROWS + 1
    assert "and 3 more" in page
    assert "<script>" not in page
    assert "a &amp; b" in page


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda net: snnc.simulate(net, np.ones((2, 3, 64), np.uint8)), "2x3x16"),
        (lambda net: snnc.evaluate(net, samples=20), r"Evaluation\(20 samples, \d+\.\d+% right, "),
        (
            lambda net: snnc.contrast(net, net, samples=20),
            r"Contrast\(20 samples, 0 classes and 0 of \d+,\d+ spike slots differ\)",
        ),
        (snnc.prove_ranges, r"RangeProof\(invariant, no register can wrap or saturate\)"),
        (snnc.simplify, r"Simplified\('<b>&', \d+ neurons and inputs less\)"),
        (snnc.inspect, r"Inspection\('<b>&', fixed \(loihi1\), 3 populations, 2 connections, \d+ parameters\)"),
        (lambda net: data.load("digits", "test"), r"^Dataset\('digits', test, 360 images \(8, 8\), 10 classes\)$"),
    ],
)
def test_the_other_objects_are_one_short_line_too(shown, made, says):
    line = repr(made(shown["network"]))
    assert len(line) < 130
    assert "\n" not in line
    assert re.search(says, line)


def test_an_artifact_is_one_short_line(shown, tmp_path):
    artifact = snnc.export(shown["network"], "npz", tmp_path / "program")
    assert re.fullmatch(rf"Artifact\(npz, '{tmp_path}/program', \d+ files, network [0-9a-f]{{12}}\)", repr(artifact))
