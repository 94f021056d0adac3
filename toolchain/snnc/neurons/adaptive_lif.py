"""Adaptive LIF: each spike raises the threshold, which then decays back, so that a neuron that fires much fires less.

    u[t] = (1 - decay_u) u[t-1] + I[t]
    a[t] = (1 - decay_a) a[t-1] + adaptation s[t-1]
    v[t] = (1 - decay_v) v[t-1] + u[t] + bias - (threshold + a[t-1]) s[t-1]
    s[t] = v[t] > threshold + a[t];   u is not reset

A decay_u of 1 leaves the current without memory, as in the paper. v is held before the reset, so s[t-1] is
v[t-1] > threshold + a[t-1]. The eight answers: strict ``>`` against the adapted threshold; that threshold is subtracted; in
the next step, after the decay; decay first, then input and reset; decays truncate toward zero; u wraps, v and a saturate; no
refractory period; states start at 0. Source: Bellec et al., NeurIPS 2018, "Long short-term memory and learning-to-learn in
networks of spiking neurons", section 2: with alpha = 1 - decay_v, rho = 1 - decay_a, B = threshold + a, adaptation =
beta (1 - rho), and their factor (1 - alpha) R of the input in the weights.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

from snnc.network.arithmetic import Arith
from snnc.network.neuron import Neuron, NeuronState, Parameter, SpikeRule, StateVar, parameter
from snnc.network.units import BIAS, DECAY, THRESHOLD


@final
@dataclass(frozen=True, eq=False)
class AdaptiveLIF(Neuron):
    """LIF with an adaptive threshold; its equations are in the docstring of the module."""

    threshold: Parameter = parameter(THRESHOLD, 1.0)
    decay_u: Parameter = parameter(DECAY, 1.0, offset=1)
    decay_v: Parameter = parameter(DECAY, 0.125)
    decay_a: Parameter = parameter(DECAY, 0.03125)
    adaptation: Parameter = parameter(THRESHOLD, 0.25)
    bias: Parameter = parameter(BIAS, 0)

    states: ClassVar[tuple[StateVar, ...]] = (
        StateVar("u", overflow="wrap", role="current"),
        StateVar("v", overflow="saturate", role="voltage"),
        StateVar("a", overflow="saturate", role="other"),
    )
    readout: ClassVar[str] = "v"
    current_decay: ClassVar[str | None] = "decay_u"
    rule: ClassVar[SpikeRule] = SpikeRule(
        comparator=">",
        reset="subtract adapted",
        reset_step="next",
        order="decay, then input and reset",
        decay_rounding="toward zero",
        refractory_steps=0,
    )

    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        threshold = a.lift(self.threshold)
        before = threshold + state["a"]
        fired = a.above(state["v"], before)
        u = a.wrap(a.decay(state["u"], self.decay_u) + a.lift(current))
        v = a.saturate(a.subtract(a.decay(state["v"], self.decay_v) + u + self.bias, fired, before))
        adapted = a.saturate(a.decay(state["a"], self.decay_a) + fired * a.lift(self.adaptation))
        return {"u": u, "v": v, "a": adapted}, a.above(v, threshold + adapted)

    @classmethod
    def example(cls) -> Self:
        return cls()


MODEL = AdaptiveLIF
