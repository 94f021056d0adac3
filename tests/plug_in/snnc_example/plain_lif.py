"""A leaky integrate-and-fire neuron without a bias.

    u[t] = I[t]
    v[t] = (1 - decay_v) v[t-1] + u[t]
    s[t] = v[t] > threshold;   v[t] <- 0 where s[t]

Strict ``>``; reset to zero, in the same step; decay first, then input; decays truncate toward zero; u wraps and v saturates; no
refractory period; states start at 0.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from snnc.plugin import DECAY, THRESHOLD, Neuron, SpikeRule, StateVar, parameter


@final
@dataclass(frozen=True, eq=False)
class PlainLIF(Neuron):
    """LIF without a bias; its equations are in the docstring of the module."""

    threshold: np.ndarray = parameter(THRESHOLD, 1.0)
    decay_v: np.ndarray = parameter(DECAY, 0.125)

    states: ClassVar[tuple[StateVar, ...]] = (
        StateVar("u", overflow="wrap", role="current"),
        StateVar("v", overflow="saturate", role="voltage"),
    )
    readout: ClassVar[str] = "v"
    rule: ClassVar[SpikeRule] = SpikeRule(
        comparator=">",
        reset="zero",
        reset_step="same",
        order="decay, then input",
        decay_rounding="toward zero",
        refractory_steps=0,
    )

    def step(self, state, current, a):
        """One time step."""
        u = a.wrap(a.lift(current))
        v = a.saturate(a.decay(state["v"], self.decay_v) + u)
        spikes = a.above(v, a.lift(self.threshold))
        return {"u": u, "v": a.clear(v, spikes)}, spikes

    @classmethod
    def example(cls):
        """A typical instance."""
        return cls()


MODEL = PlainLIF
