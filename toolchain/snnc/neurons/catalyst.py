"""The CUBA-LIF neuron of Catalyst N1: a current counts one step after it came, and decays round past zero.

    v[t] = D(v[t-1], decay_v) + u[t-1] + bias
    u[t] = D(u[t-1], decay_u) + I[t]
    s[t] = v[t] >= threshold;   v[t] <- 0 where s[t];   u is not reset

D(x, d) is what is left of x: the chip takes away x d / 4096, rounded to the next number farther from zero for a positive x,
and to the floor minus one for a negative x whose product has a fraction. So D rounds a positive x down and a negative x
toward zero plus one more: D(-1, 2048) is +1.

The eight answers: ``>=``; reset to zero; in the same step; decay first, then input, which v feels a step later; decays round
"past zero", as above; u wraps and v saturates; no refractory period; states start at 0. Source: catalyst-n1 fbfd2e5,
rtl/scalable_core_v2.v (S_UPDATE_CALC, raz_div4096), with which docs/targets.md compares it.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

from snnc.network.arithmetic import Arith
from snnc.network.neuron import Neuron, NeuronState, Parameter, SpikeRule, StateVar, parameter
from snnc.network.units import BIAS, DECAY, THRESHOLD


@final
@dataclass(frozen=True, eq=False)
class Catalyst(Neuron):
    """CUBA-LIF of Catalyst N1; its equations are in the docstring of the module."""

    threshold: Parameter = parameter(THRESHOLD, 1.0)
    decay_u: Parameter = parameter(DECAY, 0.75)
    decay_v: Parameter = parameter(DECAY, 0.125)
    bias: Parameter = parameter(BIAS, 0)

    states: ClassVar[tuple[StateVar, ...]] = (
        StateVar("v", overflow="saturate", role="voltage"),
        StateVar("u", overflow="wrap", role="current"),
    )
    readout: ClassVar[str] = "v"
    rule: ClassVar[SpikeRule] = SpikeRule(
        comparator=">=",
        reset="zero",
        reset_step="same",
        order="decay, then input, which counts in the next step",
        decay_rounding="past zero",
        refractory_steps=0,
    )

    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        v = a.saturate(_left(state["v"], self.decay_v, a) + state["u"] + self.bias)
        u = a.wrap(_left(state["u"], self.decay_u, a) + a.lift(current))
        spikes = a.at_least(v, a.lift(self.threshold))
        return {"v": a.clear(v, spikes), "u": u}, spikes

    @classmethod
    def example(cls) -> Self:
        return cls()


def _left(x: Any, decay: Any, a: Arith) -> Any:
    """Return what is left of ``x``: truncated, and one more where truncation and floor differ, as they do below zero."""
    truncated = a.decay(x, decay)
    return truncated + a.positive(truncated - a.floor_decay(x, decay))


MODEL = Catalyst
