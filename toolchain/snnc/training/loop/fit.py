"""The supervised training loop that train, prune and fine-tuning share, and what `snnc train` does with it."""

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnc.base.version import __version__
from snnc.data.dataset import Dataset, must_go_together
from snnc.data.labels import Labels, scores, task_of
from snnc.errors import DataError, RunError
from snnc.network.encoding import Encoding, encode
from snnc.training.kernels import heap
from snnc.training.loop import losses, ranks
from snnc.training.loop.augment import augmented
from snnc.training.loop.checkpoint import Checkpoints, Point
from snnc.training.loop.record import Metrics, Record, board, progress
from snnc.training.settings import FitConfig

EVALUATION_BATCH = 500


def provenance(config: FitConfig, data: Dataset, metrics: list[Metrics]) -> dict[str, Any]:
    """Return what decided the result of a training (settings, data, versions), and the result."""
    reached = {k: v for k, v in metrics[-1].items() if k != "seconds"}
    versions = {"snnc": __version__, "torch": str(torch.__version__)}
    return {
        **config.stated(),
        "processes": ranks.count(),
        "data": data.name,
        "data_sha256": data.sha256,
        "versions": versions,
        "reached": reached,
    }


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
    """Train ``model``, which maps (batch, steps, n) messages to (batch, steps, classes) spikes or voltages, in place.

    Rate coding takes fresh noise in every epoch; evaluation takes the encoding's own, so that it sees the rasters that every
    later stage sees. ``after_epoch`` adds to the line of metrics. ``record`` keeps a checkpoint an epoch, every five minutes
    and on Ctrl-C, from which ``resume`` continues to the same result. Where torch.distributed is initialised, each process
    takes its part of every batch. Raises RunError if the loss or a weight is no longer a number, ConfigError for a checkpoint
    of another training.
    """
    must_go_together(data, test, encoding)
    losses.must_suit_labels(config.loss, data.task)
    heap.keep()
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=config.lr, fused=True)
    record = record if record and not ranks.rank() else Record(quiet=True)
    kept = Checkpoints(model, optimizer, data, encoding, config, record)
    point, metrics = kept.resume(resume) if resume else (Point(), [])
    loop = _Loop(model, ranks.replicated(model), data, encoding, config, optimizer)
    with (
        threads(config.threads),
        board(record.tensorboard, point.epoch) as note,
        _between_batches(record.quiet) as stopped,
        progress(loop.left(point), record.quiet, config.epochs, point.epoch + 1) as shown,
    ):
        kept.keep(point, metrics)
        while point.epoch < config.epochs:
            for now in loop.epoch(point):
                point = now
                shown.step()
                kept.keep_within(point, metrics, stopped)
            metrics.append(loop.metrics(point, test, after_epoch, partial(kept.keep_within, point, metrics, stopped)))
            point = Point(point.epoch + 1)
            kept.keep(point, metrics)
            note(metrics[-1])
            shown.epoch(metrics[-1])
    return metrics


def steps_in_epoch(data: Dataset, config: FitConfig) -> int:
    """Return the steps of the optimizer in an epoch; every process takes ``batch_size`` samples a step."""
    return math.ceil(len(data) / (config.batch_size * ranks.count()))


@dataclass(frozen=True)
class _Loop:
    """Passes over the data, in an order that depends only on seed and epoch."""

    model: nn.Module
    replica: nn.Module  # of the model, whose gradients are averaged over all processes
    data: Dataset
    encoding: Encoding
    config: FitConfig
    optimizer: torch.optim.Optimizer

    @property
    def batches(self) -> int:
        return steps_in_epoch(self.data, self.config)

    def epoch(self, point: Point) -> Iterator[Point]:
        """Train from ``point`` to the end of its epoch; yield the point after each batch."""
        self.model.train()
        seed, epoch = self.config.seed, point.epoch + 1
        noise = replace(self.encoding, seed=_derived(seed, epoch))
        order = np.random.default_rng([seed, epoch]).permutation(len(self.data))
        samples = augmented(self.data, self.config.augment, seed, epoch)
        size = self.config.batch_size * ranks.count()
        for i in range(point.batch, self.batches):
            started = time.perf_counter()
            set_lr(self.optimizer, self.config, point.epoch + i / self.batches)
            at, chosen, weight = ranks.share(order[i * size : (i + 1) * size])
            loss, score = self._step(noise, samples(chosen), self.data.labels[chosen], i * size + at, weight)
            point = replace(
                point, batch=i + 1, loss=point.loss + loss * len(chosen), right=point.right + score,
                seconds=point.seconds + time.perf_counter() - started,
            )  # fmt: skip
            yield point

    def _step(self, noise: Encoding, samples: Any, labels: Labels, first_sample: int, weight: float) -> tuple[float, float]:
        """Return the mean loss, and the sum of the samples' scores (`score_of`). Samples of weight 0 do not count."""
        device = _device(self.model)
        wanted = torch.from_numpy(labels).to(device)
        spikes = self.replica(_messages(noise, samples, self.data.shape, first_sample, device))
        loss = losses.get(self.config.loss)(spikes, wanted)
        self.optimizer.zero_grad()
        (loss if weight == 1 else loss * weight).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return (loss.item(), score_of(spikes.detach(), labels)) if weight else (0.0, 0.0)

    def left(self, point: Point) -> int:
        """Number of batches to come."""
        return self.batches * (self.config.epochs - point.epoch) - point.batch

    def metrics(
        self, point: Point, test: Dataset | None, after_epoch: Callable[[], Metrics] | None, between: Callable[[], None]
    ) -> Metrics:
        """Return the metrics of a finished epoch, over all processes. ``between`` is called between batches of the test."""
        started = time.perf_counter()
        loss, score = ranks.summed(point.loss, point.right)
        measure, samples = self.data.measure, len(self.data)
        line: Metrics = {"epoch": point.epoch + 1, "loss": loss / samples, f"train_{measure}": score / samples}
        _must_be_finite(self.model, line, self.config)
        ranks.align(self.model)
        line |= {f"test_{measure}": _shared_score(self.model, test, self.encoding, between)} if test else {}
        line |= after_epoch() if after_epoch else {}
        return line | {"seconds": round(point.seconds + time.perf_counter() - started, 3)}


