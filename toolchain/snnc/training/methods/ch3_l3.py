"""CH3-L3: now and then the weights closest to 0 are replaced where the pattern of synapses alone predicts new ones.

Zhang, Zhao, Wu, Muscoloni, Cannistraci, "Epitopological learning and Cannistraci-Hebb network shape intelligence
brain-inspired theory for ultra-sparse advantage in deep learning", ICLR 2024 (the training); Muscoloni, Michieli, Zhang,
Cannistraci, "Adaptive network automata modelling of complex networks", preprint 202012.0808 (the rule). Hua et al.,
"Cannistraci-Hebb training on ultra-sparse spiking neural networks", ICLR 2026, arXiv 2511.05581, regrow synapses of spiking
networks by it.

A layer is a graph with two sides, its inputs and its neurons. A pair u, v that is not linked has the score

    CH3-L3(u, v) = sum over all paths u - a - b - v of 1 / sqrt((1 + e(a)) * (1 + e(b)))

where e(a) counts the links of ``a`` that leave the local community: neither to u or v, nor to a node that is between u and v
on such a path. A part zeta of the smallest positive weights of a layer and of the largest negative ones is removed, and as many
pairs of highest score are linked, with weight 0. A link that is removed and has one of the highest scores stays as it was.

How details are read here that the sources leave open or that an optimizer cannot see: the rows of a convolution's graph are
its output channels, the columns the places of its kernel in each input channel; where fewer pairs have a path than links
are to grow, the other places are random. The first synapses are the largest weights and layers get as many as with SET, instead
of the correlated topology, which needs samples; links into neurons without a way to the output are not removed early. The
removal is that of the ICLR 2024 training; the score by which CH-SNN removes links is not in the sources at hand.

An exchange takes a time that grows with links times rows times columns of a layer.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter

from snnc.training.kernels.fire import kernels
from snnc.training.kernels.team import split
from snnc.training.pruning.exchange import Exchange, ExchangingOptimizer, smallest_of_each_sign
from snnc.training.pruning.quota import highest

ZETA = 0.3  # of the positive and of the negative weights: what is removed at a time (the publication's value)


class CH3L3(ExchangingOptimizer):
    """Regrowth by the Cannistraci-Hebb rule on paths of length three, on Adam."""

    def _exchanged(self, p: Parameter) -> Exchange | None:
        mask = self.state[p]["mask"]
        dropped = smallest_of_each_sign(p, mask, ZETA)
        number = int(dropped.sum())
        if number == 0:
            return None
        left = mask - dropped
        scores = ch3_l3(left.flatten(1) > 0).view_as(mask)
        lots = torch.from_numpy(self._random(len(self.pruned) + self._place(p)).random(tuple(p.shape))).to(scores)
        wanted = torch.where(scores > 0, scores, lots - 1).masked_fill(left > 0, -2.0)
        (grows,) = highest([wanted], number)
        grows = grows.to(mask)
        return Exchange(left + grows, grows * (1 - mask))

    def _birth(self, p: Parameter) -> Tensor:
        return torch.zeros_like(p)


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
