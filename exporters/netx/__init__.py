"""Target `netx`: a .net file of lava-dl, the HDF5 form of a chain of layers in a chip's integers, written without lava-dl."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import snnc.chips as chips
from snnc import ops
from snnc.errors import DoesNotFitError
from snnc.importers import ImportConfig
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network, Population
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.simulation.run import Rasters, Run
from snnc.targets.target import Artifact

from .._shared import hdf5
from .._shared import read_back as _read_back
from .record import kind, restored, small

SUMMARY = "a .net file (HDF5) for lava-dl 0.6 netx: a chain of dense and convolutional layers"
NEEDS_MAPPING = False
FILE = "network.net"
VERIFIED_BY = _read_back.READER
REMARK = _read_back.remark(FILE)
FORMAT_OF = "loihi2"
FULL, NEVER = 4096, 1 << 18  # a decay of 1; a threshold that no voltage reaches, as slayer writes it
PIXEL_BITS = 8
WRITTEN = "0:1"  # what black and white are in the files written here
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
    """Return why netx has no such neuron; empty if it has."""
    return (
        ""
        if model in _NEURONS
        else f"netx has no neuron {model!r}; CUBA with reset to zero is its only spiking one; export to lava, or train with that"
    )


def operator_problem(kind: str) -> str:
    """Return why netx has no such operator; empty if it has."""
    return "" if kind in _OPERATORS else f"netx runs no {kind!r}; it has dense and convolutional layers{ops.remedy(kind)}"


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that a netx file cannot hold, each as a sentence."""
    if not isinstance(net.numeric, Fixed):
        return ["is a float network; quantise it first (snnc quantise)"]
    reasons = list(_numeric_problems(net.numeric)) + list(_chain_problems(net))
    if reasons:
        return reasons
    layers = _layers(net)
    apart = {p.name for p in net.populations} - {net.inputs[0].name, *(layer.population.name for layer in layers)}
    reasons += [f"population {name!r} is not behind {net.inputs[0].name!r}; netx holds one chain" for name in sorted(apart)]
    return reasons + [problem for layer in layers for problem in _layer_problems(layer, net.numeric)]


def _numeric_problems(numeric: Fixed) -> Iterator[str]:
    own = chips.load(FORMAT_OF).fixed()
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
    """Return the layers from the input on; not in the order of computation, in which what comes later may be first."""
    layers, at = [], net.inputs[0].name
    while forward := next((c for c in net.out_of(at) if c.dst != at), None):
        at = forward.dst
        layers.append(_Layer(net[at], forward, next((c for c in net.into(at) if c.src == at), None)))
    return layers


def _layer_problems(layer: _Layer, numeric: Fixed) -> Iterator[str]:
    for c in (layer.forward, layer.again):
        if c is not None:
            yield from (f"connection {c.name!r} {problem}" for problem in _wire_problems(c))
    p, neuron = layer.population, cast(Any, layer.population.neuron)
    if np.unique(getattr(neuron, "threshold", 0)).size > 1:
        yield f"population {p.name!r} has a threshold for each neuron; netx has one a layer"
    for name in ("decay_u", "decay_v"):
        if _shared(getattr(neuron, name, 0), layer) is None:
            yield f"population {p.name!r} has a {name} for each neuron; netx has them in dense layers, one a channel in others"
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
    if c.delay_steps != int(again):
        yield f"has a delay of {c.delay_steps} steps; netx has 0 (1 in a recurrence), and delays by neuron"
    if c.axon_delays is not None and isinstance(c.op, Dense) and c.op.n_src == c.op.n_dst and not again:
        yield f"has delays of {c.op.n_src} axons to as many neurons; netx would take them for theirs; delay synapses instead"
    if c.delays is not None and (again or isinstance(c.op, Conv2d)):
        yield "has delays by neuron; netx drops those of convolutions and miscounts those of recurrences"
    if c.longest_delay > MAX_DELAY_STEPS:
        yield f"has a delay of {c.longest_delay} steps, netx takes at most {MAX_DELAY_STEPS}"
    weights = _weights(c)
    if weights is None:
        yield f"has weights that are no integers when multiplied by 2**{c.op.exponent}; quantise with other exponents"
    elif weights.min() < -256 or weights.max() > (254 if weights.min() < 0 else 255):
        yield f"has weights {weights.min()} .. {weights.max()} with its exponent; netx clips them to -256 .. 254"


