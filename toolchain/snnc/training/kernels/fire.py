"""Firing of a layer of snnTorch neurons over all steps: stepped as snnTorch does it, or compiled into one operation.

The compiled form computes the same float32 numbers in the same order for the neurons that this project trains (hard reset,
ATan surrogate), forward and backward; what it cannot express takes snnTorch's own steps.
"""

from functools import cache
from importlib import import_module
from typing import Any

import snntorch
import torch
from torch import Tensor, nn

from snnc.errors import UnsupportedError
from snnc.training.kernels.team import split
from snnc.training.settings import Kernel

ATAN_WIDTH = 2.0  # snnTorch's default
Rule = tuple[Tensor, Tensor, Tensor]


def fire(neuron: nn.Module, currents: Tensor, steps: int, kernel: Kernel = "auto") -> Tensor:
    """Return the spikes of a layer from a fresh state, (batch, steps, ...), of the currents' type.

    ``currents`` (batch, steps, ...), or (batch, 1, ...) for the same current in every step. On a GPU and in
    float64 the steps are snnTorch's. Raises UnsupportedError if ``kernel`` is "fused" and these neurons have none.
    """
    if kernel == "fused":
        must_fuse(neuron)
    if kernel == "snntorch" or not can_fuse(currents) or why_not_fused(neuron):
        return _stepped(neuron, currents, steps)
    return _fused(neuron, currents, steps)


def must_fuse(*neurons: nn.Module) -> None:
    """Raise UnsupportedError, with the reason, if a layer of neurons has no compiled form."""
    for neuron in neurons:
        if reason := why_not_fused(neuron):
            raise UnsupportedError(
                f"has no fused kernel: {reason}", where=f"neuron {type(neuron).__name__}", fix="use --kernel auto"
            )


def can_fuse(currents: Tensor) -> bool:
    """Return whether the compiled loops take these currents: float32 on a CPU."""
    return currents.device.type == "cpu" and currents.dtype == torch.float32


def why_not_fused(neuron: Any) -> str | None:
    """Return in words what keeps a layer from its compiled form; None if nothing does."""
    if kernels() is None:
        return "numba is not installed"
    if type(neuron) not in (snntorch.Leaky, snntorch.Synaptic):
        return "only Leaky and Synaptic have one"
    if any(True for _ in neuron.parameters()):
        return "a parameter of the neurons is learned"
    reasons = {
        "the reset is not to zero": neuron.state_function != neuron._base_zero,
        "Synaptic is reset a step late": isinstance(neuron, snntorch.Synaptic) and neuron.reset_delay,
        "the surrogate is not snntorch.surrogate.atan": _atan_width(neuron) is None,
        "inhibition, quantised or hidden states": bool(neuron.inhibition or neuron.state_quant or neuron.init_hidden),
        "spikes are graded": bool((neuron.graded_spikes_factor != 1).any()),
        "a threshold is below 0": bool((neuron.threshold < 0).any()),
        "the module has hooks": bool(neuron._forward_hooks or neuron._forward_pre_hooks),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _atan_width(neuron: Any) -> float | None:
    """Return the ``alpha`` of ``snntorch.surrogate.atan(alpha)``, which returns a closure."""
    surrogate = neuron.spike_grad
    if getattr(surrogate, "__module__", "") != "snntorch.surrogate" or surrogate.__qualname__ != "atan.<locals>.inner":
        return None
    return float(dict(zip(surrogate.__code__.co_freevars, surrogate.__closure__, strict=True))["alpha"].cell_contents)


@cache
def kernels() -> Any:
    """Return the compiled loops, or None without numba. They are loaded at first use, which takes half a second."""
    try:
        return import_module("snnc.training.kernels.loops")
    except ImportError:
        return None


def _stepped(neuron: nn.Module, currents: Tensor, steps: int) -> Tensor:
    state = [torch.zeros_like(currents[:, 0]) for _ in range(2 if isinstance(neuron, snntorch.Synaptic) else 1)]
    fired = []
    for t in range(steps):
        spikes, *state = neuron(currents[:, t % currents.shape[1]], *state)
        fired.append(spikes)
    return torch.stack(fired, 1).to(currents.dtype)


def _fused(neuron: Any, currents: Tensor, steps: int) -> Tensor:
    alpha = neuron.alpha.clamp(0, 1) if isinstance(neuron, snntorch.Synaptic) else torch.zeros(())
    width = _atan_width(neuron)
    assert width is not None  # noqa: S101 - for the type checker: why_not_fused has looked
    return fused(currents, steps, (alpha, neuron.beta.clamp(0, 1), neuron.threshold), width, attached=not neuron.reset_delay)


def fused(currents: Tensor, steps: int, rule: Rule, width: float = ATAN_WIDTH, *, attached: bool = False) -> Tensor:
    """Return the spikes of neurons with hard reset over all steps: u = alpha u + current, v = beta v + u, v > threshold.

    ``rule`` = (alpha, beta, threshold), each of one value or of the shape of a layer; ``width`` is that of snnTorch's ATan
    surrogate; ``attached``: the reset has a gradient, too. Neurons pass the kernel as they lie in memory: channels last, say,
    need no copy. Needs `kernels` and `can_fuse`.
    """
    shape, lies = currents.shape[2:], sorted(range(currents.dim() - 2), key=lambda axis: -currents.stride(axis + 2))
    currents = currents.permute(0, 1, *(axis + 2 for axis in lies))
    alpha, beta, threshold = (
        value.detach().float().expand(shape).permute(lies).reshape(-1).contiguous().numpy() for value in rule
    )
    spikes: Tensor = _Fire.apply(currents.flatten(2), steps, (alpha, beta, threshold), width, attached)  # type: ignore[no-untyped-call]
    back = (2 + lies.index(axis) for axis in range(len(lies)))
    return spikes.view(*spikes.shape[:2], *currents.shape[2:]).permute(0, 1, *back)


class _Fire(torch.autograd.Function):
    """All steps of a layer at once; the voltages before the reset are what the backward pass needs."""

    @staticmethod
    def forward(ctx: Any, currents: Tensor, steps: int, rule: Any, width: float, attached: bool) -> Tensor:
        batch, given, n = currents.shape
        spikes, voltage = torch.empty(batch, steps, n), torch.empty(batch, steps, n)
        arrays = (currents.detach().contiguous().numpy(), *rule, spikes.numpy(), voltage.numpy())
        split(kernels().fire_forward, batch, spikes.numel(), *arrays)
        ctx.save_for_backward(voltage)
        ctx.given, ctx.rule, ctx.width, ctx.attached = given, rule, width, torch.tensor(float(attached)).numpy()[()]
        return spikes

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (voltage,) = ctx.saved_tensors
        batch, _, n = voltage.shape
        to_current = torch.empty(batch, ctx.given, n)
        arrays = (gradient.contiguous().numpy(), voltage.numpy(), *ctx.rule, ctx.width, ctx.attached, to_current.numpy())
        split(kernels().fire_backward, batch, voltage.numel(), *arrays)
        return to_current, None, None, None, None
