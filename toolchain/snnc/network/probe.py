"""Probe of a neuron model: drives its `step` with many states and inputs and holds what comes out against what its rule says.

A rule is words; `step` is what is computed. A model whose words are wrong would be refused, mapped or explained wrongly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Fixed, Float
from snnc.network.neuron import Neuron, NeuronState, Overflow
from snnc.network.symbols import Operations, Symbol
from snnc.network.units import BIAS, STEPS

Ints = NDArray[np.int64]
States = dict[str, Ints]

WIDE = Fixed(
    profile="probe", weight_bits=8, weight_exponent_min=-8, weight_exponent_max=7, decay_bits=12, threshold_bits=20,
    bias_mantissa_bits=13, bias_exponent_max=7, state_bits=32, state_shift=0,
)  # fmt: skip
NARROW = replace(WIDE, state_bits=16)
N = 512  # of tries, side by side as the neurons of a population
NEVER = (1 << 20) - 1
SCALE = 1000.0
PERIOD = 3
RAISED = 150
ROUNDS = 64
SEED = 0


def probe(model: type[Neuron]) -> list[str]:
    """Return what a model's rule and states say otherwise than its `step` does, each as a sentence; empty if they agree."""
    if not (isinstance(model, type) and issubclass(model, Neuron)):
        return [f"{model!r} is no class of neurons"]
    if lacking := [name for name in ("rule", "states", "readout") if not hasattr(model, name)]:
        return [f"it has no {', '.join(lacking)}"]
    if all(state.role != "voltage" for state in model.states):
        return [f"none of its states {list(model.variables())} has the role 'voltage'"]
    if model.rule.fires and "threshold" not in model.parameters():
        return [f"it fires, and has no parameter 'threshold' among {list(model.parameters())}"]
    if problem := _unwritable(model):
        return [problem]
    tries = _Tries(model)
    after, spikes = tries.stepped(tries.neuron(), tries.states(1.0), tries.inputs)
    if set(after) != set(model.variables()) or model.readout not in after:
        return [
            f"its step returns the states {sorted(after)}, declared are {list(model.variables())} and readout {model.readout!r}"
        ]
    found = [*_order(tries), *_rounding(tries), *_overflow(tries), *_scale(tries)]
    if not model.rule.fires:
        return found + (["it says that it never fires, and fires"] if spikes.any() else [])
    return [*found, *_comparator(tries), *_reset(tries), *_refractory(tries)]


class _Unknown(Symbol):
    """A number of which nothing is known."""

    def operate(self, operation: str, left: Any, right: Any) -> "_Unknown":
        return self

    def __bool__(self) -> bool:
        raise TypeError("a branch on a number")


class _Unknowns(Operations):
    def apply(self, operation: str, *operands: Any) -> _Unknown:
        return _Unknown()


def _unwritable(model: type[Neuron]) -> str:
    """Return why a model's step cannot be written down, as the range proof, the engine and exporters do; empty if it can."""
    own = SimpleNamespace(**{name: _Unknown() for name in model.parameters()})
    before: dict[str, Any] = {name: _Unknown() for name in model.variables()}
    try:
        after, spikes = model.step(own, before, _Unknown(), _Unknowns())  # type: ignore[arg-type]
        numbers = [*after.values(), spikes]
    except Exception as error:  # whatever the author's own code raises
        return (
            f"its step is to be made of +, -, * and the operations of Arith, without branches ({type(error).__name__}: {error})"
        )
    if odd := [type(x).__name__ for x in numbers if not isinstance(x, _Unknown)]:
        return f"its step returns {', '.join(odd)} instead of what it computes from its states"
    return ""


