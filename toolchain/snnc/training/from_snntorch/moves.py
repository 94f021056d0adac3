"""Functions of torch that move values and compute nothing (indexing, permuting, splitting, stacking, ...). Part of `trace`.

The same function is run on a tensor of numbers that name each value: where they land says what was moved where, in whatever way
it was written.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnc.training.from_snntorch.values import BATCH, Node, Series, Shape, Value, View, user_place

MOVES = {
    "__getitem__", "select", "narrow", "index_select", "take_along_dim", "gather", "unbind", "split", "split_with_sizes", "chunk",
    "tensor_split", "unsafe_split", "unsafe_chunk", "hsplit", "vsplit", "dsplit", "permute", "transpose", "swapaxes", "swapdims",
    "movedim", "moveaxis", "t", "adjoint", "flatten", "ravel", "view", "view_as", "reshape", "reshape_as", "unflatten", "squeeze",
    "unsqueeze", "flip", "fliplr", "flipud", "roll", "expand", "expand_as", "repeat", "tile", "broadcast_to", "repeat_interleave",
    "stack", "cat", "concat", "concatenate", "hstack", "vstack", "dstack", "atleast_2d", "atleast_3d", "unfold", "diagonal",
    "__get__",
}  # fmt: skip
JOINS = {"cat", "concat", "concatenate", "hstack"}  # that may put values of several layers side by side
_FEATURE = 32  # bits of an identity that number the value within a sample
_MASK = (1 << _FEATURE) - 1


def identities(value: Value) -> tuple[tuple[Node, ...], Tensor]:
    """Return (nodes, identities): which node, sample and feature is at each place of a tensor."""
    if isinstance(value, View):
        return value.nodes, value.ids
    nodes = (value,) if isinstance(value, Node) else value.nodes
    shape = nodes[0].shape
    rows = torch.arange(len(nodes) * BATCH).reshape(len(nodes), BATCH) << _FEATURE
    features = torch.arange(torch.Size(shape).numel()).reshape(shape)
    ids = rows.reshape(len(nodes), BATCH, *(1 for _ in shape)) + features
    if isinstance(value, Node):
        return nodes, ids[0]
    return nodes, ids.transpose(0, 1) if value.axis else ids


def moved(tracer: Any, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Return the value that a function moved, or a list of them; None if it does more than move known values."""
    nodes: list[Node] = []

    def renamed(argument: Any) -> Any:
        if isinstance(argument, Tensor) and (value := tracer.value_of(argument)) is not None:
            own, ids = identities(value)
            first = len(nodes)
            nodes.extend(own)
            return ids + (first * BATCH << _FEATURE)
        if isinstance(argument, Tensor) and argument.is_floating_point() and argument.dim():
            raise ValueError("constants among what is moved")
        if type(argument) in (tuple, list):
            return type(argument)(renamed(one) for one in argument)
        return argument

    if any(isinstance(v, Node) and v.kind == "unknown" for v in tracer.values((args, kwargs))):
        return None
    try:
        ids = func(*renamed(args), **{key: renamed(one) for key, one in kwargs.items()})
    except (RuntimeError, TypeError, ValueError, IndexError):
        return None
    earlier = (v.made_by for v in tracer.values((args, kwargs)) if isinstance(v, View))
    name = next(earlier, getattr(func, "__name__", ""))
    if isinstance(ids, Tensor):
        return recognised(tuple(nodes), ids, name)
    return [recognised(tuple(nodes), one, name) for one in ids] if isinstance(ids, tuple | list) else None


