"""Gradual magnitude pruning: every few steps the smallest weights are pruned, permanently.

Zhu, Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression", arXiv 1710.01878, section 3:
the sparsity rises as a cubic, and a masked weight is not trained. The publication gives every layer the same sparsity; here
the layers of a budget compete by magnitude in units of their scale. The publication's rule is a connectivity for each layer.
"""

from typing import Any

from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.optimizer import FAINT, PruningOptimizer
from snnc.training.pruning.quota import highest


class Magnitude(PruningOptimizer):
    """Gradual magnitude pruning on Adam; nothing grows back."""

    def _exists(self, p: Tensor) -> Tensor:
        mask: Tensor = self.state[p]["mask"] > 0
        return mask

    def _score(self, p: Tensor) -> Tensor:
        """Return the scores; masked weights come last, also if existing ones are 0."""
        state = self.state[p]
        score: Tensor = p.detach().abs() / state["scale"] + state["mask"]
        return score

    def _steer(self, done: float) -> None:
        for budget in self._budgets:
            masks = highest([self._score(p) for p in budget.params], budget.scheduled(done))
            for p, mask in zip(budget.params, masks, strict=True):
                self.state[p]["mask"].mul_(mask)
                p.mul_(self.state[p]["mask"])

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        mask = self.state[p]["mask"]
        p.sub_(self._adam(p, group, mask)).mul_(mask)

    def _kept(self, p: Parameter) -> Tensor:
        faint: Tensor = self.state[p]["sign"] * (FAINT * self.state[p]["scale"])
        return p.detach().where(p != 0, faint)


METHOD = Magnitude
