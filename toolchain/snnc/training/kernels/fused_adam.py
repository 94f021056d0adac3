"""Adam alone, or with Grad R's prior and the weights that follow from theta, in one pass over memory. Called by methods.

These are the numbers of the methods' own eager operations, to within the rounding of a fused multiply-add there, and they do
not depend on the number of threads.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnc.training.kernels.fire import kernels
from snnc.training.kernels.team import split


def applies(p: Tensor) -> bool:
    """Return whether the compiled form takes this parameter: float32, contiguous, on the CPU, with a dense gradient of the same
    type.
    """
    tensors = (p, p.grad)
    return kernels() is not None and all(
        t is not None and t.device.type == "cpu" and t.dtype == torch.float32 and t.is_contiguous() for t in tensors
    )


def rewire(p: Tensor, state: dict[str, Any], group: dict[str, Any], pull: tuple[float, ...]) -> bool:
    """Move theta by Adam on the redefined gradient and by Grad R's prior; p = sign * max(theta, 0).

    ``pull`` = (strength, reach, weak, centre, cap, floor, steady, turns), as `snnc.training.methods.grad_r.Pull` says.
    ``state`` holds exp_avg, exp_avg_sq, theta and sign, of p's shape; ``group`` lr, betas, eps and step, which counts from 1.
    Returns whether a theta is above 0.
    """
    alive = np.zeros(1, np.int64)
    arrays = (*_moments(p, state), _flat(state["theta"]), _flat(state["sign"]), _flat(p))
    prior = tuple(np.float32(x) for x in pull)
    split(kernels().adam_rewire, p.numel(), p.numel(), *arrays, _adam(group), prior, alive)
    return bool(alive[0])


def step(p: Tensor, state: dict[str, Any], group: dict[str, Any], mask: Tensor | None) -> Tensor:
    """Return what Adam subtracts from the weights, for the gradient where ``mask`` is 1 (None: everywhere)."""
    stepped = torch.empty_like(p)
    arrays = (*_moments(p, state), np.empty(0, np.float32) if mask is None else _flat(mask), _flat(stepped))
    split(kernels().adam_step, p.numel(), p.numel(), *arrays, _adam(group))
    return stepped


def masked(p: Tensor, state: dict[str, Any], group: dict[str, Any], steady: float = 0.0) -> None:
    """Move the weights by Adam, and by ``steady`` towards 0, where ``state["mask"]`` is 1; the others become exactly 0."""
    arrays = (*_moments(p, state), _flat(state["mask"]), _flat(p))
    split(kernels().adam_masked, p.numel(), p.numel(), *arrays, _adam(group), np.float32(steady))


def _moments(p: Tensor, state: dict[str, Any]) -> tuple[NDArray[np.float32], ...]:
    assert p.grad is not None  # noqa: S101 - for the type checker: applies has looked
    return _flat(p.grad), _flat(state["exp_avg"]), _flat(state["exp_avg_sq"])


def _flat(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().view(-1).numpy()


def _adam(group: dict[str, Any]) -> tuple[np.float32, ...]:
    fast, slow = group["betas"]
    unbias = 1 - slow ** group["step"]
    rate = group["lr"] / (1 - fast ** group["step"])
    return tuple(np.float32(x) for x in (fast, 1 - fast, slow, 1 - slow, unbias, group["eps"], rate))
