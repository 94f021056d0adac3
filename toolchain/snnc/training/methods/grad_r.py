"""Grad R: pruning by gradient rewiring, as an optimizer for any training loop.

Chen, Yu, Fang, Huang, Tian, "Pruning of Deep Spiking Neural Networks through Gradient Rewiring", IJCAI 2021,
arXiv 2105.04916. A weight is w = s * max(theta, 0) with a sign s; theta <= 0 is a pruned synapse. The gradient of
theta is redefined as s * dL/dw for pruned synapses too, so that one that would help grows back (section 4.2). The prior on
theta pulls it down outside Adam's normaliser, whose moments are those of dL/dw.

The publication's prior is a Laplace distribution whose centre is to set the sparsity; at practical strengths that centre
lies far below every theta, and what is reached depends on strength times steps. Here (docs/grad_r.md has the measurements)

- the strength follows from feedback: every few steps the pull is set so that the connectivity meets a cubic schedule;
- the pull goes through Adam's normaliser as the loss does: a theta is pulled by strength / r, where r is the root of the mean
  squared gradient that Adam keeps. So theta * r decides who goes first, which is what the loss rises by without the synapse
  (as in Theis et al., "Faster gaze prediction with dense networks and Fisher pruning", arXiv 1801.05787); synapses of
  neurons that nothing listens to have no gradient, and go at once; and layers can be compared;
- where few synapses are to stay, the pull reaches only up to ``reach`` times the largest theta * r that is to go, so that
  synapses that matter keep their weight (the slope of Zhang's minimax concave penalty, Annals of Statistics 38, 2010); where
  many are, nearly all of a layer are pulled alike, and weakly to the end, as by the publication's prior, and pruned thetas come
  back with the other sign from below their centre: else the network fits its training set too well;
- the pull on a pruned theta is a fraction of the learning rate towards a centre close below 0, so that it does not sink to
  where no gradient brings it back from;
- then the synapses settle: exactly the number asked for is kept, and the kept weights train on. A few go on changing places:
  the ones that the loss needs least for the pruned ones that its gradient asks for most (as in Evci et al., "Rigging the
  lottery", arXiv 1911.11134), fewer and fewer towards the end.
"""

import math
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.errors import ConfigError
from snnc.training.kernels import fused_adam
from snnc.training.pruning.optimizer import FAINT, PruningOptimizer
from snnc.training.pruning.quota import Budget, cut, highest
from snnc.training.settings import Prior

PRUNED_PULL = 0.1  # of the learning rate: the most that the prior moves a pruned theta in a step
RENEWED = 0.02  # of the settled synapses: the most that change places at a time
RENEW_LOOKS = 5  # looks from one time to the next
PAPER_ALPHA = 1e-3  # the publication's strength of the prior


class Shape(NamedTuple):
    """The form of the prior, by how many synapses are to stay."""

    floor: float  # of a layer's root mean squared gradient: what is added to r, so that no pull is infinite
    cap: float  # of the same: from this r on synapses count alike
    reach: float  # times the largest theta * r that is to go: up to this the prior pulls
    alpha: float  # of the learning rate: the pull on every synapse, to the end
    centre: float  # of a layer's scale: around this pruned theta gather; WIDE: no farther than -CLOSER / kept synapses
    turns: bool  # whether a theta that falls below the centre comes back from it with the other sign


MANY = 50  # synapses of a neuron (of a channel, where weights are shared) to keep, on average: from here on the prior is WIDE
CLOSER = 75
WIDE = Shape(floor=0.001, cap=0.1, reach=1000.0, alpha=1e-2, centre=-1.0, turns=True)
NARROW = Shape(floor=0.01, cap=math.inf, reach=1.5, alpha=0.0, centre=-1.0, turns=False)


class Pull(NamedTuple):
    """The prior's change of theta in a step: down for synapses that exist, towards the centre for pruned ones.

    With stiffness = min(r, cap) + floor: strength / stiffness * max(0, 1 - theta * stiffness / reach), but no further than the
    centre, and ``steady`` besides; below 0 ``weak``.
    """

    strength: float
    reach: float
    weak: float
    centre: float
    cap: float
    floor: float
    steady: float = 0.0
    turns: bool = False

    def on(self, theta: Tensor, r: Tensor) -> Tensor:
        """Return what is subtracted from each theta; ``r`` is the root of its mean squared gradient."""
        stiffness = r.clamp(max=self.cap) + self.floor
        strong = (self.strength / stiffness - theta * (self.strength / self.reach)).clamp(min=0)
        strong = torch.minimum(strong, (theta - self.centre).clamp(min=self.weak))
        return torch.where(theta > 0, strong + self.steady, self.weak * torch.sign(theta - self.centre))


