"""What the methods share whose synapses are those of a mask: only they are trained, by their own values. Torch."""

from typing import Any

from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.optimizer import FAINT, PruningOptimizer
from snnc.training.pruning.quota import Budget, highest


class MaskedOptimizer(PruningOptimizer):
    """Adam on the weights whose ``mask`` is 1; the others are 0. A method changes the masks."""

    def _exists(self, p: Tensor) -> Tensor:
        mask: Tensor = self.state[p]["mask"] > 0
        return mask

    def _score(self, p: Tensor) -> Tensor:
        """Return the scores; masked weights come last, also if existing ones are 0."""
        state = self.state[p]
        score: Tensor = p.detach().abs() / state["scale"] + state["mask"]
        return score

    def _keep_highest(self, budget: Budget, kept: int) -> None:
        """Take from the masks of a budget all but the ``kept`` weights with the highest scores."""
        for p, mask in zip(budget.params, highest([self._score(p) for p in budget.params], kept), strict=True):
            self.state[p]["mask"].mul_(mask)

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        mask = self.state[p]["mask"]
        p.sub_(self._adam(p, group, mask)).mul_(mask)

    def _kept(self, p: Parameter) -> Tensor:
        faint: Tensor = self.state[p]["sign"] * (FAINT * self.state[p]["scale"])
        return p.detach().where(p != 0, faint)


class GradualOptimizer(MaskedOptimizer):
    """Adam on ever fewer weights: those with the highest scores stay, as many as the cubic of the budget says."""

    def _steer(self, done: float) -> None:
        for budget in self._budgets:
            self._keep_highest(budget, budget.scheduled(done))
            for p in budget.params:
                p.mul_(self.state[p]["mask"])
