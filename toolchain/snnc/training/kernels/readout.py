"""Voltages of a readout over all steps as one operation: two filters, which `fire_forward` computes for a threshold out of reach.

The gradient of a filter is the same filter backward in time, with the order of its two parts turned round.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnc.training.kernels.fire import Rule, kernels
from snnc.training.kernels.team import split

NEVER = np.float32(np.inf)


def fused_readout(currents: Tensor, steps: int, rule: Rule) -> Tensor:
    """Return voltages (batch, steps, n) from a fresh state: u = alpha u + current, v = beta v + u.

    Args:
        currents: (batch, steps, n), or (batch, 1, n) for the same in every step; float32 on a CPU.
        steps: Of time.
        rule: (alpha, beta, _), each of one value or of n.
    """
    alpha, beta = (value.detach().float().expand(currents.shape[2]).contiguous().numpy() for value in rule[:2])
    voltages: Tensor = _Filter.apply(currents, steps, alpha, beta)  # type: ignore[no-untyped-call]
    return voltages


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, currents: Tensor, steps: int, alpha: Any, beta: Any) -> Tensor:
        ctx.given, ctx.alpha, ctx.beta = currents.shape[1], alpha, beta
        return _filtered(currents.detach(), steps, alpha, beta)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        to_current = _filtered(gradient.flip(1), gradient.shape[1], ctx.beta, ctx.alpha).flip(1)
        return to_current if ctx.given > 1 else to_current.sum(1, keepdim=True), None, None, None


def _filtered(given: Tensor, steps: int, first: Any, second: Any) -> Tensor:
    batch, _, n = given.shape
    silent, voltages = torch.empty(batch, steps, n), torch.empty(batch, steps, n)
    never = np.full(n, NEVER)
    arrays = (given.contiguous().numpy(), first, second, never, silent.numpy(), voltages.numpy())
    split(kernels().fire_forward, batch, voltages.numel(), *arrays)
    return voltages