def _weights(c: Connection) -> NDArray[np.int64] | None:
    """Return stored weights times 2**exponent, if those are integers. Those of pixels are left as they are."""
    exponent = c.op.exponent + (PIXEL_BITS if _is_image(c) else 0)
    weights = np.ldexp(c.op.synapses.values.astype(np.float64), exponent)
    return weights.astype(np.int64) if (weights == np.rint(weights)).all() else None


def _is_image(c: Connection) -> bool:
    """Tell whether each pixel enters a neuron of its own with the same weight: the input layer of netx."""
    s = c.op.synapses
    diagonal = isinstance(c.op, Dense) and s.shape[0] == s.shape[1] == s.count and (s.indices == np.arange(s.count)).all()
    return bool(
        diagonal and (s.rows == s.indices).all() and len(set(s.values.tolist())) == 1 and c.op.exponent <= -PIXEL_BITS + 1
    )


def _delays(c: Connection) -> NDArray[np.float32]:
    """Return the delays of the destination neurons (n_dst,), or, where they differ within one, of each synapse (n_dst, n_src)."""
    synapses = c.op.synapses
    delays = synapses.with_values(np.asarray(synapses.delays, np.int64)).to_dense()
    rows = delays.max(axis=1, initial=0)
    return (rows if (rows[synapses.rows] == synapses.delays).all() else delays).astype(np.float32)


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Write ``network.net`` into ``folder``; return the latency of each population in steps: none, in the order of the chain.

    Nothing is unrolled.
    """
    kept: dict[str, Any] = next((s.settings["netx"] for s in reversed(net.done) if isinstance(s.settings.get("netx"), dict)), {})
    for c in net.connections:
        if isinstance(c.op, Dense) and c.op.possible_synapses > max_synapses and not _is_image(c):
            raise DoesNotFitError(
                f"has {c.op.possible_synapses:,} places for weights, of which netx stores every one; at most {max_synapses:,}"
                " are written", where=f"connection {c.name!r}", fix="use target nir or npz, or raise --max-synapses",
            )  # fmt: skip
    layers = restored(list(_tree(net)), kept.get("layers"))
    tree: dict[str, Any] = {"layer": {str(i): layer for i, layer in enumerate(layers)}}
    if simulation := small(kept.get("simulation")):
        tree["simulation"] = simulation
    hdf5.write(tree, folder / FILE)
    return {p.name: 0 for p in (net.inputs[0], *(layer.population for layer in _layers(net)))}


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Simulate what `snnc import` reads in the artifact; raises what `_read_back.run` does."""
    return _read_back.run(artifact, FILE, inputs, record, ImportConfig(pixel_range=WRITTEN), names_kept=False)


def _tree(net: Network) -> Iterator[dict[str, Any]]:
    """Yield the layers of the network, each a tree."""
    first, source = True, net.inputs[0]
    for layer in _layers(net):
        if layer.forward.src == source.name and source.message_bits == PIXEL_BITS and _is_image(layer.forward):
            yield _input(source, layer)
        else:
            if first:
                yield {"type": kind("input"), "shape": _planes(source)}
            src = net[layer.forward.src]
            if isinstance(layer.forward.op, Dense) and _is_spatial(src, net):
                yield {"type": kind("flatten"), "shape": np.array([src.size, 1, 1])}
            yield _weighted(layer)
        first = False


def _planes(p: Population) -> NDArray[np.int64]:
    """Return the shape of a population in a file: (n,) or (channels, rows, columns); one that has a length has one row."""
    return np.array((p.shape[0], 1, p.shape[1]) if len(p.shape) == 2 else p.shape)


