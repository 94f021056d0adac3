"""A TOML description becomes a network of rules; what it says wrong is refused in one go."""

import tomllib

import pytest

from snnc.errors import FileError, NetworkError, UnsupportedError
from snnc.importers import read, rules

RING = """
name = "ring"
dt_s = 1e-3
seed = 7
tiles = 4

[populations.drive]
neurons = 100
message_bits = 2

[populations.cells]
neurons = 1000
model = "lif"
threshold = 1.0

[[connections]]
from = "drive"
to = "cells"
rule = "fixed_in_degree"
in_degree = 10
weight = { normal = [0.3, 0.03], between = [0.1, 0.5] }

[[connections]]
name = "around"
from = "cells"
to = "cells"
rule = "fixed_probability"
probability = 0.01
weight = 0.05
delay = { uniform = [1, 9] }
tile = -1
"""


def test_a_description_becomes_rules(tmp_path):
    (tmp_path / "ring.toml").write_text(RING)
    imported = read(str(tmp_path / "ring.toml"))
    net = imported.network
    assert net.tiles == 4
    assert {p.name: (p.shape, p.message_bits) for p in net.populations} == {"drive": ((4, 100), 2), "cells": ((4, 1000), 0)}
    first, around = (c.op.synapses.rule for c in net.connections)
    assert (first.in_degree, first.seed, around.seed, around.offset) == (10, 7 << 32, (7 << 32) + 1, 3)
    assert net.connections[0].op.synapse_count == 40_000
    assert imported.parts[1].became == "lif"
    assert net.done[0].settings["from"] == "rules"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tile = -1", "tiel = -1", "did you mean 'tile'"),
        ("neurons = 100\n", "neurons = 'x'\n", "'drive': neurons is 'x'"),
        ('to = "cells"', 'to = "celsl"', "joins 'celsl', which is no population"),
        ('"lif"', '"lfi"', "no neuron model 'lfi'"),
        ("threshold = 1.0", "treshold = 1.0", "did you mean 'threshold'"),
        ("dt_s = 1e-3", "dt_s = 1", "time step dt_s of 1"),
        ("weight = 0.05", "", "names no 'weight'"),
        ("weight = 0.05", "weight = { normal = [1] }", "says not how to draw"),
        ('rule = "fixed_probability"', 'rule = "random"', "has the rule 'random'"),
        ("probability = 0.01", "probability = 1.01", "probability 1.01"),
        ("in_degree = 10", "in_degree = 10\nprobability = 0.5", "'probability', which the rule 'fixed_in_degree' does not take"),
        ("tiles = 4", "tiles = 0", "tiles is 0, expected 1 or more"),
        ("threshold = 1.0", "threshold = '1'", "threshold is '1', expected a number"),
    ],
)
def test_what_is_wrong_is_named(old, new, message, tmp_path):
    (tmp_path / "ring.toml").write_text(RING.replace(old, new))
    with pytest.raises((UnsupportedError, NetworkError), match=message):
        read(str(tmp_path / "ring.toml"))


def test_all_that_is_wrong_is_named_together():
    described = tomllib.loads(RING.replace("tile = -1", "tiel = 1").replace("message_bits", "bits").replace("seed", "sede"))
    with pytest.raises(UnsupportedError, match=r"3 things cannot be imported: .*'sede'.*'bits'.*'tiel'"):
        rules.network(described)


@pytest.mark.parametrize(("content", "message"), [("name = [", "is no TOML file"), ("#" * ((1 << 20) + 1), "at most 1,048,576")])
def test_other_files_are_refused(content, message, tmp_path):
    (tmp_path / "net.toml").write_text(content)
    with pytest.raises(FileError, match=message):
        read(str(tmp_path / "net.toml"))
