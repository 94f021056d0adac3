"""Grad R: pruning by gradient rewiring, as an optimizer for any training loop.

Chen, Yu, Fang, Huang, Tian, "Pruning of Deep Spiking Neural Networks through Gradient Rewiring", IJCAI 2021,
arXiv 2105.04916. A weight is w = s * max(theta, 0) with a fixed sign s; theta <= 0 is a pruned synapse. The gradient of
theta is redefined as s * dL/dw for pruned synapses too, so that one that would help grows back (section 4.2). The prior on
theta pulls it down outside Adam's normaliser, whose moments are those of dL/dw.

The publication's prior is a Laplace distribution whose centre is to set the sparsity; at practical strengths that centre
lies far below every theta, and what is reached depends on strength times steps. Here (docs/grad_r.md has the measurements)

- the strength follows from feedback: every few steps the pull is set so that the connectivity meets a cubic schedule;
- the prior is at the scale of theta (the mean magnitude of the layer's weights at the start); ``reach`` gives it a longer
  tail, as a generalised double Pareto distribution has (Armagan, Dunson, Lee, "Generalized double Pareto shrinkage",
  Statistica Sinica 2013): the pull on a theta falls to 0 at ``reach`` times the largest that is to go. The default pulls all
  theta alike, as Laplace's does, which also regularises; 1.5 spares the synapses that matter at very low connectivity;
- the pull on a pruned theta is a fraction of the learning rate towards a centre close below 0, so that it does not sink to
  where no gradient brings it back from;
- then the synapses settle: exactly the number asked for is kept, and the kept weights train on.
"""

import math
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.errors import ConfigError
from snnc.training import fused_adam
from snnc.training.methods._base import FAINT, PruningOptimizer
from snnc.training.methods._budget import cut
from snnc.training.settings import Prior

REACH = 1000.0  # times the largest theta that is to go: practically a pull that is the same for all
CENTRE = -1.0  # of a layer's scale: around this pruned theta gather
PRUNED_PULL = 0.1  # of the learning rate: the most that the prior moves a pruned theta in a step


class Pull(NamedTuple):
    """What the prior moves theta by in a step: down on small theta, less on larger; towards the centre on what is pruned."""

    strength: float
    reach: float  # the theta from which on there is no pull
    weak: float
    centre: float

    def on(self, theta: Tensor) -> Tensor:
        """What is subtracted from each theta."""
        strong = self.strength * (1 - theta / self.reach).clamp(min=0)
        return torch.where(theta > 0, strong, self.weak * torch.sign(theta - self.centre))


class GradR(PruningOptimizer):
    """Grad R on Adam. ``prior="paper"`` takes the publication's prior with strength ``alpha``: it never settles and does not
    reach the connectivity. Raises ConfigError for a connectivity for which that prior has no centre.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("prior", "alpha", "reach")

    def __init__(self, *args: Any, prior: Prior = "schedule", alpha: float = 1e-3, reach: float = REACH, **common: Any) -> None:
        self._prior, self._alpha, self._reach = prior, alpha, reach
        super().__init__(*args, **common)

    @property
    def _settles(self) -> bool:
        return self._prior == "schedule"

    def _check(self) -> None:
        super()._check()
        for budget in self._budgets:
            if self._prior == "paper" and (budget.connectivity > 0.5 or self._alpha <= 0):
                raise ConfigError(
                    f"the paper's prior has no centre for connectivity {budget.connectivity:g} and alpha {self._alpha:g}",
                    fix="use a connectivity up to 0.5 and an alpha above 0, or prior='schedule'",
                )

    def _begin(self) -> None:
        for group in self.param_groups:
            group["reach"] = math.inf

    def _exists(self, p: Tensor) -> Tensor:
        found: Tensor = self.state[p]["theta"] > 0
        return found

    def _score(self, p: Tensor) -> Tensor:
        """Theta in units of its layer."""
        score: Tensor = self.state[p]["theta"] / self.state[p]["scale"]
        return score

    def _steer(self, done: float) -> None:
        """The pull that brings as many theta below 0 as the schedule wants by the next time.

        A theta of q scales, pulled by strength * (1 - theta / (reach * q)), takes reach * q / strength *
        ln(reach / (reach - 1)) steps to 0.
        """
        if self._prior == "paper":
            return
        for budget in self._budgets:
            farthest = max(0.0, cut([self._score(p) for p in budget.params], budget.scheduled(done)))
            for group in self.param_groups:
                if group["budget"] == budget.number:
                    group["reach"] = self._reach * farthest
                    group["pull"] = group["reach"] * math.log(self._reach / (self._reach - 1)) / self._look_steps

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        """The redefined gradient moves every theta, the pruned ones too, and the prior pulls it towards its centre."""
        state = self.state[p]
        theta, sign, pull = state["theta"], state["sign"], self._pull(group, float(state["scale"]))
        if fused_adam.applies(p):
            alive = fused_adam.rewire(p, state, group, pull)
        else:
            down = pull.on(theta)
            theta.sub_(sign * self._adam(p, group)).sub_(down)
            p.copy_(sign * theta.clamp(min=0))
            alive = bool((theta > 0).any())
        if not alive:
            theta.view(-1)[theta.argmax()] = FAINT * state["scale"]
            p.copy_(sign * theta.clamp(min=0))

    def _pull(self, group: dict[str, Any], scale: float) -> Pull:
        """The paper's Laplace prior, with centre ln(2 - 2 * sparsity) / alpha; or ours, at the scale of theta."""
        if self._prior == "paper":
            strength = group["lr"] * self._alpha
            return Pull(strength, math.inf, strength, math.log(2 * group["connectivity"]) / self._alpha)
        strength = group["pull"] * scale
        reach = group["reach"] * scale if strength > 0 else math.inf
        return Pull(strength, reach, min(strength, PRUNED_PULL * group["lr"]), CENTRE * scale)


METHOD = GradR
