"""Soft Deep R: dormant synapses walk at random until they cross 0 and are there again; their number is not fixed.

Bellec, Kappel, Maass, Legenstein, "Deep Rewiring: training very sparse deep networks", ICLR 2018, arXiv 1711.05136, section 4
and algorithm 2. Active synapses (theta >= 0) move as in Deep R. A dormant one feels the noise only,

    theta <- max(theta + sqrt(2 eta T) nu, theta_min)

and is active again with theta >= 0. Without a gradient, theta is spread evenly between theta_min and 0 and falls off as
exp(-alpha theta / T) above, so that theta_min = -(T / alpha) (1 - p) / p makes a part p of the synapses active. With one the
count drifts away from that, so it is made exact at the end: those of largest theta are kept.
"""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.optimizer import FAINT, PruningOptimizer
from snnc.training.pruning.quota import highest


class SoftDeepR(PruningOptimizer):
    """Soft Deep R on Adam. ``alpha`` is the L1 pull, ``temperature`` the T of the noise."""

    OPTIONS: ClassVar[tuple[str, ...]] = ("alpha", "temperature")

    def __init__(self, *args: Any, alpha: float = 1e-4, temperature: float = 1e-9, **common: Any) -> None:
        self._alpha, self._temperature = alpha, temperature
        super().__init__(*args, **common)

    def _begin(self) -> None:
        """Make the largest weights active and the others dormant, at random places below 0."""
        for budget in self._budgets:
            lowest = -(self._temperature / self._alpha) * (1 - budget.connectivity) / budget.connectivity
            masks = highest([self.state[p]["theta"] / self.state[p]["scale"] for p in budget.params], budget.target)
            for i, (p, mask) in enumerate(zip(budget.params, masks, strict=True)):
                depth = torch.from_numpy(self._random(i).random(tuple(p.shape))).to(p)
                state = self.state[p]
                state["lowest"] = torch.tensor(lowest).to(p)
                state["theta"].copy_(torch.where(mask > 0, state["theta"], lowest * depth.clamp(min=FAINT)))
                p.copy_(state["sign"] * state["theta"].clamp(min=0))

    def _exists(self, p: Tensor) -> Tensor:
        mask: Tensor = self.state[p]["theta"] >= 0
        return mask

    def _score(self, p: Tensor) -> Tensor:
        score: Tensor = self.state[p]["theta"] / self.state[p]["scale"]
        return score

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        state = self.state[p]
        theta, active = state["theta"], self._exists(p).to(p)
        step = self._adam(p, group, active)
        theta.sub_(active * (state["sign"] * step + group["lr"] * self._alpha))
        theta.add_(self._noise(p, p), alpha=math.sqrt(2 * group["lr"] * self._temperature)).clamp_(min=state["lowest"])
        if not (theta >= 0).any():
            theta.view(-1)[theta.argmax()] = 0
        p.copy_(state["sign"] * theta.clamp(min=0))


METHOD = SoftDeepR
