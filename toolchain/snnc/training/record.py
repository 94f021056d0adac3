"""What a training loop leaves behind: a checkpoint, a line of metrics an epoch, and progress for the person who waits."""

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from snnc.errors import FileError
from snnc.files import must_be_free, write_bytes

CHECKPOINT = "snnc.checkpoint/1"
Metrics = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """Where checkpoint and metrics go (None: nowhere), and whether progress is shown on stderr."""

    checkpoint: Path | None = None
    metrics: Path | None = None
    quiet: bool = False

    @classmethod
    def beside(cls, out: Path, quiet: bool = False) -> "Record":
        """``model.ckpt`` and ``model.metrics.jsonl`` beside ``model.snnc``."""
        return cls(out.with_suffix(".ckpt"), out.with_suffix(".metrics.jsonl"), quiet)

    def must_be_free(self, force: bool) -> None:
        """Raises FileError if one of the files exists and may not be replaced."""
        for path in (self.checkpoint, self.metrics):
            if path:
                must_be_free(path, force)

    def keep(self, state: Mapping[str, Any], metrics: list[Metrics]) -> None:
        """Replace checkpoint and metrics, each whole or not at all."""
        if self.checkpoint:
            packed = io.BytesIO()
            torch.save({"schema": CHECKPOINT, **state, "metrics": metrics}, packed)
            write_bytes(self.checkpoint, packed.getvalue(), force=True)
        if self.metrics:
            lines = "".join(json.dumps(line, sort_keys=True) + "\n" for line in metrics)
            write_bytes(self.metrics, lines.encode(), force=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint: tensors and plain values, nothing that is executed. Raises FileError if it is none of ours."""
    from pickle import UnpicklingError
    from zipfile import is_zipfile

    try:
        with path.open("rb") as file:
            whole = is_zipfile(file)
            file.seek(0)
            state = torch.load(file, weights_only=True) if whole else None
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from error
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise FileError("is no checkpoint, or is truncated", where=str(path), fix="train again without it") from error
    if not isinstance(state, dict) or state.get("schema") != CHECKPOINT:
        raise FileError("is no checkpoint of snnc", where=str(path), fix="train again without it")
    return state


class Progress:
    """A bar on a terminal, else a line an epoch; both on stderr."""

    def __init__(self, bar: Any, task: Any, quiet: bool) -> None:
        self._bar, self._task, self._quiet = bar, task, quiet

    def step(self) -> None:
        """One batch is done."""
        if self._bar:
            self._bar.advance(self._task)

    def epoch(self, line: Metrics) -> None:
        """One epoch is done."""
        text = ", ".join(f"{key} {_short(value)}" for key, value in line.items() if isinstance(value, int | float))
        if self._bar:
            self._bar.update(self._task, description=text)
        elif not self._quiet:
            print(text, file=sys.stderr, flush=True)


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"


@contextmanager
def progress(batches: int, quiet: bool) -> Iterator[Progress]:
    """Shows how far a loop of ``batches`` steps has come."""
    if quiet or not sys.stderr.isatty():
        yield Progress(None, None, quiet)
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True)) as bar:
        yield Progress(bar, bar.add_task("training", total=batches), quiet)
