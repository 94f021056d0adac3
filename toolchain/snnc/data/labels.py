"""What samples are labelled with, a class, a class in each step, or values, and how well answers match that."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DataError
from snnc.network.encoding import Samples
from snnc.network.events import Events

Task = Literal["classes", "steps", "values"]
Measure = Literal["accuracy", "step_accuracy", "squared_error"]
Labels = NDArray[Any]  # int64 (samples,) or (samples, steps); float64 (samples, outputs) or (samples, steps, outputs)

MOST_CLASSES = 1 << 20
MOST_VALUE = 1e30  # of a target, which float32 has to hold
NAMES: dict[Measure, str] = {
    "accuracy": "accuracy", "step_accuracy": "step accuracy", "squared_error": "mean squared error",
}  # fmt: skip
MEASURES: dict[Task, Measure] = {"classes": "accuracy", "steps": "step_accuracy", "values": "squared_error"}


def task_of(labels: Labels) -> Task:
    """Return what the labels ask for."""
    if labels.dtype.kind == "f":
        return "values"
    return "classes" if labels.ndim == 1 else "steps"


def steps_of(labels: Labels) -> int | None:
    """Return the steps of which each has a label of its own; None where a label is that of a whole sample."""
    return labels.shape[1] if labels.ndim == (3 if labels.dtype.kind == "f" else 2) else None


def checked(labels: NDArray[Any], samples: int, what: str, where: str) -> Labels:
    """Return labels as read-only numbers; values of one output get an axis for it.

    Raises DataError unless they are classes (samples,), classes in each step (samples, steps), or floats: values (samples,) or
    (samples, outputs), or in each step (samples, steps, outputs).
    """
    most = 3 if labels.dtype.kind == "f" else 2
    column = labels.dtype.kind != "f" and labels.ndim == 2 and labels.shape[1] == 1  # of classes, by mistake
    if not 1 <= labels.ndim <= most or len(labels) != samples or not labels.size or column:
        what = f"has labels {labels.shape} for {samples} {what}"
        raise DataError(what, where=where, fix="pass one label a sample, or one for each of its steps")
    kept = _values(labels, where) if labels.dtype.kind == "f" else _classes(labels, where)
    kept = kept.view()
    kept.setflags(write=False)
    return kept


def must_be_of_steps(labels: Labels, samples: Samples, where: str) -> None:
    """Raise DataError for labels of steps that are not those of the rasters (samples, steps, n)."""
    steps = steps_of(labels)
    if not isinstance(samples, Events) and samples.ndim == 3 and steps not in (None, samples.shape[1]):
        what = f"has labels of {steps} steps for rasters of {samples.shape[1]}"
        raise DataError(what, where=where, fix="label each of the steps")


def _values(labels: NDArray[Any], where: str) -> Labels:
    values = labels.astype(np.float64)
    if not (np.abs(values) <= MOST_VALUE).all():
        raise DataError(
            "has a value that is NaN, infinite or above 1e30 among its labels", where=where, fix="leave that sample out"
        )
    if values.ndim == 1 and (values == np.floor(values)).all():
        what = f"has labels of {labels.dtype} that are whole numbers, which may be classes or values"
        raise DataError(what, where=where, fix="convert classes to integers; give values a second axis, labels[:, None]")
    return values[:, None] if values.ndim == 1 else values


def _classes(labels: NDArray[Any], where: str) -> Labels:
    if labels.dtype.kind not in "ui":
        what = f"has labels of {labels.dtype}, expected whole numbers 0 .. {MOST_CLASSES - 1}, or floats for values"
        raise DataError(what, where=where, fix="number the classes from 0")
    if labels.dtype != np.uint8 and (labels.min() < 0 or labels.max() >= MOST_CLASSES):
        what = f"has labels of {labels.min()} .. {labels.max()}, expected 0 .. {MOST_CLASSES - 1}"
        raise DataError(what, where=where, fix="number the classes from 0")
    return labels.astype(np.int64, copy=False)


def scores(answer: NDArray[Any], labels: Labels) -> NDArray[np.float64]:
    """Return for each sample how well an answer matches its label, by `MEASURES`.

    Args:
        answer: Spikes, or voltages of a readout, (samples, steps, outputs).
        labels: Of these samples. Values are held against the mean over the steps, or against each step.

    Returns:
        (samples,): 1 where most spikes, or the largest sum of voltages, are those of the class; the share of the steps in
        which they are; or the mean squared error, of which less is better.
    """
    task = task_of(labels)
    if task == "classes":
        return np.asarray(answer.sum(axis=1).argmax(axis=1) == labels, np.float64)
    if task == "steps":
        return np.asarray((answer.argmax(axis=2) == labels).mean(axis=1), np.float64)
    off = (answer if steps_of(labels) else answer.mean(axis=1)) - labels
    return np.asarray(np.square(off).reshape(len(off), -1).mean(axis=1), np.float64)


def measured(line: Mapping[str, Any], when: str) -> tuple[Measure, float] | None:
    """Return the measure of ``when`` ("train" or "test") in a line of metrics, and its value; None without one."""
    measures: tuple[Measure, ...] = get_args(Measure)
    return next(((measure, line[f"{when}_{measure}"]) for measure in measures if f"{when}_{measure}" in line), None)


def merit(measure: Measure, value: float) -> float:
    """Return a number that is larger for what is better."""
    return -value if measure == "squared_error" else value


def in_words(measure: Measure, value: float) -> str:
    """Return "accuracy 95.00 %", or the mean squared error."""
    return f"{NAMES[measure]} {value_in_words(measure, value)}"


def value_in_words(measure: Measure, value: float) -> str:
    """Return "95.00 %", or a mean squared error as a number."""
    return f"{value:.4g}" if measure == "squared_error" else f"{100 * value:.2f} %"
