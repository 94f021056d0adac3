"""Layers of a netx file as they stood in the file that a network was imported from. Used by `netx`.

The record is in the network's history, which may be a stranger's: what does not fit the network is left out.
"""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRACELESS = ("flatten", "average")
NEVER = 1 << 17  # no voltage reaches this threshold
READOUT = {"iDecay": 4096, "vDecay": 0, "vThMant": 2 * NEVER - 1}  # of neurons that add up
MOST, MOST_TEXT = 64, 200
Tree = dict[str, Any]


def kind(name: str) -> NDArray[np.bytes_]:
    """Return the type of a layer as netx stores it."""
    return np.array([name.encode()], "S10")


def restored(made: list[Tree], kept: Any) -> list[Tree]:
    """Return the layers ``made`` of a network, with what the record ``kept`` adds; as they are if its layers are other ones."""
    records = [r for r in kept if isinstance(r, dict)] if isinstance(kept, list) else []
    weighted = [layer for layer in made if _kind(layer) not in TRACELESS]
    if records and weighted and records[0].get("type") != "input" and set(weighted[0]) == {"type", "shape"}:
        weighted = weighted[1:]  # slayer writes networks of dense layers without an input layer
    if [_made_as(r.get("type")) for r in records if r.get("type") != "flatten"] != [_kind(layer) for layer in weighted]:
        return made
    rest = iter(weighted)
    return [_traceless(r) if r.get("type") == "flatten" else _as_written(next(rest), r) for r in records]


def small(fields: Any) -> Tree:
    """Return the numbers and texts of a record."""
    items = fields.items() if isinstance(fields, dict) else ()
    sound = {k: v for k, v in items if isinstance(k, str) and k.isidentifier() and _is_small(v)}
    return {k: np.asarray(v) if isinstance(v, list) else v for k, v in sound.items()}


def _kind(layer: Tree) -> str:
    return _plain_kind(layer["type"][0].decode())


def _made_as(name: Any) -> str:
    """The kind of layer that one of the file becomes: the counts of an average are a dense one."""
    return "dense" if name == "average" else _plain_kind(name)


def _plain_kind(name: Any) -> str:
    """Return the kind of a layer; a recurrence of nothing but zeros is none in the network."""
    return str(name).removesuffix("_rec")


def _traceless(record: Tree) -> Tree:
    return {**small(record.get("others")), "type": kind(record["type"]), "shape": np.array(_shape(record.get("shape")) or [1])}


def _as_written(layer: Tree, record: Tree) -> Tree:
    if record.get("type") == "average":
        return _traceless(record)
    formats = record.get("forms")
    layer = dict(layer) | dict(_arrays(layer, formats if isinstance(formats, dict) else {}))
    if "weight_rec" in layer:
        layer["type"] = kind("dense_rec")
    if isinstance(record.get("neuron"), dict):
        layer["neuron"] = _neuron(layer.get("neuron", READOUT), small(record["neuron"]))
    return {**small(record.get("others")), **layer}


def _arrays(layer: Tree, formats: Tree) -> Iterator[tuple[str, Any]]:
    """Yield the arrays of ``layer`` in the shapes that they had, and zeros for those that held nothing else."""
    weight = layer.get("weight", np.zeros(1))
    n, n_src = weight.shape[:2] if weight.ndim > 1 else (1, 1)
    zeros = {"bias": prod(layer["shape"].tolist()), "weight_rec": n * n, "delay": n * n_src}
    for name, entry in formats.items():
        shape = _shape(entry)
        if shape is None or name in ("type", "shape"):
            continue
        if name in layer:
            yield name, _fitted(np.asarray(layer[name]), shape)
        elif prod(shape) <= zeros.get(name, 0):
            yield name, np.zeros(shape, np.float32)


def _shape(entry: Any) -> list[int] | None:
    sound = isinstance(entry, list) and len(entry) <= 8 and all(type(n) is int and 0 < n < 1 << 31 for n in entry)
    return entry if sound else None


def _fitted(array: NDArray[Any], shape: list[int]) -> NDArray[Any]:
    """Return the same numbers in another shape: each repeated, or one of each that repeat; else as they are."""
    size, flat = prod(shape), array.reshape(-1)
    if size % max(array.size, 1) == 0 and size <= 1 << 28:
        return np.repeat(flat, size // array.size).reshape(shape)
    groups = flat.reshape(size, -1) if array.size % size == 0 else flat[:, None]
    return groups[:, 0].reshape(shape) if len(groups) == size and (groups == groups[:, :1]).all() else array


def _neuron(made: Tree, settings: Tree) -> Tree:
    """Return the numbers of the network, and all other settings; one threshold that is never reached is as good as another."""
    threshold = settings.get("vThMant")
    never = made["vThMant"] >= NEVER and type(threshold) is int and NEVER <= threshold < 1 << 31
    own = {"iDecay": made["iDecay"], "vDecay": made["vDecay"], "vThMant": threshold if never else made["vThMant"]}
    return {"type": "CUBA", **settings, **own}


def _is_small(value: Any) -> bool:
    if isinstance(value, list):
        return 0 < len(value) <= MOST and all(isinstance(v, int | float) and _is_small(v) for v in value)
    if type(value) is int:
        return abs(value) < 1 << 62
    return isinstance(value, bool | float) or (isinstance(value, str) and len(value) <= MOST_TEXT and "\0" not in value)
