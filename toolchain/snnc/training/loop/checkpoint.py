"""The state of a training in a file: everything that decides how it continues, and which training it belongs to."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from snnc.data.dataset import Dataset
from snnc.errors import ConfigError, FileError
from snnc.network.encoding import Encoding
from snnc.training.loop import ranks
from snnc.training.loop.record import Metrics, Record, read_checkpoint
from snnc.training.settings import FitConfig

EVERY_S = 300.0  # a checkpoint within a long epoch, too


@dataclass(frozen=True)
class Point:
    """Position of a training: whole epochs, and of the next one the batches, the sums over them, and the time."""

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    right: float = 0.0  # sum of the samples' scores
    seconds: float = 0.0


class Checkpoints:
    """Writes the state of one training and restores it.

    A checkpoint names its settings, data, encoding and the weights that training started from, and is refused by another.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        data: Dataset,
        encoding: Encoding,
        config: FitConfig,
        record: Record,
    ) -> None:
        self._model, self._optimizer, self._record = model, optimizer, record
        self._of: dict[str, Any] = {
            "settings": {**config.stated(), "processes": ranks.count()},
            "data": data.sha256, "encoding": encoding.stated(), "network": _fingerprint(model),
        }  # fmt: skip
        self._written, self._left = time.monotonic(), _stamp(record.checkpoint)

    def keep_within(self, point: Point, metrics: list[Metrics], stopped: Callable[[], bool]) -> None:
        """Write within an epoch if the last write is long ago, or if the user ``stopped``. Raises KeyboardInterrupt in that
        case.
        """
        asked = stopped()
        if asked or time.monotonic() - self._written > EVERY_S:
            self.keep(point, metrics)
        if asked:
            raise KeyboardInterrupt

    def keep(self, point: Point, metrics: list[Metrics]) -> None:
        """Write the current state, at ``point``. Raises FileError if another training has written the checkpoint meanwhile."""
        if _stamp(self._record.checkpoint) not in (None, self._left):
            raise FileError(
                "was written by another training meanwhile", where=str(self._record.checkpoint), fix="give each its own --out"
            )
        self._record.keep(
            {
                **asdict(point), "of": self._of, "model": self._model.state_dict(),
                "optimizer": self._optimizer.state_dict(), "random": ranks.random_state(_device(self._model)),
            },
            metrics,
        )  # fmt: skip
        self._written, self._left = time.monotonic(), _stamp(self._record.checkpoint)

    def resume(self, path: Path) -> tuple[Point, list[Metrics]]:
        """Load a checkpoint into model and optimizer; return the point and the metrics so far.

        Raises FileError for a file that is not a checkpoint, ConfigError for a checkpoint of another training.
        """
        state = read_checkpoint(path)
        try:
            self._must_belong(state["of"], path)
            self._model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            ranks.set_random_state(state["random"])
            point = Point(**{k: type(zero)(state[k]) for k, zero in asdict(Point()).items()})
            metrics = list(state["metrics"])
            if len(metrics) != point.epoch:
                raise ValueError(f"metrics of {len(metrics)} epochs after {point.epoch}")
            return point, metrics
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise FileError(f"is damaged: {error!r}", where=str(path), fix="train again without it") from error

    def _must_belong(self, of: dict[str, Any], path: Path) -> None:
        ours, theirs = self._of["settings"], of.get("settings", {})
        if unlike := sorted(k for k in {**ours, **theirs} if (k in ours) != (k in theirs) or ours[k] != theirs[k]):
            raise ConfigError(
                f"was made with other settings: {', '.join(unlike)}", where=str(path), fix="use the same settings or start anew"
            )
        for what in ("data", "encoding", "network"):
            if self._of[what] != of[what]:
                raise ConfigError(
                    f"belongs to a training of another {what}", where=str(path), fix=f"use the same {what} or start anew"
                )


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Return what tells one writing of a file from the next; None where there is none."""
    if path is None or not path.exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _fingerprint(model: nn.Module) -> str:
    """Return the SHA-256 of the weights that a training starts from, with their names and shapes."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
