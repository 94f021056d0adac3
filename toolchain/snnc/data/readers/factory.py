"""Data sets that a Python file of the user's own makes: FILE.py:NAME. The file is executed.

The function takes nothing, or the split ("train" or "test"), and returns

- a `snnc.Dataset`, or
- a table of arrays, named as those of an .npz file, or
- a Dataset of torch or tonic of (events, label), where events are a structured array with t in microseconds, x, and y and p
  where there are any; or one of (array, label) in a table that says what the arrays are: ``{"rasters": dataset}`` or
  ``{"images": dataset}``.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base.factory import Factory, beside, function, told
from snnc.data.content import Content, Part, parts_of
from snnc.data.dataset import Dataset, Split
from snnc.errors import DataError, SnncError
from snnc.network.events import Sensor

FIX = "return a snnc.Dataset, a table of arrays, or a Dataset of torch or tonic; see docs/data.md"


def read(factory: Factory, split: Split) -> dict[Part, Content] | Dataset:
    """Return what the function makes, by split.

    Raises FileError if there is no such function, DataError if it fails or returns something else.
    """
    where = f"{factory.path}:{factory.name}"
    with beside(factory.path):
        made, of_split = _called(factory, split, where)
        if isinstance(made, Dataset):
            return _suited(made, split, where)
        return _parts(made, split if of_split else "all", where)


def _called(factory: Factory, split: Split, where: str) -> tuple[Any, bool]:
    """Return what the function returns, and whether it was told the split."""
    make: Any = function(factory)
    try:
        takes = bool(inspect.signature(make).parameters)
    except (TypeError, ValueError):
        takes = False
    try:
        return (make(split) if takes else make()), takes
    except SnncError:
        raise
    except Exception as error:
        raise DataError(f"raises {told(error, factory)}", where=where, fix="correct the function") from error


def _suited(made: Dataset, split: Split, where: str) -> Dataset:
    if made.split != split:
        fix = f"let the function take the split: def {where.rpartition(':')[2]}(split)"
        raise DataError(f"returns the {made.split} split, asked for {split}", where=where, fix=fix)
    return made


def _parts(made: Any, part: Part, where: str) -> dict[Part, Content]:
    if not isinstance(made, Mapping):
        return {part: _of_events(_samples(made, where), _sensor(made), where)}
    if not made or not all(isinstance(key, str) for key in made):
        raise DataError(f"returns a table of {len(made)} entries without names", where=where, fix=FIX)
    kind = next((kind for kind in ("images", "rasters") if kind in made), None)
    if kind and len(made) == 1 and not hasattr(made[kind], "__array__"):
        return {part: _of_arrays(kind, _samples(made[kind], where), where)}
    arrays = parts_of({key: _array(value, where) for key, value in made.items()}, where)
    if part == "all":
        return arrays
    if set(arrays) != {"all"}:
        raise DataError(f"was asked for {part} and returns splits", where=where, fix="let the function take no split")
    return {part: arrays["all"]}


def _array(value: Any, where: str) -> NDArray[Any]:
    """Return an array of numbers; a tensor of torch becomes one. Raises DataError for anything else."""
    try:
        array = np.asarray(value)
    except Exception as error:
        raise DataError(f"returns {type(value).__name__}, no array ({told(error)})", where=where, fix=FIX) from error
    if array.dtype.hasobject:
        raise DataError(f"returns {type(value).__name__} of objects, expected numbers", where=where, fix=FIX)
    return array


def _samples(dataset: Any, where: str) -> Iterator[tuple[NDArray[Any], int]]:
    """Yield each sample and its label. Raises DataError, with its number, for one that cannot be got."""
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise DataError(f"returns {type(dataset).__name__}, no data set", where=where, fix=FIX)
    for number in range(len(dataset)):
        at = f"{where}, sample {number}"
        try:
            sample, label = dataset[number]
        except Exception as error:
            raise DataError(f"raises {told(error)}", where=at, fix="correct the Dataset") from error
        yield _array(sample, at), _label(label, at)


def _label(label: Any, where: str) -> int:
    try:
        number = float(label)
    except (TypeError, ValueError) as error:
        raise DataError(f"has the label {label!r}, no number", where=where, fix="number the classes from 0") from error
    if not number.is_integer() or number < 0:
        raise DataError(f"has the label {label!r}", where=where, fix="number the classes from 0")
    return int(number)


def _sensor(dataset: Any) -> Sensor | None:
    """Return the sensor that a data set of tonic says: its sensor_size is (x, y, p)."""
    size = getattr(dataset, "sensor_size", None)
    if isinstance(size, tuple) and len(size) == 3 and all(isinstance(n, int | np.integer) for n in size):
        return int(size[2]), int(size[1]), int(size[0])
    return None


def _of_events(samples: Iterator[tuple[NDArray[Any], int]], sensor: Sensor | None, where: str) -> Content:
    columns: dict[str, list[NDArray[Any]]] = {}
    labels, lengths = [], []
    for number, (sample, label) in enumerate(samples):
        names = sample.dtype.names or ()
        if "t" not in names or "x" not in names or (number and columns.keys() != set(names) & {*"txyp"}):
            raise DataError(
                f"returns samples of {sample.dtype}, neither events nor said what they are", where=f"{where}, sample {number}",
                fix='return {"rasters": dataset} or {"images": dataset}, or structured arrays with t and x',
            )  # fmt: skip
        for key in {*"txyp"} & set(names):
            columns.setdefault(key, []).append(sample[key].reshape(-1))
        labels.append(label)
        lengths.append(len(sample))
    arrays = {key: np.concatenate(parts) for key, parts in columns.items()}
    arrays |= {"offsets": np.cumsum([0, *lengths]), "labels": np.array(labels, np.int64)}
    if sensor:
        arrays["sensor"] = np.array(sensor)
    return parts_of(arrays, where)["all"]


def _of_arrays(kind: str, samples: Iterator[tuple[NDArray[Any], int]], where: str) -> Content:
    stacked: list[NDArray[Any]] = []
    labels = []
    for number, (sample, label) in enumerate(samples):
        if stacked and sample.shape != stacked[0].shape:
            raise DataError(
                f"has shape {sample.shape}, sample 0 has {stacked[0].shape}", where=f"{where}, sample {number}",
                fix="pad or cut the samples to one length",
            )  # fmt: skip
        stacked.append(sample)
        labels.append(label)
    if not stacked:
        raise DataError("has no samples", where=where, fix="return at least two")
    return parts_of({kind: np.stack(stacked), "labels": np.array(labels, np.int64)}, where)["all"]
