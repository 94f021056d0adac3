"""Importer `json_weights`: {"weights": [[...], ...], "gains": [...]} -> inputs, a layer, and a layer behind it one to one."""

import json
from pathlib import Path

import numpy as np

import snnc
from snnc import ops
from snnc.plugin import Connection, Imported, Network, Part, Population, Synapses
from snnc_example.one_to_one import OneToOne
from snnc_example.plain_lif import PlainLIF

SUMMARY = "rows of weights and gains in JSON"
SUFFIXES = (".weights.json",)
OPTIONS = ("dt_s",)


def read(source, config):
    """Read a network of two layers."""
    try:
        file = json.loads(Path(source).read_text())
        weights, gains = np.array(file["weights"], float), np.array(file["gains"], float)
    except (OSError, ValueError, KeyError) as error:
        raise snnc.FileError(f"holds no weights and gains ({error})", where=source, fix="check the file") from error
    neuron = PlainLIF(threshold=np.array(1.0), decay_v=np.array(0.25))
    n = len(weights)
    populations = (
        Population("input", (weights.shape[1],), None),
        Population("hidden", (n,), neuron),
        Population("output", (n,), neuron),
    )
    connections = (
        Connection("rows", "input", "hidden", ops.get("dense")(Synapses.from_dense(weights))),
        Connection("gains", "hidden", "output", OneToOne(Synapses.from_dense(gains[:, None]))),
    )
    parts = (Part("weights", "table", "rows"), Part("gains", "list", "gains"))
    return Imported(Network("rows", populations, connections, config.dt_s or 1e-3), parts)
