"""Leaky integrator without spikes, for a readout: its voltage is the answer.

    u[t] = (1 - decay_u) u[t-1] + I[t]
    v[t] = (1 - decay_v) v[t-1] + u[t] + bias;   s[t] = 0

A decay_u of 1 leaves the current without memory. The class that it says is the neuron with the largest sum of v over all
steps (`snnc.simulation.run.classes`).

The eight answers: no comparator, as it never fires; no reset; decay first, then input; decays
truncate toward zero; u wraps and v saturates; no refractory period; states start at 0. Source: NIR 1.0, nir/ir/neuron.py, LI
and CubaLI; snnTorch 1.0, snntorch/_neurons/leaky.py with reset_mechanism="none" whose membrane is read.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

from snnc.network.arithmetic import Arith
from snnc.network.neuron import Neuron, NeuronState, Parameter, SpikeRule, StateVar, parameter
from snnc.network.units import BIAS, DECAY


@final
@dataclass(frozen=True, eq=False)
class LI(Neuron):
    """Leaky integrator; its equations are in the docstring of the module."""

    decay_u: Parameter = parameter(DECAY, 1.0, offset=1)
    decay_v: Parameter = parameter(DECAY, 0.125)
    bias: Parameter = parameter(BIAS, 0)

    states: ClassVar[tuple[StateVar, ...]] = (
        StateVar("u", overflow="wrap", role="current"),
        StateVar("v", overflow="saturate", role="voltage"),
    )
    readout: ClassVar[str] = "v"
    current_decay: ClassVar[str | None] = "decay_u"
    rule: ClassVar[SpikeRule] = SpikeRule(
        comparator="none",
        reset="none",
        reset_step="none",
        order="decay, then input",
        decay_rounding="toward zero",
        refractory_steps=0,
    )

    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        u = a.wrap(a.decay(state["u"], self.decay_u) + a.lift(current))
        v = a.saturate(a.decay(state["v"], self.decay_v) + u + self.bias)
        return {"u": u, "v": v}, a.silent(v)

    @classmethod
    def example(cls) -> Self:
        return cls()


MODEL = LI
