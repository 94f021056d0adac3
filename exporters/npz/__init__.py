"""Target `npz`: a network as plain data, for people with a chip or a simulator of their own: .npz, CSV and a description.

run.py                 computes the network from the next two files alone, in NumPy; this is what `snnc verify` runs
network.npz            every array: CONNECTION.indptr, .indices, .values (compressed sparse rows), .delays, .axon_delays;
                       POPULATION.PARAMETER; the file is read by numpy.load(..., allow_pickle=False)
network.json           everything else: numbers, order of computation, what a neuron does in a step, operators, delays, scales
connections/NAME.csv   the stored weights: row, column, weight, and delay where there are delays of synapses
populations/NAME.csv   the parameters of each neuron
mapping.csv            with --hw: core, population, first neuron, last neuron + 1
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import snnc.neurons as neurons
from snnc import ops
from snnc.base.version import __version__
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network, Population, arrays, structure
from snnc.passes.quantise import scales
from snnc.simulation.run import Rasters, Run
from snnc.targets import runner, step_writer
from snnc.targets.target import Artifact

from .._shared import programs
from .._shared.arrays import write_npz
from . import steps as _npz_steps

__all__ = [
    "NEEDS_MAPPING",
    "SUMMARY",
    "TAKES_MAPPING",
    "VERIFIED_BY",
    "export",
    "neuron_problem",
    "operator_problem",
    "problems",
    "run",
]

SUMMARY = "plain data: integers, sparse weights and scales as .npz, CSV and JSON"
NEEDS_MAPPING = False
TAKES_MAPPING = True
CHECKS_BUDGETS = True
PROGRAM = runner.Runner("the program of the plain data", "pip install numpy", "SNNC_NPZ_PYTHON")
VERIFIED_BY = "NumPy"
SCHEMA = "snnc.plain/1"
ROWS_AND_COLUMNS = {
    "dense": "row: destination neuron; column: source neuron, or what a pool makes of source neurons",
    "conv2d": "row: destination channel; column: (source channel of the group * kernel rows + row) * kernel columns + column",
    "maxpool2d": "as the operator `op` of `sums_of`; a neuron gets the largest of its sums under the place of the window",
    "sumpool2d": "one weight, shared by all places of the window",
}


def neuron_problem(model: str) -> str:
    """Return why the target cannot hold a neuron model; empty if it can."""
    return step_writer.neuron_problem(model, _npz_steps.OPERATIONS, "the description")


def operator_problem(kind: str) -> str:
    """Return why the target cannot hold a kind of operators; empty if it can."""
    return "" if kind in ROWS_AND_COLUMNS and kind in ops.kinds() else f"what rows and columns of {kind!r} are is not described"


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that cannot be exported, each as a sentence."""
    return [
        f"connection {c.name!r} has operator {c.op.kind!r}: {why}"
        for c in net.connections
        if (why := operator_problem(c.op.kind))
    ]


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder``; nothing runs late, nothing is unrolled."""
    write_npz(folder / "network.npz", ((key.split("/", 1)[1].replace("/", "."), array) for key, array in arrays(net)))
    programs.write(Path(__file__).with_name("program.py"), folder)
    (folder / "network.json").write_text(json.dumps(_description(net), indent=1) + "\n")
    for c in net.connections:
        _write_csv(folder / "connections" / f"{c.name}.csv", _synapses(c))
    for p in net.populations:
        if p.neuron:
            _write_csv(folder / "populations" / f"{p.name}.csv", _neurons(p))
    if mapping:
        _write_csv(folder / "mapping.csv", _mapping(mapping))
        (folder / "mapping.json").write_text(json.dumps(mapping.to_json(), indent=1, sort_keys=True) + "\n")
    return {p.name: 0 for p in net.ordered}


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Run the artifact on input rasters (samples, steps, n); raises what `runner.run` does."""
    return runner.run(artifact, inputs, record, timeout_s, PROGRAM)


def _description(net: Network) -> dict[str, Any]:
    described = structure(net)
    fixed = isinstance(net.numeric, Fixed)
    models = sorted({p.neuron.model() for p in net.populations if p.neuron})
    return {
        "schema": SCHEMA,
        "snnc": __version__,
        "name": net.name,
        "hash": net.hash,
        **described,
        "order": [p.name for p in net.ordered],
        "output": net.output.name,
        "scales": dict(scales(net)) if fixed else {},  # integers per float, by population
        "rules": {model: neurons.get(model).answers() for model in models},
        "operations": _npz_steps.OPERATIONS,
        "steps": {model: _npz_steps.described(model) for model in models},
        "rows_and_columns": {kind: ROWS_AND_COLUMNS[kind] for kind in sorted({c.op.kind for c in net.connections})},
    }


def _synapses(c: Connection) -> Iterator[tuple[Any, ...]]:
    delayed = c.op.synapses.delay_extremes() is not None
    yield ("row", "column", "weight", *(["delay_steps"] if delayed else []))
    for start, stop in c.op.synapses.slices():
        block = c.op.synapses.block(start, stop)
        columns: list[NDArray[Any]] = [start + block.rows, block.indices, block.values]
        columns += [] if block.delays is None else [block.delays]
        yield from zip(*(column.tolist() for column in columns), strict=True)


def _neurons(p: Population) -> Iterator[tuple[Any, ...]]:
    assert p.neuron is not None  # noqa: S101 - for the type checker; callers ask for neurons only
    names = tuple(p.neuron.parameters())
    yield ("neuron", *names)
    yield from zip(range(p.size), *(np.broadcast_to(getattr(p.neuron, n), p.size).tolist() for n in names), strict=True)


def _mapping(mapping: CoreMap) -> Iterator[tuple[Any, ...]]:
    yield ("core", "population", "start", "stop")
    for core in mapping.cores:
        yield from ((core.index, s.population, s.start, s.stop) for s in core.slices)


def _write_csv(path: Path, rows: Iterable[tuple[Any, ...]]) -> None:
    path.parent.mkdir(exist_ok=True)
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows(rows)
    path.write_text(content.getvalue())
