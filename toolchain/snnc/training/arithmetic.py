"""Arithmetic of a neuron's `step` in torch: floats to train in, and the chip's integers to fine-tune in.

Both are an `snnc.network.arithmetic.Arith` with gradients, so that a neuron trains by the very `step` that every simulator
and exporter runs. What jumps in the forward pass has a gradient of its own in the backward pass: a spike that of an
arctangent (Fang et al., ICCV 2021, "Incorporating learnable membrane time constant", which is snnTorch's surrogate, too),
truncation that of the identity (straight-through), and a reset none, as in snnTorch with reset_delay=True.
"""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from snnc.network.arithmetic import Fixed
from snnc.network.neuron import Neuron

DTYPE = torch.float64  # of tensors that hold integers, exact up to 2**53


class _Straight(torch.autograd.Function):
    """A rounding whose gradient is that of the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rounding: Callable[[Tensor], Tensor]) -> Tensor:
        return rounding(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient, None


class _Spike(torch.autograd.Function):
    """1 where the distance to the threshold is above 0, or at least 0; backwards 1 / (width + pi**2 distance**2 / width)."""

    @staticmethod
    def forward(ctx: Any, distance: Tensor, width: Tensor, strict: bool) -> Tensor:
        ctx.save_for_backward(distance, width)
        return (distance > 0 if strict else distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        distance, width = ctx.saved_tensors
        return gradient / (width * (1 + (math.pi * distance / width).square())), None, None


class _Count(torch.autograd.Function):
    """How often the threshold fits into v, up to ``most``; backwards as a spike at the nearest multiple of the threshold."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, threshold: Tensor, width: Tensor, most: int) -> Tensor:
        nearest = torch.round(v / threshold).clamp(1, most)
        ctx.save_for_backward(v - nearest * threshold, width)
        return torch.floor(v / threshold).clamp(0, most)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        distance, width = ctx.saved_tensors
        return gradient / (width * (1 + (math.pi * distance / width).square())), None, None, None


def straight(x: Tensor, rounding: Callable[[Tensor], Tensor]) -> Tensor:
    """Return ``rounding(x)``, with the gradient of ``x``."""
    rounded: Tensor = _Straight.apply(x, rounding)  # type: ignore[no-untyped-call]
    return rounded


def _counted(v: Tensor, threshold: Any, width: Tensor, most: int) -> Tensor:
    threshold = torch.as_tensor(threshold, dtype=v.dtype, device=v.device)
    spikes: Tensor = _Count.apply(v, threshold, width, most)  # type: ignore[no-untyped-call]
    return spikes


def _spike(distance: Tensor, width: Tensor, *, strict: bool) -> Tensor:
    spikes: Tensor = _Spike.apply(distance, width, strict)  # type: ignore[no-untyped-call]
    return spikes


@dataclass(frozen=True)
class _Tensors(ABC):
    """Operations that floats and integers share as tensors.

    ``attached``: a reset has the gradient of the spike that brought it about, as in snnTorch with reset_delay=False; else it
    has none, so that a spike is not blamed for the voltage that it took away.
    """

    attached: bool = False

    def clear(self, v: Any, spikes: Any) -> Any:
        return v - spikes * v if self.attached else v.masked_fill(spikes.detach() > 0, 0)

    def reset_to(self, v: Any, spikes: Any, value: Any) -> Any:
        reset = torch.where(spikes.detach() > 0, value, v)
        return reset + (spikes - spikes.detach()) * (value - v).detach() if self.attached else reset

    def subtract(self, v: Any, spikes: Any, amount: Any) -> Any:
        return v - (spikes if self.attached else spikes.detach()) * amount

    def remainder(self, v: Any, threshold: Any, most: int) -> Any:
        return self.subtract(v, self.count(v, threshold, most), threshold)

    @abstractmethod
    def count(self, v: Any, threshold: Any, most: int) -> Any:
        """Return the spikes of one step; see `snnc.network.arithmetic.Arith.count`."""

    def positive(self, x: Any) -> Any:
        return (x.detach() > 0).to(x.dtype)

    def silent(self, v: Any) -> Any:
        return torch.zeros_like(v)


