"""Current-based leaky integrate-and-fire (CUBA-LIF), the neuron of Loihi.

    u[t] = (1 - decay_u) u[t-1] + I[t]
    v[t] = (1 - decay_v) v[t-1] + u[t] + bias
    s[t] = v[t] > threshold;   v[t] <- 0 where s[t];   u is not reset

The eight answers: strict ``>``; reset to zero; in the same step; decay first, then input; decays truncate toward zero;
u wraps and v saturates; no refractory period; states start at 0. Source: Lava 0.10.0, lava/proc/lif/models.py,
PyLifModelBitAcc (integers) and PyLifModelFloat (reals, where nothing is shifted or limited).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

from snnc.network.arithmetic import Arith
from snnc.network.neuron import Neuron, NeuronState, Parameter, SpikeRule, StateVar, parameter
from snnc.network.units import BIAS, DECAY, THRESHOLD


@final
@dataclass(frozen=True, eq=False)
class Cuba(Neuron):
    """CUBA-LIF; its equations are in the docstring of the module."""

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
        reset="zero",
        reset_step="same",
        order="decay, then input",
        decay_rounding="toward zero",
        refractory_steps=0,
    )

    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        u = a.wrap(a.decay(state["u"], self.decay_u) + a.lift(current))
        v = a.saturate(a.decay(state["v"], self.decay_v) + u + self.bias)
        spikes = a.above(v, a.lift(self.threshold))
        return {"u": u, "v": a.clear(v, spikes)}, spikes

    @classmethod
    def example(cls) -> Self:
        return cls()


MODEL = Cuba
