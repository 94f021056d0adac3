"""LAMP: gradual pruning by magnitude, in units of what would be left of the layer.

Lee, Park, Mo, Ahn, Shin, "Layer-adaptive sparsity for the magnitude-based pruning", ICLR 2021, arXiv 2010.07611, equation 4.
The score of a weight is its square over the sum of the squares of all weights of its layer that are not smaller,

    score(w) = w^2 / sum(v^2 for v in the layer with |v| >= |w|),

and the weights with the lowest scores of all layers go. The largest weight of a layer scores 1, so no layer is emptied. Of equal
weights the later one counts as the larger.

The publication prunes a fifth of the weights in each of several rounds and trains after each. Here the number follows the cubic
of gradual magnitude pruning (`magnitude`), and the scores are those of the weights that still exist. With a connectivity for
each layer the two methods are the same.
"""

from torch import Tensor

from snnc.training.pruning.masked import GradualOptimizer


class LAMP(GradualOptimizer):
    """LAMP on Adam; nothing grows back."""

    def _score(self, p: Tensor) -> Tensor:
        return lamp(p.detach()).masked_fill(self.state[p]["mask"] == 0, -1.0)


def lamp(weights: Tensor) -> Tensor:
    """Return the score of each weight, from 0 to 1, of the weights' shape and type."""
    squares, order = weights.double().square().flatten().sort(stable=True)
    left = squares.flip(0).cumsum(0).flip(0)
    scores = squares.new_empty(len(order)).scatter_(0, order, squares / left.clamp(min=1e-300))
    return scores.view_as(weights).to(weights.dtype)


METHOD = LAMP