class GradR(PruningOptimizer):
    """Grad R on Adam. ``prior="paper"`` takes the publication's prior with strength ``alpha``: it never settles and does not
    reach the connectivity.

    Args:
        args: Parameter groups, those to prune marked ``"prune": True``: what `snnc.optim.parameter_groups` makes of a module.
        prior: "schedule" reaches the connectivity exactly; "paper" is the publication's prior.
        alpha: Pull on every synapse, in learning rates: the strength of the prior "paper" (default 0.001); of the schedule, what
            goes on to the end (default by how many synapses stay: `WIDE` or `NARROW`).
        reach: Of the schedule: pull on synapses up to this many times as important as the last that is to go (default
            by the same).
        **common: ``connectivity`` (part of the weights to keep), ``steps`` (of the optimizer, to come), ``lr``, ``betas``,
            ``eps``, ``rewire`` (part of the steps after which the synapses settle), ``seed``.

    Raises:
        ConfigError: The connectivity cannot be, or the prior "paper" has no centre for it.

    Examples:
        >>> import snnc, torch
        >>> layer = torch.nn.Linear(20, 5)
        >>> optimizer = snnc.optim.GradR(snnc.optim.parameter_groups(layer), connectivity=0.1, steps=10, lr=0.01)
        >>> for _ in range(10):
        ...     optimizer.zero_grad()
        ...     layer(torch.ones(1, 20)).sum().backward()
        ...     _ = optimizer.step()
        >>> int((layer.weight != 0).sum())
        10
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("prior", "alpha", "reach")

    def __init__(
        self, *args: Any, prior: Prior = "schedule", alpha: float | None = None, reach: float | None = None, **common: Any
    ) -> None:
        self._prior, self._alpha, self._reach = prior, PAPER_ALPHA if prior == "paper" and alpha is None else alpha, reach
        super().__init__(*args, **common)

    @property
    def _settles(self) -> bool:
        return self._prior == "schedule"

    def _check(self) -> None:
        super()._check()
        for budget in self._budgets:
            if self._prior == "paper" and (budget.connectivity > 0.5 or self._alpha <= 0):  # type: ignore[operator]
                raise ConfigError(
                    f"the paper's prior has no centre for connectivity {budget.connectivity:g} and alpha {self._alpha:g}",
                    fix="use a connectivity up to 0.5 and an alpha above 0, or prior='schedule'",
                )

    def _begin(self) -> None:
        self._shapes = {budget.number: self._shape(budget) for budget in self._budgets}
        for group in self.param_groups:
            group["reach"] = math.inf
        for p in self.pruned:
            self.state[p].update(floor=0.0, cap=math.inf)

    def _exists(self, p: Tensor) -> Tensor:
        mask: Tensor = self.state[p]["theta"] > 0
        return mask

    def _shape(self, budget: Budget) -> Shape:
        """Return the form of the prior for a budget, with what the user has set."""
        kept = budget.target / sum(p.shape[0] for p in budget.params)  # of a neuron, on average
        shape = WIDE._replace(centre=max(WIDE.centre, -CLOSER / kept)) if kept >= MANY else NARROW
        reach, alpha = self._reach, self._alpha
        return shape._replace(reach=shape.reach if reach is None else reach, alpha=shape.alpha if alpha is None else alpha)

    def _steady(self, group: dict[str, Any]) -> float:
        return float(group["lr"] * self._shapes[group["budget"]].alpha)

    def _renew(self, step: int) -> None:
        """Exchange, every few steps, the weakest synapses for the pruned ones with the strongest gradient."""
        settled_steps = step - self._rewiring_steps
        if settled_steps % (RENEW_LOOKS * self._look_steps) == 0 and step < self._steps:
            for budget in self._budgets:
                self._exchange(budget, RENEWED * (self._steps - step) / (self._steps - self._rewiring_steps))
            self._look()

    def _exchange(self, budget: Budget, part: float) -> None:
        """Exchange ``part`` of a budget's synapses, at least one if it has more synapses than layers."""
        number = min(max(1, round(part * budget.target)), budget.target - len(budget.params))
        wanted = [torch.where(self.exists(p), 0.0, self.state[p]["exp_avg"].abs()) for p in budget.params]
        bar = max(0.0, cut(wanted, number))
        needed = [torch.where(self.exists(p), p.abs() * self._r(p, self.param_groups[0]), -1.0) for p in budget.params]
        scores = [need.masked_fill(want > bar, math.inf) for need, want in zip(needed, wanted, strict=True)]
        for p, mask in zip(budget.params, highest(scores, budget.target), strict=True):
            state = self.state[p]
            born = mask > state["mask"]
            start = -FAINT * state["scale"] * state["exp_avg"].sign()
            p.copy_(torch.where(born, start, p * mask))
            state["mask"].copy_(mask)

    def _score(self, p: Tensor) -> Tensor:
        """Return how much the loss rises without the synapse, up to a factor that all have in common."""
        state = self.state[p]
        r = self._r(p, self.param_groups[0]).clamp_(max=state.get("cap", math.inf))
        score: Tensor = state["theta"] * (r + state["floor"])
        return score

    def _r(self, p: Tensor, group: dict[str, Any]) -> Tensor:
        """Return the root of the mean squared gradient."""
        mean: Tensor = self.state[p]["exp_avg_sq"] / (1 - group["betas"][1] ** max(1, group["step"]))
        return mean.sqrt_()

    def _steer(self, done: float) -> None:
        """Return the pull that brings as many thetas below 0 as the schedule wants by the next time; none before the first
        gradient.

        A theta with theta * r = q, pulled by strength / r * (1 - theta * r / (reach * q)), reaches 0 after
        reach * q / strength * ln(reach / (reach - 1)) steps.
        """
        if self._prior == "paper" or self.param_groups[0]["step"] == 0:
            return
        for budget in self._budgets:
            shape = self._shapes[budget.number]
            for p in budget.params:
                typical = float(self._r(p, self.param_groups[0]).square().mean().sqrt())
                self.state[p].update(floor=shape.floor * typical, cap=shape.cap * typical if typical else math.inf)
            farthest = max(0.0, cut([self._score(p) for p in budget.params], budget.scheduled(done)))
            for group in self.param_groups:
                if group["budget"] == budget.number:
                    group["reach"] = shape.reach * farthest
                    group["pull"] = group["reach"] * math.log(shape.reach / (shape.reach - 1)) / self._look_steps

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        """Move every theta by the redefined gradient, pruned ones too, and pull it towards its centre by the prior."""
        state = self.state[p]
        theta, sign, pull = state["theta"], state["sign"], self._pull(group, state)
        if fused_adam.applies(p):
            alive = fused_adam.rewire(p, state, group, pull)
        else:
            step = self._adam(p, group)
            down = pull.on(theta, self._r(p, group))
            theta.sub_(sign * step).sub_(down)
            if pull.turns:
                sign.mul_(torch.where(theta < pull.centre, -1.0, 1.0))
                theta.copy_(torch.where(theta < pull.centre, 2 * pull.centre - theta, theta))
            p.copy_(sign * theta.clamp(min=0))
            alive = bool((theta > 0).any())
        if not alive:
            theta.view(-1)[theta.argmax()] = FAINT * state["scale"]
            p.copy_(sign * theta.clamp(min=0))

    def _pull(self, group: dict[str, Any], state: dict[str, Any]) -> Pull:
        """Return the paper's Laplace prior, with centre ln(2 - 2 * sparsity) / alpha, the same for all; or snnc's own."""
        if self._prior == "paper":
            assert self._alpha is not None  # noqa: S101 - for the type checker: PAPER_ALPHA, if nothing else
            strength = group["lr"] * self._alpha
            return Pull(strength, math.inf, strength, math.log(2 * group["connectivity"]) / self._alpha, 0.0, 1.0)
        shape = self._shapes[group["budget"]]
        centre, steady = shape.centre * float(state["scale"]), self._steady(group)
        if group["pull"] == 0 or state["floor"] == 0:
            return Pull(0.0, math.inf, 0.0, centre, 0.0, 1.0, steady, shape.turns)
        weak = PRUNED_PULL * group["lr"]
        return Pull(group["pull"], group["reach"], weak, centre, state.get("cap", math.inf), state["floor"], steady, shape.turns)


METHOD = GradR
