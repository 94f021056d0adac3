"""RigL: now and then the weights closest to 0 are replaced by those with the strongest gradient.

Evci, Gale, Menick, Castro, Elsen, "Rigging the lottery: making all tickets winners", ICML 2020, arXiv 1911.11134, algorithm 1
and section 3. Every layer has a fixed number of synapses. Every 100 steps, until 3/4 of the training, a part

    f(t) = alpha / 2 * (1 + cos(t pi / t_end))

of those of a layer, of smallest magnitude, is dropped, and as many grow where the gradient's magnitude is largest among the
places that have none. They start at 0, and that step of the optimizer is left out.

Here t_end is the end of the rewiring (``rewire``), and there are at most 100 steps between two exchanges, so that short
trainings rewire, too. A synapse that was dropped and would be the first to grow stays as it was. The first synapses are the
largest weights, which in a network that was not trained are random, as in the publication.
"""

import math

import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.exchange import Exchange, ExchangingOptimizer
from snnc.training.pruning.quota import highest

ALPHA = 0.3  # of a layer's synapses: what the first exchange replaces (the publication's value)


class RigL(ExchangingOptimizer):
    """RigL on Adam."""

    @property
    def _replaces_step(self) -> bool:
        return True

    def _exchanged(self, p: Parameter) -> Exchange | None:
        mask, done = self.state[p]["mask"], self.param_groups[0]["step"] / self._rewiring_steps
        existing = int(mask.sum())
        number = min(math.floor(ALPHA / 2 * (1 + math.cos(math.pi * min(1.0, done))) * existing), p.numel() - existing)
        if number <= 0 or p.grad is None:
            return None
        (stays,) = highest([p.detach().abs().masked_fill(mask == 0, -1.0)], existing - number)
        (grows,) = highest([p.grad.abs().masked_fill(stays > 0, -1.0)], number)
        return Exchange(stays + grows, grows * (1 - mask))

    def _birth(self, p: Parameter) -> Tensor:
        return torch.zeros_like(p)


METHOD = RigL
