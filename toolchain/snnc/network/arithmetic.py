"""The numbers a network computes with. A neuron's step is written once against `Arith`; `Float` and `Fixed` are two of
its implementations (the others, of torch, are in training/arithmetic.py), so that what was trained, the reference and the chip's
integers cannot drift apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from snnc.errors import NetworkError

RANGES = {  # of the numbers of `Fixed`: no chip here needs more, and int64 holds what is made of a state
    "weight_bits": (1, 8),
    "weight_exponent_min": (-9, 0),
    "weight_exponent_max": (-9, 8),
    "decay_bits": (1, 20),
    "threshold_bits": (1, 31),
    "bias_mantissa_bits": (2, 31),
    "bias_exponent_max": (0, 16),
    "state_bits": (2, 32),
    "state_shift": (0, 12),
}


class Arith(Protocol):
    """The operations that a neuron's step may use; arrays in, arrays out, shapes broadcast."""

    def lift(self, x: Any) -> Any:
        """Convert from the units of weights and thresholds to the units of the state."""

    def decay(self, x: Any, decay: Any) -> Any:
        """Return what is left of state ``x`` after one step in which the fraction ``decay`` leaks."""

    def floor_decay(self, x: Any, decay: Any) -> Any:
        """Return as `decay`, but integers round to minus infinity: what a shift to the right leaves."""

    def leak(self, x: Any, decay: Any) -> Any:
        """Return as `decay`, but integers lose the fraction rounded down, and what is above 0 loses at least 1: the rule of
        chips that subtract a state shifted to the right. ``decay`` is above 0.
        """

    def multiply(self, x: Any, fraction: Any) -> Any:
        """Return ``x`` times a fraction of either sign; integers round toward zero, as in `decay`."""

    def wrap(self, x: Any) -> Any:
        """Return ``x`` in a register that wraps around."""

    def saturate(self, x: Any) -> Any:
        """Return ``x`` in a register that saturates."""

    def clamp(self, x: Any) -> Any:
        """Return ``x`` in a register of two's complement that saturates: it holds one number more below 0 than above."""

    def above(self, v: Any, threshold: Any) -> Any:
        """Return spikes: 1 where v > threshold, else 0."""

    def at_least(self, v: Any, threshold: Any) -> Any:
        """Return spikes: 1 where v >= threshold, else 0."""

    def clear(self, v: Any, spikes: Any) -> Any:
        """Return 0 where a spike was fired, else v."""

    def reset_to(self, v: Any, spikes: Any, value: Any) -> Any:
        """Return ``value`` where a spike was fired, else v."""

    def subtract(self, v: Any, spikes: Any, amount: Any) -> Any:
        """Return v - amount where a spike was fired, else v."""

    def count(self, v: Any, threshold: Any, most: int) -> Any:
        """Return the spikes of neurons that fire several times a step: how often the threshold fits into v, ``most`` at most.

        ``threshold`` is above 0.
        """

    def remainder(self, v: Any, threshold: Any, most: int) -> Any:
        """Return what is left of v when each spike of `count` has taken the threshold away."""

    def positive(self, x: Any) -> Any:
        """Return 1 where x > 0, else 0: of counters, so without a gradient where there are gradients."""

    def silent(self, v: Any) -> Any:
        """Return the spikes of neurons that never fire: 0 for each v."""


class _Arrays:
    """What floats and integers have in common as arrays of NumPy."""

    def above(self, v: Any, threshold: Any) -> Any:
        return (v > threshold).astype(np.uint8)

    def at_least(self, v: Any, threshold: Any) -> Any:
        return (v >= threshold).astype(np.uint8)

    def clear(self, v: Any, spikes: Any) -> Any:
        return np.where(spikes, 0, v)

    def reset_to(self, v: Any, spikes: Any, value: Any) -> Any:
        return np.where(spikes, value, v)

    def subtract(self, v: Any, spikes: Any, amount: Any) -> Any:
        return v - spikes * amount

    def count(self, v: Any, threshold: Any, most: int) -> Any:
        return np.clip(np.floor(v / threshold), 0, most).astype(np.uint8)

    def remainder(self, v: Any, threshold: Any, most: int) -> Any:
        return v - self.count(v, threshold, most) * threshold

    def positive(self, x: Any) -> Any:
        return (x > 0).astype(np.uint8)

    def silent(self, v: Any) -> Any:
        return np.zeros(v.shape, np.uint8)


@dataclass(frozen=True)
class Float(_Arrays):
    """Real numbers (float64); nothing is rounded, wrapped or saturated."""

    kind: ClassVar[str] = "float"
    dtype: ClassVar[type] = np.float64

    def lift(self, x: Any) -> Any:
        return x

    def decay(self, x: Any, decay: Any) -> Any:
        return x * (1 - decay)

    def floor_decay(self, x: Any, decay: Any) -> Any:
        return x * (1 - decay)

    def leak(self, x: Any, decay: Any) -> Any:
        return x * (1 - decay)

    def multiply(self, x: Any, fraction: Any) -> Any:
        return x * fraction

    def wrap(self, x: Any) -> Any:
        return x

    def saturate(self, x: Any) -> Any:
        return x

    def clamp(self, x: Any) -> Any:
        return x


