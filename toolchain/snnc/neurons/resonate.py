"""Resonate-and-fire: two states turn about each other, so that input in time with the turn counts and other input does not.

    x[t] = cosine x[t-1] - sine y[t-1] + I[t]
    y[t] = sine x[t-1] + cosine y[t-1]
    s[t] = y[t] >= threshold;   x[t] <- 0 and y[t] <- level where s[t]

With z = x + iy this is z' = (b + i omega) z between pulses of input, exactly, in steps of dt: cosine = exp(b dt) cos(omega dt),
sine = exp(b dt) sin(omega dt), b < 0; x is the paper's current-like, y its voltage-like state. The eight answers: ``>=``, as it
fires when y reaches the threshold; reset to z = i level (the paper's is i, with a threshold of 1); in the same step; the turn
and its decay first, then the input, which y feels a step later; each of the four products truncates toward zero on its own;
x wraps and y saturates; no refractory period; states start at 0. Source: Izhikevich, "Resonate-and-fire neurons", Neural
Networks 14 (2001), pp. 883-894, equations (1) to (3).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

from snnc.network.arithmetic import Arith
from snnc.network.neuron import Neuron, NeuronState, Parameter, SpikeRule, StateVar, parameter
from snnc.network.units import FRACTION, LEVEL, THRESHOLD


@final
@dataclass(frozen=True, eq=False)
class Resonate(Neuron):
    """Resonate-and-fire; its equations are in the docstring of the module."""

    threshold: Parameter = parameter(THRESHOLD, 1.0)
    cosine: Parameter = parameter(FRACTION, 0.75)
    sine: Parameter = parameter(FRACTION, 0.5)
    level: Parameter = parameter(LEVEL, 1.0)

    states: ClassVar[tuple[StateVar, ...]] = (
        StateVar("x", overflow="wrap", role="current"),
        StateVar("y", overflow="saturate", role="voltage"),
    )
    readout: ClassVar[str] = "y"
    rule: ClassVar[SpikeRule] = SpikeRule(
        comparator=">=",
        reset="level",
        reset_step="same",
        order="decay, then input",
        decay_rounding="toward zero",
        refractory_steps=0,
    )

    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        x = a.wrap(a.multiply(state["x"], self.cosine) - a.multiply(state["y"], self.sine) + a.lift(current))
        y = a.saturate(a.multiply(state["x"], self.sine) + a.multiply(state["y"], self.cosine))
        spikes = a.at_least(y, a.lift(self.threshold))
        return {"x": a.clear(x, spikes), "y": a.reset_to(y, spikes, a.lift(self.level))}, spikes

    @classmethod
    def example(cls) -> Self:
        return cls()


MODEL = Resonate
