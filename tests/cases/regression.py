"""A small task for optimizers that prune: every weight gets a gradient, few are needed."""

import torch
from torch import nn

from snnc.training import methods

TOTAL = 60 * 80 + 80 * 30


class Regression:
    """Two linear layers that learn a sparse linear map; small, and every weight gets a gradient."""

    def __init__(self, method="grad_r", seed=0, connectivity=0.05, steps=200, **settings):
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(60, 80, bias=False), nn.Linear(80, 30))
        weights, bias = [self.model[0].weight, self.model[1].weight], self.model[1].bias
        self.optimizer = methods.get(method)(
            [{"params": weights, "prune": True}, {"params": [bias]}],
            **{"connectivity": connectivity, "steps": steps, "lr": 3e-3, **settings},
        )
        self.truth = torch.randn(30, 60) * (torch.rand(30, 60) < 0.1)
        self.samples = torch.Generator().manual_seed(seed)

    def run(self, steps):
        for _ in range(steps):
            x = torch.randn(32, 60, generator=self.samples)
            loss = ((self.model(x) - x @ self.truth.T) ** 2).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return self

    @property
    def existing(self):
        return [int((p != 0).sum()) for p in self.optimizer.pruned]
