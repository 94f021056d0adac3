"""What SET, RigL and CH3-L3 share: a fixed number of synapses in each layer, of which some change places now and then. Torch."""

from abc import abstractmethod
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.masked import MaskedOptimizer
from snnc.training.pruning.quota import highest

EVERY = 5  # looks from one exchange to the next: at most 100 steps, RigL's own interval (section 4.1 there)


class Exchange(NamedTuple):
    """The masks of a layer after an exchange, 0 or 1: which synapses exist, and which of them are new."""

    mask: Tensor
    born: Tensor


class ExchangingOptimizer(MaskedOptimizer):
    """Sparse from the first step on. A method says which synapses a layer exchanges, and what the new ones weigh."""

    def _begin(self) -> None:
        """Keep the largest weights of each layer, as many as `erdos_renyi` gives it."""
        self._due = False
        for budget in self._budgets:
            counts = erdos_renyi([tuple(p.shape) for p in budget.params], budget.target)
            for p, count in zip(budget.params, counts, strict=True):
                state = self.state[p]
                (mask,) = highest([state["theta"]], count)
                state["mask"].copy_(mask)
                p.mul_(mask)

    def _steer(self, done: float) -> None:
        step = int(self.param_groups[0]["step"])
        self._due = step > 0 and step % (EVERY * self._look_steps) == 0

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        """Train the synapses that exist; when it is time, exchange some."""
        state = self.state[p]
        step = self._adam(p, group, state["mask"])
        exchange = self._exchanged(p) if self._due and self._replaces_step else None
        if exchange is None:
            p.sub_(step).mul_(state["mask"])
            exchange = self._exchanged(p) if self._due and not self._replaces_step else None
        if exchange is not None:
            self._apply(p, exchange)

    def _after(self) -> None:
        self._due = False

    def _apply(self, p: Parameter, exchange: Exchange) -> None:
        state = self.state[p]
        p.copy_(torch.where(exchange.born > 0, self._birth(p), p * exchange.mask))
        for moment in ("exp_avg", "exp_avg_sq"):
            state[moment].mul_(exchange.mask * (1 - exchange.born))
        state["mask"].copy_(exchange.mask)

    @property
    def _replaces_step(self) -> bool:
        """Whether an exchange stands in the place of a step of the optimizer, and sees the weights before it."""
        return False

    @abstractmethod
    def _exchanged(self, p: Parameter) -> Exchange | None:
        """Return which synapses of a layer exist from now on, as many as before; None if none is to be exchanged."""

    @abstractmethod
    def _birth(self, p: Parameter) -> Tensor:
        """Return the weights that new synapses start with, for all places of a layer."""


def erdos_renyi(shapes: Sequence[tuple[int, ...]], total: int) -> list[int]:
    """Return how many of ``total`` synapses each layer gets: small layers are denser than large ones.

    The connectivity of a layer is proportional to sum(shape) / prod(shape), and at most 1: Mocanu et al., equation 2, for
    matrices; Evci et al., section 3 ("Erdos-Renyi-Kernel"), for convolutions. Each layer gets one at least; what rounding
    leaves goes to the largest remainders.
    """
    sizes, wanted = [prod(shape) for shape in shapes], [float(sum(shape)) for shape in shapes]
    full: set[int] = set()
    while True:
        left = total - sum(sizes[i] for i in full)
        share = sum(w for i, w in enumerate(wanted) if i not in full)
        counts = [float(n) if i in full else left * wanted[i] / share for i, n in enumerate(sizes)]
        over = {i for i, n in enumerate(sizes) if counts[i] > n}
        if not over:
            return _rounded(counts, sizes, total)
        full |= over


def _rounded(counts: list[float], sizes: list[int], total: int) -> list[int]:
    whole = [max(1, int(count)) for count in counts]
    order = sorted(range(len(counts)), key=lambda i: whole[i] - counts[i])
    while sum(whole) != total:
        change = 1 if sum(whole) < total else -1
        order = order if change > 0 else order[::-1]
        for i in order:
            if sum(whole) != total and 1 <= whole[i] + change <= sizes[i]:
                whole[i] += change
    return whole
