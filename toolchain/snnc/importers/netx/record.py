"""What a netx file says and no network holds, kept in its history so that it can be written back. Used by netx."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from snnc.importers.netx.layers import Layer

MOST = 64  # numbers of an entry that is kept
MOST_TEXT = 200
_DENSE = {"type", "shape", "neuron", "weight", "bias", "delay", "inFeatures", "outFeatures"}
_CONV = {"inChannels", "outChannels", "kernelSize", "stride", "padding", "dilation", "groups"}
_HELD = {
    "dense": _DENSE,
    "dense_rec": _DENSE | {"weight_rec"},
    "conv": (_DENSE | _CONV) - {"inFeatures", "outFeatures"},
}
_OF_NEURON = {"iDecay", "vDecay"}


def record(layer: Layer) -> dict[str, Any]:
    """One layer's part: kind and shape, the shapes of its arrays, and every small entry that the network does not hold."""
    tree, held = layer.fields.tree, _held(layer)
    found: dict[str, Any] = {"type": layer.kind, "shape": list(layer.shape)}
    found["forms"] = {name: list(value.shape) for name, value in tree.items() if name in held and isinstance(value, np.ndarray)}
    found["others"] = _small(tree, held)
    if "neuron" in held and isinstance(tree.get("neuron"), dict):
        found["neuron"] = _small(tree["neuron"], _OF_NEURON)
    return found


def left_out(layer: Layer) -> Iterator[str]:
    """The entries of a layer that are neither read nor kept."""
    kept = {*_held(layer), *_small(layer.fields.tree, set())}
    yield from (name for name in layer.fields if name not in kept)


def _held(layer: Layer) -> set[str]:
    if layer.kind == "input" and "neuron" in layer.fields:
        return {"type", "shape", "neuron", "weight", "bias"}
    return _HELD.get(layer.kind, {"type", "shape"})


def _small(tree: dict[str, Any], held: set[str]) -> dict[str, Any]:
    return {name: _value(value) for name, value in tree.items() if name not in held and _is_small(value)}


def _is_small(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.size <= MOST and value.ndim <= 1 and bool(np.isfinite(value).all())
    return isinstance(_value(value), str) and len(_value(value)) <= MOST_TEXT


def _value(value: Any) -> Any:
    """Numbers as numbers, a list of one text as that text."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.tolist() if isinstance(value, np.ndarray) else value
