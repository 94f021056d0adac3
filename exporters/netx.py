"""Target `netx`: a .net file of lava-dl, the HDF5 form of a chain of layers in a chip's integers, written without lava-dl."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snnc import hw
from snnc.arith import Fixed
from snnc.ir import Connection, Network, Population
from snnc.mapping import Mapping
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense

from . import _hdf5

SUMMARY = "a .net file (HDF5) for lava-dl 0.6 netx: a chain of dense and convolutional layers"
NEEDS_MAPPING = False
FILE = "network.net"
FORMAT_OF = "loihi2"
FULL, NEVER = 4096, 1 << 18  # a decay of 1; a threshold that no voltage reaches, as slayer writes it
PIXEL_BITS = 8
MAX_DELAY_STEPS = 62
_NEURONS = ("lif", "cuba", "li")
_OPERATORS = ("dense", "conv2d")


@dataclass(frozen=True, eq=False)
class _Layer:
    """A population with what enters it: from the one before, and from itself."""

    population: Population
    forward: Connection
    again: Connection | None


def neuron_problem(model: str) -> str:
    """Why netx has no such neuron; empty if it has."""
    return "" if model in _NEURONS else f"netx has no neuron {model!r}; CUBA with reset to zero is its only spiking one"


def operator_problem(kind: str) -> str:
    """Why netx has no such operator; empty if it has."""
    return "" if kind in _OPERATORS else f"netx runs no {kind!r}; it has dense and convolutional layers"


def problems(net: Network, mapping: Mapping | None) -> list[str]:
    """Everything that a netx file cannot hold, each as a sentence."""
    if not isinstance(net.numeric, Fixed):
        return ["is a float network; quantise it first (snnc quantise)"]
    found = list(_numeric_problems(net.numeric)) + list(_chain_problems(net))
    if not found:
        for layer in _layers(net):
            found += [f"{problem}" for problem in _layer_problems(layer, net.numeric)]
    return found


def _numeric_problems(numeric: Fixed) -> Iterator[str]:
    own = hw.load(FORMAT_OF).fixed()
    for name in ("decay_bits", "state_bits", "state_shift"):
        if getattr(numeric, name) != getattr(own, name):
            yield f"computes with {name} {getattr(numeric, name)}, netx with {getattr(own, name)}; quantise it for {FORMAT_OF}"


def _chain_problems(net: Network) -> Iterator[str]:
    for p in net.populations:
        if p.neuron and (reason := neuron_problem(p.neuron.model())):
            yield f"population {p.name!r}: {reason}"
        before = [c for c in net.into(p.name) if c.src != p.name]
        after = [c for c in net.out_of(p.name) if c.dst != p.name]
        if len(before) != (0 if p.neuron is None else 1) or len(after) > 1:
            yield f"population {p.name!r} has {len(before)} connections from others, {len(after)} to others; netx holds a chain"
        if len(net.into(p.name)) - len(before) > 1:
            yield f"population {p.name!r} has more than one recurrent connection; add their weights up"


def _layers(net: Network) -> list[_Layer]:
    found = []
    for p in net.ordered:
        into = {c.src == p.name: c for c in net.into(p.name)}
        if p.neuron is not None:
            found.append(_Layer(p, into[False], into.get(True)))
    return found


def _layer_problems(layer: _Layer, numeric: Fixed) -> Iterator[str]:
    for c in (layer.forward, layer.again):
        if c is not None:
            yield from (f"connection {c.name!r} {problem}" for problem in _wire_problems(c))
    p, neuron = layer.population, cast(Any, layer.population.neuron)
    for name in ("decay_u", "decay_v", "threshold"):
        if np.size(getattr(neuron, name, 0)) > 1 and len(set(getattr(neuron, name).tolist())) > 1:
            yield f"population {p.name!r} has a {name} for each neuron; netx has one a layer"
    if (np.asarray(neuron.bias) % (1 << numeric.state_shift)).any():
        yield f"population {p.name!r} has a bias that is no multiple of {1 << numeric.state_shift}, the unit in netx"
    if _is_image(layer.forward) and len(set(np.asarray(neuron.bias).reshape(-1).tolist())) > 1:
        yield f"population {p.name!r} has a bias for each neuron; an input layer of netx has one"
    if layer.again and not isinstance(layer.forward.op, Dense):
        yield f"population {p.name!r} is recurrent behind a convolution; netx has recurrence behind dense layers only"


def _wire_problems(c: Connection) -> Iterator[str]:
    again = c.src == c.dst
    if reason := operator_problem(c.op.kind):
        yield f"cannot be written: {reason}"
        return
    if c.op.pool or not isinstance(c.op, Dense if again else Dense | Conv2d):
        yield f"is {'a pool before' if c.op.pool else 'a recurrent'} {c.op.kind}; netx has dense, dense_rec and conv layers"
        return
    if c.delay_steps != int(again) or (c.axon_delays is not None and (again or c.op.n_src == c.op.n_dst)):
        yield f"has a delay of {c.delay_steps} steps; netx has 0 (1 in a recurrence), and delays by neuron"
    if c.delays is not None and (again or isinstance(c.op, Conv2d)):
        yield "has delays by neuron; netx drops those of convolutions and miscounts those of recurrences"
    elif c.axon_delays is None and _row_delays(c) is None:
        yield "has delays that differ among the synapses of a neuron; netx has one for each neuron"
    if c.longest_delay > MAX_DELAY_STEPS:
        yield f"has a delay of {c.longest_delay} steps, netx takes at most {MAX_DELAY_STEPS}"
    weights = _weights(c)
    if weights is None:
        yield f"has weights that are no integers when multiplied by 2**{c.op.exponent}; quantise with other exponents"
    elif weights.min() < -256 or weights.max() > (254 if weights.min() < 0 else 255):
        yield f"has weights {weights.min()} .. {weights.max()} with its exponent; netx clips them to -256 .. 254"


def _weights(c: Connection) -> NDArray[np.int64] | None:
    """Stored weights times 2**exponent, if those are integers. Those of pixels are left as they are."""
    exponent = c.op.exponent + (PIXEL_BITS if _is_image(c) else 0)
    weights = np.ldexp(c.op.synapses.values.astype(np.float64), exponent)
    return weights.astype(np.int64) if (weights == np.rint(weights)).all() else None


def _is_image(c: Connection) -> bool:
    """Whether each pixel enters a neuron of its own with the same weight: the input layer of netx."""
    s = c.op.synapses
    diagonal = isinstance(c.op, Dense) and s.shape[0] == s.shape[1] == s.count and (s.indices == np.arange(s.count)).all()
    return bool(
        diagonal and (s.rows == s.indices).all() and len(set(s.values.tolist())) == 1 and c.op.exponent <= -PIXEL_BITS + 1
    )


def _row_delays(c: Connection) -> NDArray[np.int64] | None:
    """Delays of the destination neurons, 0 for those without synapses; None if they differ within one."""
    late = np.zeros(c.op.n_dst, np.int64)
    if c.op.synapses.delays is None:
        return late
    late[c.op.synapses.rows] = c.op.synapses.delays
    return late if (late[c.op.synapses.rows] == c.op.synapses.delays).all() else None


def export(net: Network, mapping: Mapping | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Writes ``network.net`` into ``folder``; returns the latency of each population in steps: none. Nothing is unrolled."""
    kept: dict[str, Any] = next((s.settings["netx"] for s in reversed(net.done) if isinstance(s.settings.get("netx"), dict)), {})
    tree: dict[str, Any] = {"layer": {str(i): layer for i, layer in enumerate(_tree(net, kept))}}
    if simulation := _plain(kept.get("simulation")):
        tree["simulation"] = simulation
    _hdf5.write(tree, folder / FILE)
    return {p.name: 0 for p in net.ordered}


