"""Samples as a file names them: arrays called images, rasters or t, x, y, p and offsets, and labels; each of them checked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.data.dataset import Split
from snnc.data.labels import Labels, checked, must_be_of_steps
from snnc.errors import DataError
from snnc.network.encoding import Samples
from snnc.network.events import MOST_PLACES, Events, Sensor

Arrays = Mapping[str, NDArray[Any]]
Part = Split | Literal["all"]

OF_EVENTS = ("t", "x", "y", "p", "offsets", "sensor")
KNOWN = ("images", "rasters", *OF_EVENTS, "labels", "targets", "split")
REMEDY = "name the arrays images, rasters, or t, x, y, p and offsets, and labels or targets; see docs/data.md"
MICROSECONDS = 1e6  # of a time in floats


@dataclass(frozen=True, eq=False)
class Content:
    """Labelled samples. ``test``: which are test samples, (samples,), if that is known."""

    samples: Samples
    shape: tuple[int, ...]
    labels: Labels
    names: tuple[str, ...] = ()
    test: NDArray[np.bool_] | None = None


def parts_of(arrays: Arrays, where: str, names: tuple[str, ...] = ()) -> dict[Part, Content]:
    """Return what arrays hold, by split: those whose names begin in train and test, or all of them.

    A name is one of `KNOWN`, alone or behind ``train/``, ``train_``, ``test/`` or ``test_``. Raises DataError for other names and
    for arrays that do not go together.
    """
    grouped: dict[Part, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise DataError(f"has {name} of {array.dtype}, expected numbers", where=where, fix="save numbers, no objects")
        part, known = _placed(name, where)
        grouped.setdefault(part, {})[known] = array
    if not grouped or ("all" in grouped and len(grouped) > 1):
        raise DataError(f"holds {_listed(arrays)}", where=where, fix=REMEDY)
    sensor = _sensor(grouped.values(), where)
    return {
        part: _content(named, f"{where}, {part}" if part != "all" else where, sensor, names) for part, named in grouped.items()
    }


def _placed(name: str, where: str) -> tuple[Part, str]:
    parts: tuple[Split, ...] = ("train", "test")
    for part in parts:
        for mark in "/_":
            if name.removeprefix(part + mark) in KNOWN and name.startswith(part + mark):
                return part, name.removeprefix(part + mark)
    if name not in KNOWN:
        raise DataError(f"holds {name!r}, which is no name of samples or labels", where=where, fix=REMEDY)
    return "all", name


def _listed(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:10]) + (", .." if len(listed) > 10 else "") or "nothing"


def _content(arrays: Arrays, where: str, sensor: Sensor | None, names: tuple[str, ...]) -> Content:
    kinds = [kind for kind in ("images", "rasters", "t") if kind in arrays]
    if len(kinds) != 1:
        raise DataError(f"holds {_listed(arrays)}: {len(kinds)} kinds of samples, expected one", where=where, fix=REMEDY)
    if "labels" not in arrays and "targets" not in arrays:
        raise DataError("holds no labels", where=where, fix="add an array called labels, with the class of each sample")
    if "labels" in arrays and "targets" in arrays:
        raise DataError("holds labels and targets", where=where, fix="keep one: classes in labels, or values in targets")
    if sensor is not None and kinds == ["t"]:
        samples: Samples = _events(arrays, sensor, where)
        shape: tuple[int, ...] = sensor
    else:
        if odd := sorted(set(OF_EVENTS) & arrays.keys()):
            raise DataError(f"holds {odd[0]} beside {kinds[0]}", where=where, fix=REMEDY)
        samples, shape = _dense(arrays[kinds[0]], kinds[0], where)
    if "targets" in arrays:
        targets = arrays["targets"].astype(np.float64)
        labels = checked(targets[:, None] if targets.ndim == 1 else targets, len(samples), "samples", where)
    else:
        labels = _labels(arrays["labels"], len(samples), where)
    must_be_of_steps(labels, samples, where)
    return Content(samples, shape, labels, names, _test(arrays, len(samples), where))


def _dense(array: NDArray[Any], name: str, where: str) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Return images (samples, n) or rasters (samples, steps, n), and the shape of one, or of a step."""
    if not len(np.atleast_1d(array)):
        raise DataError(f"holds {name} of 0 samples", where=where, fix="add samples")
    axes = 1 if name == "images" else 2
    if array.ndim <= axes or not array.size:
        expected = "(samples, .., rows, columns)" if axes == 1 else "(samples, steps, ..)"
        raise DataError(f"has {name} of shape {array.shape}, expected {expected}", where=where, fix="reshape them")
    shape = array.shape[axes:]
    return whole_bytes(array, name, where).reshape(*array.shape[:axes], prod(shape)), shape


