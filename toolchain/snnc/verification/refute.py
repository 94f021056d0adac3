"""Inputs built from the weights to drive one neuron as far as possible, and what the reference makes of them. This is the other
side of the range proof: if a bound exceeds a register, it gives an input that overflows the register, or reports that none was
found.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import fixed, promised, sent
from snnc.analysis.intervals import Stepped, span, step
from snnc.analysis.linear_response import impulse_response
from snnc.analysis.range_proof import Certificate, RangeProof, ends
from snnc.network.arithmetic import Fixed
from snnc.network.delays import parts
from snnc.network.model import Connection, Network, Population
from snnc.network.neuron import Neuron, StateVar
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense
from snnc.simulation.reference import simulate
from snnc.simulation.run import Rasters, Run

TRIED_STEPS = (8, 32, 128, 512, 2048, 8192)  # lengths of inputs, where a proof is for any number of steps
WORTH_IT = 1.01  # how much farther four times as many steps have to lead
HOLDS = 24  # of the voltages below the threshold from which a neuron is driven over it
MOST_WORK = 1 << 28  # synapses times steps of an attempt behind other neurons
MOST_UNROLLED = 1 << 22
LEAST = 1e-200  # that is left of any input, so that its sign is not lost
MOST_MESSAGES = 1 << 24  # of an attempt with several inputs
ROUNDS = 40  # of changes to an input, message by message
TRIES = 192  # changes in a round, of which the best is kept
LAST = 6  # only messages of the last steps are changed

_Inputs = Mapping[str, NDArray[np.int64]]  # input -> (tries, steps, n)
_Budgets = Mapping[str, int | None]  # input -> messages in a step; None: any number


@dataclass(frozen=True)
class RegisterEnd:
    """A neuron, and which end of which register it is driven beyond."""

    population: str
    neuron: int
    state: str  # whose register it is
    upward: bool


@dataclass(frozen=True, eq=False)
class Driven:
    """How far an input drove a register; ``value`` is what the register was given in ``step``, in the reference."""

    target: RegisterEnd
    overflow: str  # what the register does beyond its ends: wrap, saturate
    value: int
    step: int
    inputs: Rasters  # (1, steps, n)
    beyond: bool  # whether the register could not hold it


def refute(net: Network, proof: RangeProof, certificate: Certificate) -> Driven | None:
    """Return an input with which a register of a population without a certificate wraps or saturates in the reference.

    If none does, return the input that drove a register farthest; return None if none was tried, because too many neurons lie
    before it. An input obeys the proof's steps and its budget of messages. For each register, the neuron with the smallest
    margin is tried.
    """
    best = None
    for target in _targets(net, proof, certificate):
        if (found := _longer_and_longer(net, target, proof)) and found.beyond:
            return found
        best = best or found
    return best


def _longer_and_longer(net: Network, target: RegisterEnd, proof: RangeProof) -> Driven | None:
    """Return how far inputs of more and more steps drive a register, until it overflows or more steps hardly help."""
    best: Driven | None = None
    for steps in (proof.steps,) if proof.steps else TRIED_STEPS:
        driven = drive(net, target, steps + _latest(net, target, proof), proof.max_spikes_per_step)
        if driven is None or driven.beyond:
            return driven or best
        if best and abs(driven.value) <= WORTH_IT * abs(best.value):
            return best
        best = driven
    return best


def _latest(net: Network, target: RegisterEnd, proof: RangeProof) -> int:
    """Return the steps until all delayed messages arrive, if the proof does not limit the steps."""
    return 0 if proof.steps else max((c.longest_delay for c in net.into(target.population)), default=0)


def _targets(net: Network, proof: RangeProof, c: Certificate) -> Iterator[RegisterEnd]:
    if c.endless:
        neuron = int(np.flatnonzero(~proof.reaches[c.population].found)[0])
        registers = [state.name for state in _states(net[c.population]) if state.overflow != "none"]
        yield from (RegisterEnd(c.population, neuron, name, upward) for name in registers for upward in (True, False))
    for r in c.registers:
        if r.margin < 0:
            yield RegisterEnd(c.population, r.neuron, r.state, r.upward)


def _states(p: Population) -> tuple[StateVar, ...]:
    return p.neuron.states if p.neuron else ()


def drive(net: Network, target: RegisterEnd, steps: int, max_spikes_per_step: int | None = None) -> Driven | None:
    """Return the input that drives a neuron farthest within ``steps``, among those that are tried, as the reference runs it.

    If only inputs lie before the neuron, it is run alone, which changes nothing. Else it is run with everything that lies
    before it, and None is returned if that is too much.
    """
    p = net[target.population]
    direct = all(net[c.src].neuron is None and c.op.linear for c in net.into(p.name))
    part = _alone(net, p, target.neuron) if direct else _before(net, p)
    tried = _inputs(part, target, steps, max_spikes_per_step, 0 if direct else target.neuron)
    if tried is None:
        return None
    row = replace(target, neuron=0) if direct else target
    driven = _farthest(part, row, tried)
    if direct and not driven.beyond and _climbs_to_a_reset(p, target):
        largest = {q.name: sent(q).largest for q in net.inputs}
        budgets = {q.name: promised(q, max_spikes_per_step) for q in net.inputs}
        inputs = _changed_for_more(driven.inputs, largest, budgets, lambda x: _held(part, row, x).max(1))
        driven = _farthest(part, row, inputs)
    return replace(driven, target=target)


def _farthest(net: Network, target: RegisterEnd, tried: Rasters) -> Driven:
    held = _held(net, target, tried)
    sample, at = np.unravel_index(int(held.argmax()), held.shape)
    overflow = next(state.overflow for state in _states(net[target.population]) if state.name == target.state)
    value, (least, most) = int(held[sample, at]) * (1 if target.upward else -1), ends(overflow, fixed(net))
    inputs = {name: raster[sample : sample + 1] for name, raster in tried.items()}
    return Driven(target, overflow, value, int(at), inputs, not least <= value <= most)


def _held(net: Network, target: RegisterEnd, tried: Rasters) -> NDArray[Any]:
    """Return what the target's register is given in the reference, upward, in each try and step."""
    run = simulate(net, tried, record=True)
    held = confirmed(net, run, target.population)[target.state][:, :, target.neuron]
    return held if target.upward else -held