@dataclass(frozen=True)
class _Tries:
    """Random states and inputs for a model, the same at every call."""

    model: type[Neuron]

    @cached_property
    def inputs(self) -> Ints:
        return np.random.default_rng(SEED).integers(1, 3000, N)

    @property
    def voltage(self) -> str:
        """The first state that is compared with the threshold, or read."""
        return next(state.name for state in self.model.states if state.role == "voltage")

    @property
    def entry(self) -> str:
        """The first state that gets the input: a current, or the voltage of a model that has none."""
        return next((state.name for state in self.model.states if state.role == "current"), self.voltage)

    def neuron(self, **values: Any) -> Neuron:
        """The example in integers, without biases, and with a threshold that is never reached unless one is given."""
        given: dict[str, Any] = {}
        for name, f in self.model.parameters().items():
            unit = f.metadata["unit"]
            example = np.rint(getattr(self.model.example(), name) * unit.per_float(SCALE, WIDE)).astype(np.int64)
            given[name] = {BIAS: np.int64(0), STEPS: np.int64(PERIOD)}.get(unit, example)
        if self.model.rule.fires:
            given["threshold"] = np.int64(NEVER)
        return self.model(**{**given, **values})

    def states(self, sign: float) -> States:
        """Currents and voltages of either sign, turned round if ``sign`` is -1; others as in the first step."""
        rng = np.random.default_rng(SEED + 1)
        drawn = {s.name: (sign * rng.integers(-2999, 3000, N)).astype(np.int64) for s in self.model.states}
        return {s.name: np.full(N, s.initial) if s.role == "other" else drawn[s.name] for s in self.model.states}

    def stepped(self, neuron: Neuron, states: Mapping[str, Ints], current: Any, numeric: Fixed = WIDE) -> tuple[States, Ints]:
        """(states, spikes) after one step."""
        after, spikes = neuron.step(dict(states), np.broadcast_to(np.asarray(current, np.int64), N), numeric)
        return {name: np.asarray(x, np.int64) for name, x in after.items()}, np.asarray(spikes, np.int64)

    def sized(self, scale: float, numeric: Float, states: Mapping[str, Any]) -> tuple[NeuronState, Any]:
        """(states, spikes) after one step of the example in floats, all of whose sizes are multiplied by ``scale``."""
        values = {name: np.asarray(getattr(self.model.example(), name), np.float64) for name in self.model.parameters()}
        scaled = {name: scale * x if self.model.unit(name).scaled else x for name, x in values.items()}
        held = {s.name: states[s.name] * (1.0 if s.overflow == "none" else scale) for s in self.model.states}
        return self.model(**scaled).step(held, scale * self.inputs / SCALE, numeric)

    def adapted(self, states: Mapping[str, Ints]) -> Ints:
        """What is added to the threshold, of a model that says so: its other states."""
        if self.model.rule.reset != "subtract adapted":
            return np.zeros(N, np.int64)
        others = [states[s.name] for s in self.model.states if s.role == "other"]
        return np.asarray(sum(others, np.zeros(N, np.int64)))

    @cached_property
    def raised(self) -> States:
        """States in which what adapts is above 0."""
        start = self.states(1.0)
        adapts = [s.name for s in self.model.states if s.role == "other" and s.overflow != "none"]
        return {**start, **{name: start[name] + RAISED for name in adapts}}

    @cached_property
    def free(self) -> States:
        """After a step from `raised` without a spike."""
        return self.stepped(self.neuron(), self.raised, self.inputs)[0]

    def threshold(self, below: int) -> tuple[Ints, NDArray[np.bool_]]:
        """(thresholds that the voltage exceeds by so much, where there can be such a threshold above all earlier voltages)."""
        found = self.free[self.voltage] - self.adapted(self.free) - below
        before = self.raised[self.voltage] - self.adapted(self.raised)
        return np.maximum(found, 1), (found > 0) & (found > before)


def _order(tries: _Tries) -> Iterator[str]:
    name, neuron = tries.entry, tries.neuron()
    with_input, _ = tries.stepped(neuron, tries.states(1.0), tries.inputs)
    without, _ = tries.stepped(neuron, tries.states(1.0), 0)
    first = bool((with_input[name] - without[name] == tries.inputs).all())
    if first != tries.model.rule.order.startswith("decay, then input"):
        what = "is not" if first else "is"
        yield f"the order is {tries.model.rule.order!r}, and an input {what} decayed in the step in which it comes"


def _rounding(tries: _Tries) -> Iterator[str]:
    up, down = (tries.stepped(tries.neuron(), tries.states(sign), 0)[0] for sign in (1.0, -1.0))
    held = [state.name for state in tries.model.states if state.role != "other"]
    alike = all((up[name] == -down[name]).all() for name in held)
    if alike != (tries.model.rule.decay_rounding == "toward zero"):
        which = "all" if alike else "not all"
        yield f"decays round {tries.model.rule.decay_rounding}, and {which} negative states decay as positive ones"


def _overflow(tries: _Tries) -> Iterator[str]:
    """Registers of 16 bits against those of 32, from extreme states and parameters, where only one state overflows."""
    rng, limit = np.random.default_rng(SEED + 2), NARROW.state_limit
    seen = {state.name: dict.fromkeys((*get_args(Overflow), "ends"), 0) for state in tries.model.states}
    for _ in range(ROUNDS):
        values: dict[str, Any] = {name: _extreme(rng, *f.metadata["unit"].range(NARROW, f.metadata["offset"]))
                                  for name, f in tries.model.parameters().items()}  # fmt: skip
        if tries.model.rule.fires and rng.random() < 0.5:
            values["threshold"] = np.int64(NEVER)
        neuron = tries.model(**values)
        states = {s.name: _extreme(rng, 0 if s.overflow == "none" else 1 - limit, limit - 1) for s in tries.model.states}
        current = _extreme(rng, -2 * limit, 2 * limit)
        (narrow, fired), (wide, also) = (tries.stepped(neuron, states, current, numeric) for numeric in (NARROW, WIDE))
        inside = {name: np.abs(x) < limit for name, x in wide.items()}
        for name in wide:
            others = np.logical_and.reduce([ok for other, ok in inside.items() if other != name] or [np.ones(N, np.bool_)])
            size = np.abs(wide[name])
            at = (size > limit) & (size < 3 * limit) & others & (fired == 0) & (also == 0)
            x, turned = wide[name][at], narrow[name][at]
            seen[name]["ends"] += at.sum()
            seen[name]["wrap"] += (turned == x - 2 * limit * np.sign(x)).sum()
            seen[name]["saturate"] += (turned == np.sign(x) * (limit - 1)).sum()
            seen[name]["clamp"] += (turned == np.clip(x, -limit, limit - 1)).sum()
            seen[name]["none"] += (turned == x).sum()
    for state in tries.model.states:
        counts = seen[state.name]
        if counts[state.overflow] < counts["ends"] or (state.overflow != "none" and not counts["ends"]):
            does = max(get_args(Overflow), key=lambda kind: counts[kind])
            yield f"{state.name} is to {state.overflow}, and does {does} in {counts[does]} of {counts['ends']} overflows"