def whole_bytes(array: NDArray[Any], name: str, where: str) -> NDArray[np.uint8]:
    """Return numbers as bytes. Raises DataError, with the sample, unless all are whole and 0 .. 255."""
    if array.dtype.kind == "b" or array.dtype == np.uint8:
        return array.astype(np.uint8, copy=False)
    kept = np.empty(array.shape, np.uint8)
    for number, sample in enumerate(array):
        with np.errstate(invalid="ignore"):
            wrong = ~((sample >= 0) & (sample <= 255)) | (sample != np.floor(sample))
        if wrong.any():
            value = sample[wrong].flat[0]
            fix = "scale images to 0 .. 255 and round them; a raster holds spikes, or counts of events"
            raise DataError(
                f"has {name} with {value:g}, expected whole numbers 0 .. 255", where=f"{where}, sample {number}", fix=fix
            )
        kept[number] = sample
    return kept


def _labels(array: NDArray[Any], samples: int, where: str) -> Labels:
    if array.ndim not in (1, 2) or len(array) != samples or not array.size:
        what = f"has labels of shape {array.shape} for {samples} samples"
        raise DataError(what, where=where, fix="pass one label a sample, or one for each of its steps")
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all() or (array != np.floor(array)).any() or (array < 0).any():
        raise DataError(
            "has labels that are no whole numbers from 0 on", where=where, fix="number the classes from 0, or call values targets"
        )
    labels = array.astype(np.int64)
    if labels.min(initial=0) == labels.max(initial=0):
        raise DataError("has samples of one class only", where=where, fix="add samples of another class")
    return labels


def _test(arrays: Arrays, samples: int, where: str) -> NDArray[np.bool_] | None:
    if "split" not in arrays:
        return None
    split = arrays["split"]
    odd = np.setdiff1d(split, (0, 1))
    if split.shape != (samples,) or odd.size:
        what = f"has a split of {f'{odd[0]:g}' if odd.size else f'shape {split.shape}'}"
        expected = f"expected 0 (train) or 1 (test) for each of {samples} samples"
        raise DataError(f"{what}, {expected}", where=where, fix="write it so")
    chosen: NDArray[np.bool_] = split.astype(np.bool_)
    return chosen


def _sensor(groups: Iterable[Arrays], where: str) -> Sensor | None:
    """Return polarities, rows and columns: as stated, or the smallest that holds all events of all splits."""
    groups = [arrays for arrays in groups if "t" in arrays and "x" in arrays]
    sensors = [arrays["sensor"] for arrays in groups if "sensor" in arrays]
    stated = {tuple(sensor.reshape(-1).tolist()) for sensor in sensors}
    if len(stated) > 1 or any(sensor.shape != (3,) or sensor.dtype.kind not in "iu" for sensor in sensors):
        raise DataError("has a sensor that is not polarities, rows and columns", where=where, fix="write three numbers")
    if stated:
        return next(iter(stated))
    if not groups:
        return None

    def size(key: str) -> int:
        values = [float(np.max(arrays[key], initial=0)) for arrays in groups if key in arrays]
        most = max(values, default=0.0)
        return int(min(most, MOST_PLACES - 1)) + 1 if most >= 0 else 1  # NaN is not; what is larger is told with its sample

    return size("p"), size("y"), size("x")


def _events(arrays: Arrays, sensor: Sensor, where: str) -> Events:
    if lacking := [key for key in ("x", "offsets") if key not in arrays]:
        raise DataError(f"holds t, but no {' and no '.join(lacking)}", where=where, fix=REMEDY)
    return events_of(sensor, arrays["offsets"], arrays["t"], arrays["x"], arrays.get("y"), arrays.get("p"), where)


def events_of(
    sensor: Sensor, offsets: NDArray[Any], t: NDArray[Any], x: NDArray[Any], y: NDArray[Any] | None, p: NDArray[Any] | None,
    where: str,
) -> Events:  # fmt: skip
    """Return events of times in microseconds, or as floats in seconds, and of polarities 0 and 1, or -1 and 1.

    Raises DataError, with the place, for what is no event.
    """
    if t.dtype.kind == "f":
        t = np.floor(t.astype(np.float64) * MICROSECONDS + 0.5)
    if p is not None and p.dtype.kind in "if" and p.size and p.min() == -1:
        p = np.where(p == -1, 0, p)
    if offsets.dtype.kind not in "iu":
        raise DataError(f"has offsets of {offsets.dtype}, expected whole numbers", where=where, fix="save them as integers")
    try:
        return Events.of(sensor, offsets.astype(np.int64), t, x, y, p)
    except DataError as error:
        raise DataError(error.what, where=", ".join(filter(None, (where, error.where))), fix=error.fix) from error
