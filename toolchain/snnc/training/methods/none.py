"""No pruning: the network continues to train as it is, and pruned weights stay 0. The dense row of a comparison."""

from typing import Any

from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.optimizer import PruningOptimizer


class Unpruned(PruningOptimizer):
    """Adam (Kingma, Ba, arXiv 1412.6980) that keeps every synapse that it finds, whatever connectivity is requested."""

    def _check(self) -> None:
        """Accept any connectivity."""

    def _begin(self) -> None:
        for group in self.param_groups:
            group["settled"] = True

    def _exists(self, p: Tensor) -> Tensor:
        mask: Tensor = self.state[p]["mask"] > 0
        return mask

    def _score(self, p: Tensor) -> Tensor:
        score: Tensor = self.state[p]["mask"]
        return score

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        p.sub_(self._adam(p, group))


METHOD = Unpruned
