"""The number of weights that may stay: the counting part of a pruning method. Torch, no training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Budget:
    """Weights that share one connectivity, under the number that their parameter groups carry."""

    number: int
    names: tuple[str, ...]  # of the groups, for messages
    params: tuple[Parameter, ...]
    connectivity: float
    existing: int  # weights at the start

    @property
    def total(self) -> int:
        """The number of weights."""
        return sum(p.numel() for p in self.params)

    @property
    def target(self) -> int:
        """The number of weights to keep."""
        return round(self.connectivity * self.total)

    def check(self) -> None:
        """Raise ConfigError if the connectivity is impossible, or would leave a layer without synapses."""
        where = ", ".join(filter(None, self.names))
        asked = f"a connectivity of {self.connectivity:g}"
        if not 0 < self.connectivity <= 1:
            raise ConfigError(f"{asked} cannot be", where=where, fix="use more than 0 and at most 1")
        if self.target > self.existing:
            present = self.existing / self.total
            raise ConfigError(f"has a connectivity of {present:g}, below {self.connectivity:g}", where=where, fix="ask for less")
        if self.target < len(self.params):
            layers = "and the layer needs one" if len(self.params) == 1 else f"fewer than the {len(self.params)} layers"
            raise ConfigError(
                f"{asked} keeps {self.target} of {self.total} weights, {layers}",
                where=where,
                fix=f"use {len(self.params) / self.total:.2g} or more",
            )

    def scheduled(self, done: float) -> int:
        """Return the number of weights that should exist after the part ``done`` of the rewiring: a cubic that falls steeply
        first, then gently.

        Zhu, Gupta, "To prune, or not to prune", arXiv 1710.01878, section 3.
        """
        left = max(0.0, 1 - done)
        return round(self.target + (self.existing - self.target) * left**3)


def cut(scores: Sequence[Tensor], kept: int) -> float:
    """Return the largest score that is not among the ``kept`` highest ones; minus infinity if all are kept."""
    flat = torch.cat([score.flatten() for score in scores])
    dropped = flat.numel() - kept
    if dropped <= 0:
        return -math.inf
    return float(np.partition(flat.detach().cpu().numpy(), dropped - 1)[dropped - 1])  # ten times as fast as kthvalue


def highest(scores: Sequence[Tensor], kept: int) -> list[Tensor]:
    """Return masks, 0 or 1, of exactly the ``kept`` highest scores over all layers; each layer keeps its best one.

    Of equals the first is kept.
    """
    best = [score.flatten().scatter(0, score.argmax(), math.inf) for score in scores]
    bar, flat = cut(best, kept), torch.cat(best)
    mask = flat > bar
    mask[(flat == bar).nonzero().flatten()[: kept - int(mask.sum())]] = True
    parts = torch.split(mask.to(flat.dtype), [len(one) for one in best])
    return [part.view_as(score).clone() for part, score in zip(parts, scores, strict=True)]
