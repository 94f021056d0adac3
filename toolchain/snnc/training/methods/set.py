"""SET: now and then the weights closest to 0 are replaced by random new ones.

Mocanu, Mocanu, Stone, Nguyen, Gibescu, Liotta, "Scalable training of artificial neural networks with adaptive sparse
connectivity inspired by network science", Nature Communications 9, 2018, arXiv 1707.04780, algorithm 1. Every layer has a
fixed number of synapses. After each epoch a part zeta of the smallest positive weights and the same part of the largest
negative ones is removed, and as many random new ones are added.

The publication starts from random synapses; here the largest weights are the first ones, which in a network that was not
trained are as random. It exchanges after each epoch; here that is every few steps, so that short trainings rewire, too.
"""

import math

import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.exchange import Exchange, ExchangingOptimizer
from snnc.training.pruning.quota import highest

ZETA = 0.3  # of the positive and of the negative weights: what is exchanged at a time (the publication's value)


class SET(ExchangingOptimizer):
    """SET on Adam."""

    def _exchanged(self, p: Parameter) -> Exchange | None:
        mask = self.state[p]["mask"]
        dropped = sum((_smallest(p.detach().abs(), mask * (sign * p > 0)) for sign in (1, -1)), start=torch.zeros_like(mask))
        number = int(dropped.sum())
        if number == 0 or number > p.numel() - int(mask.sum()):
            return None
        lots = torch.from_numpy(self._random(len(self.pruned) + self._place(p)).random(tuple(p.shape))).to(p.device)
        (born,) = highest([lots.masked_fill(mask > 0, -1.0)], number)
        born = born.to(mask)
        return Exchange(mask - dropped + born, born)

    def _birth(self, p: Parameter) -> Tensor:
        """Return random weights as large as those of the layer were at the start."""
        birth: Tensor = self._noise(p, p) * self.state[p]["scale"]
        return birth


def _smallest(size: Tensor, among: Tensor) -> Tensor:
    """Return a mask of the part `ZETA` of ``among`` that is smallest, rounded down."""
    number = math.floor(ZETA * int(among.sum()))
    if number == 0:
        return torch.zeros_like(among)
    (mask,) = highest([-size.masked_fill(among == 0, math.inf)], number)
    return mask


METHOD = SET
