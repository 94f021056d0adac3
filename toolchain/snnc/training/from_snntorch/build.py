"""Builds the network from wires: populations, connections, names. Last part of the import from snnTorch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, count
from math import prod
from typing import Any

import numpy as np
from torch import nn

from snnc.errors import NetworkError, UnsupportedError
from snnc.network.model import Connection, Network, Population
from snnc.neurons.li import LI
from snnc.neurons.lif import LIF
from snnc.ops.sumpool2d import SumPool2d
from snnc.passes.constant_current import constant_connection, constant_source
from snnc.training.from_snntorch.answer import SPIKES, VALUES, Answer, answer
from snnc.training.from_snntorch.layers import Floats, Scale, maps_of, operator
from snnc.training.from_snntorch.neurons import RECURRENT, Rules, rule_of, rules
from snnc.training.from_snntorch.values import Layer, is_neuron, kind_of, layers
from snnc.training.from_snntorch.wires import INPUT, WEIGHTED, Drive, Term, Wires, spikes_of

BIAS = "bias"
READOUT = "*readout"  # of the values that the module returns without neurons behind them
ZERO, ONE = np.zeros(()), np.ones(())


@dataclass
class _Parts:
    """The network under construction."""

    wired: Wires
    names: dict[str, str] = field(default_factory=dict)  # source there -> population here
    populations: list[Population] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    became: dict[str, list[str]] = field(default_factory=dict)  # layer there -> what it became
    notes: list[str] = field(default_factory=list)

    def name(self, wanted: str, kind: str) -> str:
        """Return a legal name that is not taken yet."""
        legal = re.sub(r"[^A-Za-z0-9_]", "_", wanted)[:56]
        legal = legal if re.match(r"[A-Za-z]", legal) else f"{kind.lower()}{legal}"
        taken = {p.name for p in self.populations} | {c.name for c in self.connections} | set(self.names.values())
        return next(n for n in chain([legal], (f"{legal}_{i}" for i in count(2))) if n not in taken)


@dataclass(frozen=True, eq=False)
class Built:
    """A network, what each layer became, and the population of each layer of neurons; ``readout``: of the returned values."""

    network: Network
    layers: tuple[Layer, ...]
    notes: tuple[str, ...]
    populations: dict[str, str]
    readout: str | None


def build(wired: Wires, module: nn.Module, dt_s: float | None, name: str, message_bits: int = 0) -> Built | None:
    """Return the network, or None if there are problems, which are added to ``wired.problems``."""
    returned = Answer() if wired.problems else answer(wired)
    wired.returned = returned.drive
    parts = _Parts(wired)
    for source in (INPUT, *wired.trace.calls, *wired.pools):
        parts.names[source] = parts.name(source, _kind(wired, source))
    parts.populations.append(Population(parts.names[INPUT], wired.shapes[INPUT], None, message_bits))
    for pool in wired.pools:
        _add_pool(parts, pool)
    for layer in wired.drives:
        _add_neurons(parts, layer)
    if not wired.problems:
        _add_readout(parts, returned)
    if wired.problems or any(parts.names[layer] not in {p.name for p in parts.populations} for layer in wired.drives):
        return None
    try:
        net = Network(_legal(name), tuple(parts.populations), tuple(parts.connections), dt_s or 1e-3)
    except NetworkError as error:
        wired.problems.append(error.what)
        return None
    parts.notes += _read_otherwise(returned, net, parts.names)
    populations = {layer: parts.names[layer] for layer in wired.drives}
    return Built(net, tuple(_account(parts, module)), tuple(parts.notes), populations, parts.names.get(READOUT))


def _legal(name: str) -> str:
    return re.sub(r"[^ -~]", "_", name)


def _kind(wired: Wires, source: str) -> str:
    layer = wired.trace.layers.get(source)
    return type(layer).__name__ if layer is not None else "pool"


def _add_pool(parts: _Parts, pool: str) -> None:
    """Add a max-pool of spikes: neurons that fire, and are reset, when any spike comes, so that they never remember anything."""
    source, window = parts.wired.pools[pool].source, parts.wired.pools[pool].window
    name, shape = parts.names[pool], parts.wired.shapes[pool]
    parts.populations.append(Population(name, shape, LIF(ZERO, ZERO)))
    wire = parts.name(f"{parts.names[source]}_{name}", "to")
    parts.connections.append(Connection(wire, parts.names[source], name, SumPool2d.of_weight(1.0, window)))
    parts.became[pool] = [f"population {name}: {prod(shape):,} neurons that fire when a spike comes, one hop more"]


def _add_neurons(parts: _Parts, name: str) -> None:
    wired = parts.wired
    layer: Any = wired.trace.layers[name]
    shape, read = wired.shapes[name], name not in wired.sources()
    if rule_of(layer).reset == "none" and not read:
        return  # noted as a problem by the caller
    try:
        found = rules(layer, shape, read)
    except UnsupportedError as error:
        wired.problems.append(f"{name}: {error.what}")
        return
    drive = _with_gain(_recurrent(name, layer, shape, wired.drives[name]), found, prod(shape))
    drive = _with_own_spikes(name, drive, found, prod(shape))
    bias: Any = _shared(drive.constant)
    if found.remembers_current and bias.any():
        _add_bias(parts, name, np.broadcast_to(bias, prod(shape)))
        bias = np.zeros(())
    parts.populations.append(Population(parts.names[name], shape, found.neuron(bias)))
    parts.became[name] = [f"population {parts.names[name]} ({found.model})"]
    parts.notes += [f"{name}: {note}" for note in found.notes]
    _add_wires(parts, name, drive)


def _shared(values: Floats) -> Floats:
    """Return an array of shape () if all values are equal, else the values."""
    return values[0].reshape(()) if (values == values[0]).all() else values


def _recurrent(name: str, layer: Any, shape: tuple[int, ...], drive: Drive) -> Drive:
    """Return the drive, with the spikes of the step before if the neurons feed themselves."""
    if kind_of(layer) not in RECURRENT:
        return drive
    term = spikes_of(name, layer, shape, 1)
    if layer.all_to_all:
        maps, bias = maps_of(layer.recurrent, shape, shape)
    else:
        weights = np.broadcast_to(layer.recurrent.V.detach().cpu().numpy().astype(np.float64), (1, *shape)).reshape(-1)
        maps, bias = (Scale(weights.copy()),), np.zeros(1)
    own = replace(term, maps=(*term.maps, *maps), path=(f"{name}_recurrent",))
    return Drive((*drive.terms, own), np.broadcast_to(drive.constant, prod(shape)) + bias)


def _with_gain(drive: Drive, found: Rules, size: int) -> Drive:
    if (found.gain == 1).all():
        return drive
    gain = np.broadcast_to(found.gain, size)
    terms = tuple(replace(t, maps=(*t.maps, Scale(gain.copy()))) for t in drive.terms)
    return Drive(terms, drive.constant * gain if drive.constant.any() else drive.constant)


def _with_own_spikes(name: str, drive: Drive, found: Rules, size: int) -> Drive:
    """Return the drive, with what each neuron gets back of the threshold that its spike of the step before takes away."""
    if not found.again.any():
        return drive
    own = Term(name, 1, (Scale(np.broadcast_to(found.again, size).copy()),), (f"{name}_kept",))
    return replace(drive, terms=(*drive.terms, own))


def _add_wires(parts: _Parts, name: str, drive: Drive) -> None:
    """Add the connections into a population; ``name``: the layer that became it."""
    for term in drive.terms:
        src, dst = parts.names[term.source], parts.names[name]
        weighted = [
            p for p in term.path if isinstance(parts.wired.trace.layers.get(p), WEIGHTED) or p.endswith(("_recurrent", "_kept"))
        ]
        last = weighted[-1] if weighted else f"{src}_{dst}"
        wire = parts.name(last, _kind(parts.wired, last))
        try:
            op = operator(term.maps, prod(parts.wired.shapes[term.source]))
        except (UnsupportedError, NetworkError) as error:
            parts.wired.problems.append(f"{' and '.join(p for p in term.path if not p.startswith('*'))}: {error.what}")
            continue
        if op.synapses.values.any():
            parts.connections.append(Connection(wire, src, dst, op, term.delay))
            if not op.linear:
                what = f"{wire}: neurons get the largest of its currents under a window, which no synapses of a chip compute"
                parts.notes.append(f"{what} (see snnc targets); for a chip, {op.remedy}")
        else:
            parts.notes.append(f"{wire}: all of its weights are 0, so that it is left out")
        for layer in term.path:
            parts.became.setdefault(layer, []).append(f"connection {wire}")


def _add_bias(parts: _Parts, name: str, bias: Floats) -> None:
    """Add the bias of a synaptic current: a neuron that fires in every step, with the biases as its weights."""
    if BIAS not in parts.names:
        parts.names[BIAS] = parts.name(BIAS, BIAS)
        parts.populations.append(constant_source(parts.names[BIAS]))
        parts.notes.append(
            f"{parts.names[BIAS]}: a neuron that fires in every step; its synapses bring the biases that have a memory in u"
        )
    wire = parts.name(f"{parts.names[name]}_{BIAS}", "to")
    parts.connections.append(constant_connection(wire, parts.names[BIAS], parts.names[name], bias))


def _add_readout(parts: _Parts, returned: Answer) -> None:
    """Add integrators without memory for the values that the module returns in every step without neurons behind them."""
    if returned.drive is None:
        return
    parts.wired.shapes[READOUT] = returned.shape
    parts.names[READOUT] = parts.name("readout", "readout")
    parts.populations.append(Population(parts.names[READOUT], returned.shape, LI(ONE, ONE, _shared(returned.drive.constant))))
    parts.notes.append(f"{parts.names[READOUT]}: what is returned, as voltages; the class is the largest sum")
    _add_wires(parts, READOUT, returned.drive)


def _read_otherwise(returned: Answer, net: Network, names: dict[str, str]) -> Iterator[str]:
    """Yield a note if the network's class is read from something else than what the module returns."""
    read = net.output
    fires = read.neuron is None or read.neuron.rule.fires
    source = READOUT if returned.kind == VALUES else returned.source
    if names.get(source) == read.name and fires == (returned.kind == SPIKES):
        return
    what = returned.other or f"{returned.kind} {names.get(source, source)!r}"
    how = f"the neuron of {read.name!r} with most spikes" if fires else f"the largest sum of the voltages of {read.name!r}"
    yield f"the module returns {what}; the network's class is {how}"


def _account(parts: _Parts, module: nn.Module) -> Iterator[Layer]:
    for name, layer in (*layers(module), *parts.wired.trace.functional.items()):
        kind = type(layer).__name__
        if is_neuron(layer):
            rule = rule_of(layer)
            kind += f" reset={rule.reset}" + ("" if rule.reset_delay is None else f" delay={rule.reset_delay}")
        if name not in parts.wired.trace.layers:
            became = "nothing: it was never called"
        elif isinstance(layer, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Identity):
            became = "nothing: it does nothing in evaluation"
        elif isinstance(layer, nn.Flatten | nn.Unflatten | nn.ReLU):
            became = "nothing: spikes stay as they are"
        else:
            became = ", ".join(dict.fromkeys(parts.became.get(name, ["nothing"])))
        yield Layer(name, kind, became)
