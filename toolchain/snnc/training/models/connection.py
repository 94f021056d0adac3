"""A connection in torch: weights that train, and the delays after which weighted messages arrive."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnc.network.model import Connection
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d
from snnc.training.models.operators import weigh

Arrivals = list[tuple[int, Callable[[Tensor], Tensor]]]  # (delay in steps, (..., n_src) messages -> (..., n_dst) currents)


class TorchConnection(nn.Module):
    """A connection whose weights a subclass holds; its operator, ends and delays are those of the network.

    Messages that arrive over different delays are weighed on their own, as `snnc.network.delays` has it.
    """

    def __init__(self, c: Connection) -> None:
        super().__init__()
        self.connection = c
        self._parts: list[tuple[int, str | None]] = [(c.delay_steps, None)]  # delay, name of a mask
        if c.delays is not None:
            values, table = np.unique(c.delays), _table(c)
            self._parts = [(c.delay_steps + int(d), f"part{i}") for i, d in enumerate(values)]
            for i, d in enumerate(values):
                self.register_buffer(f"part{i}", torch.from_numpy(table == d), persistent=False)

    @abstractmethod
    def weights(self) -> Tensor:
        """Return the current weights, of the shape of the operator's synapses, 0 where there is no synapse."""

    def weigh(self, weights: Tensor, messages: Tensor) -> Tensor:
        """Map (..., n_src) messages to (..., n_dst) currents."""
        return weigh(self.connection.op, weights, messages)

    def arrivals(self) -> Arrivals:
        """Return one entry for each delay that occurs, with the current weights."""
        weights = self.weights()
        return [(delay, self._part(weights, mask)) for delay, mask in self._parts]

    def matrix(self) -> Tensor | None:
        """Return the weights (n_dst, n_src) if the connection is their product with messages, after one delay; else None."""
        dense = isinstance(self.connection.op, Dense) and self.connection.op.pool is None and self.connection.delays is None
        return self.weights() if dense else None

    def _part(self, weights: Tensor, mask: str | None) -> Callable[[Tensor], Tensor]:
        if mask is None:
            return lambda messages: self.weigh(weights, messages)
        part = self.get_buffer(mask)
        if self.connection.axon_delays is not None:
            return lambda messages: self.weigh(weights, messages * part)
        return lambda messages: self.weigh(weights * part, messages)

    def forward(self, messages: Tensor, steps: int) -> Tensor:
        """Map (batch, steps, n_src) messages to (batch, steps, n_dst) currents, or to one step if all steps are the same."""
        if messages.shape[1] == 1 and max(delay for delay, _ in self._parts):
            messages = messages.expand(-1, steps, -1)
        arrived = [late(part(messages), delay) for delay, part in self.arrivals()]
        return arrived[0] if len(arrived) == 1 else torch.stack(arrived).sum(0)

    def with_values(self, values: NDArray[Any], exists: NDArray[np.bool_] | None = None) -> Connection:
        """Return the connection with these weights, of the shape of its synapses; ``exists``: other synapses than it has."""
        c, old = self.connection, self.connection.op.synapses
        made = Synapses.from_dense(values, old.mask() if exists is None else exists)
        delays = None if old.delays is None else _table(c)[made.rows, made.indices]
        return replace(c, op=replace(c.op, synapses=replace(made, delays=delays)))


def late(currents: Tensor, delay: int) -> Tensor:
    """Return (batch, steps, n) currents that arrive ``delay`` steps later; what would arrive behind the end is lost."""
    if not delay:
        return currents
    arriving = currents[:, : max(currents.shape[1] - delay, 0)]
    return torch.cat([torch.zeros_like(currents[:, : currents.shape[1] - arriving.shape[1]]), arriving], 1)


def moved(messages: Tensor, delays: Tensor) -> Tensor:
    """Return messages (batch, steps, n), each after the whole steps of its delay (n,)."""
    at = torch.arange(messages.shape[1], device=messages.device)[:, None] - delays
    arrived = torch.gather(messages, 1, at.clamp(min=0).expand(len(messages), -1, -1))
    return arrived * (at >= 0)


def _table(c: Connection) -> NDArray[np.int32]:
    """Return the delays of axons, (n_src,), or of all places for synapses; a place without a synapse has the shortest delay
    there is.
    """
    if c.axon_delays is not None:
        return c.axon_delays
    s = c.op.synapses
    assert s.delays is not None  # noqa: S101 - for the type checker; callers ask for connections with delays
    table = np.full(s.shape, s.delays.min(initial=1 << 16), np.int32)
    table[s.rows, s.indices] = s.delays
    return table


def trains(c: Connection) -> bool:
    """Return whether the weights of a connection are trained and pruned: all but the one of a pool, which stays as it is."""
    return not isinstance(c.op, SumPool2d)


class FloatConnection(TorchConnection):
    """Float weights: every place has one, also without a synapse, so that a pruning method may grow one there.

    ``unit`` is what a message of 1 stands for in training.
    """

    mask: Tensor
    axons: Tensor | None  # delays of axons (n_src,), where all of them arrive by one sum

    def __init__(self, c: Connection, unit: float, dtype: torch.dtype) -> None:
        super().__init__(c)
        self.unit = unit
        self.weight = nn.Parameter(torch.from_numpy(c.op.synapses.to_dense() / unit).to(dtype), trains(c))
        self.register_buffer("mask", torch.from_numpy(c.op.synapses.mask()), persistent=False)
        late_axons = c.axon_delays if c.op.linear else None
        self.register_buffer("axons", None if late_axons is None else torch.from_numpy(late_axons.astype(np.int64)), False)

    def weights(self) -> Tensor:
        return self.weight

    def forward(self, messages: Tensor, steps: int) -> Tensor:
        """Map messages to currents as every connection does; where only axons have delays, by one product for all of them."""
        if self.axons is None:
            return super().forward(messages, steps)
        arriving = moved(messages.expand(-1, steps, -1), self.axons)
        return late(self.weigh(self.weights(), arriving), self.connection.delay_steps)

    def trained(self, exists: Tensor | None = None) -> Connection:
        """Return the connection with the current weights; ``exists``: which synapses there are (default: those of before)."""
        values = self.weight.detach().cpu().numpy().astype(np.float64) * self.unit
        return self.with_values(values, None if exists is None else exists.detach().cpu().numpy().astype(np.bool_))