def _plain(fields: Any) -> dict[str, Any]:
    """The numbers and texts of a record, which may come from a stranger's file."""
    items = fields.items() if isinstance(fields, dict) else ()
    return {k: v for k, v in items if isinstance(k, str) and k.isidentifier() and isinstance(v, bool | int | float | str)}


def _tree(net: Network, kept: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The layers; ``kept``: what netx ignores, from the file that the network came from."""
    count, source, extras = 0, net.inputs[0], kept.get("neurons")
    extras = extras if isinstance(extras, dict) else {}
    for layer in _layers(net):
        if layer.forward.src == source.name and source.message_bits == PIXEL_BITS and _is_image(layer.forward):
            yield _input(source, layer, _plain(extras.get("0")))
        else:
            if count == 0:
                yield {"type": _type("input"), "shape": np.array(source.shape)}
                count += 1
            src = net[layer.forward.src]
            if isinstance(layer.forward.op, Dense) and _is_spatial(src, net):
                yield {"type": _type("flatten"), "shape": np.array([src.size, 1, 1])}
                count += 1
            yield _weighted(layer, _plain(extras.get(str(count))))
        count += 1


def _is_spatial(p: Population, net: Network) -> bool:
    """Whether netx sees channels, rows and columns, which a dense layer takes flattened only."""
    return len(p.shape) == 3 and all(isinstance(c.op, Conv2d) or _is_image(c) for c in net.into(p.name))


def _type(kind: str) -> NDArray[np.bytes_]:
    return np.array([kind.encode()], "S10")


def _input(source: Population, layer: _Layer, extra: dict[str, Any]) -> dict[str, Any]:
    weights = _weights(layer.forward)
    assert weights is not None  # noqa: S101 - for the type checker; `problems` has asked
    return {
        "type": _type("input"),
        "shape": np.array(source.shape),
        "weight": weights[:1].astype(np.float32),
        **_neuron(layer, extra),
    }


def _weighted(layer: _Layer, extra: dict[str, Any]) -> dict[str, Any]:
    c, op = layer.forward, layer.forward.op
    weights = _weights(c)
    assert weights is not None  # noqa: S101 - for the type checker; `problems` has asked
    stored = op.with_values(weights).synapses.to_dense().astype(np.float32)
    tree = {"shape": np.array(layer.population.shape), **_neuron(layer, extra)}
    if isinstance(op, Conv2d):
        window = op.window
        return tree | {
            "type": _type("conv"), "weight": stored.reshape(op.kernel_shape), "inChannels": window.src_shape[0],
            "outChannels": len(stored), "kernelSize": np.array(window.kernel), "stride": np.array(window.stride),
            "padding": np.array(window.padding), "dilation": np.array(window.dilation), "groups": op.groups,
        }  # fmt: skip
    tree |= {"type": _type("dense"), "weight": stored, "inFeatures": op.n_src, "outFeatures": op.n_dst}
    if c.axon_delays is not None:
        tree["delay"] = c.axon_delays.astype(np.float32)
    elif op.synapses.delays is not None:
        tree["delay"] = np.asarray(_row_delays(c), np.float32)
    if layer.again:
        again = layer.again.op.with_values(np.asarray(_weights(layer.again)))
        tree |= {"type": _type("dense_rec"), "weight_rec": again.synapses.to_dense().astype(np.float32)}
    return tree


def _neuron(layer: _Layer, extra: dict[str, Any]) -> dict[str, Any]:
    """The neuron and its bias; none at all for a readout that adds up."""
    neuron: Any = layer.population.neuron
    u, v, threshold = (
        _one(getattr(neuron, name, default)) for name, default in (("decay_u", FULL), ("decay_v", 0), ("threshold", NEVER))
    )
    bias = np.asarray(neuron.bias) >> 6
    if neuron.model() == "li" and (u, v) == (FULL, 0) and not bias.any():
        return {}
    others = extra or {"type": "CUBA", "refDelay": 1, "gradedSpike": False}
    fields = {**others, "iDecay": u, "vDecay": v, "vThMant": min(threshold, NEVER - 1)}
    return {"neuron": fields, **({"bias": _biases(bias, layer).astype(np.float32)} if bias.any() else {})}


def _one(value: Any) -> int:
    return int(np.asarray(value).flat[0])


def _biases(bias: NDArray[Any], layer: _Layer) -> NDArray[Any]:
    """One for an input layer; else one for each channel where that says it all, or one for each neuron."""
    p = layer.population
    if _is_image(layer.forward):
        return bias.reshape(-1)[:1]
    per_neuron = np.broadcast_to(bias, p.size).reshape(p.shape[0], prod(p.shape[1:]))
    return per_neuron[:, 0] if (per_neuron == per_neuron[:, :1]).all() else per_neuron.reshape(p.shape)
