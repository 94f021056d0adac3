"""A NIR file that snnc itself wrote holds more than NIR can say: integers, masks, delays of synapses. They are restored here."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import snnc.neurons as neurons
from snnc.base.hdf5 import Group
from snnc.errors import FileError, SnncError
from snnc.importers.nir.build import Built
from snnc.importers.nir.graph import Graph
from snnc.network.arithmetic import Fixed, Numeric, numeric_of
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population, Stage
from snnc.network.neuron import Neuron
from snnc.network.synapses import Synapses
from snnc.passes.dequantise import dequantised_neuron

SCHEMA = "snnc.nir/1"
NEAR = 1e-6  # what the nodes may differ from the metadata, relative
Tree = dict[str, Any]


def header(root: Group) -> Tree | None:
    """What snnc wrote about the graph; None if the file is another tool's."""
    metadata = root.tree["node"].get("metadata")
    text = metadata.get("snnc") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise root.error("is no JSON", "node/metadata/snnc") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise root.error(f"is not of schema {SCHEMA!r}", "node/metadata/snnc")
    return record


def restored(record: Tree, graph: Graph, built: Built, where: str) -> Network:
    """The network that was exported, from what the header says and the nodes hold. Raises FileError where they contradict."""
    try:
        numeric = numeric_of(dict(record["numeric"]))
        held = {node: connection for connection, way in built.ways.items() for node in way}
        connections = {c.name: c for c in built.connections}
        holders = {node: connections[connection] for node, connection in held.items()}
        populations = {p.name: p for p in built.populations}
        return Network(
            name=record["name"],
            populations=tuple(_population(p, graph, populations[built.names[p["node"]]], numeric) for p in record["populations"]),
            connections=tuple(_connection(c, graph, holders, numeric) for c in record["connections"]),
            dt_s=float(record["dt_s"]),
            numeric=numeric,
            encoding=Encoding(**record["encoding"]) if record["encoding"] else None,
            done=tuple(Stage(**stage) for stage in record["done"]),
        )
    except SnncError as error:
        place = f"{where}: {error.where}" if error.where and error.where != where else where
        raise FileError(error.what, where=place, fix="export it again, or remove its metadata") from error
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        raise FileError(f"has damaged metadata: {error!r}", where=where, fix="export it again, or remove its metadata") from error


def _population(fields: Tree, graph: Graph, imported: Population, numeric: Numeric) -> Population:
    neuron = None
    if fields["neuron"] is not None:
        model = neurons.get(fields["neuron"])
        held = graph.nodes[fields["node"]].fields.group("metadata").group("snnc")
        neuron = model(**{name: _array(held, name, numeric) for name in model.parameters()})
        _must_agree(neuron, imported, numeric)
    budget = fields.get("max_spikes_per_step")
    return Population(fields["name"], tuple(fields["shape"]), neuron, fields["message_bits"], budget)


def _array(held: Group, name: str, numeric: Numeric) -> NDArray[Any]:
    whole = isinstance(numeric, Fixed) or getattr(held.tree.get(name), "dtype", np.dtype(float)).kind in "iu"
    return held.integers(name) if whole else held.numbers(name)


def _must_agree(neuron: Neuron, imported: Population, numeric: Numeric) -> None:
    """The metadata must say what the node says, in the node's real numbers."""
    real = dequantised_neuron(neuron, numeric) if isinstance(numeric, Fixed) else neuron
    decays_first = sorted(real.parameters(), key=lambda name: not name.startswith("decay"))  # thresholds are in their units
    for name in decays_first if imported.neuron else ():
        recorded, read = (np.broadcast_to(getattr(n, name, 1.0), imported.size) for n in (real, imported.neuron))
        if not np.allclose(recorded, read, rtol=NEAR, atol=1e-9):
            at = int(np.argmax(np.abs(recorded - read)))
            raise FileError(f"node {imported.name!r} was changed: its {name} is {read[at]:g}, its metadata say {recorded[at]:g}")


def _connection(fields: Tree, graph: Graph, holders: dict[str, Connection], numeric: Numeric) -> Connection:
    parts = [holders[node] for node in fields["nodes"]]
    first = parts[0]
    stored = [
        _stored(c, graph.nodes[node].fields, fields["exponent"], numeric) for c, node in zip(parts, fields["nodes"], strict=True)
    ]
    steps, delays = fields["delay_steps"], None
    if fields["synapse_delays"]:
        delays = np.concatenate([np.full(len(at), c.delay_steps - steps) for c, (at, _) in zip(parts, stored, strict=True)])
    places, values = (np.concatenate(column) for column in zip(*stored, strict=True))
    synapses = _synapses(first.op.synapses.shape, places, values, delays)
    axons = np.broadcast_to(_axons(first) - steps, first.op.n_src).astype(np.int32) if fields["axon_delays"] else None
    if delays is None and axons is None and (first.axon_delays is not None or first.delay_steps != steps):
        raise FileError(
            f"connection {fields['name']!r} was changed: it has a delay of {first.delay_steps} steps, its metadata say {steps}"
        )
    op = replace(first.op, synapses=synapses, exponent=fields["exponent"], sign_mode=fields["sign_mode"])
    if op.kind != fields["op"]:
        raise FileError(f"connection {fields['name']!r} was changed: it is a {op.kind}, its metadata say {fields['op']!r}")
    return Connection(fields["name"], fields["src"], fields["dst"], op, steps, axons)


def _axons(c: Connection) -> Any:
    return c.delay_steps + (0 if c.axon_delays is None else c.axon_delays)


def _stored(c: Connection, fields: Group, exponent: int, numeric: Numeric) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """(places in the matrix, row by row; weights) that a node holds, those of weight 0 included."""
    s = c.op.synapses
    places, values = s.rows * s.shape[1] + s.indices, s.values
    if isinstance(numeric, Fixed):
        values = np.ldexp(values, -exponent)
        if (values != np.rint(values)).any() or np.abs(values).max(initial=0) >= 1 << 48:
            raise FileError(f"connection {c.name!r} was changed: its weights are no integers any more")
        values = values.astype(np.int64)
    zeros = _zeros(fields)
    return np.concatenate([places, zeros]), np.concatenate([values, np.zeros(len(zeros), values.dtype)])


def _zeros(fields: Group) -> NDArray[np.int64]:
    held = fields.group("metadata").group("snnc") if "metadata" in fields else None
    return held.integers("zeros").reshape(-1) if held and "zeros" in held else np.zeros(0, np.int64)


def _synapses(shape: tuple[int, int], places: NDArray[np.int64], values: NDArray[Any], steps: NDArray[Any] | None) -> Synapses:
    if len(places) and not 0 <= places.min() <= places.max() < shape[0] * shape[1]:
        raise FileError(f"names weight {places.max()} of {shape[0] * shape[1]}")
    order = np.argsort(places, kind="stable")
    rows, columns = np.divmod(places[order], shape[1])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))]).astype(np.int64)
    delays = None if steps is None else steps[order].astype(np.int32)
    return Synapses(shape, indptr, columns.astype(np.int32), np.ascontiguousarray(values[order]), delays)
