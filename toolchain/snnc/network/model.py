"""The network that every stage reads and returns: populations joined by weighted connections."""

import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from math import prod
from os import PathLike, fspath
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snnc.errors import NetworkError, UsageError
from snnc.network.arithmetic import Fixed, Float, Numeric
from snnc.network.encoding import Encoding
from snnc.network.html import block
from snnc.network.narrow import Narrow, pieces
from snnc.network.neuron import Neuron
from snnc.network.op import Op
from snnc.network.probe import probe
from snnc.network.stage import Stage as Stage
from snnc.network.synapses import MAX_DELAY_STEPS

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
MAX_NEURONS = 1 << 24  # of a population
SHOWN = 5  # problems of a network in a message


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one model, or an input.

    Examples:
        >>> import snnc
        >>> snnc.Population("input", (8, 8), None).size
        64
    """

    name: str
    shape: tuple[int, ...]
    neuron: Neuron | None  # None: an input
    message_bits: int = 0  # of what it sends: 0 = spikes (0 or 1), n = integers below 2**n (inputs only)
    max_spikes_per_step: int | None = None  # messages that it sends in a step at most, its budget; None: any number (inputs only)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def sent_bits(self) -> int:
        """Bits of what it sends in a step: of how often a neuron fires, or of an input's messages; 0: spikes."""
        return self.neuron.spikes_per_step.bit_length() if self.neuron else self.message_bits


@dataclass(frozen=True, eq=False)
class Connection:
    """Synapses from one population to another. ``delay_steps`` 0: a spike acts within its step.

    Further delays add to ``delay_steps``: those of source neurons in ``axon_delays``, or those of synapses in
    ``op.synapses.delays``, not both.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> [(c.src, c.dst, c.op.kind) for c in net.connections]
        [('input', 'hidden1', 'dense'), ('hidden1', 'output', 'dense')]
    """

    name: str
    src: str
    dst: str
    op: Op
    delay_steps: int = 0
    axon_delays: NDArray[np.int32] | None = None  # (n_src,) steps

    def __post_init__(self) -> None:
        if self.axon_delays is not None:
            self.axon_delays.setflags(write=False)

    @property
    def delays(self) -> NDArray[np.int32] | None:
        """What is added to ``delay_steps`` for an axon or a synapse; None if nothing is."""
        return self.axon_delays if self.axon_delays is not None else self.op.synapses.delays

    @property
    def shortest_delay(self) -> int:
        """Steps after which the first message arrives."""
        return self.delay_steps + self._further[0]

    @property
    def longest_delay(self) -> int:
        """Steps after which the last message arrives."""
        return self.delay_steps + self._further[1]

    @property
    def _further(self) -> tuple[int, int]:
        """The shortest and the longest delay of an axon or a synapse."""
        if self.axon_delays is not None:
            return int(self.axon_delays.min(initial=MAX_DELAY_STEPS)), int(self.axon_delays.max(initial=0))
        return self.op.synapses.delay_extremes() or (0, 0)


