"""Gradual magnitude pruning: every few steps the smallest weights are pruned, permanently.

Zhu, Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression", arXiv 1710.01878, section 3:
the sparsity rises as a cubic, and a masked weight is not trained. The publication gives every layer the same sparsity; here
the layers of a budget compete by magnitude in units of their scale. The publication's rule is a connectivity for each layer.
"""

from snnc.training.pruning.masked import MaskedOptimizer
from snnc.training.pruning.quota import highest


class Magnitude(MaskedOptimizer):
    """Gradual magnitude pruning on Adam; nothing grows back."""

    def _steer(self, done: float) -> None:
        for budget in self._budgets:
            masks = highest([self._score(p) for p in budget.params], budget.scheduled(done))
            for p, mask in zip(budget.params, masks, strict=True):
                self.state[p]["mask"].mul_(mask)
                p.mul_(self.state[p]["mask"])


METHOD = Magnitude
