"""Populations and connections out of the nodes of a NIR graph. Last step of the NIR importer."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from snnc.errors import FileError
from snnc.importers.nir.flow import Flow, connection, scaled
from snnc.importers.nir.graph import NEURONS, SILENT, Graph, Node
from snnc.importers.nir.neurons import Discrete, Floats, readout, with_weights_kept
from snnc.importers.nir.paths import Behind, Sent, arriving, explained
from snnc.importers.nir.shapes import Shape
from snnc.network.model import Connection, Population
from snnc.network.synapses import Synapses
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense

Rule = Callable[[Node, Shape, Floats], Discrete]
MAX_STORED = 1 << 27
MAX_CHARACTERS = 64  # of a name


@dataclass(eq=False)
class Built:
    """The parts of a network, and what they were in the file."""

    populations: list[Population] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # node -> population
    ways: dict[str, tuple[str, ...]] = field(default_factory=dict)  # connection -> the nodes on its way
    notes: list[str] = field(default_factory=list)
    stored: int = 0  # synapses
    read_out: list[str] = field(default_factory=list)  # populations


def build(
    graph: Graph, shapes: dict[str, Shape], behind: Behind, rule: Rule, problems: list[str], *, keep_weights: bool = False
) -> Built:
    """All populations and connections; appends what cannot be expressed to ``problems``.

    Args:
        rule: What a node of neurons becomes, which has a shape and into which a constant flows.
        keep_weights: Weights as they stand in the file, and thresholds in their units.
    """
    inputs, neurons = graph.of("Input"), graph.of(*NEURONS)
    bare = [node for node in graph.of("Output") if _is_bare(arriving(node.name, graph, behind), graph)]
    problems += [
        f"node {node.name!r} gets the voltage of {flow.src!r} beside what others send, which nothing adds up; give it an Output"
        " of its own"
        for node in bare for flow in arriving(node.name, graph, behind).flows if graph.nodes[flow.src].kind in SILENT
    ]  # fmt: skip
    built = Built(names=legal(node.name for node in (*inputs, *neurons, *bare)))
    built.populations += [Population(built.names[node.name], shapes[node.name], None) for node in inputs]
    for node in (*neurons, *bare):
        sent = arriving(node.name, graph, behind)
        try:
            made = readout(sent.constant) if node in bare else rule(node, shapes[node.name], sent.constant)
            made = replace(with_weights_kept(made), starts="") if keep_weights else made  # of snnc, which starts at 0
            _add(node, shapes[node.name], made, sent.flows, built)
        except (ValueError, FileError) as error:
            problems.append(explained(node, error))
    if problems:
        return built
    _close_loops(built)
    ends = [flow.src for node in graph.of("Output") if node not in bare for flow in arriving(node.name, graph, behind).flows]
    built.read_out += [built.names[name] for name in dict.fromkeys((*ends, *(node.name for node in bare)))]
    return built


def _is_bare(sent: Sent, graph: Graph) -> bool:
    """Whether an output gets sums that no neuron integrates."""
    return len(sent.flows) > 1 or any(flow.nodes or graph.nodes[flow.src].kind == "Input" for flow in sent.flows)


def _add(node: Node, shape: Shape, made: Discrete, flows: Sequence[Flow], built: Built) -> None:
    name = built.names[node.name]
    if made.current is not None:
        built.populations.append(_always_firing(name, built))
        source = built.populations[-1].name
        wire = unique(source, built.ways)
        built.connections.append(_current(wire, source, name, np.broadcast_to(made.current, prod(shape))))
        built.ways[wire] = ()
        built.notes.append(
            f"{built.populations[-1].name!r} is a neuron that fires in every step: it brings the bias of the current of {name!r}"
        )
    built.populations.append(Population(name, shape, made.neuron))
    if made.starts:
        built.notes.append(f"{name!r} starts {made.starts}; NIR leaves the first voltage open")
    if node.kind == "Output":
        built.notes.append(f"{name!r} gets sums that no neuron integrates; it became a readout without memory")
    for flow in flows:
        _must_have_room(flow, built)
        wire = _wire_name(flow, name, built)
        built.connections.append(connection(scaled(flow, made.gain), wire, built.names[flow.src], name))
        built.ways[wire] = flow.nodes


def _must_have_room(flow: Flow, built: Built) -> None:
    """Raises ValueError where the connections to come would not fit into memory."""
    built.stored += flow.op.synapses.count if flow.op else prod(flow.shape)
    if built.stored > MAX_STORED:
        raise ValueError(f"would bring the network beyond {MAX_STORED:,} synapses; merge connections of one to one")


def _always_firing(name: str, built: Built) -> Population:
    taken = {*built.names.values(), *(p.name for p in built.populations)}
    return Population(unique(f"{name[:50]}_bias", taken), (1,), LIF(np.array(0.0), np.array(0.5), np.array(1.0)))


def _current(wire: str, src: str, dst: str, current: np.ndarray) -> Connection:
    return Connection(wire, src, dst, Dense(Synapses.from_dense(current[:, None].astype(np.float64))))


def _wire_name(flow: Flow, dst: str, built: Built) -> str:
    """Named as the last node with weights on the way."""
    src = built.names[flow.src]
    name = flow.weights[-1] if flow.weights else f"{src[:31]}_{dst[:31]}"
    return unique(legal([name])[name], built.ways)


def _close_loops(built: Built) -> None:
    """Connections that close a loop act one step later; those with delays do anyway."""
    loops = set(closing(built.connections, [p.name for p in built.populations]))
    for i, c in enumerate(built.connections):
        if c.name in loops:
            built.connections[i] = replace(c, delay_steps=c.delay_steps + 1)
            if c.src != c.dst:
                built.notes.append(f"connection {c.name!r} closes the loop from {c.dst!r} to {c.src!r}: it acts one step later")


def closing(connections: Sequence[Connection], populations: Sequence[str]) -> Iterator[str]:
    """The connections without which there is no loop without delay: those that lead back on a way from the first populations."""
    out: dict[str, list[Connection]] = {name: [] for name in populations}
    for c in connections:
        if c.shortest_delay == 0:
            out[c.src].append(c)
    done: set[str] = set()
    for first in populations:
        way: list[tuple[str, Iterator[Connection]]] = [(first, iter(out[first]))] if first not in done else []
        on_way = {first}
        while way:
            name, rest = way[-1]
            if (wire := next(rest, None)) is None:
                way.pop()
                on_way.discard(name)
                done.add(name)
            elif wire.dst in on_way:
                yield wire.name
            elif wire.dst not in done:
                way.append((wire.dst, iter(out[wire.dst])))
                on_way.add(wire.dst)


def legal(names: Iterable[str]) -> dict[str, str]:
    """Each name -> a legal one of its own: letters, digits and _, beginning with a letter. Legal names stay as they are."""
    given = dict.fromkeys(names)
    found = {name: name for name in given if _tidied(name) == name}
    taken = set(found)
    for name in given:
        if name not in found:
            found[name] = unique(_tidied(name), taken)
            taken.add(found[name])
    return {name: found[name] for name in given}


def unique(name: str, taken: Container[str]) -> str:
    """The legal name itself, or with a number where it is taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name[: MAX_CHARACTERS - 8]}_{number}"
    return found


def _tidied(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return (plain if re.match("[A-Za-z]", plain) else f"n{plain}")[:MAX_CHARACTERS]
