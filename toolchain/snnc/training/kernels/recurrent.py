"""Firing of a recurrent layer over all steps as one operation: what `fire` does, and the spikes that come back to the layer.

Forward, only the weights of neurons that fired are added. Backward, a product of matrices a step carries the gradient back to the
spikes. Sums of floats are rounded in another order than by torch's own steps; nothing else differs.
"""

from typing import Any

import torch
from torch import Tensor

from snnc.training.kernels.fire import ATAN_WIDTH, Rule, kernels
from snnc.training.kernels.team import split


def fused_recurrent(currents: Tensor, weight: Tensor, delay: int, steps: int, rule: Rule, width: float = ATAN_WIDTH) -> Tensor:
    """Return the spikes of neurons that hear each other, (batch, steps, n), from a fresh state.

    u = alpha u + current + weight @ spikes of ``delay`` steps ago, v = beta v + u, v > threshold; the reset to 0 has no gradient.

    Args:
        currents: From outside, (batch, steps, n), or (batch, 1, n) for the same in every step; float32 on a CPU.
        weight: (n, n), from a column's neuron to a row's.
        delay: Steps after which a spike arrives, at least 1.
        steps: Of time.
        rule: (alpha, beta, threshold), each of one value or of n.
        width: Of snnTorch's ATan surrogate.
    """
    values = tuple(value.detach().float().expand(currents.shape[2]).contiguous().numpy() for value in rule)
    spikes: Tensor = _Fire.apply(currents.transpose(0, 1), weight, delay, steps, values, width)  # type: ignore[no-untyped-call]
    return spikes.transpose(0, 1)


class _Fire(torch.autograd.Function):
    """All steps of a layer; arrays are (steps, batch, n), so that a step lies in one piece."""

    @staticmethod
    def forward(ctx: Any, currents: Tensor, weight: Tensor, delay: int, steps: int, rule: Any, width: float) -> Tensor:
        given, batch, n = currents.shape
        spikes, voltage = torch.empty(steps, batch, n), torch.empty(steps, batch, n)
        sent = weight.detach().t().contiguous().numpy()
        arrays = (currents.detach().contiguous().numpy(), sent, delay, *rule, spikes.numpy(), voltage.numpy())
        split(kernels().recurrent_forward, batch, spikes.numel(), *arrays)
        ctx.save_for_backward(weight, spikes, voltage)
        ctx.given, ctx.delay, ctx.rule, ctx.width = given, delay, rule, width
        return spikes

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        weight, spikes, voltage = ctx.saved_tensors
        steps, batch, n = voltage.shape
        to_current, states = torch.empty(steps, batch, n), torch.zeros(2, batch, n).numpy()
        for step in range(steps - 1, -1, -1):
            heard = step + ctx.delay
            to_spikes = gradient[step] + to_current[heard] @ weight if heard < steps else gradient[step].contiguous()
            arrays = (to_spikes.numpy(), voltage[step].numpy(), *ctx.rule, ctx.width, states, to_current[step].numpy())
            split(kernels().recurrent_back, batch, batch * n, *arrays)
        heard = to_current[ctx.delay :].flatten(0, 1)
        to_weight = heard.t() @ spikes[: max(steps - ctx.delay, 0)].flatten(0, 1)
        return to_current if ctx.given == steps else to_current.sum(0, keepdim=True), to_weight, None, None, None, None
