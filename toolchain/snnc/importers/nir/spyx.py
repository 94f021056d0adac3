"""NIR files of Spyx, whose neurons follow a rule of their own, which NIR's nodes do not say. Used by the NIR importer.

    LIF       s[t] = V[t-1] > threshold;   V[t] = b V[t-1] + I[t] - threshold s[t],   b = 1 - dt / tau, clipped to 0 .. 1
    IF        the same with b = 1

So the threshold is subtracted, ``r`` has no meaning, and a spike leaves one step after the membrane has crossed the threshold:
`cuba_subtract`, whose connections have a delay of one step. What Spyx writes and means otherwise than its file says is refused.
Source: Spyx 1.0.0, spyx/nn.py (LIF, IF, CuBaLIF, RLIF, Flatten) and spyx/nir.py (to_nir, _build_model).
"""

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from snnc.importers.nir.build import Built
from snnc.importers.nir.graph import Graph, Node
from snnc.importers.nir.neurons import Discrete, Floats, one
from snnc.importers.nir.shapes import Shape, row
from snnc.neurons.cuba_subtract import CubaSubtract

WRITER = "spyx"
LATE = (
    "Spyx hands on a spike one step after the membrane has crossed the threshold: connections have a delay of one step, and the"
    " spikes of the last neurons come one step earlier here"
)
_CURRENT = "is a CubaLIF, which Spyx resets before the decay while its current goes on, as no neuron here does; train it with LIF"


def problems(graph: Graph, shapes: dict[str, Shape]) -> Iterator[str]:
    """Yield what Spyx runs otherwise than its file says, so that it cannot be imported."""
    for node in graph.nodes.values():
        before = next((shapes[name] for name in graph.before[node.name] if name in shapes), ())
        if why := _problem(node, graph, before):
            yield f"node {node.name!r} {why}"


def _problem(node: Node, graph: Graph, before: Shape) -> str:
    if node.kind == "CubaLIF":
        return _CURRENT
    if node.kind not in ("LIF", "IF", "Affine", "Linear", "Conv2d", "SumPool2d", "Flatten", "Input", "Output", "Port"):
        return f"is a {node.kind}, which Spyx runs in another way than its file says; train it with LIF or IF"
    if node.kind in ("Affine", "Linear") and len(graph.before[node.name]) > 1:
        return "is recurrent: Spyx writes its recurrent weights on the way of the input; train it without"
    if node.kind == "SumPool2d" and "padding" in node.fields and node.fields.numbers("padding").any():
        return "pads, and Spyx writes the padding of both sides as that of one; pool without"
    if node.kind == "Flatten" and len(before) == 3 and before[0] > 1 and prod(before[1:]) > 1:
        return (
            f"flattens {before}, which Spyx orders by row, column and channel and its file by channel; put one channel before it"
        )
    return ""


def discrete(node: Node, shape: Shape, dt_s: float, constant: Floats) -> Discrete:
    """Return the neurons of a node into which a ``constant`` flows, in a row. Raises ValueError for a threshold below 0."""
    threshold = row(node, "v_threshold", shape)
    if threshold.min() < 0:
        raise ValueError(f"fires at {threshold.min():g}, and a membrane starts at 0; train it with thresholds of 0 and more")
    leak = np.clip(dt_s / row(node, "tau", shape), 0, 1) if node.kind == "LIF" else np.zeros(1)
    return Discrete(CubaSubtract(one(threshold), np.array(1.0), one(leak), one(constant)), np.ones(1))


def late(built: Built) -> None:
    """Let the spikes of all neurons arrive one step later."""
    sources = {p.name for p in built.populations if p.neuron is not None}
    built.connections = [
        replace(c, delay_steps=c.delay_steps + 1) if c.src in sources else c for c in built.connections
    ]  # fmt: skip
    built.notes.append(LATE)


def looks_like(graph: Graph) -> bool:
    """Return whether a file looks as Spyx writes it: nodes ``layer_0`` and on, and each LIF with r = 1 - dt / tau."""
    layers = [name for name in graph.nodes if name not in ("input", "output")]
    leaky = graph.of("LIF")
    if not leaky or not all(name.startswith("layer_") for name in layers):
        return False
    steps = [node.fields.numbers("tau") * (1 - node.fields.numbers("r")) for node in leaky]
    values = np.concatenate([np.ravel(step) for step in steps])
    return bool(values.min() > 0 and np.allclose(values, values[0], rtol=1e-4))
