"""The LIF neuron of SynSense's Xylo in its readout: as `xylo`, but with one spike a step at most.

    i[t] = u[t-1] + I[t];   u[t] = D(i[t], decay_u)
    w[t] = D(v[t-1], decay_v) + u[t] + bias
    s[t] = w[t] / threshold, rounded down, 0 or 1;   v[t] = w[t] - s[t] threshold

D(x, 2**-k) is what is left of x: the chip takes away x shifted to the right by k, which rounds down, and at least 1 of what is
above 0. A decay that is no such power is one that no chip has; it takes away x times the decay, rounded down.

The eight answers: ``>=``; the threshold is subtracted, once a spike; in the same step; input first, then decay, before the
current is used; decays round "up", as above; i wraps and v saturates in two's complement (the chip's i saturates spike by spike,
so the target `xylo` refuses what could leave its 16 bits); no refractory period; states start at 0. Source: xylosim 0.1.3, to
which tests/exporters/test_xylo.py holds every spike and state; https://rockpool.ai/devices/xylo-overview.html.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

from snnc.network.arithmetic import Arith
from snnc.network.neuron import Neuron, NeuronState, Parameter, SpikeRule, StateVar, parameter
from snnc.network.units import BIAS, LEAST_THRESHOLD, SHIFTED_DECAY

MOST = 1  # spikes a step


@final
@dataclass(frozen=True, eq=False)
class XyloOutput(Neuron):
    """LIF of Xylo's readout; its equations are in the docstring of the module."""

    threshold: Parameter = parameter(LEAST_THRESHOLD, 1.0)
    decay_u: Parameter = parameter(SHIFTED_DECAY, 0.5, offset=1)
    decay_v: Parameter = parameter(SHIFTED_DECAY, 0.125, offset=1)
    bias: Parameter = parameter(BIAS, 0)

    states: ClassVar[tuple[StateVar, ...]] = (
        StateVar("i", overflow="wrap", role="other"),
        StateVar("u", overflow="none", role="current"),
        StateVar("v", overflow="clamp", role="voltage"),
    )
    readout: ClassVar[str] = "v"
    spikes_per_step: ClassVar[int] = MOST
    rule: ClassVar[SpikeRule] = SpikeRule(
        comparator=">=",
        reset="subtract",
        reset_step="same",
        order="input, then decay of the current, which is used at once",
        decay_rounding="up",
        refractory_steps=0,
    )

    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        i = a.wrap(state["u"] + a.lift(current))
        u = a.leak(i, self.decay_u)
        v = a.clamp(a.leak(state["v"], self.decay_v) + u + self.bias)
        threshold = a.lift(self.threshold)
        spikes = a.count(v, threshold, MOST)
        return {"i": i, "u": u, "v": a.remainder(v, threshold, MOST)}, spikes

    @classmethod
    def example(cls) -> Self:
        return cls()


MODEL = XyloOutput
