"""What the engine prepares once for a network: the compiled step of each population and its connections in the form of each
kernel. Made on demand, kept while the network is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import NetworkError
from snnc.network.arithmetic import Fixed
from snnc.network.delays import Part, parts
from snnc.network.model import Network, Population
from snnc.simulation.engine.adder import FIRST, adders
from snnc.simulation.engine.emit import AT_ONCE
from snnc.simulation.engine.events import Fanout, fanout
from snnc.simulation.engine.lanes import OWN, START
from snnc.simulation.engine.large import Sorted, is_sorted
from snnc.simulation.engine.sums import Feed, Summed, summed, table
from snnc.simulation.engine.symbolic_step import Step, trace
from snnc.simulation.engine.taps import Ints, narrowest, reach

Key = tuple[str, int, bytes | None]

_KERNELS = ("adder", "emit", "events", "lanes", "packing", "turning", "vector")  # what is compiled
VERSION = sha256(b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in _KERNELS)).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Input:
    """A part of a connection, with the population that it comes from."""

    src: str
    part: Part
    message_bits: int
    sorted: Sorted | None = None  # the connection, if it is one of a large network

    @cached_property
    def feed(self) -> Feed:
        return Feed(self.src, self.part.delay_steps, self.part.sources, max(self.message_bits, 1), self.part.op.n_src)


@dataclass(frozen=True, eq=False)
class Layer:
    """A population of neurons, its step and what enters it."""

    population: Population
    numeric: Fixed
    inputs: tuple[Input, ...]

    @property
    def name(self) -> str:
        return self.population.name

    @property
    def n(self) -> int:
        return self.population.size

    @property
    def fires(self) -> bool:
        """Whether it sends spikes; else it is a readout."""
        assert self.population.neuron is not None  # noqa: S101 - for the type checker; a layer has neurons
        return self.population.neuron.rule.fires

    @property
    def spikes_per_step(self) -> int:
        """The most that a neuron sends in a step, which the kernel for samples side by side holds as one bit."""
        assert self.population.neuron is not None  # noqa: S101 - for the type checker; a layer has neurons
        return self.population.neuron.spikes_per_step

    @property
    def initial(self) -> NDArray[np.int64]:
        """Return what each of its states starts at, (states,)."""
        assert self.population.neuron is not None  # noqa: S101 - for the type checker; a layer has neurons
        return np.array([state.initial for state in self.population.neuron.states], np.int64)

    @cached_property
    def current(self) -> tuple[int, int]:
        """The least and the most that the summed input of a neuron can be, in weight units."""
        apart = [i for i in self.inputs if not i.sorted]
        ends = [[self.numeric.shift(end, i.part.op.exponent) for end in reach(i.part, i.message_bits)] for i in apart]
        ends += [[*c.reach] for c in self.sorted]
        return sum(low for low, _ in ends), sum(high for _, high in ends)

    @cached_property
    def step(self) -> Step:
        return self.scaled(0)

    def scaled(self, scale: int) -> Step:
        """Return the step, with its current given in units of 2**scale."""
        assert self.population.neuron is not None  # noqa: S101 - for the type checker; a layer has neurons
        return trace(self.population.neuron, self.current, self.numeric, scale)

    @cached_property
    def sorted(self) -> tuple[Sorted, ...]:
        """The connections of a large network that end in it."""
        return tuple(dict.fromkeys(i.sorted for i in self.inputs if i.sorted))

    @cached_property
    def fanouts(self) -> tuple[Fanout, ...]:
        """The synapses of each input by what they meet."""
        sorted_parts = {c: iter(c.fanouts()) for c in self.sorted}
        return tuple(
            next(sorted_parts[i.sorted]) if i.sorted else fanout(i.part, self.current_type, i.message_bits) for i in self.inputs
        )

    @cached_property
    def current_type(self) -> Any:
        return narrowest(*self.current)

    @cached_property
    def state_type(self) -> Any:
        return np.int32 if self.step.bits == 32 else np.int64

    @cached_property
    def numbers(self) -> NDArray[Any]:
        """Those of the step's program."""
        return np.array(self.step.numbers, self.state_type)

    @cached_property
    def parameters(self) -> NDArray[Any]:
        """(parameters, neurons); neurons padded to whole vectors, which never matter."""
        parameters = np.zeros((len(self.step.parameters), -(-self.n // AT_ONCE) * AT_ONCE), self.state_type)
        for i, name in enumerate(self.step.parameters):
            parameters[i, : self.n] = getattr(self.population.neuron, name)
        return parameters


@dataclass(frozen=True, eq=False)
class Adding:
    """A layer in the form of the kernel for samples side by side; row numbers are those of the board."""

    full: str  # programs
    lean: str
    numbers: NDArray[Any]  # of the programs
    direct: bool  # one part, whose 16-bit sums are the current
    stream: NDArray[np.int32]
    starts: Ints
    counts: Ints  # (sums,): adders
    table: Ints
    gather: NDArray[np.int32]
    places: int
    feeds: tuple[tuple[Feed, int], ...]  # with their first row
    out: int  # first row of its spikes

    @property
    def adders(self) -> int:
        """Adders that run in a step."""
        parts = np.split(self.counts, self.table[1:, START])
        return sum(int(each.sum()) * (1 if own else self.places) for each, own in zip(parts, self.table[:, OWN], strict=True))


@dataclass(frozen=True, eq=False)
class Board:
    """The rows of bits that the layers of a network share: constants, what is carried, messages, windows."""

    rows: int
    carried: int  # the most bits that a sum carries from one power to the next
    layers: Mapping[str, Adding]  # those whose sums fit, and whose windows are alike


class Program:
    """Everything about a network that does not depend on its input."""

    def __init__(self, net: Network) -> None:
        if not isinstance(net.numeric, Fixed):
            fix = "quantise it, or use the reference"
            raise NetworkError("computes in floats, the engine in integers", where=f"network {net.name!r}", fix=fix)
        self.net = net
        self.layers = tuple(_layer(net, p, net.numeric) for p in net.ordered if p.neuron)
        self.history = {p.name: max((i.part.delay_steps for n in self.layers for i in n.inputs if i.src == p.name), default=0)
                        for p in net.populations}  # fmt: skip

    @cached_property
    def loops(self) -> bool:
        """Whether a population's spikes come back to it, so that its steps cannot be computed ahead of others'."""
        before: set[str] = {p.name for p in self.net.inputs}
        for layer in self.layers:
            if not all(i.src in before for i in layer.inputs):
                return True
            before.add(layer.name)
        return False

    @cached_property
    def board(self) -> Board:
        return _board(self.layers)


@lru_cache(maxsize=8)
def plan(net: Network) -> Program:
    """Return the plan of a network, kept for the next call. Raises NetworkError for a float network."""
    return Program(net)


def _layer(net: Network, p: Population, numeric: Fixed) -> Layer:
    inputs = list[Input]()
    for c in net.into(p.name):
        bits = net[c.src].sent_bits
        large = Sorted(c, bits) if is_sorted(net, c) else None
        inputs += (Input(c.src, part, bits, large) for part in (large.parts if large else parts(c)))
    return Layer(p, numeric, tuple(inputs))


def _board(layers: Sequence[Layer]) -> Board:
    """Give every feed, every population's spikes and every window rows of their own, as if nothing were carried; then move
    them behind the rows for that."""
    first: dict[Key, int] = {}
    end = FIRST
    for layer in layers:
        first[layer.name, 0, None], end = end, end + layer.n * layer.population.sent_bits
    for feed in (i.feed for layer in layers for i in layer.inputs):
        if feed.key not in first:
            first[feed.key], end = end, end + feed.rows
    sums_of: dict[str, list[Summed]] = {}
    for layer in (layer for layer in layers if not layer.sorted):  # what is large never pays samples side by side
        sums = []
        for i in layer.inputs:
            sums.append(summed(i.part, i.feed, first[i.feed.key], end, i.message_bits))
            end += sums[-1].gather.shape[1] if sums[-1] else 0
        fit = [s for s in sums if s]
        if layer.spikes_per_step == 1 and layer.current_type != np.int64 and len(fit) == len(sums) and _alike(fit):
            sums_of[layer.name] = fit
    carried = max((s.piled.carried for sums in sums_of.values() for s in sums), default=0)
    made = {layer.name: _adding(layer, sums_of[layer.name], first, carried) for layer in layers if layer.name in sums_of}
    return Board(end + 2 * carried, carried, made)


def _alike(sums: Sequence[Summed]) -> bool:
    """Tell whether all windows have as many places, so that a neuron is of the same channel and place in each."""
    return len({len(s.gather) for s in sums if not s.own}) <= 1


def _adding(layer: Layer, sums: Sequence[Summed], first: Mapping[Key, int], carried: int) -> Adding:
    made = [adders(s.piled, FIRST, carried, 2 * carried) for s in sums]
    before = np.cumsum([0, *(len(m.stream) for m in made)])
    numbers, gather = table(sums, 2 * carried)
    places = max((len(s.gather) for s in sums), default=1)
    direct = len(sums) == 1 and sums[0].piled.heights.shape[1] <= 16 and sums[0].shift >= 0
    step = layer.scaled(sums[0].shift) if direct else layer.step
    feeds = {i.feed.key: (i.feed, first[i.feed.key] + 2 * carried) for i in layer.inputs}
    counts = _joined([s.piled.adders.sum(axis=(1, 2)) for s in sums], np.int64)
    starts = _joined([m.starts + b for m, b in zip(made, before, strict=False)], np.int64)
    return Adding(
        _versioned(step.text), _versioned(step.lean), np.array(step.numbers, layer.state_type), direct,
        _joined([m.stream for m in made], np.int32), starts, counts, numbers, gather, places, tuple(feeds.values()),
        first[layer.name, 0, None] + 2 * carried,
    )  # fmt: skip


def _joined(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    """Join arrays one after the other; there may be none."""
    return np.concatenate([np.zeros(0, dtype), *arrays])


def _versioned(text: str) -> str:
    """Add the engine's version: numba keeps what it compiled by the text, and another version may make something else of it."""
    return f"{text}\n{VERSION}"
