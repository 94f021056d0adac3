"""CUBA-LIF with soft reset: a spike takes the threshold away from the voltage, in the step that follows.

    u[t] = (1 - decay_u) u[t-1] + I[t]
    v[t] = (1 - decay_v) v[t-1] + u[t] + bias - threshold s[t-1]
    s[t] = v[t] > threshold;   u is not reset

A decay_u of 1 makes it LIF with soft reset. v is held before the reset, so s[t-1] is v[t-1] > threshold. The eight answers:
strict ``>``; the threshold is subtracted; in the next step, after the decay (so what a spike takes away never decays);
decay first, then input and reset; decays truncate toward zero; u wraps and v saturates, once, after the reset; no refractory
period; states start at 0. Source: snnTorch 1.0, snntorch/_neurons/leaky.py and synaptic.py with their defaults
reset_mechanism="subtract" and reset_delay=True.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

from snnc.network.arithmetic import Arith
from snnc.network.neuron import Neuron, NeuronState, Parameter, SpikeRule, StateVar, parameter
from snnc.network.units import BIAS, DECAY, THRESHOLD


@final
@dataclass(frozen=True, eq=False)
class CubaSubtract(Neuron):
    """CUBA-LIF with soft reset; its equations are in the docstring of the module."""

    threshold: Parameter = parameter(THRESHOLD, 1.0)
    decay_u: Parameter = parameter(DECAY, 0.5, offset=1)
    decay_v: Parameter = parameter(DECAY, 0.125)
    bias: Parameter = parameter(BIAS, 0)

    states: ClassVar[tuple[StateVar, ...]] = (
        StateVar("u", overflow="wrap", role="current"),
        StateVar("v", overflow="saturate", role="voltage"),
    )
    readout: ClassVar[str] = "v"
    current_decay: ClassVar[str | None] = "decay_u"
    rule: ClassVar[SpikeRule] = SpikeRule(
        comparator=">",
        reset="subtract",
        reset_step="next",
        order="decay, then input and reset",
        decay_rounding="toward zero",
        refractory_steps=0,
    )

    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        threshold = a.lift(self.threshold)
        u = a.wrap(a.decay(state["u"], self.decay_u) + a.lift(current))
        v = a.decay(state["v"], self.decay_v) + u + self.bias
        v = a.saturate(a.subtract(v, a.above(state["v"], threshold), threshold))
        return {"u": u, "v": v}, a.above(v, threshold)

    @classmethod
    def example(cls) -> Self:
        return cls()


MODEL = CubaSubtract