@dataclass(frozen=True, eq=False)
class Network:
    """Read-only; each stage returns a new one. Raises NetworkError if it contradicts itself.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> net.numeric.kind, [stage.name for stage in net.done]
        ('float', ['train'])
    """

    name: str
    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]
    dt_s: float
    numeric: Numeric = Float()
    encoding: Encoding | None = None  # how samples of a data set become its input
    done: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        if wrong := problems(self):
            more = f"; and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
            what = wrong[0] if len(wrong) == 1 else f"{len(wrong):,} problems: {'; '.join(wrong[:SHOWN])}{more}"
            raise NetworkError(what, where=f"network {self.name!r}")

    @staticmethod
    def must_be(value: object) -> None:
        """Raise UsageError for what is no network: the path of one, say."""
        if isinstance(value, str | PathLike):
            path = fspath(value)
            raise UsageError(f"{path!r} is a path, expected a network", fix=f"load it first: snnc.load({path!r})")
        if not isinstance(value, Network):
            raise UsageError(f"{type(value).__name__} is no network", fix="pass what snnc.load or snnc.train returned")

    def __getitem__(self, name: str) -> Population:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Population]:
        return {p.name: p for p in self.populations}

    @property
    def inputs(self) -> tuple[Population, ...]:
        return tuple(p for p in self.populations if p.neuron is None)

    @property
    def output(self) -> Population:
        """The population that is read out: the last in the order of computation that feeds no other."""
        ends = [p for p in self.ordered if all(c.dst == p.name for c in self.out_of(p.name))]
        return (ends or self.ordered)[-1]

    def into(self, population: str) -> tuple[Connection, ...]:
        """The connections that end in a population."""
        return self._ends[0].get(population, ())

    def out_of(self, population: str) -> tuple[Connection, ...]:
        """The connections that start in a population."""
        return self._ends[1].get(population, ())

    @cached_property
    def _ends(self) -> tuple[dict[str, tuple[Connection, ...]], dict[str, tuple[Connection, ...]]]:
        """The connections by where they end, and by where they start, in their order."""
        into, out_of = defaultdict[str, list[Connection]](list), defaultdict[str, list[Connection]](list)
        for c in self.connections:
            into[c.dst].append(c)
            out_of[c.src].append(c)
        return tuple({name: tuple(of) for name, of in ends.items()} for ends in (into, out_of))  # type: ignore[return-value]

    @cached_property
    def tiles(self) -> int:
        """How many equal copies of a part the network consists of: as many as each of its connections."""
        tiles = max((c.op.synapses.tiles for c in self.connections), default=1)
        alike = all(getattr(p.neuron, name).ndim == 0 for p in self.populations if p.neuron for name in p.neuron.parameters())
        whole = all(p.size % tiles == 0 for p in self.populations) and all(c.axon_delays is None for c in self.connections)
        return tiles if alike and whole and all(c.op.synapses.tiles == tiles for c in self.connections) else 1

    @cached_property
    def ordered(self) -> tuple[Population, ...]:
        """The populations in an order in which each can be computed within one step."""
        return tuple(self[name] for name in _order(self))

    @cached_property
    def hash(self) -> str:
        """SHA-256 over everything that decides what the network computes (not over its name and provenance)."""
        digest = hashlib.sha256(json.dumps(structure(self), sort_keys=True).encode())
        for key, array in sorted(stored(self), key=lambda one: one[0]):
            digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
            for piece in pieces(array):
                digest.update(piece.tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        neurons, synapses = sum(p.size for p in self.populations if p.neuron), sum(c.op.synapse_count for c in self.connections)
        return f"Network({self.name!r}, {self.numeric.kind}, {neurons:,} neurons, {synapses:,} synapses, hash {self.hash[:12]})"

    def _repr_html_(self) -> str:
        rows = [(p.name, "x".join(map(str, p.shape)), p.neuron.model() if p.neuron else "input") for p in self.ordered]
        joined = [(c.name, f"{c.src} -> {c.dst}", c.op.kind, c.op.synapse_count, c.delay_steps) for c in self.connections]
        columns = ("connection", "from -> to", "operator", "synapses", "delay in steps")
        facts = {"stages": ", ".join(stage.name for stage in self.done) or None, "time step in s": self.dt_s}
        return block(repr(self), facts, ("population", "shape", "neuron"), rows) + block("", None, columns, joined)

    def after(self, stage: Stage, **changes: Any) -> Self:
        """A changed copy that remembers the stage."""
        return replace(self, done=(*self.done, stage), **changes)


def structure(net: Network) -> dict[str, Any]:
    """All of a network but its arrays, name and provenance, as JSON values."""
    return {
        "dt_s": net.dt_s,
        "numeric": {"kind": net.numeric.kind, **asdict(net.numeric)},
        "encoding": net.encoding.stated() if net.encoding else None,
        "populations": [
            {
                "name": p.name, "shape": list(p.shape), "neuron": p.neuron and p.neuron.model(), "message_bits": p.message_bits,
                **({} if p.max_spikes_per_step is None else {"max_spikes_per_step": p.max_spikes_per_step}),
            }
            for p in net.populations
        ],
        "connections": [
            {
                "name": c.name, "src": c.src, "dst": c.dst, "delay_steps": c.delay_steps,
                "op": c.op.kind, "shape": list(c.op.synapses.shape), "exponent": c.op.exponent, "sign_mode": c.op.sign_mode,
                **c.op.geometry(), **c.op.synapses.stated(),
            }
            for c in net.connections
        ],
    }  # fmt: skip


def arrays(net: Network) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every array of a network under a key of its own."""
    return ((key, np.asarray(array)) for key, array in stored(net))


def stored(net: Network) -> Iterator[tuple[str, NDArray[Any] | Narrow]]:
    """Every array of a network under a key of its own, as narrow as it is held."""
    for p in net.populations:
        if p.neuron:
            for name in p.neuron.parameters():
                yield f"population/{p.name}/{name}", getattr(p.neuron, name)
    for c in net.connections:
        for name, array in c.op.synapses.stored():
            yield f"connection/{c.name}/{name}", array
        if c.axon_delays is not None:
            yield f"connection/{c.name}/axon_delays", c.axon_delays


def problems(net: Network) -> list[str]:
    """Every contradiction in a network, each as a sentence that names its place."""
    if wrong := _kind_problems(net) or _name_problems(net):
        return wrong
    for p in net.populations:
        wrong += [f"population {p.name!r} {problem}" for problem in _population_problems(p, net)]
    for c in net.connections:
        wrong += [f"connection {c.name!r} {problem}" for problem in _connection_problems(c, net)]
    if not wrong and len(_order(net)) < len(net.populations):
        wrong.append("has a loop of connections without delay; give one of them delay_steps >= 1")
    return wrong


def _kind_problems(net: Network) -> list[str]:
    """Values of a wrong type, as a file can hold them."""
    if not isinstance(net.name, str) or not net.name.isprintable():
        return [f"has the name {net.name!r}, expected a line of text"]
    if type(net.dt_s) is not float or not 0 < net.dt_s < math.inf:
        return [f"has a time step of {net.dt_s!r} s, expected a number above 0"]
    texts = [p.name for p in net.populations] + [text for c in net.connections for text in (c.name, c.src, c.dst)]
    wrong = [f"has the name {text!r}, expected text" for text in texts if not isinstance(text, str)]
    wholes = [("shape", n, p.name) for p in net.populations for n in p.shape]
    wholes += [("message_bits", p.message_bits, p.name) for p in net.populations]
    wholes += [("max_spikes_per_step", n, p.name) for p in net.populations if (n := p.max_spikes_per_step) is not None]
    wholes += [w for c in net.connections for w in (("delay_steps", c.delay_steps, c.name), ("exponent", c.op.exponent, c.name))]
    wrong += [f"has a {what} of {n!r} in {name!r}, expected a whole number" for what, n, name in wholes if type(n) is not int]
    if not all(isinstance(s.name, str) and isinstance(s.settings, dict) for s in net.done):
        wrong.append("has a history that is no list of stages with settings")
    return wrong


def _name_problems(net: Network) -> list[str]:
    names = [p.name for p in net.populations]
    wrong = [f"has two populations named {n!r}" for n, count in sorted(Counter(names).items()) if count > 1]
    connections = [c.name for c in net.connections]
    wrong += [f"has two connections named {n!r}" for n, count in sorted(Counter(connections).items()) if count > 1]
    wrong += [
        f"has the name {n!r}; names are letters, digits and _, at most 64"
        for n in [*names, *connections]
        if not _NAME.fullmatch(n)
    ]
    known = set(names)
    for c in net.connections:
        wrong += [f"connection {c.name!r} joins {end!r}, which is no population" for end in (c.src, c.dst) if end not in known]
    if not net.inputs:
        wrong.append("has no input population")
    return wrong


def _population_problems(p: Population, net: Network) -> list[str]:
    if not p.shape or any(n < 1 for n in p.shape):
        return [f"has shape {p.shape}"]
    if p.size > MAX_NEURONS * net.tiles:
        return [f"has {p.size:,} neurons, at most {MAX_NEURONS * net.tiles:,} are possible"]
    if p.neuron is None:
        return _input_problems(p)
    if p.message_bits:
        return ["sends graded messages, which only inputs do"]
    if p.max_spikes_per_step is not None:
        return ["has a budget of spikes, which only inputs have"]
    if wrong := _model_problems(type(p.neuron)):
        return [f"has a neuron model {p.neuron.model()!r} that does not do what it says: {wrong[0]}"]
    return [q for name, f in p.neuron.parameters().items() for q in _parameter_problems(p, name, f.metadata, net.numeric)]


def _input_problems(p: Population) -> list[str]:
    if not 0 <= p.message_bits <= 24:
        return [f"sends {p.message_bits}-bit messages, 0 to 24 are possible"]
    if p.max_spikes_per_step is not None and not 1 <= p.max_spikes_per_step <= MAX_NEURONS:
        return [f"has a budget of {p.max_spikes_per_step} spikes a step, 1 to {MAX_NEURONS:,} are possible"]
    return []


@cache
def _model_problems(model: type[Neuron]) -> tuple[str, ...]:
    """Return what the rule of a model says otherwise than its step does; of snnc's own models, which the tests probe, nothing."""
    return () if model.__module__.startswith("snnc.neurons.") else tuple(probe(model))


def _parameter_problems(p: Population, name: str, meta: Any, numeric: Numeric) -> list[str]:
    value = getattr(p.neuron, name)
    if value.shape not in ((), (p.size,)):
        return [f"has {name} of shape {value.shape}, expected () or ({p.size},)"]
    if not np.isfinite(value).all():
        return [f"has a {name} that is NaN or infinite"]
    if value.dtype not in ((np.int64,) if isinstance(numeric, Fixed) else (np.float64, np.int64)):
        return [f"has {name} = {value.flat[0]} of type {value.dtype} in a {numeric.kind} network"]
    if meta["unit"].whole and (value != np.floor(value)).any():
        return [f"has a {name} of {value[value != np.floor(value)].flat[0]} steps, expected whole numbers"]
    low, high = meta["unit"].range(numeric, meta["offset"])
    if value.min() < low or value.max() > high:
        return [f"has {name} in {value.min()} .. {value.max()}, allowed is {low} .. {high}"]
    return []


def _connection_problems(c: Connection, net: Network) -> list[str]:
    src, dst = net[c.src], net[c.dst]
    if dst.neuron is None:
        return [f"ends in {c.dst!r}, which is an input"]
    if (c.op.n_src, c.op.n_dst) != (src.size, dst.size):
        return [f"has weights for {c.op.n_src} -> {c.op.n_dst} neurons, {c.src!r} -> {c.dst!r} has {src.size} -> {dst.size}"]
    if not 0 <= c.delay_steps <= MAX_DELAY_STEPS:
        return [f"has a delay of {c.delay_steps} steps, 0 to {MAX_DELAY_STEPS} are possible"]
    if not c.op.linear and (c.axon_delays is not None or c.op.synapses.delay_extremes()):
        return [f"has delays of axons or synapses, whose messages operator {c.op.kind!r} cannot weigh apart; use delay_steps"]
    return _axon_problems(c) or c.op.problems(net.numeric)


def _axon_problems(c: Connection) -> list[str]:
    delays = c.axon_delays
    if delays is None:
        return []
    if c.op.synapses.delay_extremes():
        return ["has delays of axons and of synapses; add the ones to the others"]
    if delays.shape != (c.op.n_src,) or delays.dtype != np.int32:
        return [f"holds axon delays of shape {delays.shape} and type {delays.dtype}, expected ({c.op.n_src},) and int32"]
    if not 0 <= delays.min() <= delays.max() <= MAX_DELAY_STEPS:
        return [f"has axon delays of {delays.min()} .. {delays.max()} steps, 0 to {MAX_DELAY_STEPS} are possible"]
    return []


def _order(net: Network) -> list[str]:
    """Names in an order of computation (inputs first); populations on a loop without delay are left out.

    Populations come in rounds, each of those for which all that acts within the step is there, in the order of the network.
    """
    before: dict[str, set[str]] = {p.name: set() for p in net.populations}
    after: dict[str, set[str]] = {p.name: set() for p in net.populations}
    for c in (c for c in net.connections if c.shortest_delay == 0):
        before[c.dst].add(c.src)
        after[c.src].add(c.dst)
    place = {p.name: at for at, p in enumerate(net.populations)}
    missing = {name: len(names) for name, names in before.items()}
    order, ready = list[str](), [name for name, count in missing.items() if not count]
    while ready:
        order += ready
        freed = list[str]()
        for name in ready:
            for follower in after[name]:
                missing[follower] -= 1
                if not missing[follower]:
                    freed.append(follower)
        ready = sorted(freed, key=place.__getitem__)
    return order