def _scale(tries: _Tries) -> Iterator[str]:
    """Floats of twice the size: quantising multiplies weights and thresholds by a scale, and no spike may depend on it."""
    rng, numeric = np.random.default_rng(SEED + 3), Float()
    states = {s.name: np.full(N, float(s.initial)) if s.overflow == "none" else rng.normal(0, 2, N) for s in tries.model.states}
    once, fired = tries.sized(1, numeric, states)
    twice, also = tries.sized(2, numeric, states)
    for state in tries.model.states:
        if state.overflow != "none" and (2 * once[state.name] != twice[state.name]).any():
            yield f"{state.name} does not double where weights, thresholds and states do, as if they were quantised"
    if (fired != also).any():
        yield f"{int((fired != also).sum())} of {N} spikes depend on the scale of weights, thresholds and states"


def _extreme(rng: np.random.Generator, low: float, high: float) -> Ints:
    """Numbers at the ends of a range, and within."""
    low, high = int(low), int(min(high, NEVER))
    within = rng.integers(low, high, N, endpoint=True)
    near = np.minimum(np.array([low, high, 0, 1])[rng.integers(0, 4, N)], high)
    return np.where(rng.random(N) < 0.5, np.maximum(near, low), within).astype(np.int64)


def _comparator(tries: _Tries) -> Iterator[str]:
    for below, wanted in ((1, True), (0, tries.model.rule.comparator == ">="), (-1, False)):
        threshold, there = tries.threshold(below)
        _, spikes = tries.stepped(tries.neuron(threshold=threshold), tries.raised, tries.inputs)
        if not there.any() or (spikes[there] > 0).any() != wanted or (spikes[there] > 0).all() != wanted:
            fired = f"{int((spikes[there] > 0).sum())} of {int(there.sum())}"
            yield f"compares with {tries.model.rule.comparator!r}, and {fired} fire {below} above the threshold"


def _reset(tries: _Tries) -> Iterator[str]:
    """The voltage after a spike, and a step later, beside that of a neuron in the same state that did not fire."""
    rule, name = tries.model.rule, tries.voltage
    threshold, there = tries.threshold(1)
    neuron = tries.neuron(threshold=threshold)
    after, _ = tries.stepped(neuron, tries.raised, tries.inputs)
    before = tries.free[name]
    amount = threshold + tries.adapted(after)
    if rule.reset_step == "next":
        held = tries.stepped(tries.neuron(), after, 0)[0][name]
        later, _ = tries.stepped(neuron, after, 0)
        got, kept = later[name], (after[name] == before)[there].all()
    else:
        got, held, kept = after[name], before, True
    wanted = held - amount if rule.reset.startswith("subtract") else _value(neuron, rule.reset)
    if not kept or not there.any() or (got != wanted)[there].any():
        numbers = f"{got[there][:3].tolist()}, not {np.broadcast_to(wanted, N)[there][:3].tolist()}"
        yield f"resets to {rule.reset!r} in the {rule.reset_step} step, and {name} is {numbers}"


def _value(neuron: Neuron, reset: str) -> Any:
    return 0 if reset == "zero" else getattr(neuron, reset, NEVER + 1)


def _refractory(tries: _Tries) -> Iterator[str]:
    """Steps after a spike in which even the highest currents and voltages bring no other."""
    rule = tries.model.rule
    wanted = rule.refractory_steps if isinstance(rule.refractory_steps, int) else PERIOD
    threshold, there = tries.threshold(1)
    neuron = tries.neuron(threshold=threshold)
    state, _ = tries.stepped(neuron, tries.raised, tries.inputs)
    driven = [s.name for s in tries.model.states if s.role != "other"]
    for waited in range(PERIOD + 2):
        state, spikes = tries.stepped(neuron, {**state, **{name: np.full(N, 1 << 24) for name in driven}}, 1 << 24)
        if (spikes[there] > 0).any():
            if waited != wanted or not (spikes[there] > 0).all():
                yield f"has {rule.refractory_steps} refractory steps, and fires again after {waited}"
            return
    yield f"has {rule.refractory_steps} refractory steps, and does not fire again"