def _must_be_finite(model: nn.Module, line: Metrics, config: FitConfig) -> None:
    """Check loss and weights: a neuron whose voltage is NaN only stays silent, so the weights are checked, too."""
    if not math.isfinite(line["loss"]) or not all(p.isfinite().all() for p in model.parameters()):
        raise RunError(
            f"the loss or a weight became NaN or infinite in epoch {line['epoch']}",
            fix=f"use a learning rate below {config.lr:g}",
        )


def mean_score(model: nn.Module, data: Dataset, encoding: Encoding) -> float:
    """Return the mean over the samples of how well they are answered (`score_of`), on the rasters of the encoding's own seed."""
    if not len(data):
        raise DataError("has no samples", where=f"{data.name} {data.split}")
    return _total(model, data, encoding, 0, 1) / len(data)


def score_of(answer: Tensor, labels: Labels) -> float:
    """Return the sum over samples of how well an answer (batch, steps, outputs) matches labels, as `snnc.data.labels.scores`:
    of classes the number of samples whose class fires most, the first of equals.
    """
    if task_of(labels) == "classes":
        return int((answer.sum(1).argmax(1).cpu().numpy() == labels).sum())
    return float(scores(answer.cpu().numpy(), labels).sum())


def _shared_score(model: nn.Module, data: Dataset, encoding: Encoding, between: Callable[[], None]) -> float:
    """Return the mean score, where each process has taken its part of the samples."""
    return ranks.summed(_total(model, data, encoding, ranks.rank(), ranks.count(), between))[0] / len(data)


def _total(
    model: nn.Module, data: Dataset, encoding: Encoding, part: int, parts: int, between: Callable[[], None] = lambda: None
) -> float:
    model.eval()
    total, first = 0.0, part * EVALUATION_BATCH
    with torch.no_grad():
        for start in range(first, len(data), parts * EVALUATION_BATCH):
            if start > first:
                between()
            batch = slice(start, start + EVALUATION_BATCH)
            answer = model(_messages(encoding, data.samples[batch], data.shape, start, _device(model)))
            total += score_of(answer, data.labels[batch])
    return total


def _messages(encoding: Encoding, samples: Any, shape: tuple[int, ...], first_sample: int, device: torch.device) -> Tensor:
    """Return messages (batch, steps, n); the steps of a constant share their memory, by which the model recognises it."""
    if encoding.kind == "constant":
        once = torch.from_numpy(samples.astype(np.float32)).to(device).mul_(encoding.unit)
        return once[:, None].expand(-1, encoding.steps, -1)
    return torch.from_numpy(encode(encoding, samples, first_sample, shape)).to(device).float().mul_(encoding.unit)


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _derived(seed: int, epoch: int) -> int:
    """Return a seed for the noise of an epoch that no encoding is likely to have: 63 random bits."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


def set_lr(optimizer: torch.optim.Optimizer, config: FitConfig, epochs_done: float) -> None:
    """Set the learning rate, which falls to 0 as a cosine."""
    for group in optimizer.param_groups:
        group["lr"] = config.lr * (1 + math.cos(math.pi * epochs_done / config.epochs)) / 2


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Make torch use ``count`` threads within the context."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _between_batches(quiet: bool) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C was pressed; a second Ctrl-C interrupts at once, without a checkpoint.

    What was asked for too late for the loop to see is raised at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread gets signals
        return
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        if not quiet:
            print("stopping after this batch; Ctrl-C again stops at once", file=sys.stderr, flush=True)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