def _climbs_to_a_reset(p: Population, target: RegisterEnd) -> bool:
    voltages = [state.name for state in _states(p) if state.role == "voltage"]
    resets = p.neuron is not None and p.neuron.rule.reset != "none"
    return target.state in voltages and target.upward and resets


def confirmed(net: Network, run: Run, population: str) -> dict[str, NDArray[Any]]:
    """Return what the register of each state was given in every step of a recorded run: (samples, steps, n).

    Raises RuntimeError as `stepped_again` does.
    """
    return {name: x.low for name, x in stepped_again(net, run, population).held.items()}


def stepped_again(net: Network, run: Run, population: str) -> Stepped:
    """Return what each step of a recorded run makes of the states before it, computed again: arrays (samples, steps, n).

    The result is compared with the run. Raises RuntimeError if one of them differs.
    """
    p, numeric, spikes = net[population], fixed(net), run.spikes
    samples, steps = spikes[population].shape[:2]
    current = np.zeros((samples, steps, p.size), np.int64)
    for c in net.into(population):
        for part in (part for part in parts(c) if part.delay_steps < steps):
            sender = spikes[c.src][:, : steps - part.delay_steps]
            arrived = part.current(sender.reshape(-1, sender.shape[2]), numeric).reshape(samples, -1, p.size)
            current[:, part.delay_steps :] += arrived
    assert p.neuron is not None  # noqa: S101 - for the type checker; inputs have no registers
    states = {name: x.astype(np.int64) for name, x in run.states[population].items()}
    first = {state.name: np.full((samples, 1, p.size), state.initial) for state in p.neuron.states}
    before = {name: span(np.concatenate([first[name], x[:, :-1]], 1)) for name, x in states.items()}
    again = step(p.neuron, before, span(current), numeric)
    for name, x in again.after.items():
        if (x.low != states[name]).any() or (x.high != states[name]).any():
            raise RuntimeError(f"{run.by} and the arithmetic of intervals differ in {name} of {population}")
    return again


