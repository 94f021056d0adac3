"""Target `nir`: an HDF5 file of the Neuromorphic Intermediate Representation that nir 1.0 reads, for other tools to open.

Nodes mean what NIR says of them (with forward Euler steps of dt), so that every tool reads the same network; what NIR cannot
say, integers, masks, time step, provenance, is in the metadata of graph and nodes, from which `snnc import` restores it all.
"""

import json
from dataclasses import asdict
from pathlib import Path

from snnc.mapping.model import CoreMap
from snnc.network.model import Network, structure
from snnc.passes.dequantise import dequantised
from snnc.simulation.run import Rasters, Run
from snnc.targets.target import Artifact

from .._shared import hdf5
from .._shared import read_back as _read_back
from . import nodes as _nir_nodes

SUMMARY = "a file of NIR 1.0 for other tools, from which snnc import restores the network exactly"
NEEDS_MAPPING = False
CHECKS_BUDGETS = True  # what reads the file back: the nodes are real numbers, which do not wrap
FILE = "network.nir"
VERIFIED_BY = _read_back.READER
REMARK = _read_back.remark(FILE)
VERSION = "1.0.7"  # of the format; files of 1.0.8 do not differ
SCHEMA = "snnc.nir/1"
neuron_problem = _nir_nodes.neuron_problem
operator_problem = _nir_nodes.operator_problem


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that NIR cannot express, each as a sentence."""
    return list(_nir_nodes.problems(dequantised(net)))


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Write ``network.nir`` into ``folder``; return the latency of each population in steps: none. Nothing is unrolled."""
    nodes, edges, where = _nir_nodes.graph(net, dequantised(net))
    graph = {"type": "NIRGraph", "nodes": nodes, "edges": edges, "metadata": {"dt": net.dt_s, "snnc": _header(net, where)}}
    hdf5.write({"version": VERSION, "node": graph}, folder / FILE)
    return {p.name: 0 for p in net.ordered}


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Simulate what `snnc import` reads in the artifact; raises what `_read_back.run` does."""
    return _read_back.run(artifact, FILE, inputs, record, names_kept=True)


def _header(net: Network, where: _nir_nodes.Where) -> str:
    """Return all but the arrays, and which nodes hold those."""
    header = structure(net)
    for p in header["populations"]:
        p["node"] = where.populations[p["name"]]
    for c, connection in zip(header["connections"], net.connections, strict=True):
        c["nodes"] = where.connections[connection.name]
        c["axon_delays"], c["synapse_delays"] = connection.axon_delays is not None, connection.op.synapses.delays is not None
    body = {"schema": SCHEMA, "name": net.name, **header, "done": [asdict(stage) for stage in net.done]}
    return json.dumps(body, sort_keys=True, separators=(",", ":"))
