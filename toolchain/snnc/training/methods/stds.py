"""STDS: weights are what stands out of a rising threshold; what lies below goes on learning and can come back.

Chen, Yu, Fang, Ma, Huang, Tian, "State Transition of Dendritic Spines Improves Learning of Sparse Spiking Neural Networks",
ICML 2022, section 4: w = sign(theta) * max(|theta| - d, 0), the filopodia (|theta| <= d) receive the gradient of w as the
mature spines do, and d rises over the training. The sign of a synapse can turn, through 0.

The publication raises d along a curve to a value that is chosen by hand, and the connectivity is what comes out. Here the
connectivity follows the same cubic as with the other methods: d, in units of each layer's scale, is as high as that takes, and
never falls.
"""

from typing import Any

from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.optimizer import FAINT, PruningOptimizer
from snnc.training.pruning.quota import cut


class STDS(PruningOptimizer):
    """STDS on Adam. The state "theta" is signed here, ``"threshold"`` of a group is d in units of a layer's scale."""

    def _begin(self) -> None:
        for group in self.param_groups:
            group["threshold"] = 0.0
        for p in self.pruned:
            self.state[p]["theta"].mul_(self.state[p]["sign"])

    def _exists(self, p: Tensor) -> Tensor:
        mask: Tensor = p.detach() != 0
        return mask

    def _score(self, p: Tensor) -> Tensor:
        score: Tensor = self.state[p]["theta"].abs() / self.state[p]["scale"]
        return score

    def _steer(self, done: float) -> None:
        for budget in self._budgets:
            wanted = cut([self._score(p) for p in budget.params], budget.scheduled(done))
            for group in self.param_groups:
                if group["budget"] == budget.number:
                    group["threshold"] = max(group["threshold"], wanted)

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        state = self.state[p]
        theta = state["theta"].sub_(self._adam(p, group))
        if not (theta.abs() > self._limit(p, group)).any():
            place = theta.abs().argmax()
            theta.view(-1)[place] = (1 + FAINT) * self._limit(p, group) * (1 if theta.view(-1)[place] >= 0 else -1)
        p.copy_(theta.sign() * (theta.abs() - self._limit(p, group)).clamp(min=0))

    def _limit(self, p: Parameter, group: dict[str, Any]) -> Any:
        return group["threshold"] * self.state[p]["scale"]

    def _kept(self, p: Parameter) -> Tensor:
        state = self.state[p]
        sign = state["theta"].sign().where(state["theta"] != 0, state["sign"])
        weight: Tensor = p.detach().where(p != 0, sign * (FAINT * state["scale"]))
        return weight


METHOD = STDS