def _alone(net: Network, p: Population, neuron: int) -> Network:
    """Return one neuron with its own synapses, and the inputs that they come from."""
    wires: list[Connection] = []
    for c in net.into(p.name):
        for part in parts(c):
            sources, weights = part.op.row(neuron)
            kept = (weights != 0) & (True if part.sources is None else part.sources[sources])
            if kept.any():
                op = Dense(_row(sources[kept], weights[kept], part.op.n_src), part.op.exponent, part.op.sign_mode)
                wires.append(Connection(f"w{len(wires)}", c.src, p.name, op, part.delay_steps))
    one = replace(p, shape=(1,), neuron=_one(p, neuron))
    return replace(net, populations=(*net.inputs, one), connections=tuple(wires))


def _one(p: Population, neuron: int) -> Neuron:
    """Return one neuron of a population, with its own parameters."""
    assert p.neuron is not None  # noqa: S101 - for the type checker; callers ask for neurons only
    own = {name: np.broadcast_to(getattr(p.neuron, name), p.size)[neuron : neuron + 1] for name in p.neuron.parameters()}
    return replace(p.neuron, **own)


def _row(sources: NDArray[np.int64], weights: NDArray[Any], n: int) -> Synapses:
    order = np.argsort(sources)
    return Synapses((1, n), np.array([0, len(sources)]), sources[order].astype(np.int32), weights[order])


def _before(net: Network, p: Population) -> Network:
    """Return a population and everything that its input depends on."""
    names, more = set[str](), {p.name}
    while more:
        names |= more
        more = {c.src for c in net.connections if c.dst in names} - names
    kept = tuple(q for q in net.populations if q.name in names or q.neuron is None)
    wires = tuple(c for c in net.connections if c.dst in names and c.src in names)
    return replace(net, populations=kept, connections=wires)


