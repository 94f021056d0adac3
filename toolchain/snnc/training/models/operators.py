"""Operators in torch: the weighted sums that a connection's `Op` makes of messages, with gradients for the weights.

Each does what `Op.weigh` does; in exact numbers (integers, or floats whose sums are not rounded) to the bit.
"""

from dataclasses import replace
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from snnc.network.op import Op
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.maxpool2d import MaxPool2d
from snnc.ops.sumpool2d import SumPool2d


def weigh(op: Op, weights: Tensor, messages: Tensor) -> Tensor:
    """Return the sums that destinations get, (..., n_dst), not yet shifted by a weight exponent.

    Args:
        op: The geometry; its own weights are not looked at, but for operators of other files (see `_unrolled`).
        weights: Of shape ``op.synapses.shape``, 0 where there is no synapse; of the type of the messages.
        messages: (..., n_src).
    """
    inputs = messages.reshape(-1, op.n_src)
    if op.pool:
        inputs = _window_sums(op.pool, inputs)
    total = _weighed(op, weights, inputs)
    return total.reshape(*messages.shape[:-1], op.n_dst)


def _weighed(op: Op, weights: Tensor, inputs: Tensor) -> Tensor:
    if isinstance(op, Dense):
        return inputs @ weights.T
    if isinstance(op, Conv2d):
        window = op.window
        planes = functional.conv2d(
            inputs.reshape(-1, *window.src_shape), weights.reshape(op.kernel_shape), None,
            window.stride, window.padding, window.dilation, op.groups,
        )  # fmt: skip
        return planes.flatten(1)
    if isinstance(op, MaxPool2d):
        return window_maxima(op.window, weigh(op.summing, weights, inputs))
    if isinstance(op, SumPool2d):
        return _window_sums(op.window, inputs) * weights.reshape(())
    return inputs @ _unrolled(op, weights).T


def _window_sums(window: Window, inputs: Tensor) -> Tensor:
    """Return what lies under each place of the window, (samples, channels * rows * columns)."""
    channels, rows, columns = window.src_shape
    ones = torch.ones(1, 1, *window.kernel, dtype=inputs.dtype, device=inputs.device)
    planes = functional.conv2d(inputs.reshape(-1, 1, rows, columns), ones, None, window.stride, window.padding, window.dilation)
    return planes.reshape(-1, channels * prod(window.grid))


def window_maxima(window: Window, sums: Tensor) -> Tensor:
    """Return the largest under each place of the window; its gradient goes to one of the largest."""
    planes = functional.pad(
        sums.reshape(-1, *window.src_shape), [window.padding[1]] * 2 + [window.padding[0]] * 2, value=-float("inf")
    )
    return functional.max_pool2d(planes, window.kernel, window.stride, 0, window.dilation).flatten(1)


def _unrolled(op: Op, weights: Tensor) -> Tensor:
    """Return the matrix, (n_dst, inputs), of an operator that is known only by its `Op`: only weights that it stores have an
    effect.
    """
    synapses, device = op.synapses, weights.device
    numbered = replace(op.with_values(np.arange(synapses.count, dtype=np.float64)), pool=None).unrolled()
    at = torch.from_numpy(numbered.rows * numbered.shape[1] + numbered.indices).to(device)
    stored = weights.reshape(-1)[torch.from_numpy(synapses.rows * synapses.shape[1] + synapses.indices).to(device)]
    flat = torch.zeros(prod(numbered.shape), dtype=weights.dtype, device=device)
    values = stored[torch.from_numpy(numbered.values.astype(np.int64)).to(device)]
    return flat.index_put((at,), values).view(numbered.shape)
