"""What a connection does to the spikes that enter it. Each operator knows its shape, its sum and its synapses."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.arith import Fixed, Numeric
from snnc.synapses import Synapses

SignMode = Literal["mixed", "excitatory", "inhibitory"]


def weight_grid(numeric: Fixed, sign_mode: SignMode) -> range:
    """The integers that a weight of this sign mode can be.

    A mixed-sign weight loses its lowest bit to the sign: at 8 bits these are the even numbers -256 .. 254. Source: Lava
    0.10.0, lava/utils/weightutils.py (clip_weights, truncate_weights), whose clipping limits stay at 8 bits.
    """
    step = 1 << (8 - numeric.weight_bits + (sign_mode == "mixed"))
    match sign_mode:
        case "mixed":
            return range(-256, 256, step)
        case "excitatory":
            return range(0, 256, step)
        case "inhibitory":
            return range(-(255 // step) * step, 1, step)


@dataclass(frozen=True, eq=False)
class Dense:
    """Any neuron to any neuron: current[i] = sum over j of weight[i, j] * message[j].

    In a fixed network the weights are integers on `weight_grid` and the sum is shifted by ``exponent`` (towards minus
    infinity when negative).
    """

    synapses: Synapses
    exponent: int = 0
    sign_mode: SignMode | None = None  # stated in fixed networks, None in float ones

    kind: ClassVar[str] = "dense"

    @property
    def n_src(self) -> int:
        return self.synapses.shape[1]

    @property
    def n_dst(self) -> int:
        return self.synapses.shape[0]

    @property
    def parameters(self) -> int:
        """Trainable weights, pruned ones included."""
        return self.n_src * self.n_dst

    @property
    def possible_synapses(self) -> int:
        """Synapses if nothing were pruned; equal to `parameters` as a dense operator shares no weight."""
        return self.parameters

    def apply(self, messages: NDArray[Any], numeric: Numeric) -> NDArray[Any]:
        """(samples, n_src) messages -> (samples, n_dst) currents in weight units."""
        total = (self.synapses.to_scipy() @ messages.T.astype(numeric.dtype)).T
        current: NDArray[Any] = numeric.shift(total, self.exponent) if isinstance(numeric, Fixed) else total
        return current

    def problems(self, numeric: Numeric) -> list[str]:
        """What is wrong with the weights, if anything."""
        if found := self.synapses.problems():
            return found
        if not self.synapses.values.any():
            return [f"has no weight other than 0 ({self.synapses.count} of {self.parameters} synapses exist)"]
        if isinstance(numeric, Fixed):
            return self._fixed_problems(numeric)
        if self.synapses.values.dtype != np.float64 or self.exponent or self.sign_mode:
            return ["holds integers in a float network"]
        return []

    def _fixed_problems(self, numeric: Fixed) -> list[str]:
        if self.synapses.values.dtype != np.int64 or self.sign_mode is None:
            return ["holds weights that are not integers with a sign mode, in a fixed network"]
        grid = weight_grid(numeric, self.sign_mode)
        low, high = int(self.synapses.values.min()), int(self.synapses.values.max())
        found = []
        if low < grid[0] or high > grid[-1]:
            found.append(
                f"holds weights {low} .. {high}, {self.sign_mode} {numeric.weight_bits}-bit weights reach {grid[0]} .. {grid[-1]}"
            )
        if (self.synapses.values % grid.step).any():
            found.append(f"holds weights that are no multiple of {grid.step}, which {self.sign_mode} weights must be")
        if not numeric.weight_exponent_min <= self.exponent <= numeric.weight_exponent_max:
            found.append(
                f"has weight exponent {self.exponent}, allowed are {numeric.weight_exponent_min} .. {numeric.weight_exponent_max}"
            )
        return found


Op = Dense
KINDS: dict[str, type[Op]] = {Dense.kind: Dense}
