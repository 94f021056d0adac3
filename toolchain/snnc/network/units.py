"""Units of neuron parameters: what each can be in floats and in a chip's integers, and how the ones become the others.

A new kind of parameter is one more `Unit`; the file format, the quantiser, the count of a core's configurations and the
reports ask it, and match no names.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from snnc.network.arithmetic import Fixed, Float, Numeric, bias_exponent
from snnc.network.synapses import MAX_DELAY_STEPS

INFINITE = float("inf")


@dataclass(frozen=True)
class Unit(ABC):
    """Kind of a parameter. ``scaled``: its integers grow with the weights when a network is quantised."""

    name: str  # in reports
    floats: tuple[float, float]  # the least and the greatest value in a float network
    scaled: bool = False
    whole: bool = False  # whole numbers in floats, too
    must_stay: bool = False  # what is above 0 must not round to 0, and its rounding counts when a scale is chosen
    configured: Literal["decays", "thresholds", "each"] = "each"  # which set of a core's values holds it; each: one a neuron

    @abstractmethod
    def integers(self, numeric: Fixed, offset: int) -> tuple[int, int]:
        """Return the least and the greatest integer; a chip's register holds the integer minus ``offset``."""

    def per_float(self, scale: float, numeric: Fixed) -> float:
        """Return how many integers a float of 1 is in a population whose weights have this scale."""
        return scale if self.scaled else 1.0

    def grid(self, exact: Any, numeric: Fixed) -> int:
        """Return the step of the grid on which a population's values lie, given as floats in the unit of the integers."""
        return 1

    def rounded(self, exact: Any, numeric: Fixed) -> Any:
        """Return the values that a chip holds next to ``exact``, both as floats in the unit of the integers."""
        step = self.grid(exact, numeric)
        return np.rint(exact / step) * step

    def range(self, numeric: Numeric, offset: int) -> tuple[float, float]:
        """Return the least and the greatest value in a network of these numbers."""
        return self.floats if isinstance(numeric, Float) else self.integers(numeric, offset)


class _Decay(Unit):
    def integers(self, numeric: Fixed, offset: int) -> tuple[int, int]:
        return offset, (1 << numeric.decay_bits) - 1 + offset

    def per_float(self, scale: float, numeric: Fixed) -> float:
        return float(1 << numeric.decay_bits)


class _ShiftedDecay(_Decay):
    """A decay by a shift to the right: 2**-k, which an integer of 2**-decay_bits holds up to 1 with an offset of 1."""

    def rounded(self, exact: Any, numeric: Fixed) -> Any:
        return np.exp2(np.clip(np.rint(np.log2(np.maximum(exact, 1.0))), 0, numeric.decay_bits))


class _Fraction(_Decay):
    def integers(self, numeric: Fixed, offset: int) -> tuple[int, int]:
        return -(1 << numeric.decay_bits), 1 << numeric.decay_bits


class _Threshold(Unit):
    def integers(self, numeric: Fixed, offset: int) -> tuple[int, int]:
        return 0, (1 << numeric.threshold_bits) - 1


class _LeastThreshold(_Threshold):
    def integers(self, numeric: Fixed, offset: int) -> tuple[int, int]:
        return 1, (1 << numeric.threshold_bits) - 1


class _Level(Unit):
    def integers(self, numeric: Fixed, offset: int) -> tuple[int, int]:
        most = min((1 << numeric.threshold_bits) - 1, numeric.state_limit - 1 >> numeric.state_shift)  # that a state holds, too
        return -most, most


class _Bias(Unit):
    def integers(self, numeric: Fixed, offset: int) -> tuple[int, int]:
        mantissa = 1 << (numeric.bias_mantissa_bits - 1)
        return -mantissa << numeric.bias_exponent_max, (mantissa - 1) << numeric.bias_exponent_max

    def per_float(self, scale: float, numeric: Fixed) -> float:
        return scale * (1 << numeric.state_shift)

    def grid(self, exact: Any, numeric: Fixed) -> int:
        return 1 << bias_exponent(exact, numeric)


class _Steps(Unit):
    def integers(self, numeric: Fixed, offset: int) -> tuple[int, int]:
        return 0, MAX_DELAY_STEPS


EVERYTHING = (-INFINITE, INFINITE)

DECAY: Unit = _Decay("decay", (0.0, 1.0), configured="decays")  # fraction lost a step; integers of 2**-decay_bits
SHIFTED_DECAY: Unit = _ShiftedDecay("decay", (2.0**-20, 1.0), configured="decays")  # above 0, and of 2**-k on a chip
FRACTION: Unit = _Fraction("fraction", (-1.0, 1.0), configured="decays")  # factor of either sign, as that of a rotation
THRESHOLD: Unit = _Threshold("threshold", (0.0, INFINITE), scaled=True, must_stay=True, configured="thresholds")
LEAST_THRESHOLD: Unit = _LeastThreshold(
    "threshold", (float(np.nextafter(0, 1)), INFINITE), scaled=True, must_stay=True, configured="thresholds"
)  # above 0
LEVEL: Unit = _Level("level", EVERYTHING, scaled=True, configured="thresholds")  # a value of a state, of either sign
BIAS: Unit = _Bias("bias", EVERYTHING, scaled=True)  # added in every step; integers are in state units
STEPS: Unit = _Steps("steps", (0.0, float(MAX_DELAY_STEPS)), whole=True, configured="decays")
