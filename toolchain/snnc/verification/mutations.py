"""Networks that are wrong in one number, to see whether the runs of a verification tell their programs from the right one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import fixed
from snnc.errors import NetworkError
from snnc.network.model import Connection, Network, Population
from snnc.network.op import weight_grid
from snnc.network.synapses import Synapses

TRIES = 200  # of an alteration that a network cannot have, for each that it can

Alter = Callable[[Network, np.random.Generator], tuple[str, Network]]


@dataclass(frozen=True, eq=False)
class Mutant:
    """A network that differs from another in one number, and the difference in words."""

    what: str
    net: Network


@dataclass(frozen=True)
class Caught:
    """Whether the runs told a mutant's program from the network's; ``how``: where they first differ, or why they do not."""

    what: str
    caught: bool
    how: str


def mutants(net: Network, count: int, *, seed: int = 0) -> Iterator[Mutant]:
    """Yield ``count`` networks that each differ from a fixed one in one number, alternating between the kinds of change.

    Kinds: a weight one step of its grid up or down, a dropped synapse, a flipped sign, a weight exponent, a threshold, a decay,
    a bias, a delay. If a change gives no valid network, another number is tried. Raises NetworkError for a float network.
    """
    fixed(net)
    rng, made, tried = np.random.default_rng(seed), 0, 0
    while made < count and tried < TRIES * count:
        alter = KINDS[tried % len(KINDS)]
        tried += 1
        try:
            what, other = alter(net, rng)
        except (NetworkError, _NotThereError):
            continue
        if other.hash != net.hash:
            made += 1
            yield Mutant(what, other)


class _NotThereError(Exception):
    """The network has nothing that this kind of change alters."""


def _weight(net: Network, rng: np.random.Generator) -> tuple[str, Network]:
    c, at, was = _synapse(net, rng)
    step = weight_grid(fixed(net), c.op.sign_mode or "mixed").step
    return _with_weight(net, c, at, was + step * int(rng.choice((-1, 1))))


def _sign(net: Network, rng: np.random.Generator) -> tuple[str, Network]:
    c, at, was = _synapse(net, rng)
    return _with_weight(net, c, at, -was)


def _dropped(net: Network, rng: np.random.Generator) -> tuple[str, Network]:
    c, at, was = _synapse(net, rng)
    kept = np.ones(c.op.synapses.count, np.bool_)
    kept[at] = False
    what = f"connection {c.name!r}, stored weight {at}: {was} dropped"
    return what, _with(net, replace(c, op=c.op.keep(kept)))


def _exponent(net: Network, rng: np.random.Generator) -> tuple[str, Network]:
    c = _connection(net, rng)
    exponent = c.op.exponent + int(rng.choice((-1, 1)))
    what = f"connection {c.name!r}: weight exponent {c.op.exponent} becomes {exponent}"
    return what, _with(net, replace(c, op=replace(c.op, exponent=exponent)))


def _delay(net: Network, rng: np.random.Generator) -> tuple[str, Network]:
    c = _connection(net, rng)
    steps = c.delay_steps + int(rng.choice((-1, 1)))
    return f"connection {c.name!r}: delay {c.delay_steps} becomes {steps}", _with(net, replace(c, delay_steps=steps))


def _parameter(unit: str) -> Alter:
    def alter(net: Network, rng: np.random.Generator) -> tuple[str, Network]:
        units = {p.name: p.neuron.parameters() for p in net.populations if p.neuron}
        places = [(net[name], field) for name, of in units.items() for field, f in of.items() if f.metadata["unit"] == unit]
        if not places:
            raise _NotThereError
        p, name = places[int(rng.integers(len(places)))]
        neuron = int(rng.integers(p.size))
        values: NDArray[Any] = np.broadcast_to(getattr(p.neuron, name), p.size).copy()
        was = int(values[neuron])
        values[neuron] += _step_of(unit, was) * int(rng.choice((-1, 1)))
        if not values.any() and unit == "threshold":
            raise _NotThereError
        what = f"population {p.name!r}, neuron {neuron}: {name} {was} becomes {int(values[neuron])}"
        changed: Population = replace(p, neuron=replace(p.neuron, **{name: values}))  # type: ignore[type-var]
        return what, replace(net, populations=tuple(changed if q.name == p.name else q for q in net.populations))

    return alter


def _step_of(unit: str, value: int) -> int:
    """Return the smallest step of a bias that a mantissa and an exponent hold: the lowest bit that is set; 1 for other
    parameters.
    """
    return value & -value if unit == "bias" and value else 1


KINDS: tuple[Alter, ...] = (
    _weight, _parameter("threshold"), _dropped, _parameter("decay"), _sign, _parameter("bias"), _exponent, _delay,
)  # fmt: skip


def _connection(net: Network, rng: np.random.Generator) -> Connection:
    return net.connections[int(rng.integers(len(net.connections)))]


def _synapse(net: Network, rng: np.random.Generator) -> tuple[Connection, int, int]:
    """Return a random stored weight of the network, all equally likely: its connection, its place and its value."""
    counts = [c.op.synapses.count for c in net.connections]
    at = int(rng.integers(sum(counts)))
    for c, count in zip(net.connections, counts, strict=True):
        if at < count:
            return c, at, int(c.op.synapses.values[at])
        at -= count
    raise _NotThereError


def _with_weight(net: Network, c: Connection, at: int, value: int) -> tuple[str, Network]:
    s: Synapses = c.op.synapses
    values = s.values.copy()
    was, values[at] = int(values[at]), value
    return f"connection {c.name!r}, stored weight {at}: {was} becomes {value}", _with(
        net, replace(c, op=c.op.with_values(values))
    )


def _with(net: Network, changed: Connection) -> Network:
    return replace(net, connections=tuple(changed if c.name == changed.name else c for c in net.connections))