@dataclass(frozen=True)
class Fixed(_Arrays):
    """A chip's integers (int64 arrays that hold the chip's narrower registers).

    The rules are those of Lava 0.10.0's fixed_pt models (lava/proc/lif/models.py, AbstractPyLifModelFixed); the widths
    come from the profile that the network was quantised for. Raises NetworkError for a width that cannot be.
    """

    profile: str  # the chip whose format this is
    weight_bits: int  # magnitude bits of a weight whose sign is shared by the layer; mixed signs cost the lowest bit
    weight_exponent_min: int
    weight_exponent_max: int
    decay_bits: int
    threshold_bits: int
    bias_mantissa_bits: int  # including the sign
    bias_exponent_max: int
    state_bits: int  # including the sign
    state_shift: int  # weights and thresholds are 2**state_shift state units

    kind: ClassVar[str] = "fixed"
    dtype: ClassVar[type] = np.int64

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise NetworkError(f"has {name} {value!r}, expected a whole number {low} to {high}", fix="quantise it again")

    @property
    def state_limit(self) -> int:
        """2**(state_bits - 1): the first magnitude that a state cannot hold (but see `wrap`)."""
        return 1 << (self.state_bits - 1)

    def lift(self, x: Any) -> Any:
        return x << self.state_shift

    def decay(self, x: Any, decay: Any) -> Any:
        """Decay by sign and magnitude: the product is truncated toward zero."""
        kept = np.abs(x) * ((1 << self.decay_bits) - decay)
        return np.sign(x) * (kept >> self.decay_bits)

    def floor_decay(self, x: Any, decay: Any) -> Any:
        return (x * ((1 << self.decay_bits) - decay)) >> self.decay_bits

    def leak(self, x: Any, decay: Any) -> Any:
        lost = (x * decay) >> self.decay_bits
        return x - np.where(x > 0, np.maximum(lost, 1), lost)

    def count(self, v: Any, threshold: Any, most: int) -> Any:
        return np.clip(v // threshold, 0, most).astype(np.uint8)

    def multiply(self, x: Any, fraction: Any) -> Any:
        return np.sign(x) * np.sign(fraction) * ((np.abs(x) * np.abs(fraction)) >> self.decay_bits)

    def wrap(self, x: Any) -> Any:
        """Wrap once. The range is -limit + 1 .. +limit: Lava keeps +limit and turns -limit into +limit."""
        limit = self.state_limit
        return np.where(x > limit, x - 2 * limit, np.where(x <= -limit, x + 2 * limit, x))

    def saturate(self, x: Any) -> Any:
        return np.clip(x, 1 - self.state_limit, self.state_limit - 1)

    def clamp(self, x: Any) -> Any:
        return np.clip(x, -self.state_limit, self.state_limit - 1)

    def shift(self, total: Any, exponent: int) -> Any:
        """Apply the weight exponent to the sum of a step's weights: negative exponents round to minus infinity.

        Source: lava/proc/dense/models.py, lava/utils/weightutils.py.
        """
        return total << exponent if exponent > 0 else total >> -exponent


Numeric = Float | Fixed


def numeric_of(fields: Mapping[str, Any]) -> Numeric:
    """Return the numbers that a file describes: ``kind``, and for "fixed" the fields of `Fixed`.

    Raises KeyError for an unknown kind, TypeError for fields that it does not have, NetworkError for a width that cannot be.
    """
    kinds: dict[str, type[Numeric]] = {Float.kind: Float, Fixed.kind: Fixed}
    return kinds[fields["kind"]](**{name: value for name, value in fields.items() if name != "kind"})


def bias_exponent(bias: Any, numeric: Fixed) -> int:
    """Return the smallest exponent, shared by a population, at which every bias (in state units) has a mantissa that fits."""
    most = (1 << (numeric.bias_mantissa_bits - 1)) - 1
    largest = float(np.abs(bias).max())
    needed = 0 if largest <= most else ceil(log2(largest / most) - 1e-12)
    return min(needed, numeric.bias_exponent_max)


def bias_parts(bias: Any, numeric: Fixed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (mantissa, smallest exponent) of each integer bias, in state units; exponent -1 where it has no such form."""
    bias = np.asarray(bias, np.int64)
    limit = 1 << (numeric.bias_mantissa_bits - 1)
    exponent = np.full(bias.shape, -1, np.int64)
    for e in range(numeric.bias_exponent_max, -1, -1):
        mantissa = bias >> e
        exponent[(mantissa << e == bias) & (-limit <= mantissa) & (mantissa < limit)] = e
    return bias >> np.maximum(exponent, 0), exponent
