"""The nodes and edges of a NIR file, nested graphs laid out flat. First step of the NIR importer."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from snnc.base.hdf5 import Group
from snnc.errors import FileError

Edge = tuple[str, str]
NEURONS = ("LIF", "IF", "CubaLIF", "LI", "CubaLI", "I", "Threshold")
SILENT = ("LI", "CubaLI", "I")  # whose voltage is read
PASSING = ("Flatten", "Port", "Output")  # what they send is what they get
WEIGHTS = ("Affine", "Linear", "Conv1d", "Conv2d")
POOLS = ("SumPool2d", "AvgPool2d")
MAX_NODES = 2000
SLIDING = "weight bias stride padding dilation groups input_shape"
FIELDS = {
    "LIF": "tau r v_leak v_threshold v_reset", "IF": "r v_threshold v_reset", "LI": "tau r v_leak", "I": "r",
    "CubaLIF": "tau_syn tau_mem r v_leak v_threshold v_reset w_in", "CubaLI": "tau_syn tau_mem r v_leak w_in",
    "Threshold": "threshold", "Scale": "scale", "Delay": "delay", "Affine": "weight bias", "Linear": "weight",
    "Conv1d": SLIDING, "Conv2d": SLIDING, "SumPool2d": "kernel_size stride padding", "AvgPool2d": "kernel_size stride padding",
    "Flatten": "start_dim end_dim", "Input": "shape", "Output": "shape",
}  # fmt: skip
KINDS = tuple(FIELDS)
ABOUT = {"type", "name", "metadata", "input_type", "output_type"}  # what any node may say about itself


@dataclass(frozen=True, eq=False)
class Node:
    """A node that is no graph. An Input or Output of a nested graph is a Port."""

    name: str  # of a nested one: graph.node
    kind: str
    fields: Group


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes by name and edges, in the order of the file."""

    nodes: dict[str, Node]
    edges: tuple[Edge, ...]
    before: dict[str, list[str]] = field(default_factory=dict)  # node -> those with an edge to it
    after: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.nodes:
            self.before[name], self.after[name] = [], []
        for src, dst in self.edges:
            self.before[dst].append(src)
            self.after[src].append(dst)

    def of(self, *kinds: str) -> list[Node]:
        """The nodes of these kinds."""
        return [node for node in self.nodes.values() if node.kind in kinds]


@dataclass(frozen=True)
class _Ends:
    """Where edges to and from a nested graph go."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def graph(root: Group, problems: list[str]) -> Graph:
    """The graph of a file. Raises FileError if the file is no NIR graph; appends what it cannot follow to ``problems``."""
    if "node" not in root:
        raise FileError("holds no NIR graph", where=root.file, fix="name a file that nir.write wrote")
    top = root.group("node")
    if (kind := top.text("type")) != "NIRGraph":
        raise FileError(f"holds a single {kind!r}, expected a NIRGraph", where=root.file, fix="put it into a graph")
    nodes: dict[str, Node] = {}
    edges = list(_laid_out(top, "", nodes, problems))
    parsed = Graph(nodes, tuple(dict.fromkeys(edges)))
    twice = [edge for edge, count in Counter(edges).items() if count > 1]
    problems += [
        f"node {node.name!r} is an Input and gets what {parsed.before[node.name][0]!r} sends; take out the edge, or the node"
        for node in parsed.of("Input") if parsed.before[node.name]
    ]  # fmt: skip
    problems += [f"edge {a!r} -> {b!r} is there more than once; name it once" for a, b in twice]
    return parsed


def _laid_out(level: Group, prefix: str, nodes: dict[str, Node], problems: list[str]) -> Iterator[Edge]:
    """The edges of a graph and of the graphs inside it; adds the nodes to ``nodes``."""
    ends: dict[str, _Ends] = {}
    inside = level.group("nodes")
    for name in inside:
        fields = inside.group(name)
        kind, path = fields.text("type"), f"{prefix}{name}"
        if kind == "NIRGraph":
            yield from _laid_out(fields, f"{path}.", nodes, problems)
            ends[name] = _ends(fields.group("nodes"), path)
            continue
        if kind not in KINDS:
            problems.append(f"node {path!r} is a {kind!r}; replace it by nodes that are known: {', '.join(sorted(KINDS))}")
        elif odd := set(fields) - {*FIELDS[kind].split(), *ABOUT}:
            known = "which NIR does not know and no neuron here takes; write it again without"
            problems.append(f"node {path!r} ({kind}) has {', '.join(map(repr, sorted(odd)))}, {known}")
        if path in nodes:
            raise level.error(f"names two nodes {path!r}")
        if len(nodes) == MAX_NODES:
            raise level.error(f"brings the graph beyond {MAX_NODES:,} nodes, which is the most that is read")
        nodes[path] = Node(path, "Port" if prefix and kind in ("Input", "Output") else kind, fields)
        ends[name] = _Ends((path,), (path,))
    yield from _edges(level, ends, prefix, problems)


def _ends(nodes: Group, path: str) -> _Ends:
    kinds = {name: nodes.group(name).text("type") for name in nodes}
    inputs, outputs = (tuple(f"{path}.{n}" for n, kind in kinds.items() if kind == wanted) for wanted in ("Input", "Output"))
    return _Ends(inputs, outputs)


def _edges(level: Group, ends: dict[str, _Ends], prefix: str, problems: list[str]) -> Iterator[Edge]:
    for row in level.texts("edges") if "edges" in level else ():
        if len(row) != 2:
            raise level.error(f"holds an edge of {len(row)} names", "edges")
        src, dst = row
        if missing := [name for name in row if name not in ends]:
            raise level.error(f"names the node {missing[0]!r}, which is not in the graph", "edges")
        outputs, inputs = ends[src].outputs, ends[dst].inputs
        if len(outputs) != 1 or len(inputs) != 1:
            odd, count, what = (src, len(outputs), "outputs") if len(outputs) != 1 else (dst, len(inputs), "inputs")
            problems.append(f"graph {prefix + odd!r} has {count} {what}, so that an edge cannot tell which; give it one")
            continue
        yield outputs[0], inputs[0]
