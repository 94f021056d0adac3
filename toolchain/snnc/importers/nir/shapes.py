"""The shape of what every node of a NIR graph sends. Second step of the NIR importer."""

from collections import deque
from math import prod

import numpy as np
from numpy.typing import NDArray

from snnc.errors import FileError, NetworkError
from snnc.importers.nir.graph import NEURONS, PASSING, POOLS, Graph, Node
from snnc.network.window import Window

Shape = tuple[int, ...]
MAX_NEURONS = 1 << 24  # of a node
MAX_VALUES = 1 << 26  # that all nodes send
PARAMETERS = {
    "LIF": ("tau", "r", "v_leak", "v_threshold"), "IF": ("r", "v_threshold"), "LI": ("tau", "r", "v_leak"), "I": ("r",),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"), "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak"),
    "Threshold": ("threshold",), "Scale": ("scale",), "Delay": ("delay",),
}  # fmt: skip


def shapes(graph: Graph, given: Shape | None, problems: list[str]) -> dict[str, Shape]:
    """Node -> the shape of what it sends; appends what does not fit to ``problems``. ``given`` is that of an unstated input."""
    found: dict[str, Shape] = {}
    _flood([name for name in graph.nodes if not graph.before[name]], graph, given, found, problems)
    for name in graph.nodes:  # what no input leads to starts where a node tells its own shape
        _flood([name], graph, given, found, problems)
    if waiting := [name for name in graph.nodes if name not in found]:
        named = ", ".join(map(repr, waiting[:5]))
        problems.append(
            f"nodes {named} have no shape, and nothing with a shape leads to them; state the input's with --input-shape"
        )
    if (total := sum(map(prod, found.values()))) > MAX_VALUES:
        problems.append(f"its nodes send {total:,} values, at most {MAX_VALUES:,} are possible; import a smaller network")
    for src, dst in graph.edges:
        _must_agree(graph.nodes[dst], found.get(src), found.get(dst), problems)
    return found


def _flood(names: list[str], graph: Graph, given: Shape | None, found: dict[str, Shape], problems: list[str]) -> None:
    """Finds the shapes of these nodes and of all behind them."""
    waiting = deque(names)
    while waiting:
        name = waiting.popleft()
        if name not in found and _settle(graph.nodes[name], graph, given, found, problems):
            waiting += graph.after[name]


def _settle(node: Node, graph: Graph, given: Shape | None, found: dict[str, Shape], problems: list[str]) -> bool:
    """Whether the shape of a node could be told now; it is then in ``found``."""
    before = next((found[name] for name in graph.before[node.name] if name in found), None)
    try:
        alone = node.kind in NEURONS and not graph.before[node.name]  # it fires by its own bias
        shape = _largest(node) if alone else _shape(node, before, given)
    except (FileError, NetworkError) as error:
        problems.append(f"node {node.name!r} {error.what}" if isinstance(error, NetworkError) else f"{error.what}; {error.fix}")
        shape = before or (1,)
    if shape is None:
        return False
    if not shape or min(shape) < 1 or prod(shape) > MAX_NEURONS:
        raise node.fields.error(f"has shape {shape}, at most {MAX_NEURONS:,} neurons are possible")
    found[node.name] = shape
    return True


def _shape(node: Node, before: Shape | None, given: Shape | None) -> Shape | None:
    if node.kind == "Input":
        return _integers(node, "shape") if "shape" in node.fields else given
    if node.kind in NEURONS or node.kind in ("Scale", "Delay"):
        return _elementwise(node, before)
    if node.kind in ("Affine", "Linear"):
        return (matrix_shape(node)[0],)
    if node.kind in ("Conv1d", "Conv2d"):
        return conv_shape(node, before)
    if node.kind in POOLS:
        return None if before is None else (before[0], *pool_window(node, before).grid)
    if node.kind in PASSING and before is not None:
        return (prod(before),) if node.kind == "Flatten" else before
    return before


def _elementwise(node: Node, before: Shape | None) -> Shape | None:
    """Of a node that does the same to every element: that of its parameters, or of what it gets if they are single numbers."""
    largest = _largest(node)
    if before is None:
        return largest if prod(largest) > 1 else None
    return before if prod(largest) in (1, prod(before)) or _spreads(largest, before) else largest


def _largest(node: Node) -> Shape:
    """The shape of the parameter with most values."""
    shape = max((tuple(node.fields.numbers(name).shape) for name in PARAMETERS[node.kind]), key=prod)
    return shape or (1,)


def _spreads(shape: Shape, over: Shape) -> bool:
    """Whether parameters of a shape such as (channels, 1, 1) fit values of another."""
    return len(shape) == len(over) and all(a in (1, b) for a, b in zip(shape, over, strict=True))


def matrix_shape(node: Node) -> tuple[int, int]:
    """(outputs, inputs) of an Affine or Linear node."""
    shape = node.fields.numbers("weight").shape
    if len(shape) != 2:
        raise NetworkError(f"has weights of shape {shape}, expected (outputs, inputs)")
    return shape[0], shape[1]


