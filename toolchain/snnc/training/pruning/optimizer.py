"""The shared part of all pruning methods: Adam, the exact finish, and the count of pruned and regrown synapses. Torch, for any
training loop.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.errors import ConfigError
from snnc.training.kernels import fused_adam
from snnc.training.pruning.quota import Budget, highest

FAINT = 1e-6  # of a layer's scale: the weight of a synapse that is kept although its parameter says otherwise
LOOKS = 50  # times at least during rewiring that a method steers and that synapses are counted
LONGEST_LOOK = 20  # steps


@dataclass(frozen=True)
class Change:
    """Synapses of a layer: how many exist, how many are gone since the last call, and how many are new.

    The cumulated counts add up what was seen to come and go in between, every few steps.
    """

    existing: int
    pruned: int
    regrown: int
    pruned_cumulated: int
    regrown_cumulated: int


class PruningOptimizer(torch.optim.Optimizer):
    """Adam whose parameter groups marked ``"prune": True`` lose weights until exactly ``connectivity`` of them are left.

    ``steps`` is the number of optimizer steps to come, ``rewire`` the part of them after which the synapses settle: exactly
    the number asked for is kept, the others are 0, and the kept weights train on. All pruned groups share the
    connectivity, counted over their weights together; a group with a ``"connectivity"`` of its own is counted by itself.
    Each layer keeps one synapse at least. ``"name"`` of a group stands in messages. All state is in ``state_dict``. Raises
    ConfigError for a connectivity that cannot be.

    A method is a subclass: `_exists`, `_score`, `_rewire`, and where it needs them `_begin`, `_steer`, `_after`,
    `_renew`.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ()  # settings that a method takes besides the common ones

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        *,
        connectivity: float,
        steps: int,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        rewire: float = 0.75,
        seed: int = 0,
    ) -> None:
        groups = [{**group, "budget": i if "connectivity" in group else 0} for i, group in enumerate(params, 1)]
        common = {"lr": lr, "betas": betas, "eps": eps, "connectivity": connectivity}
        super().__init__(groups, {**common, "prune": False, "name": "", "step": 0, "pull": 0.0, "settled": False})
        self._seed = seed
        self._steps = steps
        self._rewiring_steps = max(1, math.floor(rewire * steps))
        self._look_steps = max(1, min(LONGEST_LOOK, self._rewiring_steps // LOOKS))
        self._split(torch.Generator().manual_seed(seed))
        self._budgets = self._found_budgets()
        self._check()
        with torch.no_grad():
            self._begin()

    @property
    def pruned(self) -> list[Parameter]:
        """The weights that are pruned, in the order of the groups."""
        return [p for group in self.param_groups if group["prune"] for p in group["params"]]

    @property
    def settled(self) -> bool:
        """Whether exactly the requested number of synapses exists from now on."""
        return bool(self.param_groups[0]["settled"])

    @property
    def target(self) -> int:
        """The number of weights to keep, of all layers together."""
        return sum(budget.target for budget in self._budgets)

    def exists(self, p: Tensor) -> Tensor:
        """Return which synapses of a pruned weight exist: bool, of its shape."""
        mask: Tensor = self.state[p]["mask"] > 0 if self.settled else self._exists(p)
        return mask

    @torch.no_grad()
    def changes(self) -> list[Change]:
        """Return for each pruned weight what changed since the last call."""
        self._look()
        return [self._change(p) for p in self.pruned]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step of Adam; pruned weights are rewired until they settle."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        done = int(self.param_groups[0]["step"])
        if not self.settled and done % self._look_steps == 0:
            self._look()
            self._steer(min(1.0, (done + self._look_steps) / self._rewiring_steps))
        for group in self.param_groups:
            group["step"] += 1
            for p in (p for p in group["params"] if p.grad is not None):
                self._move(p, group)
        if self.settled:
            self._renew(done + 1)
            return loss
        self._after()
        if self._settles and done + 1 == self._rewiring_steps:
            self.settle()
        return loss

    @torch.no_grad()
    def settle(self) -> None:
        """Keep exactly the requested number of synapses, those with the highest score; the others become 0.

        Of equals the first is kept. Called by `step` when its time has come; harmless afterwards.
        """
        if self.settled:
            return
        for budget in self._budgets:
            masks = highest([self._score(p) for p in budget.params], budget.target)
            for p, mask in zip(budget.params, masks, strict=True):
                self.state[p]["mask"].copy_(mask)
                p.copy_(self._kept(p) * mask)
        for group in self.param_groups:
            group["settled"], group["pull"] = True, 0.0

    @abstractmethod
    def _exists(self, p: Tensor) -> Tensor:
        """Return which synapses exist before settling, as bool."""

    @abstractmethod
    def _score(self, p: Tensor) -> Tensor:
        """Return the scores by which synapses compete over all layers of a budget; the highest are kept."""

    @abstractmethod
    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        """Take one step of a pruned weight before settling. Must call `_adam` once."""

    @property
    def _settles(self) -> bool:
        return True

    def _begin(self) -> None:
        """Create the method's own state."""

    def _steer(self, done: float) -> None:
        """Adjust the method every few steps, given the part of the rewiring that is done by the next time."""

    def _after(self) -> None:
        """Act after each step, when all layers have moved."""

    def _renew(self, step: int) -> None:
        """Act after each step of the settled synapses, when all layers have moved; ``step`` counts from 1."""

    def _steady(self, group: dict[str, Any]) -> float:
        """Return how far each settled weight is pulled towards 0 in a step."""
        return 0.0

    def _kept(self, p: Parameter) -> Tensor:
        """Return the weights as they are when they are kept: none of them exactly 0."""
        state = self.state[p]
        weight: Tensor = state["sign"] * state["theta"].clamp(min=FAINT * float(state["scale"]))
        return weight

    def _random(self, draw: int) -> np.random.Generator:
        """Return random numbers that depend only on seed, step and ``draw``, so that a resumed training continues with the same
        ones.
        """
        return np.random.default_rng([self._seed, self.param_groups[0]["step"], draw])

    def _place(self, p: Tensor) -> int:
        """Return which of the pruned weights ``p`` is."""
        return next(i for i, other in enumerate(self.pruned) if other is p)

    def _noise(self, p: Tensor, like: Tensor) -> Tensor:
        """Return standard normal numbers for a step of ``p``, of the shape of ``like``."""
        seed = int(self._random(self._place(p)).integers(2**63))
        generator = torch.Generator(p.device).manual_seed(seed)
        return torch.randn(like.shape, generator=generator, dtype=p.dtype, device=p.device)

    def _split(self, generator: torch.Generator) -> None:
        """Split weights into signs and thetas. Weights that are 0 get a random sign."""
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p].update(exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
        for p in self.pruned:
            weight = p.detach()
            coin = torch.randint(0, 2, weight.shape, generator=generator).to(weight) * 2 - 1
            exists = weight != 0
            self.state[p].update(
                theta=weight.abs(),
                sign=torch.where(exists, weight.sign(), coin),
                mask=exists.to(weight),
                scale=weight.abs().sum() / exists.sum().clamp(min=1),
                before=exists.to(weight),
                seen=exists.to(weight),
                went=0,
                came=0,
            )

    def _found_budgets(self) -> list[Budget]:
        if not self.pruned:
            raise ConfigError(f"{type(self).__name__} has nothing to prune", fix='mark a parameter group with "prune": True')
        if empty := sum(not self.state[p]["mask"].any() for p in self.pruned):
            raise ConfigError(f"{empty} layers have no weight other than 0", fix="start from a network that has synapses")
        numbers = dict.fromkeys(group["budget"] for group in self.param_groups if group["prune"])
        return [self._budget(number) for number in numbers]

    def _budget(self, number: int) -> Budget:
        groups = [group for group in self.param_groups if group["prune"] and group["budget"] == number]
        params = tuple(p for group in groups for p in group["params"])
        existing = sum(int(self.state[p]["mask"].sum()) for p in params)
        return Budget(number, tuple(group["name"] for group in groups), params, groups[0]["connectivity"], existing)

    def _check(self) -> None:
        for budget in self._budgets:
            budget.check()

    def _move(self, p: Parameter, group: dict[str, Any]) -> None:
        """Move the weights. The mask comes last: the moments of a pruned weight would bring it back."""
        if not group["prune"]:
            p.sub_(self._adam(p, group))
        elif group["settled"] and fused_adam.applies(p):
            fused_adam.masked(p, self.state[p], group, self._steady(group))
        elif group["settled"]:
            steady = self._steady(group)
            down = p.sign() * steady if steady else 0.0
            p.sub_(self._adam(p, group)).sub_(down).mul_(self.state[p]["mask"])
        else:
            self._rewire(p, group)

    def _adam(self, p: Parameter, group: dict[str, Any], mask: Tensor | None = None) -> Tensor:
        """Return what Adam subtracts (Kingma, Ba, arXiv 1412.6980), for the gradient where ``mask`` is 1."""
        if fused_adam.applies(p):
            return fused_adam.step(p, self.state[p], group, mask)
        state, gradient = self.state[p], p.grad if mask is None else p.grad * mask  # type: ignore[operator]
        fast, slow = group["betas"]
        mean = state["exp_avg"].mul_(fast).add_(gradient, alpha=1 - fast)
        square = state["exp_avg_sq"].mul_(slow).addcmul_(gradient, gradient, value=1 - slow)
        norm = (square / (1 - slow ** group["step"])).sqrt_().add_(group["eps"])
        step: Tensor = mean / norm * (group["lr"] / (1 - fast ** group["step"]))
        return step

    def _look(self) -> None:
        """Count which synapses came and went since the last look."""
        for p in self.pruned:
            state, now = self.state[p], self.exists(p)
            seen = state["seen"] > 0
            state["went"] += int((seen & ~now).sum())
            state["came"] += int((now & ~seen).sum())
            state["seen"].copy_(now)

    def _change(self, p: Parameter) -> Change:
        state, now = self.state[p], self.exists(p)
        before = state["before"] > 0
        change = Change(
            int(now.sum()), int((before & ~now).sum()), int((now & ~before).sum()), state["went"], state["came"]
        )  # fmt: skip
        state["before"].copy_(now)
        state["went"], state["came"] = 0, 0
        return change
