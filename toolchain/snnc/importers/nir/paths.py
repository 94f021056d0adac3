"""What reaches every node of a NIR graph: spikes on their way, and constants. Used by the NIR importer."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnc.errors import FileError
from snnc.importers.nir.flow import Flow, constant, start, through
from snnc.importers.nir.graph import NEURONS, SILENT, Graph, Node
from snnc.importers.nir.shapes import Shape

MAX_PATHS = 1000  # from populations to one node


@dataclass(frozen=True, eq=False)
class Sent:
    """What a node sends: spikes that come on these ways, and a constant, shape (1,) or (n,)."""

    flows: tuple[Flow, ...]
    constant: NDArray[np.float64]


Behind = dict[str, Sent]
NOTHING = Sent((), np.zeros(1))


def follow(graph: Graph, shapes: dict[str, Shape], dt_s: float, problems: list[str]) -> Behind:
    """Node -> what it sends; appends what cannot be expressed to ``problems``."""
    behind: Behind = {}
    for node in graph.of("Input", *NEURONS):
        behind[node.name] = Sent((start(node.name, shapes[node.name]),), np.zeros(1))
    missing = {name: sum(before not in behind for before in graph.before[name]) for name in graph.nodes if name not in behind}
    ready = deque(name for name, count in missing.items() if not count)
    while ready:
        name = ready.popleft()
        behind[name] = _passed(graph.nodes[name], arriving(name, graph, behind), shapes[name], dt_s, problems)
        for after in graph.after[name]:
            missing[after] = missing.get(after, 0) - 1
            if not missing[after]:
                ready.append(after)
    if waiting := [name for name in graph.nodes if name not in behind]:
        problems.append(f"nodes {', '.join(map(repr, waiting[:5]))} are on or behind a loop without neurons; put neurons into it")
    for node in graph.of(*SILENT):
        if wrong := [name for name in graph.after[node.name] if graph.nodes[name].kind not in ("Output", "Port")]:
            problems.append(
                f"node {node.name!r} ({node.kind}) sends its voltage to {wrong[0]!r}, and only spikes can be sent;"
                " make it the last, or train it as a neuron that fires"
            )
    return behind


def arriving(name: str, graph: Graph, behind: Behind) -> Sent:
    """The sum of what the nodes before a node send."""
    sent = [behind.get(before, NOTHING) for before in graph.before[name]]
    return Sent(tuple(flow for s in sent for flow in s.flows), np.asarray(sum((s.constant for s in sent), np.zeros(1))))


def _passed(node: Node, sent: Sent, shape: Shape, dt_s: float, problems: list[str]) -> Sent:
    if len(sent.flows) > MAX_PATHS:
        problems.append(f"node {node.name!r} is reached on {len(sent.flows)} paths, at most {MAX_PATHS} are possible; merge some")
        return NOTHING
    try:
        flows = tuple(through(flow, node, shape, dt_s) for flow in sent.flows)
        before = next((flow.shape for flow in sent.flows), shape)
        return Sent(flows, constant(node, sent.constant, before, shape))
    except (ValueError, FileError) as error:
        problems.append(explained(node, error))
        return NOTHING


def explained(node: Node, error: ValueError | FileError) -> str:
    """A problem of a node as a sentence."""
    return f"{error.what}; {error.fix}" if isinstance(error, FileError) else f"node {node.name!r} ({node.kind}) {error}"
