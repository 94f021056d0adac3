"""A connection whose axonal delays train: each axon's messages arrive around a time that moves by the gradient.

Hammouamri, Khalfaoui-Hassani, Masquelier, "Learning delays in spiking neural networks using dilated convolutions with
learnable spacings", ICLR 2024, arXiv 2306.17670: in training, a message is spread over the steps around its delay d by a
normalised Gaussian, exp(-(k - d)**2 / (2 sigma**2)), whose width falls, so that far delays are found first and the end is
close to one step; in evaluation the delay is rounded. There each synapse has a delay, here each axon, as chips have it.

Sigma falls from half the longest delay to 0.5 over the first quarter of the steps, geometrically, and stays there.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from snnc.network.model import Connection
from snnc.training.models.connection import FloatConnection, late, moved, trains
from snnc.training.models.learned import Learning

NARROWEST = 0.5  # sigma at the end, in steps
NARROWING = 0.25  # of all steps of the optimizer


class DelayedConnection(FloatConnection):
    """Float weights and one delay an axon, from 0 to ``learning.max_delay`` steps on top of those of the connection.

    A connection without delays of its own starts from random ones. ``seed``: of them.
    """

    seen: Tensor

    def __init__(self, c: Connection, unit: float, dtype: torch.dtype, learning: Learning, seed: int) -> None:
        super().__init__(replace(c, axon_delays=None), unit, dtype)
        self.longest, self.narrow_at = learning.max_delay, max(1.0, NARROWING * learning.steps)
        if c.axon_delays is not None:
            start = c.axon_delays.clip(max=self.longest) / self.longest
        else:
            start = np.random.default_rng([learning.seed, seed]).random(c.op.n_src)
        self.raw = nn.Parameter(torch.from_numpy(start).to(dtype))  # in units of the longest
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    @property
    def delays(self) -> Tensor:
        """The delay of each axon in steps, (n_src,), not rounded."""
        return self.raw.clamp(0, 1) * self.longest

    @property
    def sigma(self) -> float:
        """The width of the Gaussian, in steps."""
        done = min(1.0, int(self.seen) / self.narrow_at)
        widest = max(NARROWEST, self.longest / 2)
        return float(widest ** (1 - done) * NARROWEST**done)

    def forward(self, messages: Tensor, steps: int) -> Tensor:
        """Map (batch, steps, n_src) messages to (batch, steps, n_dst) currents; in training with spread messages."""
        every = messages if messages.shape[1] == steps else messages.expand(-1, steps, -1)
        arriving = self._spread(every) if self.training else self._exact(every)
        self.seen += int(self.training)
        return late(self.weigh(self.weights(), arriving), self.connection.delay_steps)

    def _spread(self, messages: Tensor) -> Tensor:
        """Return the messages, each spread around its delay."""
        spread: Tensor = _Spread.apply(messages, self.delays, self.longest, self.sigma)  # type: ignore[no-untyped-call]
        return spread

    def _exact(self, messages: Tensor) -> Tensor:
        """Return the messages, each after its rounded delay."""
        return moved(messages, self._rounded())

    def _rounded(self) -> Tensor:
        return self.delays.detach().round().to(torch.int64)

    def with_values(self, values: NDArray[np.float64], exists: NDArray[np.bool_] | None = None) -> Connection:
        """Return the connection with these weights and the rounded delays."""
        delays = self._rounded().cpu().numpy().astype(np.int32)
        return replace(super().with_values(values, exists), axon_delays=delays if delays.any() else None)


class _Spread(torch.autograd.Function):
    """Messages (batch, steps, n) over the Gaussian around each delay (n,), and the gradients of both.

    The gradient of a delay needs the kernel's derivative only, which is one convolution; autograd computes the gradients of
    every tap of the kernel first, which takes two to four times as long.
    """

    @staticmethod
    def forward(ctx: Any, messages: Tensor, delays: Tensor, longest: int, sigma: float) -> Tensor:
        far = torch.arange(longest + 1, dtype=messages.dtype, device=messages.device) - delays.detach()[:, None]
        bell = torch.exp(-(far**2) / (2 * sigma**2))
        kernel = bell / bell.sum(1, keepdim=True)
        slope = kernel * (far - (kernel * far).sum(1, keepdim=True)) / sigma**2  # of the kernel over the delay
        ctx.save_for_backward(messages, kernel, slope)
        return _convolved(messages, kernel)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        messages, kernel, slope = ctx.saved_tensors
        to_messages = _convolved(gradient.flip(1), kernel).flip(1) if ctx.needs_input_grad[0] else None
        to_delays = (gradient * _convolved(messages, slope)).sum((0, 1)) if ctx.needs_input_grad[1] else None
        return to_messages, to_delays, None, None


def _convolved(messages: Tensor, kernel: Tensor) -> Tensor:
    """Return the sum over delays k of kernel (n, k) times the messages (batch, steps, n) of k steps ago."""
    padded = functional.pad(messages.transpose(1, 2), (kernel.shape[1] - 1, 0))
    backwards = kernel.flip(1)[:, None]  # conv1d is a correlation, which looks forwards
    return functional.conv1d(padded, backwards, groups=len(kernel)).transpose(1, 2)


def can_learn(c: Connection, on_a_loop: bool) -> bool:
    """Return whether the delays of a connection can train: it has weights that do and sums that add up, no delays of synapses,
    and is on no loop.
    """
    return trains(c) and c.op.linear and c.op.synapses.delays is None and not on_a_loop
