"""Pruning of a torch module over the user's own batches: any iterable with a length that yields (inputs, labels)."""

import math
from collections.abc import Iterable, Mapping, Sized
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from snnc.base.version import __version__
from snnc.errors import ConfigError, RunError
from snnc.training.loop import losses, ranks
from snnc.training.loop.fit import set_lr, threads
from snnc.training.loop.record import Metrics
from snnc.training.models.weights import others, prunable, synapses_per_weight
from snnc.training.pruning.optimizer import PruningOptimizer
from snnc.training.pruning.prune import changes, pruner
from snnc.training.pruning.pruned import PrunedModule, layers_report
from snnc.training.settings import PruneConfig


class Batches(Sized, Iterable[tuple[Tensor, Tensor]], Protocol):
    """A torch DataLoader, or a list of batches: (inputs, labels), the same number in every epoch."""


def prune_over(module: nn.Module, batches: Batches, config: PruneConfig, test: Batches | None = None) -> PrunedModule:
    """Train ``module`` further over ``batches`` and prune it in place to exactly round(target * weights) weights.

    ``forward`` maps the inputs to spikes (batch, steps, classes). Raises ConfigError, before training starts, for batches of
    another form, a module that breaks the contract, and an impossible connectivity; RunError if the loss diverges.
    """
    config = ranks.placed(config)
    count = _length(batches)
    with threads(config.threads), torch.random.fork_rng():
        torch.manual_seed(config.seed)
        module.to(config.device)
        per_weight = _tried(module, batches, config)
        weights, rest = prunable(module), others(module)
        present = sum(int((w != 0).sum()) for w in weights.values()) / sum(w.numel() for w in weights.values())
        optimizer = pruner(weights, list(rest.values()), config, config.epochs * count, present)
        metrics = [_epoch(module, batches, test, config, optimizer, weights, epoch, count) for epoch in range(config.epochs)]
    masks = {name: optimizer.exists(weight).cpu() for name, weight in weights.items()}
    report = {**_settings(config), "reached": metrics[-1], **layers_report(masks, per_weight), "not_pruned": list(rest)}
    return PrunedModule(module, masks, metrics, report)


def _settings(config: PruneConfig) -> dict[str, Any]:
    settings = {k: v for k, v in config.stated().items() if k != "batch_size"}
    return {**settings, "versions": {"snnc": __version__, "torch": str(torch.__version__)}}


def _length(batches: Batches) -> int:
    try:
        count = len(batches)
    except TypeError as error:
        fix = "give the loader a data set with a length: the schedule of pruning needs it"
        raise ConfigError(f"{type(batches).__name__} has no length", fix=fix) from error
    if not count:
        raise ConfigError("the loader has no batches", fix="give it samples, or drop_last=False")
    return count


def _epoch(
    module: nn.Module, batches: Batches, test: Batches | None, config: PruneConfig, optimizer: PruningOptimizer,
    weights: Mapping[str, Parameter], epoch: int, count: int,
) -> Metrics:  # fmt: skip
    """Train for an epoch and return its line of metrics."""
    module.train()
    total = right = samples = 0.0
    for i, batch in enumerate(batches):
        set_lr(optimizer, config, epoch + i / count)
        inputs, wanted = _batch(batch, config.device)
        spikes = module(inputs)
        _must_be_classes(wanted, spikes)
        loss = losses.get(config.loss)(spikes, wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total, right = total + loss.item() * len(wanted), right + int((spikes.sum(1).argmax(1) == wanted).sum())
        samples += len(wanted)
    if not math.isfinite(total) or not all(p.isfinite().all() for p in module.parameters()):
        what = f"the loss or a weight became NaN or infinite in epoch {epoch + 1}"
        raise RunError(what, fix=f"use a learning rate below {config.lr:g}")
    line: Metrics = {"epoch": epoch + 1, "loss": total / samples, "train_accuracy": right / samples}
    return line | ({"test_accuracy": _accuracy(module, test, config.device)} if test else {}) | changes(weights, optimizer)


@torch.no_grad()
def _accuracy(module: nn.Module, batches: Batches, device: str) -> float:
    module.eval()
    answers = [(module(inputs.to(device)).sum(1).argmax(1).cpu() == labels) for inputs, labels in batches]
    return float(torch.cat(answers).float().mean())


def _tried(module: nn.Module, batches: Batches, config: PruneConfig) -> dict[str, Tensor]:
    """Check with a batch that the module keeps the contract; return the synapses of each weight."""
    where = type(module).__name__
    inputs, labels = _batch(next(iter(batches)), config.device)
    module.eval()
    try:
        per_weight = synapses_per_weight(module, inputs)
        with torch.no_grad():
            spikes = module(inputs)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        what = f"fails on a batch of {tuple(inputs.shape)}: {str(error).splitlines()[0]}"
        raise ConfigError(what, where=where, fix="let the loader give what forward takes") from error
    if spikes.dim() != 3 or len(spikes) != len(labels):
        what = f"answers {len(labels)} samples with {tuple(spikes.shape)}, expected ({len(labels)}, steps, classes)"
        raise ConfigError(what, where=where, fix="return the spikes of every step, (batch, steps, classes)")
    _must_be_classes(labels, spikes)
    return per_weight


def _batch(batch: Any, device: str) -> tuple[Tensor, Tensor]:
    """Return inputs and class numbers of a batch. Raises ConfigError for anything else."""
    if not isinstance(batch, tuple | list) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        raise ConfigError(f"the loader gives {type(batch).__name__}, expected (inputs, labels)", fix="let it give two tensors")
    inputs, labels = (part.to(device) for part in batch)
    if labels.dim() != 1 or labels.is_floating_point():
        raise ConfigError(f"labels are {labels.dtype} of {tuple(labels.shape)}", fix="give class numbers, (batch,) integers")
    if not inputs.isfinite().all():
        raise ConfigError("the loader gives inputs that are NaN or infinite", fix="leave these samples out")
    return inputs, labels.long()


def _must_be_classes(labels: Tensor, spikes: Tensor) -> None:
    """Raise ConfigError for class numbers (batch,) beyond the classes that a module answers with, (batch, steps, classes)."""
    least, most, classes = int(labels.min()), int(labels.max()), spikes.shape[2]
    if least < 0 or most >= classes:
        what = f"the loader gives labels of {least} .. {most}, the module answers with {classes} classes"
        raise ConfigError(what, fix=f"number the classes 0 .. {classes - 1}, or give the module more outputs")
