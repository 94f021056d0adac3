"""A proof that no register of a fixed network wraps or saturates, whatever its input: a certificate for each population. Part of
check and of every export; docs/proof.md derives the rules.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import Sent, arriving, fixed, promised, step_current
from snnc.analysis.intervals import Span
from snnc.analysis.reachability import MOST_STEPS, Reach, reach
from snnc.base.public import public
from snnc.errors import ConfigError, DoesNotFitError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network, Population
from snnc.network.neuron import StateVar

RULES = {
    "invariant": "for any number of steps: a box of states that holds the first state, and that no step of the neuron leaves",
    "steps": "for so many steps from the first state on: the box of states after each of them",
}
MOST_NEURONS = 1 << 23
BYTES_A_NEURON = 100  # of memory
PATIENCE = 50  # times that a loop may find further neurons that can fire, before all of a population are taken to


@dataclass(frozen=True)
class Register:
    """What a register of a population has to hold at most, over all neurons; ``neuron`` has the least margin."""

    state: str
    overflow: str  # what it does beyond its ends: wrap, saturate
    low: int
    high: int
    ends: tuple[int, int]  # the least and the most that it can hold
    neuron: int
    upward: bool  # whether that neuron is nearest to the upper end
    margin: int  # what is left to that end; below 0: by how much it can be exceeded


@dataclass(frozen=True)
class Certificate:
    """``holds``: no register of the population can wrap or saturate. Else ``registers`` says which bound exceeds what."""

    population: str
    holds: bool
    current: tuple[int, int]  # the least and the most that a step's weighted messages can sum to, weight units
    registers: tuple[Register, ...]
    neurons: int
    silent: int  # neurons that can never fire, of a model that does
    endless: int  # neurons whose states can grow without end, of which no bound is known

    @property
    def worst(self) -> Register | None:
        """The register with the least margin; None where no bound is known."""
        return min(self.registers, key=lambda r: r.margin, default=None)


@dataclass(frozen=True)
class RangeProof:
    """The certificates of a network, in the order of computation; they hold for this network, and for none with another hash.

    ``rule`` is a key of `RULES`. ``max_spikes_per_step``: each input is assumed to send at most so many messages in a step,
    None: any number; ``budgets``: those that the network itself gives to inputs, and whatever runs it holds them to. An
    input's messages are below 2 ** its ``message_bits``, spikes are 0 or 1.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1, steps=4), "loihi1")
        >>> [certificate.population for certificate in snnc.prove_ranges(fixed).certificates]
        ['hidden1', 'output']
    """

    network_hash: str
    rule: str
    steps: int | None
    max_spikes_per_step: int | None
    certificates: tuple[Certificate, ...]
    reaches: Mapping[str, Reach] = field(repr=False, compare=False)
    budgets: Mapping[str, int] = field(default_factory=dict)  # by input

    def __repr__(self) -> str:
        broken = [c.population for c in self.certificates if not c.holds]
        return f"RangeProof({self.rule}, {f'not proved of {broken[0]!r}' if broken else 'no register can wrap or saturate'})"

    @property
    def holds(self) -> bool:
        return all(c.holds for c in self.certificates)

    @property
    def scope(self) -> str:
        """The inputs for which it holds, in words."""
        most = self.max_spikes_per_step
        every = "every input" if most is None else f"every input of at most {most:,} messages a step"
        budgets = (f"at most {n:,} messages a step of {name!r}" for name, n in self.budgets.items())
        return every + (f" within the network's budget of {' and '.join(budgets)}" if self.budgets else "")

    def to_json(self) -> dict[str, Any]:
        """As JSON values: a few numbers for each population."""
        return {
            "network_hash": self.network_hash, "holds": self.holds, "rule": self.rule, "says": RULES[self.rule],
            "steps": self.steps, "max_spikes_per_step": self.max_spikes_per_step,
            **({"budgets": dict(self.budgets)} if self.budgets else {}),
            "populations": {c.population: _json(c) for c in self.certificates},
        }  # fmt: skip


def _json(c: Certificate) -> dict[str, Any]:
    registers = {
        r.state: {
            "overflow": r.overflow,
            "low": r.low,
            "high": r.high,
            "ends": list(r.ends),
            "neuron": r.neuron,
            "margin": r.margin,
        }
        for r in c.registers
    }
    counts = {"neurons": c.neurons, "never_fire": c.silent, "endless": c.endless}
    return {"holds": c.holds, "current": list(c.current), "registers": registers, **counts}


@public
def prove_ranges(net: Network, *, steps: int | None = None, max_spikes_per_step: int | None = None) -> RangeProof:
    """Bound what every register of a fixed network has to hold, for every input within the network's budgets.

    Args:
        net: A quantised network.
        steps: Within so many steps; None for ever.
        max_spikes_per_step: If each input sends at most so many messages in a step; None for as many as its budget allows.

    Returns:
        A certificate for each population; ``holds`` if no register can wrap or saturate.

    Raises:
        NetworkError: The network is a float one.
        ConfigError: A number cannot be.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1, steps=4), "loihi1")
        >>> snnc.prove_ranges(fixed).network_hash == fixed.hash
        True
    """
    if steps is not None and not 1 <= steps <= MOST_STEPS:
        raise ConfigError(f"is {steps}, expected 1 to {MOST_STEPS:,}", where="steps", fix="leave it out: for any number of steps")
    if max_spikes_per_step is not None and max_spikes_per_step < 0:
        raise ConfigError(f"is {max_spikes_per_step}, expected 0 or more", where="max_spikes_per_step")
    numeric = fixed(net)
    if (neurons := sum(p.size for p in net.populations if p.neuron)) > MOST_NEURONS:
        raise DoesNotFitError(
            f"has {neurons:,} neurons, of each of which a range proof takes about {BYTES_A_NEURON} bytes of memory: "
            f"{neurons * BYTES_A_NEURON / 1e9:.1f} GB; at most {MOST_NEURONS:,} are proved", where=f"network {net.name!r}",
        )  # fmt: skip
    currents, reaches = _all(net, numeric, steps, max_spikes_per_step)
    found = tuple(_certificate(p, currents[p.name], reaches[p.name], numeric) for p in net.ordered if p.neuron)
    rule = "invariant" if steps is None else "steps"
    budgets = {p.name: p.max_spikes_per_step for p in net.inputs if p.max_spikes_per_step is not None}
    return RangeProof(net.hash, rule, steps, max_spikes_per_step, found, reaches, budgets)


def _all(net: Network, numeric: Fixed, steps: int | None, budget: int | None) -> tuple[dict[str, Span], dict[str, Reach]]:
    """The least set of neurons that can fire, from none on, and what all neurons come to if no others do.

    It is right by induction over time: a first spike outside of the set would need one before it.
    """
    senders = {p.name: np.zeros(p.size, np.bool_) for p in net.populations if p.neuron}
    currents: dict[str, Span] = {}
    reaches: dict[str, Reach] = {}
    waiting, rounds = set(senders), Counter[str]()
    while waiting:
        for p in (p for p in net.ordered if p.name in waiting):
            waiting.discard(p.name)
            rounds[p.name] += 1
            into = [(c, _sent(net[c.src], what, senders, budget)) for c, what in arriving(net, p.name)]
            currents[p.name] = Span(*step_current(p, into, numeric))
            assert p.neuron is not None  # noqa: S101 - for the type checker; inputs do not wait
            reaches[p.name] = reach(p.neuron, currents[p.name], numeric, steps)
            fires = reaches[p.name].fires | (rounds[p.name] > PATIENCE)
            if (fires & ~senders[p.name]).any():
                senders[p.name] |= fires
                waiting |= {c.dst for c in net.out_of(p.name)}
    return currents, reaches


def _sent(src: Population, what: Sent, senders: Mapping[str, NDArray[np.bool_]], budget: int | None) -> Sent:
    """What a population can send: of neurons, by those that can fire; of inputs, within their budgets."""
    if src.name not in senders:
        return what._replace(at_most=promised(src, budget))
    fires = senders[src.name]
    return what if fires.all() else what._replace(neurons=fires)


def _certificate(p: Population, current: Span, found: Reach, numeric: Fixed) -> Certificate:
    assert p.neuron is not None  # noqa: S101 - for the type checker; inputs have no certificate
    endless = int(p.size - found.found.sum())
    registers = (
        () if endless else tuple(_register(s, found.held[s.name], numeric) for s in p.neuron.states if s.name in found.held)
    )
    silent = int(p.size - found.fires.sum()) if p.neuron.rule.fires else 0
    holds = not endless and all(r.margin >= 0 for r in registers)
    return Certificate(
        p.name, holds, (int(current.low.min()), int(current.high.max())), registers, p.size, silent, endless
    )  # fmt: skip


def _register(state: StateVar, held: Span, numeric: Fixed) -> Register:
    least, most = ends(state.overflow, numeric)
    up, down = most - held.high, held.low - least
    neuron = int(np.minimum(up, down).argmin())
    upward = bool(up[neuron] <= down[neuron])
    margin = int(up[neuron] if upward else down[neuron])
    return Register(state.name, state.overflow, int(held.low.min()), int(held.high.max()), (least, most), neuron, upward, margin)


def ends(kind: str, numeric: Fixed) -> tuple[int, int]:
    """The least and the most that a register that "wrap"s, "saturate"s or "clamp"s leaves as it is."""
    register, limit = getattr(numeric, kind), numeric.state_limit
    return tuple(next(x for x in (s * limit, s * (limit - 1)) if int(register(np.int64(x))) == x) for s in (-1, 1))  # type: ignore[return-value]
