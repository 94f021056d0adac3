"""CH3-L3: now and then weak synapses are replaced where the pattern of synapses alone predicts new ones.

Hua et al., "Cannistraci-Hebb training on ultra-sparse spiking neural networks" (CH-SNN), ICLR 2026, arXiv 2511.05581. A
layer is a graph with two sides, its inputs and its neurons. A part zeta of its links is removed: those that stay are drawn
with a probability proportional to

    |w_ij| / (1 + sum_i |w_ij|) + |w_ij| / (1 + sum_j |w_ij|)

and as many new ones are drawn among the pairs u, v that are not linked, with a probability proportional to

    CH3-L3(u, v) = sum over all paths u - a - b - v of 1 / sqrt((1 + e(a)) * (1 + e(b)))

where e(a) counts the links of ``a`` that leave the local community: neither to u or v, nor to a node that is between u and v
on such a path. No gradient takes part. The rule is that of Muscoloni et al., "Adaptive network automata modelling of complex
networks", preprint 202012.0808; Zhang et al., "Epitopological learning and Cannistraci-Hebb network shape intelligence
brain-inspired theory for ultra-sparse advantage in deep learning", ICLR 2024, trained networks by it first. Of CH-SNN's paper
a detailed summary was at hand, and the code of the ICLR 2024 one.

How it is read here: zeta falls from 0.3 by half a cosine to 0 at the end of the rewiring, as in that code; new links weigh 0,
and one that is removed and drawn again stays as it was; where fewer pairs have a path than links are to grow, the others are
random. The rows of a convolution's graph are its output channels, the columns the places of its kernel in each input channel.
Left out: the first topology from correlations, which needs samples (the first synapses are the largest weights, and layers
get as many as with SET), the first weights (networks are trained before they are pruned), and the removal of neurons that have
lost all links of one side (`snnc simplify` takes them).

An exchange takes a time that grows with links times rows times columns of a layer.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter

from snnc.training.kernels.fire import kernels
from snnc.training.kernels.team import split
from snnc.training.pruning.exchange import Exchange, ExchangingOptimizer
from snnc.training.pruning.quota import highest

ZETA = 0.3  # of a layer's links: what the first exchange removes (the value of the authors' code)
FAINTEST = 1e-9  # of the largest score: the weight in the draw of a pair that no path leads to


class CH3L3(ExchangingOptimizer):
    """Regrowth by the Cannistraci-Hebb rule on paths of length three, on Adam."""

    def _exchanged(self, p: Parameter) -> Exchange | None:
        mask, done = self.state[p]["mask"], min(1.0, self.param_groups[0]["step"] / self._rewiring_steps)
        number = math.floor(ZETA / 2 * (1 + math.cos(math.pi * done)) * int(mask.sum()))
        if number == 0:
            return None
        stays = self._drawn(p, removal_score(p.detach()), mask, int(mask.sum()) - number, draw=0)
        scores = ch3_l3(stays.flatten(1) > 0).view_as(mask)
        grows = self._drawn(p, scores, 1 - stays, number, draw=1)
        return Exchange(stays + grows, grows * (1 - mask))

    def _drawn(self, p: Parameter, scores: Tensor, among: Tensor, number: int, draw: int) -> Tensor:
        """Draw places without replacement, each time with a probability proportional to its score: those of largest
        log(u) / score, for u evenly between 0 and 1 (Efraimidis, Spirakis, "Weighted random sampling with a reservoir", 2006).
        """
        lots = self._random((1 + draw) * len(self.pruned) + self._place(p)).random(tuple(p.shape))
        weights = scores.double() + max(FAINTEST * float(scores.max()), 1e-300)
        keys = torch.from_numpy(np.log1p(-lots)).to(weights) / weights
        (drawn,) = highest([keys.masked_fill(among == 0, -math.inf)], number)
        return drawn.to(among)

    def _birth(self, p: Parameter) -> Tensor:
        return torch.zeros_like(p)


def removal_score(weight: Tensor) -> Tensor:
    """Return the score with which links stay: strength against that of all links of the same neuron, on both sides."""
    size = weight.abs().flatten(1)
    score: Tensor = size / (1 + size.sum(0, keepdim=True)) + size / (1 + size.sum(1, keepdim=True))
    return score.view_as(weight)


def ch3_l3(links: Tensor) -> Tensor:
    """Return the score of each pair that is not linked, 0 for linked ones: float64, of the shape of ``links``, (rows, columns).

    With two sides, a path u - a - b - v goes from a row u over a column a and a row b to a column v. So a's neighbours inside the
    community are the rows that are linked to v as well, and 1 + e(a) counts those that are not.
    """
    graph = links.to(torch.float64)
    outside_row = graph.sum(1)[:, None] - graph @ graph.T  # (b, u): columns of b that u has no link to
    outside_column = graph.sum(0)[:, None] - graph.T @ graph  # (a, v): rows of a that v has no link to
    by_row, by_column = (torch.where(n > 0, n, torch.inf).rsqrt() for n in (outside_row, outside_column))
    compiled = kernels() is not None and links.device.type == "cpu"
    scores = (_by_loops if compiled else _by_products)(graph, by_row, by_column)
    return scores.masked_fill(links, 0.0)


def _by_loops(graph: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    scores = torch.zeros_like(graph)
    sides = [_neighbours(side) for side in (graph, graph.T)]
    arrays = (*sides[0], *sides[1], by_row.numpy(), by_column.numpy(), scores.numpy())
    split(kernels().three_paths, len(graph), graph.numel(), *arrays)
    return scores


def _neighbours(graph: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each row's neighbours start, (rows + 1,), and the neighbours of all rows, (links,)."""
    starts = np.concatenate([[0], graph.sum(1).to(torch.int64).cumsum(0).numpy()])
    return starts, graph.nonzero()[:, 1].contiguous().numpy()


def _by_products(graph: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """Return the same where nothing is compiled."""
    scores = torch.zeros_like(graph)
    for u, linked in enumerate(graph > 0):
        columns = linked.nonzero().flatten()
        second = graph[:, columns] * by_row[:, u, None]
        scores[u] = (by_column[columns] * (second.T @ graph)).sum(0)
    return scores


METHOD = CH3L3
