"""Grad R: pruning by gradient rewiring, as an optimizer for any training loop.

Chen, Yu, Fang, Huang, Tian, "Pruning of Deep Spiking Neural Networks through Gradient Rewiring", IJCAI 2021,
arXiv 2105.04916. A weight is w = s * max(theta, 0) with a fixed sign s; theta <= 0 is a pruned synapse. The gradient of
theta is redefined as s * dL/dw for pruned synapses too, so that one that would help grows back (section 4.2). The prior on
theta pulls it down outside Adam's normaliser, whose moments are those of dL/dw.

The publication's prior is a Laplace distribution whose centre is to set the sparsity; at practical strengths that centre
lies far below every theta, and what is reached depends on strength times steps. Here the prior has the width of the layer's
weights (1 / alpha is their mean magnitude at the start), so that pruned theta gather around its centre, from where they can
return; and its strength follows from feedback: every few steps the pull is set so that the connectivity meets a cubic
schedule (Zhu, Gupta, "To prune, or not to prune", arXiv 1710.01878). Then the synapses settle: exactly the number asked for
is kept, the rest is 0 for good, and the kept weights go on training.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.errors import ConfigError
from snnc.training import fused_adam
from snnc.training.settings import Prior

NEAREST_CENTRE = -1.0  # of a layer's scale: above a connectivity of a half the centre would be at or above 0
FAINT = 1e-6  # of a layer's scale: the weight of a synapse that is kept although theta says otherwise
CONTROLS = 50  # times at least that the pull is set during rewiring
LONGEST_CONTROL = 20  # steps


@dataclass(frozen=True)
class Change:
    """Synapses of a layer: how many exist, and how many came and went since the last look."""

    existing: int
    pruned: int
    regrown: int


class GradR(torch.optim.Optimizer):
    """Adam, with gradient rewiring for the parameter groups marked ``"prune": True``.

    ``connectivity`` is the part of their weights to keep, ``steps`` the number of optimizer steps to come, ``rewire`` the
    part of these after which the synapses settle. It counts over all layers together; each layer keeps one synapse at
    least. ``prior="paper"`` takes the publication's prior with strength ``alpha``: it never settles and does not reach the
    connectivity. Theta, signs and masks are state: they are in ``state_dict``. Raises ConfigError for a connectivity that
    cannot be.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        *,
        connectivity: float,
        steps: int,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        prior: Prior = "schedule",
        alpha: float = 1e-3,
        rewire: float = 0.75,
        seed: int = 0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "prune": False, "step": 0, "pull": 0.0, "settled": False}
        super().__init__(params, defaults)
        self._connectivity, self._prior, self._alpha = connectivity, prior, alpha
        self._rewiring_steps = max(1, math.floor(rewire * steps))
        self._control_steps = max(1, min(LONGEST_CONTROL, self._rewiring_steps // CONTROLS))
        self._split(torch.Generator().manual_seed(seed))
        self._total = sum(p.numel() for p in self.pruned)
        self._check()
        self._start = sum(int(self.exists(p).sum()) for p in self.pruned) / self._total

    @property
    def pruned(self) -> list[Parameter]:
        """The weights that are pruned, in the order of the groups."""
        return [p for group in self.param_groups if group["prune"] for p in group["params"]]

    @property
    def settled(self) -> bool:
        """Whether the synapses are final."""
        return bool(self.param_groups[0]["settled"])

    @property
    def target(self) -> int:
        """The number of weights to keep."""
        return round(self._connectivity * self._total)

    def exists(self, p: Tensor) -> Tensor:
        """Which synapses of a pruned weight exist: bool, of its shape."""
        found: Tensor = self.state[p]["mask" if self.settled else "theta"] > 0
        return found

    def changes(self) -> list[Change]:
        """For each pruned weight what changed since the last call."""
        found = []
        for p in self.pruned:
            now, before = self.exists(p), self.state[p]["before"] > 0
            self.state[p]["before"] = now.to(p.dtype)
            found.append(Change(int(now.sum()), int((before & ~now).sum()), int((now & ~before).sum())))
        return found

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of Adam; pruned weights are rewired until they settle."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._control()
        for group in self.param_groups:
            group["step"] += 1
            for p in (p for p in group["params"] if p.grad is not None):
                self._move(p, group)
        if self._prior == "schedule" and self.param_groups[0]["step"] == self._rewiring_steps:
            self.settle()
        return loss

    @torch.no_grad()
    def settle(self) -> None:
        """Keep exactly the number of synapses asked for, those of largest theta; the others are 0 from now on.

        Of equals the first is kept. Called by `step` when its time has come; harmless afterwards.
        """
        if self.settled:
            return
        scores = [self._score(p).flatten() for p in self.pruned]
        for score in scores:
            score[score.argmax()] = math.inf
        kept = torch.sort(torch.cat(scores), descending=True, stable=True).indices[: self.target]
        chosen = torch.zeros(self._total, device=kept.device).index_fill_(0, kept, 1.0)
        for p, mask in zip(self.pruned, torch.split(chosen, [p.numel() for p in self.pruned]), strict=True):
            self._keep(p, mask.view_as(p).to(p))
        for group in self.param_groups:
            group["settled"], group["pull"] = True, 0.0

    def _keep(self, p: Parameter, mask: Tensor) -> None:
        state = self.state[p]
        state["mask"] = mask
        p.copy_(state["sign"] * state["theta"].clamp(min=FAINT * float(state["scale"])) * mask)

    def _split(self, generator: torch.Generator) -> None:
        """Weights into signs and theta. Weights that are 0 get a random sign."""
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p].update(exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
        for p in self.pruned:
            weight = p.detach()
            coin = torch.randint(0, 2, weight.shape, generator=generator).to(weight) * 2 - 1
            exists = weight != 0
            scale = weight.abs().sum() / exists.sum().clamp(min=1)
            self.state[p].update(
                theta=weight.abs(),
                sign=torch.where(exists, weight.sign(), coin),
                before=exists.to(weight),
                mask=exists.to(weight),
                scale=scale,
            )

    def _check(self) -> None:
        if not self.pruned:
            raise ConfigError("GradR has nothing to prune", fix='mark a parameter group with "prune": True')
        if not 0 < self._connectivity <= 1:
            raise ConfigError(f"a connectivity of {self._connectivity:g} cannot be", fix="use more than 0 and at most 1")
        if self._prior == "paper" and (self._connectivity > 0.5 or self._alpha <= 0):
            raise ConfigError(
                f"the paper's prior has no centre for connectivity {self._connectivity:g} and alpha {self._alpha:g}",
                fix="use a connectivity up to 0.5 and an alpha above 0, or prior='schedule'",
            )
        if self.target < len(self.pruned):
            raise ConfigError(
                f"a connectivity of {self._connectivity:g} keeps {self.target} of {self._total} weights, "
                f"fewer than the {len(self.pruned)} layers",
                fix=f"use {len(self.pruned) / self._total:.2g} or more",
            )
        if empty := sum(not self.exists(p).any() for p in self.pruned):
            raise ConfigError(f"{empty} layers have no weight other than 0", fix="start from a network that has synapses")

    def _move(self, p: Parameter, group: dict[str, Any]) -> None:
        """The mask comes last: the moments of a weight that is gone would bring it back."""
        if not group["prune"]:
            p.sub_(self._adam(p, group))
        elif group["settled"] and fused_adam.applies(p):
            fused_adam.masked(p, self.state[p], group)
        elif group["settled"]:
            p.sub_(self._adam(p, group)).mul_(self.state[p]["mask"])
        else:
            self._rewire(p, group)

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        """The redefined gradient moves every theta, the pruned ones too, and the prior pulls it towards its centre."""
        state = self.state[p]
        theta, sign = state["theta"], state["sign"]
        centre, strength = self._prior_of(group, state["scale"])
        if fused_adam.applies(p):
            alive = fused_adam.rewire(p, state, group, float(centre), float(strength))
        else:
            pull = strength * torch.sign(theta - centre)
            theta.sub_(sign * self._adam(p, group)).sub_(pull)
            p.copy_(sign * theta.clamp(min=0))
            alive = bool((theta > 0).any())
        if not alive:
            theta.view(-1)[theta.argmax()] = FAINT * state["scale"]
            p.copy_(sign * theta.clamp(min=0))

    def _prior_of(self, group: dict[str, Any], scale: Tensor) -> tuple[Any, Any]:
        """Centre of the Laplace prior, ln(2 - 2 * sparsity) / alpha, and what it moves theta by in a step."""
        centre = math.log(2 * self._connectivity)
        if self._prior == "paper":
            return centre / self._alpha, group["lr"] * self._alpha
        return min(centre, NEAREST_CENTRE) * scale, group["pull"] * scale

    def _adam(self, p: Parameter, group: dict[str, Any]) -> Tensor:
        """What Adam subtracts (Kingma, Ba, arXiv 1412.6980)."""
        state, gradient = self.state[p], p.grad
        fast, slow = group["betas"]
        mean = state["exp_avg"].mul_(fast).add_(gradient, alpha=1 - fast)
        square = state["exp_avg_sq"].mul_(slow).addcmul_(gradient, gradient, value=1 - slow)
        norm = (square / (1 - slow ** group["step"])).sqrt_().add_(group["eps"])
        step: Tensor = mean / norm * (group["lr"] / (1 - fast ** group["step"]))
        return step

    def _score(self, p: Parameter) -> Tensor:
        """Theta in units of its layer: by this, layers compete for synapses."""
        state = self.state[p]
        score: Tensor = state["theta"] / state["scale"]
        return score

    def _control(self) -> None:
        """Every few steps: the pull that brings as many theta below 0 as the schedule wants by the next time."""
        step = self.param_groups[0]["step"]
        if self.settled or self._prior == "paper" or step % self._control_steps:
            return
        kept = round(self._scheduled(step + self._control_steps) * self._total)
        pull = 0.0
        if kept < self._total:
            scores = torch.cat([self._score(p).flatten() for p in self.pruned])
            pull = max(0.0, float(scores.kthvalue(self._total - kept).values)) / self._control_steps
        for group in self.param_groups:
            group["pull"] = pull

    def _scheduled(self, step: int) -> float:
        """The connectivity wanted after ``step`` steps: it falls steeply first, then gently."""
        left = max(0.0, 1 - step / self._rewiring_steps)
        return self._connectivity + (self._start - self._connectivity) * left**3
