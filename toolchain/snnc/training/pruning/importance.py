"""Estimates of how much the loss rises without each synapse, which the planner weighs against the synapse's cost. Torch."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from snnc.data.dataset import Dataset
from snnc.errors import ConfigError
from snnc.network.model import Network
from snnc.passes.prune_by_magnitude import Importance
from snnc.training.loop.fit import fit
from snnc.training.loop.record import Record
from snnc.training.models.trainable import trainable
from snnc.training.settings import FitConfig

SAMPLES = 4096  # from the first, of the training split


class _Watch(torch.optim.Optimizer):
    """Optimizer that moves no weight and adds up (weight * gradient)**2."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__([{"params": list(weights.values())}], {"lr": 0.0})
        self._weights = weights
        self.sums = {name: torch.zeros_like(weight, dtype=torch.float64) for name, weight in weights.items()}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Add the squares after a batch."""
        for name, weight in self._weights.items():
            if weight.grad is not None:
                self.sums[name] += (weight * weight.grad).double().square()


def importance(net: Network, data: Dataset, config: FitConfig) -> Importance:
    """Return the mean over batches of (weight * gradient)**2 of every existing synapse, by connection, (synapses,).

    This is the empirical Fisher information, as in Theis et al., "Faster gaze prediction with dense networks and Fisher
    pruning", arXiv 1801.05787, and the measure by which Grad R compares synapses. It is 0 for synapses of a pixel that is
    always 0. Raises ConfigError for a network that does not say how samples are encoded, UnsupportedError for one that cannot
    be trained.
    """
    if net.encoding is None:
        raise ConfigError("does not say how samples are encoded", where=f"network {net.name!r}", fix="train it with snnc train")
    trained = trainable(net)
    watch = _Watch(trained.weights)
    fit(trained.model, data.first(SAMPLES), net.encoding, replace(config, epochs=1), optimizer=watch, record=Record(quiet=True))
    fixed = {c.name: torch.zeros(c.op.synapses.shape) for c in net.connections if c.name not in watch.sums}
    sums = {**watch.sums, **fixed}
    return {c.name: sums[c.name].numpy()[c.op.synapses.rows, c.op.synapses.indices] for c in net.connections}