def conv_shape(node: Node, before: Shape | None) -> Shape | None:
    """(channels, rows, columns), or (channels, columns), that a convolution sends."""
    window = conv_window(node, before)
    if window is None:
        return None
    grid = window.grid[1:] if node.kind == "Conv1d" else window.grid
    return (int(node.fields.numbers("weight").shape[0]), *grid)


def conv_window(node: Node, before: Shape | None) -> Window | None:
    """How the kernel of a convolution slides; None if its input's shape is not known."""
    kernel, axes = node.fields.numbers("weight").shape, 1 if node.kind == "Conv1d" else 2
    if len(kernel) != axes + 2:
        raise NetworkError(f"has a kernel of shape {kernel}, expected {axes + 2} axes")
    planes = _planes(node, before, kernel[1] * groups(node), axes)
    if planes is None:
        return None
    stride, dilation = _per_axis(node, "stride", axes), _per_axis(node, "dilation", axes)
    padding = _padding(node, axes, kernel[2:], stride, dilation)
    return _window(planes, kernel[2:], stride, padding, dilation)


def _planes(node: Node, before: Shape | None, channels: int, axes: int) -> Shape | None:
    """(channels, ...) of what a convolution gets, as its input says, or as it says itself."""
    plain = before[-axes - 1 :] if before and prod(before[: -axes - 1]) == 1 else before
    if plain is not None and len(plain) == axes + 1:
        if plain[0] != channels:
            raise NetworkError(f"convolves {channels} channels, its input has shape {before}")
        return plain
    stated = _per_axis(node, "input_shape", axes) if "input_shape" in node.fields else None
    if stated is None:
        if before is not None:
            raise NetworkError(f"gets values of shape {before}, expected {axes + 1} axes")
        return None
    return (channels, *stated)


def _window(planes: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape) -> Window:
    if len(kernel) == 1:  # one row
        channels, length = planes
        return Window((channels, 1, length), (1, kernel[0]), (1, stride[0]), (0, padding[0]), (1, dilation[0]))
    channels, rows, columns = planes
    return Window((channels, rows, columns), _two(kernel), _two(stride), _two(padding), _two(dilation))


def _two(values: Shape) -> tuple[int, int]:
    rows, columns = values
    return rows, columns


def _padding(node: Node, axes: int, kernel: Shape, stride: Shape, dilation: Shape) -> Shape:
    if not isinstance(node.fields.tree.get("padding"), str):
        return _per_axis(node, "padding", axes)
    mode = node.fields.text("padding")
    if mode == "valid":
        return (0,) * axes
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if mode != "same" or set(stride) != {1} or any(n % 2 for n in reach):
        raise NetworkError(
            f"has padding {mode!r} with kernel {kernel} and stride {stride}; state the padding as numbers on both sides"
        )
    return tuple(n // 2 for n in reach)


def groups(node: Node) -> int:
    """The groups of a convolution."""
    return node.fields.integer("groups")


def pool_window(node: Node, before: Shape) -> Window:
    """How a pool slides over its input."""
    if len(before) != 3:
        raise NetworkError(f"pools values of shape {before}, expected (channels, rows, columns)")
    kernel, stride, padding = (_per_axis(node, name, 2) for name in ("kernel_size", "stride", "padding"))
    return _window(before, kernel, stride, padding, (1, 1))


def row(node: Node, name: str, shape: Shape) -> NDArray[np.float64]:
    """A parameter of neurons of this shape: one for all, shape (1,), or one for each in a row, shape (n,)."""
    values = node.fields.numbers(name)
    if values.size in (1, prod(shape)):
        return values.reshape(-1)
    if not _spreads(values.shape, shape):
        raise ValueError(f"has {name} of shape {values.shape} for values of shape {shape}; give one for all, or one for each")
    return np.broadcast_to(values, shape).reshape(-1)


def _per_axis(node: Node, name: str, axes: int) -> Shape:
    values = _integers(node, name)
    if len(values) not in (1, axes):
        raise NetworkError(f"has {name} {values}, expected {axes} numbers")
    return values * axes if len(values) == 1 else values


def _integers(node: Node, name: str) -> Shape:
    return tuple(int(n) for n in node.fields.integers(name).reshape(-1))


def _must_agree(node: Node, sent: Shape | None, own: Shape | None, problems: list[str]) -> None:
    if sent is None or own is None or node.kind not in (*NEURONS, "Scale", "Delay", "Affine", "Linear"):
        return
    wanted = prod(node.fields.numbers("weight").shape[-1:]) if node.kind in ("Affine", "Linear") else prod(own)
    if prod(sent) != wanted:
        rows = len(sent) > 1 and sent[-1] == wanted
        remedy = "write it from a sample without axes of time and batch" if rows else "correct the shapes"
        problems.append(f"node {node.name!r} takes {wanted} values, it gets {prod(sent)} (shape {sent}); {remedy}")
