"""Batch norm of the currents of a connection while it trains, and the same folded into weights and a constant afterwards.

Statistics are those of all samples and steps of a batch together (as in Zheng et al., "Going deeper with directly-trained larger
spiking neural networks", AAAI 2021, arXiv 2011.05280, without its factor of the threshold): of each channel of a convolution,
of each neuron of a dense layer. In evaluation they are running averages, which is what is folded.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnc.network.model import Connection
from snnc.ops.maxpool2d import MaxPool2d
from snnc.training.from_snntorch.layers import Scale, maps_of
from snnc.training.models.operators import window_maxima


class BatchNorm(nn.Module):
    """Batch norm of the sums that a connection makes of messages, before a max-pool takes the largest of them."""

    def __init__(self, c: Connection, dtype: torch.dtype) -> None:
        super().__init__()
        self.op = c.op
        self.sums = replace(c, op=self.op.summing) if isinstance(self.op, MaxPool2d) else c  # what is normalised
        self.channels = self.op.synapses.shape[0]
        self.norm = nn.BatchNorm1d(self.channels, dtype=dtype)

    def forward(self, sums: Tensor) -> Tensor:
        """Map (batch, steps, sums) to the currents (batch, steps, n) that neurons get."""
        normed: Tensor = self.norm(sums.reshape(-1, self.channels, sums.shape[2] // self.channels)).reshape(sums.shape)
        if isinstance(self.op, MaxPool2d):
            return window_maxima(self.op.window, normed).reshape(*sums.shape[:2], -1)
        return normed

    def folded(self, sums: Connection) -> tuple[Connection, NDArray[np.float64]]:
        """Return the connection that has the running averages in its weights, and what it adds to the currents, (n,).

        ``sums``: the connection that was normalised, with its trained weights.
        """
        maps, shift = maps_of(self.norm, (self.channels, 1), (self.channels, 1))
        synapses = sums.op.synapses
        weights = synapses.values * np.concatenate([one.factor for one in maps if isinstance(one, Scale)])[synapses.rows]
        op = replace(self.op, synapses=synapses.with_values(weights))
        return replace(sums, op=op), np.repeat(shift, self.op.n_dst // self.channels)
