"""Find what a module returns: spikes or the membrane of a layer, or values to read out. Part of the import from snnTorch."""

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from snnc.training.from_snntorch.layers import Scale, Shape
from snnc.training.from_snntorch.values import Node, Series, Trace, View
from snnc.training.from_snntorch.wires import WEIGHTED, Drive, Wires, is_alike, readout

SPIKES, MEMBRANE, VALUES = "the spikes of", "the membrane of", "values"
NO_STEPS = "what is no sum, mean or stack of all steps"


@dataclass(frozen=True, eq=False)
class Answer:
    """Tells what a module returns in every step; a sum or a mean over all steps means the same."""

    kind: str = ""  # SPIKES, MEMBRANE, VALUES, or "" for what is not followed
    source: str = ""  # the layer whose spikes or membrane it is
    drive: Drive | None = None  # of values
    shape: Shape = ()
    other: str = ""  # in words, what is not followed


def answer(wired: Wires) -> Answer:
    """Return what the module returns. What passes layers with weights and is not followed is added to ``wired.problems``."""
    nodes = _of_steps(wired.trace)
    if isinstance(nodes, str):
        return Answer(other=nodes)
    last = nodes[-1]
    if last.kind == "state":
        return Answer(MEMBRANE, last.name)
    if (unknown := _unknown(last)) and not _weighted(last):
        return Answer(other=_not_followed(unknown.name, unknown.place))
    drive = readout(wired, last, len(nodes) - 1)
    if not drive.known:
        return Answer(VALUES)
    if not all(is_alike(readout(wired, node, step), drive, step) for step, node in enumerate(nodes)):
        return Answer(other=NO_STEPS)
    source = _spikes(drive)
    return Answer(SPIKES, source) if source else Answer(VALUES, drive=drive, shape=last.shape)


def _of_steps(trace: Trace) -> tuple[Node, ...] | str:
    """Return the values that the module returns, one for each step; or in words what it returns instead."""
    steps, value = max(map(len, trace.calls.values())), trace.outputs[-1]
    if isinstance(value, View):
        return _not_followed(value.made_by, "")
    if value is None:
        return "nothing that comes from its input"
    if isinstance(value, Series):
        return value.nodes if len(value.nodes) == steps else f"{len(value.nodes)} of its {steps} steps"
    if not trace.frames and not trace.repeats:
        return tuple(node for node in trace.outputs if isinstance(node, Node))
    if _unknown(value):
        return (value,)
    return _summands(value, steps, trace) or NO_STEPS


def _summands(node: Node, steps: int, trace: Trace) -> tuple[Node, ...] | None:
    """Return the values of every step of which ``node`` is a sum or a mean, or selects or scales one; else None."""
    if node.kind == "total":
        return node.args if len(node.args) == steps else None
    if node.kind in ("select", "shape", "scale"):
        inside = _summands(node.args[0], steps, trace)
        return inside and tuple(replace(node, args=(one,)) for one in inside)
    if isinstance(node.module, nn.Linear | nn.Dropout | nn.Identity):
        layer = node.module if _is_mean(node.args[0]) else _with_part_of_bias(node.module, steps)
        if layer is not node.module and not trace.repeats:
            return None  # a raster has any number of steps, and a sum over them one bias
        inside = _summands(node.args[0], steps, trace)
        return inside and tuple(replace(node, args=(one,), module=layer) for one in inside)
    added = _added(node)
    return added if len(added) == steps else None


def _is_mean(node: Node) -> bool:
    """Return whether `_summands` are added up by a mean, through which a bias passes as it is."""
    while node.kind != "total" and len(node.args) == 1:
        node = node.args[0]
    return node.kind == "total" and node.name == "mean"


def _with_part_of_bias(layer: nn.Module, steps: int) -> nn.Module:
    """Return a layer that adds its bias in ``steps`` parts, since it is applied to each of as many summands."""
    if not isinstance(layer, nn.Linear) or layer.bias is None:
        return layer
    part = nn.Linear(layer.in_features, layer.out_features, device="meta")
    state = {"weight": layer.weight.detach(), "bias": layer.bias.detach() / steps}
    part.load_state_dict(state, assign=True)
    return part


def _added(node: Node) -> tuple[Node, ...]:
    """Return what is added up in ``node``, in order."""
    waiting, found = [node], []
    while waiting:
        one = waiting.pop()
        if one.kind == "sum" and one.constant is not None and not bool(one.constant.any()):
            waiting += one.args[::-1]
        else:
            found.append(one)
    return tuple(found)


def _unknown(node: Node) -> Node | None:
    """Return a value that is not known and on which ``node`` depends."""
    return next((one for one in _before(node) if one.kind == "unknown"), None)


def _weighted(node: Node) -> bool:
    return any(isinstance(one.module, WEIGHTED) for one in _before(node))


def _before(node: Node) -> list[Node]:
    """Return the values on which ``node`` depends, itself first."""
    seen, waiting = {}, [node]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen[id(one)] = one
            waiting += one.args
    return list(seen.values())


def _not_followed(name: str, place: str) -> str:
    return f"the result of {name or 'a function'!r}" + f" ({place})" * bool(place) + ", which is not followed"


def _spikes(drive: Drive) -> str | None:
    """Return the source whose spikes of the same step a drive is, times a factor above 0; else None."""
    if len(drive.terms) != 1 or drive.terms[0].delay or drive.constant.any():
        return None
    factors: list[Any] = [one.uniform() if isinstance(one, Scale) else None for one in drive.terms[0].maps]
    return None if any(f is None or f <= 0 for f in factors) else drive.terms[0].source
