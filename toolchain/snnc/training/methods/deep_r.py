"""Deep R: exactly as many synapses as asked for from the first step on; one that goes is replaced by a random other.

Bellec, Kappel, Maass, Legenstein, "Deep Rewiring: training very sparse deep networks", ICLR 2018, arXiv 1711.05136,
algorithm 1. A weight is w = s * theta with a fixed sign s while theta >= 0. An active synapse moves by the gradient, by an L1
pull of strength alpha, and by Gaussian noise:

    theta <- theta - eta dE/dtheta - eta alpha + sqrt(2 eta T) nu

One whose theta falls below 0 turns dormant, and a random dormant one is activated with theta = 0, so that the count stays.
The gradient step is Adam's here, as for all methods (the publication, section 3, combines it with other optimizers, too).
The publication starts from random synapses; here the largest weights are the first active ones, which in a network that was
not trained are as random.
"""

import math
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.optimizer import PruningOptimizer
from snnc.training.pruning.quota import Budget, highest


class DeepR(PruningOptimizer):
    """Deep R on Adam. ``alpha`` is the L1 pull, ``temperature`` the T of the noise."""

    OPTIONS: ClassVar[tuple[str, ...]] = ("alpha", "temperature")

    def __init__(self, *args: Any, alpha: float = 1e-4, temperature: float = 1e-9, **common: Any) -> None:
        self._alpha, self._temperature = alpha, temperature
        super().__init__(*args, **common)

    def _begin(self) -> None:
        """Make all but the largest weights dormant."""
        for budget in self._budgets:
            masks = highest([self._score(p) for p in budget.params], budget.target)
            for p, mask in zip(budget.params, masks, strict=True):
                self._activate(p, mask)

    def _exists(self, p: Tensor) -> Tensor:
        mask: Tensor = self.state[p]["mask"] > 0
        return mask

    def _score(self, p: Tensor) -> Tensor:
        """Return the scores; dormant synapses come last."""
        state = self.state[p]
        score: Tensor = state["theta"] / state["scale"] + state["mask"]
        return score

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        state = self.state[p]
        step = self._adam(p, group, state["mask"])
        at = _places(state["mask"])
        theta, sign = state["theta"].view(-1), state["sign"].view(-1)[at]
        moved = theta[at] - sign * step.view(-1)[at] - group["lr"] * self._alpha
        moved += math.sqrt(2 * group["lr"] * self._temperature) * self._noise(p, moved)
        stays = moved >= 0
        theta[at] = moved * stays  # NaN passes, to be seen
        state["mask"].view(-1)[at] = stays.to(theta.dtype)
        p.view(-1)[at] = sign * theta[at]

    def _after(self) -> None:
        """Activate random dormant synapses for those that were pruned; first one for each layer that lost all of its own."""
        for budget in self._budgets:
            random = self._random(len(self.pruned) + budget.number)
            self._refill(budget, [self._active(p, random) for p in budget.params], random)

    def _active(self, p: Parameter, random: np.random.Generator) -> NDArray[np.int64]:
        """Return the places of the active synapses of a layer, in order; in a layer that has none, activate one."""
        places: NDArray[np.int64] = _places(self.state[p]["mask"]).cpu().numpy()
        if not len(places):
            places = random.integers(p.numel(), size=1)
            self._wake(p, places)
        return places

    def _refill(self, budget: Budget, active: list[NDArray[np.int64]], random: np.random.Generator) -> None:
        dormant = [p.numel() - len(places) for p, places in zip(budget.params, active, strict=True)]
        missing = budget.target - budget.total + sum(dormant)
        chosen = np.sort(random.choice(sum(dormant), size=missing, replace=False, shuffle=False))
        ends = np.cumsum([0, *dormant])
        for i, p in enumerate(budget.params):
            self._wake(p, _dormant(active[i], chosen[(chosen >= ends[i]) & (chosen < ends[i + 1])] - ends[i]))

    def _wake(self, p: Parameter, places: Any) -> None:
        at = torch.as_tensor(places, device=p.device)
        self.state[p]["theta"].view(-1)[at] = 0
        self.state[p]["mask"].view(-1)[at] = 1

    def _activate(self, p: Parameter, mask: Tensor) -> None:
        """Make these synapses active, and no others."""
        state = self.state[p]
        state["mask"].copy_(mask)
        state["theta"].mul_(mask)
        p.copy_(state["sign"] * state["theta"])


def _places(mask: Tensor) -> Tensor:
    """Return where a mask is not 0, in the flattened weights, in order. NumPy finds these places ten times as fast as torch."""
    return torch.from_numpy(np.flatnonzero(mask.flatten().cpu().numpy() != 0)).to(mask.device)


def _dormant(active: NDArray[np.int64], ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the dormant synapses of these ranks without listing all, from the active ones before each."""
    dormant: NDArray[np.int64] = ranks + np.searchsorted(active - np.arange(len(active)), ranks, side="right")
    return dormant


METHOD = DeepR
