"""The supervised training loop that train, prune and fine-tuning share, and what `snnc train` does with it."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnc import __version__
from snnc.data import Dataset
from snnc.encode import Encoding, encode
from snnc.errors import ConfigError, DataError, RunError
from snnc.ir import Network, Stage
from snnc.training.augment import augmented
from snnc.training.models import build, to_network
from snnc.training.record import Metrics, Record, progress, read_checkpoint
from snnc.training.settings import FitConfig, TrainConfig

EVALUATION_BATCH = 500


def train(
    data: Dataset, test: Dataset | None, config: TrainConfig, record: Record | None = None, resume: Path | None = None
) -> Network:
    """A trained float network, of which `from_network` makes the snnTorch model again.

    Equal data, configuration and threads give an equal network. Raises RunError if the loss diverges, FileError if the
    checkpoint ``resume`` cannot be used.
    """
    encoding = Encoding(config.encoding, config.steps, config.encoding_seed)
    with _threads(config.threads):
        torch.manual_seed(config.seed)
        model = build(
            (data.images.shape[1], *config.hidden, data.classes),
            neuron=config.neuron,
            beta=config.beta,
            alpha=config.alpha,
            threshold=config.threshold,
            bias=config.bias,
        )
        metrics = fit(model, data, encoding, config, test=test, record=record, resume=resume)
    stage = Stage("train", provenance(config, data, metrics))
    return to_network(model, encoding, data.name, config.dt_s, (stage,))


def provenance(config: FitConfig, data: Dataset, metrics: list[Metrics]) -> dict[str, Any]:
    """What decided the result of a training: settings, data, versions; and what it reached."""
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}
    reached = {k: v for k, v in metrics[-1].items() if k != "seconds"}
    versions = {"snnc": __version__, "torch": str(torch.__version__)}
    return {**settings, "data": data.name, "data_sha256": data.sha256, "versions": versions, "reached": reached}


def fit(
    model: nn.Module,
    data: Dataset,
    encoding: Encoding,
    config: FitConfig,
    *,
    test: Dataset | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    after_epoch: Callable[[], Metrics] | None = None,
    record: Record | None = None,
    resume: Path | None = None,
) -> list[Metrics]:
    """Train ``model``, which maps (batch, steps, n) messages to (batch, steps, classes) spikes, in place.

    Rate coding takes fresh noise in every epoch; evaluation takes the encoding's own, so that it sees the rasters that every
    later stage sees. ``after_epoch`` adds to the line of metrics. ``record`` keeps a checkpoint an epoch, from which
    ``resume`` continues to the same result. Raises RunError if the loss or a weight is no longer a number.
    """
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=config.lr)
    record = record or Record(quiet=True)
    metrics = _resumed(model, optimizer, config, resume) if resume else []
    batches = math.ceil(len(data) / config.batch_size)
    with _threads(config.threads), progress(batches * (config.epochs - len(metrics)), record.quiet) as shown:
        record.keep(_state(model, optimizer, config, len(metrics)), metrics)
        for epoch in range(len(metrics) + 1, config.epochs + 1):
            started = time.perf_counter()
            line = _epoch(model, data, encoding, config, optimizer, epoch, shown.step)
            line |= {"test_accuracy": accuracy(model, test, encoding)} if test else {}
            line |= after_epoch() if after_epoch else {}
            metrics.append(line | {"seconds": round(time.perf_counter() - started, 3)})
            record.keep(_state(model, optimizer, config, epoch), metrics)
            shown.epoch(metrics[-1])
    return metrics


def _epoch(
    model: nn.Module,
    data: Dataset,
    encoding: Encoding,
    config: FitConfig,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    step_done: Callable[[], None],
) -> Metrics:
    """One pass over the data in an order that only seed and epoch decide."""
    model.train()
    noise = replace(encoding, seed=_derived(config.seed, epoch))
    order = np.random.default_rng([config.seed, epoch]).permutation(len(data))
    images = augmented(data, config.augment, config.seed, epoch)
    starts = range(0, len(data), config.batch_size)
    total, right = 0.0, 0
    for i, start in enumerate(starts):
        chosen = order[start : start + config.batch_size]
        labels = torch.from_numpy(data.labels[chosen])
        _set_lr(optimizer, config, (epoch - 1) + i / len(starts))
        spikes = model(_messages(noise, images(chosen), start))
        loss = _LOSSES[config.loss](spikes, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.item() * len(chosen)
        right += int((spikes.sum(1).argmax(1) == labels).sum())
        step_done()
    _must_be_finite(model, total, epoch, config)
    return {"epoch": epoch, "loss": total / len(data), "train_accuracy": right / len(data)}


def _must_be_finite(model: nn.Module, loss: float, epoch: int, config: FitConfig) -> None:
    """A neuron whose voltage is NaN just stays silent, so the weights are looked at, too."""
    if not math.isfinite(loss) or not all(p.isfinite().all() for p in model.parameters()):
        raise RunError(
            f"the loss or a weight became NaN or infinite in epoch {epoch}", fix=f"use a learning rate below {config.lr:g}"
        )


def accuracy(model: nn.Module, data: Dataset, encoding: Encoding) -> float:
    """Part of the samples whose class fires most (the first of equals), on the rasters of the encoding's own seed."""
    if not len(data):
        raise DataError("has no samples", where=f"{data.name} {data.split}")
    model.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(data), EVALUATION_BATCH):
            spikes = model(_messages(encoding, data.images[start : start + EVALUATION_BATCH], start))
            classes = spikes.sum(1).argmax(1).numpy()
            right += int((classes == data.labels[start : start + EVALUATION_BATCH]).sum())
    return right / len(data)


def _messages(encoding: Encoding, images: Any, first_sample: int) -> Tensor:
    return torch.from_numpy(encode(encoding, images, first_sample)).float().mul_(encoding.unit)


def _derived(seed: int, epoch: int) -> int:
    """A seed for the noise of an epoch that no encoding is likely to have: 63 random bits."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


def _set_lr(optimizer: torch.optim.Optimizer, config: FitConfig, epochs_done: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = config.lr * (1 + math.cos(math.pi * epochs_done / config.epochs)) / 2


def _rate_loss(spikes: Tensor, labels: Tensor) -> Tensor:
    wanted = nn.functional.one_hot(labels, spikes.shape[2]).to(spikes.dtype)
    return nn.functional.mse_loss(spikes.mean(1), wanted)


def _counts_loss(spikes: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(spikes.sum(1), labels)


_LOSSES = {"rate": _rate_loss, "counts": _counts_loss}


def _state(model: nn.Module, optimizer: torch.optim.Optimizer, config: FitConfig, epoch: int) -> dict[str, Any]:
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}
    return {"epoch": epoch, "config": settings, "model": model.state_dict(), "optimizer": optimizer.state_dict()}


def _resumed(model: nn.Module, optimizer: torch.optim.Optimizer, config: FitConfig, path: Path) -> list[Metrics]:
    """Put a checkpoint into model and optimizer; returns the metrics so far."""
    state = read_checkpoint(path)
    now = _state(model, optimizer, config, 0)["config"]
    if unlike := sorted(k for k in now if now[k] != state["config"].get(k)):
        raise ConfigError(
            f"was made with other settings: {', '.join(unlike)}", where=str(path), fix="use the same settings or start anew"
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return list(state["metrics"])


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
