"""The chip's integers in torch, with gradients: the third `Arith`, for quantisation-aware fine-tuning.

Tensors are float64 and hold integers, exact up to 2**53. What rounds or jumps in the forward pass has a gradient of its own
in the backward pass: truncation counts as the identity (straight-through), and the threshold as an arctangent of width
``threshold`` (Fang et al., ICCV 2021, "Incorporating learnable membrane time constant", whose surrogate snnTorch uses, too).
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from snnc.network.arithmetic import Fixed
from snnc.network.neuron import Neuron

DTYPE = torch.float64


class _Straight(torch.autograd.Function):
    """A rounding whose gradient is that of the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rounding: Callable[[Tensor], Tensor]) -> Tensor:
        return rounding(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient, None


class _Above(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, threshold: Tensor) -> Tensor:
        ctx.save_for_backward(v, threshold)
        return (v > threshold).to(DTYPE)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        v, threshold = ctx.saved_tensors
        width = threshold.clamp(min=1)
        distance = (v - threshold) / width
        return gradient / (width * (1 + (math.pi * distance).square())), None


def straight(x: Tensor, rounding: Callable[[Tensor], Tensor]) -> Tensor:
    """``rounding(x)``, with the gradient of ``x``."""
    rounded: Tensor = _Straight.apply(x, rounding)  # type: ignore[no-untyped-call]
    return rounded


@dataclass(frozen=True)
class TorchFixed:
    """What `snnc.network.arithmetic.Fixed` computes, number for number, on float64 tensors."""

    fixed: Fixed

    def lift(self, x: Any) -> Any:
        return x * (1 << self.fixed.state_shift)

    def decay(self, x: Any, decay: Any) -> Any:
        return straight(x * (1 - decay / (1 << self.fixed.decay_bits)), torch.trunc)

    def wrap(self, x: Any) -> Any:
        limit = self.fixed.state_limit
        turns = (x > limit).to(DTYPE) - (x <= -limit).to(DTYPE)
        return x - 2 * limit * turns

    def saturate(self, x: Any) -> Any:
        return x.clamp(1 - self.fixed.state_limit, self.fixed.state_limit - 1)

    def above(self, v: Any, threshold: Any) -> Any:
        return _Above.apply(v, threshold)  # type: ignore[no-untyped-call]

    def clear(self, v: Any, spikes: Any) -> Any:
        """The reset itself has no gradient, so that a spike is not blamed for the voltage that it took away."""
        return v.masked_fill(spikes.detach() > 0, 0)

    def subtract(self, v: Any, spikes: Any, amount: Any) -> Any:
        """As in `clear`, the reset itself has no gradient."""
        return v - spikes.detach() * amount

    def positive(self, x: Any) -> Any:
        return (x.detach() > 0).to(DTYPE)

    def silent(self, v: Any) -> Any:
        return torch.zeros_like(v)

    def shift(self, total: Any, exponent: int) -> Any:
        """The weight exponent: a sum of weights times 2**exponent, rounded to minus infinity."""
        return total * 2.0**exponent if exponent >= 0 else straight(total * 2.0**exponent, torch.floor)


def with_tensors(neuron: Neuron) -> Neuron:
    """A neuron whose parameters are float64 tensors, for a `step` in torch."""
    twin = copy.copy(neuron)
    for name in neuron.parameters():
        object.__setattr__(twin, name, torch.tensor(getattr(neuron, name), dtype=DTYPE))
    return twin
