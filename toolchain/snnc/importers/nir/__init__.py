"""Import from `nir`: an HDF5 file of the Neuromorphic Intermediate Representation, written by snnTorch, Norse, sinabs, ..."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from snnc.base import hdf5
from snnc.errors import ConfigError, FileError, NetworkError, UsageError, refuse
from snnc.importers._settings import ImportConfig, Imported, Part
from snnc.importers.nir import spyx, unsaid
from snnc.importers.nir.build import Built, Rule, build
from snnc.importers.nir.exact import header, restored
from snnc.importers.nir.graph import NEURONS, Graph, graph
from snnc.importers.nir.neurons import WHOSE, Clock, discrete
from snnc.importers.nir.paths import follow
from snnc.importers.nir.shapes import shapes
from snnc.network.model import Network

SUMMARY = "a file of NIR 1.0, the Neuromorphic Intermediate Representation"
SUFFIXES = (".nir",)
LOOKS_LIKE_SPYX = "looks as if Spyx wrote it, whose neurons follow a rule of their own; if it did, add --writer spyx"
OPTIONS = ("dt_s", "discretise", "input_shape", "writer")


def read(source: str, config: ImportConfig) -> Imported:
    """The float network that a NIR file describes, in steps of ``--dt``. Nothing in the file is executed."""
    path, of_spyx = Path(source), config.writer == spyx.WRITER
    _must_be_of_nir(config)
    root = hdf5.read(path)
    _must_be_known(root)
    problems: list[str] = []
    parsed, ours = graph(root, problems), header(root)
    if of_spyx and ours:
        raise UsageError("was written by snnc", where=f"{source} with --writer spyx", fix="leave it out")
    if not of_spyx:
        _must_leak(parsed)
    clock = Clock(_time_step(root, config), "euler" if ours else config.discretise)
    sizes = shapes(parsed, config.shape, problems)
    problems += spyx.problems(parsed, sizes) if of_spyx else ()
    refuse(_once(problems), str(path))  # flows need shapes
    behind = follow(parsed, sizes, clock.dt_s, problems)
    built = build(parsed, sizes, behind, _rule(clock, of_spyx), problems, keep_weights=ours is not None)
    refuse(_once(problems), str(path))
    if of_spyx:
        spyx.late(built)
    net = restored(ours, parsed, built, str(path)) if ours else _network(path, built, clock)
    notes = [*built.notes, *_notes(built, net), *([] if of_spyx or ours else _left_out(parsed, clock))]
    return Imported(net, tuple(_parts(parsed, built)), tuple(notes), _settings(built, clock))


def _must_be_of_nir(config: ImportConfig) -> None:
    """Raises UsageError for settings that contradict each other."""
    if config.writer is None:
        return
    if config.writer != spyx.WRITER:
        raise UsageError("NIR says the rules of its neurons", where=f"--writer {config.writer}", fix="leave it out")
    if config.discretise == "exp":
        raise UsageError("Spyx writes decays as dt / tau", where="--discretise exp", fix="leave it out")


def _rule(clock: Clock, of_spyx: bool) -> Rule:
    """Return what a node of neurons becomes."""
    if of_spyx:
        return lambda node, shape, constant: spyx.discrete(node, shape, clock.dt_s, constant)
    return lambda node, shape, constant: discrete(node, shape, clock, constant)


def _must_leak(graph: Graph) -> None:
    """Raises FileError for an infinite time constant, with which a file does not say what its neurons do."""
    for node in graph.of(*NEURONS):
        for name in ("tau", "tau_mem", "tau_syn"):
            values = node.fields.tree.get(name)
            if isinstance(values, np.ndarray) and values.dtype.kind == "f" and np.isinf(values).any():
                raise FileError(
                    f"has a {name} that is infinite: snnTorch writes Leaky(beta=1) so, which loses the factor of its input",
                    where=f"{node.fields.file}: node {node.name!r} ({node.kind})",
                    fix="import the module itself (snnc import FILE.py:FACTORY), or write the node as NIR's IF",
                )


def _must_be_known(root: hdf5.Group) -> None:
    version = root.text("version") if "version" in root else ""
    if not version.startswith(("0.", "1.")):
        raise FileError(f"is of NIR version {version!r}, versions 0 and 1 are read", where=root.file, fix="write it with nir 1.0")


def _time_step(root: hdf5.Group, config: ImportConfig) -> float:
    """``--dt``, or what the metadata of the graph say."""
    if config.dt_s is not None:
        return config.dt_s
    metadata = root.group("node").tree.get("metadata")
    if not isinstance(metadata, dict) or "dt" not in metadata:
        raise ConfigError("has no time step", where=root.file, fix=f"add --dt in seconds: {WHOSE}")
    stated = root.group("node").group("metadata").numbers("dt")
    if stated.size != 1 or not 0 < stated.flat[0] < 1e3:
        raise root.error(f"is {stated}, expected one time step in seconds", "node/metadata/dt")
    return float(stated.flat[0])


def _once(problems: list[str]) -> list[str]:
    return list(dict.fromkeys(problems))


def _network(path: Path, built: Built, clock: Clock) -> Network:
    name = path.stem if path.stem.isprintable() and path.stem else "nir"
    try:
        return Network(name, tuple(built.populations), tuple(built.connections), clock.dt_s)
    except NetworkError as error:
        raise NetworkError(error.what, where=str(path), fix=error.fix or "correct the file") from error


def _parts(graph: Graph, built: Built) -> Iterator[Part]:
    """What became of every node."""
    used: dict[str, list[str]] = {}
    for connection, way in built.ways.items():
        for name in way:
            used.setdefault(name, []).append(f"connection {connection}")
    for node in graph.nodes.values():
        became = ", ".join(used.get(node.name, ["nothing"]))
        if node.name in built.names:
            became = f"population {built.names[node.name]}"
        yield Part(node.name, node.kind, became)


def _notes(built: Built, net: Network) -> Iterator[str]:
    if built.read_out != [net.output.name]:
        yield f"{net.output.name!r} is read out here, the file reads out {', '.join(map(repr, built.read_out)) or 'nothing'}"


def _left_out(graph: Graph, clock: Clock) -> Iterator[str]:
    """Yield notes on what a file may mean otherwise than it says, depending on the tool that seems to have written it."""
    if spyx.looks_like(graph):
        yield LOOKS_LIKE_SPYX
    yield from unsaid.notes(graph, clock)


def _settings(built: Built, clock: Clock) -> dict[str, object]:
    """What goes into the history of the network."""
    populations = {own: name for name, own in built.names.items() if own != name}
    connections = {own: way[-1] for own, way in built.ways.items() if way and own != way[-1]}
    return {"dt_s": clock.dt_s, "names": {"populations": populations, "connections": connections}}