def _is_spatial(p: Population, net: Network) -> bool:
    """Tell whether netx sees channels, rows and columns, which a dense layer takes flattened only."""
    return len(p.shape) > 1 and all(isinstance(c.op, Conv2d) or _is_image(c) for c in net.into(p.name))


def _input(source: Population, layer: _Layer) -> dict[str, Any]:
    weights = _weights(layer.forward)
    assert weights is not None  # noqa: S101 - for the type checker; `problems` has asked
    return {
        "type": kind("input"),
        "shape": np.array(source.shape),
        "weight": weights[:1].astype(np.float32),
        **_neuron(layer),
    }


def _weighted(layer: _Layer) -> dict[str, Any]:
    c, op = layer.forward, layer.forward.op
    weights = _weights(c)
    assert weights is not None  # noqa: S101 - for the type checker; `problems` has asked
    stored = op.with_values(weights).synapses.to_dense().astype(np.float32)
    tree = {"shape": _planes(layer.population), **_neuron(layer)}
    if isinstance(op, Conv2d):
        window = op.window
        return tree | {
            "type": kind("conv"), "weight": stored.reshape(op.kernel_shape), "inChannels": window.src_shape[0],
            "outChannels": len(stored), "kernelSize": np.array(window.kernel), "stride": np.array(window.stride),
            "padding": np.array(window.padding), "dilation": np.array(window.dilation), "groups": op.groups,
        }  # fmt: skip
    tree |= {"type": kind("dense"), "weight": stored, "inFeatures": op.n_src, "outFeatures": op.n_dst}
    if c.axon_delays is not None:
        tree["delay"] = c.axon_delays.astype(np.float32)
    elif op.synapses.delays is not None:
        tree["delay"] = _delays(c)
    if layer.again:
        again = layer.again.op.with_values(np.asarray(_weights(layer.again)))
        tree |= {"type": kind("dense_rec"), "weight_rec": again.synapses.to_dense().astype(np.float32)}
    return tree


def _neuron(layer: _Layer) -> dict[str, Any]:
    """Return the neuron and its bias; none at all for a readout that adds up."""
    neuron: Any = layer.population.neuron
    u, v = (_shared(getattr(neuron, name, default), layer) for name, default in (("decay_u", FULL), ("decay_v", 0)))
    threshold = int(np.ravel(getattr(neuron, "threshold", NEVER))[0])
    bias = np.asarray(neuron.bias) >> 6
    if neuron.model() == "li" and np.all(u == FULL) and np.all(v == 0) and not bias.any():
        return {}
    fields = {
        "type": "CUBA", "refDelay": 1, "gradedSpike": False, "iDecay": u, "vDecay": v, "vThMant": min(threshold, NEVER - 1),
    }  # fmt: skip
    return {"neuron": fields, **({"bias": _biases(bias, layer).astype(np.float32)} if bias.any() else {})}


def _shared(values: Any, layer: _Layer) -> Any:
    """Return a decay as netx takes it: one for all, for each neuron of a dense layer or channel of others; None if it cannot."""
    values, p = np.ravel(np.asarray(values, np.int64)), layer.population
    if (values == values[0]).all():
        return int(values[0])
    if isinstance(layer.forward.op, Dense) and not _is_image(layer.forward):
        return values
    channels = values.reshape(p.shape[0], -1)
    return channels[:, 0] if (channels == channels[:, :1]).all() and len(p.shape) > 1 else None


def _biases(bias: NDArray[Any], layer: _Layer) -> NDArray[Any]:
    """Return one bias for an input layer; else one for each channel where that says it all, or one for each neuron."""
    p = layer.population
    if _is_image(layer.forward):
        return bias.reshape(-1)[:1]
    per_neuron = np.broadcast_to(bias, p.size).reshape(p.shape[0], prod(p.shape[1:]))
    return per_neuron[:, 0] if (per_neuron == per_neuron[:, :1]).all() else per_neuron.reshape(p.shape)
