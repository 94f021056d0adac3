"""Convolutions of spikes: products with the weights of inputs that are not 0 only, forward and for the gradient of the weights.

The gradient of the inputs stays a dense convolution, as the surrogate needs it where nothing fires, too.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnc.training.kernels.fire import can_fuse, kernels
from snnc.training.kernels.team import split

DENSEST = 0.12  # part of the inputs that are not 0 up to which leaving out zeros takes less time than a dense convolution
SAMPLED = 16  # one sample in so many is looked at


def convolved(layer: nn.Conv2d, spikes: Tensor) -> Tensor:
    """Return ``layer(spikes)``, (batch, channels, height, width), up to the rounding of sums; channels lie last in memory.

    Where inputs are dense, on a GPU, in float64, and for groups, dilation, a padding not of zeros, or a layer with hooks, it is
    torch's convolution.
    """
    if not _pays(layer, spikes):
        result: Tensor = layer(spikes)
        return result
    return _Convolution.apply(spikes, layer.weight, layer.bias, layer.stride, layer.padding)  # type: ignore[no-any-return, no-untyped-call]


def _pays(layer: nn.Conv2d, spikes: Tensor) -> bool:
    plain = (
        layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    )
    hooked = layer._forward_hooks or layer._forward_pre_hooks  # which only a call of the layer calls
    if not plain or hooked or not can_fuse(spikes) or not kernels():
        return False
    if not spikes.is_contiguous(memory_format=torch.channels_last):
        return False
    some = spikes.detach()[::SAMPLED]
    return int(torch.count_nonzero(some)) <= DENSEST * some.numel()


class _Convolution(torch.autograd.Function):
    """The convolution of mostly zeros, with all taps that an input has in a row of outputs side by side in memory."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any) -> Tensor:
        rows, columns = (
            (n + 2 * p - k) // s + 1 for n, k, s, p in zip(spikes.shape[2:], weight.shape[2:], stride, padding, strict=True)
        )
        out = torch.zeros(len(spikes), rows, columns, len(weight))
        arrays = (_last(spikes), _by_tap(weight.detach(), stride[1]), *stride, *padding, out.numpy())
        split(kernels().sparse_conv, len(spikes), out.numel(), *arrays)
        ctx.save_for_backward(spikes, weight)
        ctx.stride, ctx.padding, ctx.biased = stride, padding, bias is not None
        result = out.permute(0, 3, 1, 2)
        return result if bias is None else result + bias[:, None, None]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        spikes, weight = ctx.saved_tensors
        to_spikes = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_spikes, _, _ = torch.ops.aten.convolution_backward(
                gradient, spikes, weight, None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), 1, (True, False, False)
            )
        if ctx.needs_input_grad[1]:
            taps = _by_tap(torch.zeros_like(weight), ctx.stride[1])
            arrays = (_last(spikes), _last(gradient), *ctx.stride, *ctx.padding, taps)
            split(kernels().sparse_conv_weights, spikes.shape[1], spikes.numel(), *arrays)
            to_weight = _from_taps(taps, weight.shape, ctx.stride[1])
        if ctx.biased and ctx.needs_input_grad[2]:
            to_bias = gradient.sum((0, 2, 3))
        return to_spikes, to_weight, to_bias, None, None


def _last(planes: Tensor) -> Any:
    """Return planes as an array (batch, height, width, channels) that is contiguous."""
    return planes.detach().permute(0, 2, 3, 1).contiguous().numpy()


def _by_tap(weight: Tensor, stride: int) -> Any:
    """Return weights (out, in, rows, columns) as (stride, rows, in, taps, out): of inputs whose column, with the padding, leaves
    the first index as the remainder by the stride, and for taps in the order of the outputs that they lead to. Zeros fill up.
    """
    columns = weight.shape[3]
    taps = -(-columns // stride)
    filled = functional.pad(weight, (0, taps * stride - columns)).view(*weight.shape[:3], taps, stride).flip(3)
    return filled.permute(4, 2, 1, 3, 0).contiguous().numpy()


def _from_taps(taps: Any, shape: torch.Size, stride: int) -> Tensor:
    """Return the weights of `_by_tap`."""
    filled: Tensor = torch.from_numpy(taps).permute(4, 2, 1, 3, 0).flip(3).flatten(3)
    return filled[..., : shape[3]].contiguous()