def recognised(nodes: tuple[Node, ...], ids: Tensor, made_by: str) -> Value:
    """Return a view as one node, (batch, ...), or as a series of them, if it is one."""
    index, sample = (ids >> _FEATURE) // BATCH, (ids >> _FEATURE) % BATCH
    feature = ids & _MASK
    for axis in (0, 1):
        if ids.dim() <= axis or ids.shape[axis] != BATCH or not ids.numel():
            continue
        places = torch.arange(BATCH).reshape([BATCH if d == axis else 1 for d in range(ids.dim())])
        if not bool((sample == places).all()):
            continue
        if axis == 0 and bool((index == index.flatten()[0]).all()):
            rows = feature.reshape(BATCH, -1)
            if bool((rows == rows[0]).all()):
                return _part(nodes[int(index.flatten()[0])], rows[0], tuple(ids.shape[1:]))
        joins = axis == 0 and (made_by in JOINS or (made_by == "stack" and _of_one_step(nodes)))
        if joins and _of_one_step(nodes) and (joined := _joined(nodes, index, feature)):
            return joined
        if ids.dim() > 1 and (series := _series(nodes, index, feature, 1 - axis)):
            return series
        if joins and (joined := _joined(nodes, index, feature)):
            return joined
    return View(nodes, ids, made_by)


def _of_one_step(nodes: tuple[Node, ...]) -> bool:
    """Return whether the latest spikes and inputs of which values are made come from the same step."""
    return len({_latest(node) for node in nodes}) == 1


def _latest(node: Node) -> int:
    steps, waiting, seen = [0], [node], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            steps.append(one.step or 0)
            waiting += one.args
    return max(steps)


def _joined(nodes: tuple[Node, ...], index: Tensor, feature: Tensor) -> Node | None:
    """Return values of several nodes side by side, as the sum of each node's own among zeros."""
    shape, sources, rows = tuple(index.shape[1:]), index.reshape(BATCH, -1), feature.reshape(BATCH, -1)
    if not bool((sources == sources[0]).all()) or not bool((rows == rows[0]).all()):
        return None
    parts = []
    for number in dict.fromkeys(sources[0].tolist()):
        taken = torch.where(sources[0] == number, rows[0], -1).numpy().astype(np.int64)
        parts.append(Node("select", shape, (nodes[number],), taken=taken))
    return Node("sum", shape, tuple(parts), constant=torch.zeros(()), place=user_place())


def _series(nodes: tuple[Node, ...], index: Tensor, feature: Tensor, axis: int) -> Series | None:
    steps = index.movedim(axis, 0).reshape(index.shape[axis], -1)
    rows = feature.movedim(axis, 0).reshape(index.shape[axis] * BATCH, -1)
    if not bool((steps == steps[:, :1]).all()) or not bool((rows == rows[0]).all()):
        return None
    shape = tuple(index.shape[2:])
    return Series(axis, tuple(_part(nodes[int(k)], rows[0], shape) for k in steps[:, 0]))


def _part(node: Node, features: Tensor, shape: Shape) -> Node:
    """Return a node in another shape, some of its features, or its features in another order."""
    size = torch.Size(node.shape).numel()
    if len(features) == size and bool((features == torch.arange(size)).all()):
        return node if shape == node.shape else Node("shape", shape, (node,))
    return Node("select", shape, (node,), taken=features.numpy().astype(np.int64))


def rows(value: Value, axes: int) -> tuple[tuple[Node, ...], Tensor, Shape] | None:
    """Return (nodes, identities of the first values, shape) if every row of the last ``axes`` axes is one whole sample of a
    node.
    """
    nodes, ids = identities(value)
    if ids.dim() <= axes or not ids.numel():
        return None
    lead, shape = ids.shape[: ids.dim() - axes], tuple(ids.shape[ids.dim() - axes :])
    flat = ids.reshape(-1, torch.Size(shape).numel())
    whole = all(torch.Size(node.shape).numel() == flat.shape[1] for node in nodes)
    if not whole or not bool(((flat & _MASK) == torch.arange(flat.shape[1])).all()):
        return None
    first = flat[:, 0]
    return (nodes, first.reshape(lead), shape) if bool((flat - (flat & _MASK) == first[:, None]).all()) else None
