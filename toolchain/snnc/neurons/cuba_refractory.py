"""CUBA-LIF with a refractory period: for ``period`` steps after a spike the voltage stays at 0 while the current goes on.

    u[t] = (1 - decay_u) u[t-1] + I[t]
    v[t] = (1 - decay_v) v[t-1] + u[t] + bias   where left[t-1] = 0, else 0
    s[t] = v[t] > threshold;   v[t] <- 0 where s[t];   u is not reset
    left[t] = period where s[t], else max(left[t-1] - 1, 0)

A decay_u of 1 makes it LIF with a refractory period; the shortest interval between two spikes is period + 1 steps. The eight
answers: strict ``>``; reset to zero; in the same step; decay first, then input; decays truncate toward zero; u wraps and v
saturates, the counter never passes ``period``; ``period`` refractory steps; states start at 0. Source: Lava 0.10.0,
lava/proc/lif/models.py, PyLifRefractoryModelFloat (Lava has no model on integers); with period 1 snnTorch 1.0's
_neurons/synaptic.py and rleaky.py with reset_mechanism="zero" and reset_delay=True, which lose the step after a spike.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

from snnc.network.arithmetic import Arith
from snnc.network.neuron import Neuron, NeuronState, Parameter, SpikeRule, StateVar, parameter
from snnc.network.units import BIAS, DECAY, STEPS, THRESHOLD


@final
@dataclass(frozen=True, eq=False)
class CubaRefractory(Neuron):
    """CUBA-LIF with a refractory period; its equations are in the docstring of the module."""

    threshold: Parameter = parameter(THRESHOLD, 1.0)
    decay_u: Parameter = parameter(DECAY, 0.5, offset=1)
    decay_v: Parameter = parameter(DECAY, 0.125)
    bias: Parameter = parameter(BIAS, 0)
    period: Parameter = parameter(STEPS, 1)

    states: ClassVar[tuple[StateVar, ...]] = (
        StateVar("u", overflow="wrap", role="current"),
        StateVar("v", overflow="saturate", role="voltage"),
        StateVar("left", overflow="none", role="other"),
    )
    readout: ClassVar[str] = "v"
    current_decay: ClassVar[str | None] = "decay_u"
    rule: ClassVar[SpikeRule] = SpikeRule(
        comparator=">",
        reset="zero",
        reset_step="same",
        order="decay, then input",
        decay_rounding="toward zero",
        refractory_steps="period",
    )

    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        waiting = a.positive(state["left"])
        u = a.wrap(a.decay(state["u"], self.decay_u) + a.lift(current))
        v = a.clear(a.saturate(a.decay(state["v"], self.decay_v) + u + self.bias), waiting)
        spikes = a.above(v, a.lift(self.threshold))
        left = state["left"] - waiting + a.positive(spikes) * self.period
        return {"u": u, "v": a.clear(v, spikes), "left": left}, spikes

    @classmethod
    def example(cls) -> Self:
        return cls()


MODEL = CubaRefractory
