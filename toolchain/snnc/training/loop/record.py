"""Files and output of a training loop: a checkpoint, a line of metrics per epoch, and progress for the person who waits."""

import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from snnc.base.files import must_be_free, write_bytes
from snnc.data.labels import Measure, in_words, measured, merit
from snnc.errors import FileError, MissingDependencyError, of_memory

CHECKPOINT = "snnc.checkpoint/2"
Metrics = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """Where checkpoint and metrics go (None: nowhere), and whether progress is shown on stderr."""

    checkpoint: Path | None = None
    metrics: Path | None = None
    quiet: bool = False
    best: Path | None = None
    tensorboard: Path | None = None

    @classmethod
    def beside(cls, out: Path, quiet: bool = False, tensorboard: Path | None = None) -> "Record":
        """Return ``model.ckpt``, ``model.best.ckpt`` and ``model.metrics.jsonl`` beside ``model.snnc``."""
        stem = out.name.removesuffix(".snnc").removesuffix(".safetensors")
        last, best, metrics = (out.with_name(stem + ending) for ending in (".ckpt", ".best.ckpt", ".metrics.jsonl"))
        return cls(last, metrics, quiet, best, tensorboard)

    def must_be_free(self, force: bool, resume: Path | None = None) -> None:
        """Raise FileError if one of the files exists and may not be replaced. Without ``force``, only the training that wrote
        the files may replace them, when it continues from one of its own checkpoints.
        """
        own = {path.absolute() for path in (self.checkpoint, self.best) if path}
        goes_on = resume is not None and resume.absolute() in own
        if self.checkpoint and self.checkpoint.is_file() and not force and resume is None:  # --force alone would lose it
            fix = f"go on with --resume {self.checkpoint}, pick another --out, or add --force to start anew"
            raise FileError("exists already", where=str(self.checkpoint), fix=fix)
        for path in (self.checkpoint, self.best, self.metrics):
            if path:
                must_be_free(path, force or goes_on)

    def keep(self, state: Mapping[str, Any], metrics: list[Metrics]) -> None:
        """Replace the checkpoints and metrics, each whole or not at all; ``best`` only by an epoch that is better."""
        packed = io.BytesIO()
        if self.checkpoint or self.best:
            torch.save({"schema": CHECKPOINT, **state, "metrics": metrics}, packed)
        if self.checkpoint:
            write_bytes(self.checkpoint, packed.getvalue(), force=True)
        if self.best and metrics and not state["batch"] and _is_best(metrics):
            write_bytes(self.best, packed.getvalue(), force=True)
        if self.metrics:
            lines = "".join(json.dumps(line, sort_keys=True) + "\n" for line in metrics)
            write_bytes(self.metrics, lines.encode(), force=True)


def _is_best(metrics: list[Metrics]) -> bool:
    """Return whether the last epoch answers best of those with the fewest synapses; on test samples, if there are any."""

    def rank(line: Metrics) -> tuple[float, float]:
        return -float(line.get("parameter_connectivity", 1)), merit(*_score(line)[0])

    return all(rank(metrics[-1]) > rank(line) for line in metrics[:-1])


def _score(line: Metrics) -> tuple[tuple[Measure, float], bool]:
    """Return the measure of an epoch and its value, and whether it is of test samples."""
    of_test = measured(line, "test")
    score = of_test or measured(line, "train")
    if score is None:
        raise KeyError("no measure in a line of metrics")
    return score, of_test is not None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint: tensors and plain values; nothing is executed. Raises FileError for a file that is not from snnc."""
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
    """A bar on a terminal, with what the last epoch reached and the time to come; else a line per epoch. Both on stderr."""

    def __init__(self, bar: Any, task: Any, quiet: bool, epochs: int) -> None:
        self._bar, self._task, self._quiet, self._epochs = bar, task, quiet, epochs

    def step(self) -> None:
        """Report that one batch is done."""
        if self._bar:
            self._bar.advance(self._task)

    def epoch(self, line: Metrics) -> None:
        """Report that one epoch is done."""
        if self._bar:
            self._bar.update(self._task, description=_reached(line, self._epochs))
        elif not self._quiet:
            rest = (f"{key} {_short(value)}" for key, value in line.items() if isinstance(value, int | float) and key != "epoch")
            print(", ".join((f"epoch {line['epoch']} of {self._epochs}", *rest)), file=sys.stderr, flush=True)


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _reached(line: Metrics, epochs: int) -> str:
    """Return what a bar has room for: the epoch that runs now, and what the last one reached."""
    words = [f"epoch {min(line['epoch'] + 1, epochs)} of {epochs}"]
    score, is_test = _score(line)
    words.append(f"{in_words(*score)}{'' if is_test else ' (training)'}")
    if "parameter_connectivity" in line:
        words.append(f"connectivity {100 * line['parameter_connectivity']:.2f} %")
    return ", ".join(words)


@contextmanager
def progress(batches: int, quiet: bool, epochs: int, first: int = 1) -> Iterator[Progress]:
    """Show how far a loop of ``batches`` steps is, which begins in epoch ``first`` of ``epochs``."""
    if quiet or not sys.stderr.isatty():
        yield Progress(None, None, quiet, epochs)
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True)) as bar:
        yield Progress(bar, bar.add_task(f"epoch {first} of {epochs}", total=batches), quiet, epochs)


@contextmanager
def board(folder: Path | None, epochs_done: int) -> Iterator[Callable[[Metrics], None]]:
    """Return a function that adds an epoch to the TensorBoard log in ``folder``, which continues after ``epochs_done``.

    Raises MissingDependencyError without tensorboard.
    """
    if folder is None:
        yield lambda line: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        if of_memory(error):
            raise
        raise MissingDependencyError("the log needs tensorboard", fix="pip install '.[tensorboard]'") from error
    with SummaryWriter(str(folder), purge_step=epochs_done + 1) as writer:

        def note(line: Metrics) -> None:
            for key, value in line.items():
                if isinstance(value, int | float) and key != "epoch":
                    writer.add_scalar(key, value, line["epoch"])

        yield note