def _inputs(
    net: Network, target: RegisterEnd, steps: int, budget: int | None, neuron: int
) -> dict[str, NDArray[np.int64]] | None:
    """Return the rasters to try, (tries, steps, n) each, chosen by the effect of each message of each input on the neuron."""
    p, tries = net[target.population], []
    direct = all(net[c.src].neuron is None and c.op.linear for c in net.into(p.name))
    synapses = sum(c.op.synapse_count for c in net.connections)
    if not direct and (synapses * steps > MOST_WORK or synapses > MOST_UNROLLED):
        return None
    holds = min(HOLDS if direct else 2, MOST_MESSAGES // (steps * sum(q.size for q in net.inputs)))
    for plan in _plans(p, replace(target, neuron=neuron), steps, fixed(net), holds):
        effects = _direct(net, p, plan) if direct else _through(net, target.population, neuron, plan)
        tries.append({q.name: _raster(effects.get(q.name), q, steps, promised(q, budget)) for q in net.inputs})
    return {q.name: np.stack([t[q.name] for t in tries]) for q in net.inputs}


def _plans(p: Population, target: RegisterEnd, steps: int, numeric: Fixed, holds: int) -> Iterator[NDArray[np.float64]]:
    """Return plans of what the neuron should receive in each step, (steps,): more the larger the number is, nothing at 0.

    A voltage that is reset goes highest from just below its threshold. So it is held back for most of the time, or fed a
    little, and then driven all at once, for a few steps.
    """
    sign, weight = 1.0 if target.upward else -1.0, _response(p, target.neuron, target.state, steps, numeric)
    yield sign * weight
    if not _climbs_to_a_reset(p, target):
        return
    for last in range(1, min(steps, holds)):
        yield np.where(np.arange(steps) < steps - last, -sign, sign) * weight
    for waiting in range(1, min(steps, holds)):  # silent, then driven: at its last step it may be just below
        yield np.where((np.arange(steps) >= steps - 1 - waiting) & (np.arange(steps) != steps - 2), sign, 0) * weight


def _response(p: Population, neuron: int, state: str, steps: int, numeric: Fixed) -> NDArray[np.float64]:
    """Return how much of an input of each step is left in the register at the end, in a neuron that neither rounds nor fires."""
    left = impulse_response(_one(p, neuron), numeric, steps)
    found = np.ones(steps) if left is None else left[state][::-1]
    return np.where(np.abs(found) < LEAST, LEAST, found)


def _direct(net: Network, p: Population, plan: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the effect of each message of each input on the plan, through the synapses of one neuron: input -> (steps, n)."""
    steps = len(plan)
    effects = {q.name: np.zeros((steps, q.size)) for q in net.inputs}
    for c in net.into(p.name):
        told = np.zeros(steps)
        told[: max(steps - c.delay_steps, 0)] = plan[c.delay_steps :]
        synapses = c.op.synapses
        effects[c.src][:, synapses.indices] += told[:, None] * (synapses.values * 2.0**c.op.exponent)
    return effects


def _through(net: Network, population: str, neuron: int, plan: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the same through other neurons, as if each passed on what it receives, whenever it receives it."""
    wanted = {p.name: np.zeros(p.size) for p in net.populations}
    wanted[population][neuron] = 1.0
    weights = {c.name: c.op.influence().T for c in net.connections}
    for _ in net.populations:  # as far as the longest path
        passed: Mapping[str, Any] = {name: np.zeros_like(x) for name, x in wanted.items()}
        for c in net.connections:
            passed[c.src][:] += weights[c.name] @ wanted[c.dst]
        wanted = {name: x / max(np.abs(x).max(), 1.0) for name, x in passed.items()}
        wanted[population][neuron] += 1.0
    return {p.name: plan[:, None] * wanted[p.name] for p in net.inputs}


def _raster(effect: NDArray[np.float64] | None, p: Population, steps: int, budget: int | None) -> NDArray[np.int64]:
    """Return the largest message wherever it helps; within a budget, the messages that help most in each step."""
    if effect is None:
        return np.zeros((steps, p.size), np.int64)
    on = effect > 0
    if budget is not None and budget < p.size:
        order = np.argsort(-effect, axis=1, kind="stable")
        chosen = np.zeros_like(on)
        np.put_along_axis(chosen, order[:, :budget], True, axis=1)
        on &= chosen
    return on * np.int64(sent(p).largest)


def _changed_for_more(
    best: _Inputs, largest: Mapping[str, int], budgets: _Budgets, values: Callable[[_Inputs], NDArray[Any]]
) -> _Inputs:
    """Return the input (one try) after changes that each raise its value, until none of the tried changes does.

    ``values``: inputs -> (tries,), how far each drives. ``largest``: an input's largest message; a change removes it or sends
    it. ``budgets``: messages of each input in a step.
    """
    rng, reached = np.random.default_rng(0), values(best)[0]
    for _ in range(ROUNDS):
        tried = _changed(best, largest, budgets, rng)
        found = values(tried)
        if found.max() <= reached:
            break
        at, reached = int(found.argmax()), found.max()
        best = {name: raster[at : at + 1] for name, raster in tried.items()}
    return best


def _changed(best: _Inputs, largest: Mapping[str, int], budgets: _Budgets, rng: np.random.Generator) -> _Inputs:
    """Return copies of an input, each with one message more or less."""
    tried = {name: raster.repeat(TRIES, axis=0) for name, raster in best.items()}
    names = sorted(tried)
    for i in range(TRIES):
        name = names[int(rng.integers(len(names)))]
        _, steps, n = tried[name].shape
        step, source = steps - 1 - int(rng.integers(min(LAST, steps))), int(rng.integers(n))
        row = tried[name][i, step]
        if row[source]:
            row[source] = 0
        elif (budget := budgets[name]) is None or np.count_nonzero(row) < budget:
            row[source] = largest[name]
    return tried