@dataclass(frozen=True)
class TorchFloat(_Tensors):
    """The arithmetic of `snnc.network.arithmetic.Float`, on float tensors of any type; a spike's surrogate has width 1."""

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

    def count(self, v: Any, threshold: Any, most: int) -> Any:
        return _counted(v, threshold, torch.ones((), dtype=v.dtype, device=v.device), most)

    def above(self, v: Any, threshold: Any) -> Any:
        return _spike(v - threshold, torch.ones((), dtype=v.dtype, device=v.device), strict=True)

    def at_least(self, v: Any, threshold: Any) -> Any:
        return _spike(v - threshold, torch.ones((), dtype=v.dtype, device=v.device), strict=False)


@dataclass(frozen=True, kw_only=True)
class TorchFixed(_Tensors):
    """The arithmetic of `snnc.network.arithmetic.Fixed`, number for number, on float64 tensors.

    A spike's surrogate is as wide as the threshold.
    """

    fixed: Fixed

    def lift(self, x: Any) -> Any:
        return x * (1 << self.fixed.state_shift)

    def decay(self, x: Any, decay: Any) -> Any:
        return straight(x * (1 - decay / (1 << self.fixed.decay_bits)), torch.trunc)

    def floor_decay(self, x: Any, decay: Any) -> Any:
        return straight(x * (1 - decay / (1 << self.fixed.decay_bits)), torch.floor)

    def leak(self, x: Any, decay: Any) -> Any:
        def left(exact: Tensor) -> Tensor:
            lost = torch.floor(x.detach() * decay / (1 << self.fixed.decay_bits))
            kept: Tensor = x.detach() - torch.where(x.detach() > 0, lost.clamp(min=1), lost)
            return kept

        return straight(x * (1 - decay / (1 << self.fixed.decay_bits)), left)

    def multiply(self, x: Any, fraction: Any) -> Any:
        return straight(x * (fraction / (1 << self.fixed.decay_bits)), torch.trunc)

    def wrap(self, x: Any) -> Any:
        limit = self.fixed.state_limit
        turns = (x > limit).to(DTYPE) - (x <= -limit).to(DTYPE)
        return x - 2 * limit * turns

    def saturate(self, x: Any) -> Any:
        return x.clamp(1 - self.fixed.state_limit, self.fixed.state_limit - 1)

    def clamp(self, x: Any) -> Any:
        return x.clamp(-self.fixed.state_limit, self.fixed.state_limit - 1)

    def count(self, v: Any, threshold: Any, most: int) -> Any:
        return _counted(v, threshold, self._width(v, threshold), most)

    def above(self, v: Any, threshold: Any) -> Any:
        return _spike(v - threshold, self._width(v, threshold), strict=True)

    def at_least(self, v: Any, threshold: Any) -> Any:
        return _spike(v - threshold, self._width(v, threshold), strict=False)

    def _width(self, v: Any, threshold: Any) -> Tensor:
        return torch.as_tensor(threshold, dtype=DTYPE, device=v.device).detach().clamp(min=1)

    def shift(self, total: Any, exponent: int) -> Any:
        """Return a sum of weights times 2**exponent, rounded to minus infinity: what the weight exponent does."""
        return total * 2.0**exponent if exponent >= 0 else straight(total * 2.0**exponent, torch.floor)


TorchArith = TorchFloat | TorchFixed


def with_tensors(neuron: Neuron, values: dict[str, Tensor] | None = None) -> Neuron:
    """Return the neuron with tensors as parameters, for a `step` in torch: ``values``, or its own parameters as float64."""
    twin = copy.copy(neuron)
    for name in neuron.parameters():
        value = torch.tensor(getattr(neuron, name), dtype=DTYPE) if values is None else values[name]
        object.__setattr__(twin, name, value)
    return twin
