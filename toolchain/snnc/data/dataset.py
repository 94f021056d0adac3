"""Labelled samples to train and to measure on: the first input of every stage. No torch."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.data.labels import MEASURES, Labels, Measure, Task, checked, must_be_of_steps, steps_of, task_of
from snnc.errors import DataError
from snnc.network.encoding import Encoding, Samples, encode, encoded_shape
from snnc.network.events import Events
from snnc.network.model import Network

Split = Literal["train", "test"]
Kind = Literal["images", "rasters", "events"]

FOLDER_VARIABLE = "SNNC_DATA"


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a data set. Its arrays are read-only copies or views; those that are passed stay as they are.

    Attributes:
        name: Of the data set, for reports and provenance.
        split: "train" or "test".
        samples: Images (samples, n), rasters (samples, steps, n), or `Events`. Each pixel, or message of a raster, is a whole
            number 0 .. 255; those of another type than uint8 are converted.
        shape: Of one image, of a step of a raster, or of the sensor: polarities, rows and columns.
        labels: Class of each sample (samples,), from 0; or the class in each step (samples, steps); or, as floats, the values
            that a readout is to have: (samples, outputs) in the mean over the steps, or (samples, steps, outputs).
        names: Of the classes, for people; none where only numbers are known.

    Raises:
        DataError: Samples or labels are of another shape, number or range.

    Examples:
        >>> import snnc
        >>> digits = snnc.data("digits", "test")
        >>> len(digits), digits.shape, digits.classes
        (360, (8, 8), 10)
    """

    name: str
    split: Split
    samples: Samples
    shape: tuple[int, ...]
    labels: Labels
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where, labels = f"data set {self.name!r}", np.asarray(self.labels)
        samples = self.samples if isinstance(self.samples, Events) else _checked(np.asarray(self.samples), self.shape, where)
        if not len(samples):
            raise DataError("has no samples", where=where, fix="pass at least one sample")
        if isinstance(samples, Events) and samples.sensor != self.shape:
            raise DataError(f"has events of a sensor {samples.sensor} for the shape {self.shape}", where=where)
        kept = checked(labels, len(samples), "images" if self._is_images(samples) else "samples", where)
        must_be_of_steps(kept, samples, where)
        object.__setattr__(self, "labels", kept)
        object.__setattr__(self, "samples", samples)

    def __repr__(self) -> str:
        wanted = {"classes": "classes", "steps": "classes in each step", "values": "values"}[self.task]
        return f"Dataset({self.name!r}, {self.split}, {len(self):,} {self.kind} {self.shape}, {self.outputs} {wanted})"

    def __len__(self) -> int:
        return len(self.labels)

    @staticmethod
    def _is_images(samples: Samples) -> bool:
        return not isinstance(samples, Events) and samples.ndim == 2

    @property
    def kind(self) -> Kind:
        """What the samples are."""
        if isinstance(self.samples, Events):
            return "events"
        return "images" if self._is_images(self.samples) else "rasters"

    @property
    def images(self) -> NDArray[np.uint8]:
        """The images (samples, n). Raises DataError for rasters and events."""
        if isinstance(self.samples, Events) or self.kind != "images":
            raise DataError(f"holds {self.kind}, no images", where=f"data set {self.name!r}")
        return self.samples

    @property
    def task(self) -> Task:
        """What the labels ask for: "classes", "steps" (a class in each step) or "values"."""
        return task_of(self.labels)

    @property
    def measure(self) -> Measure:
        """How answers are judged: "accuracy", "step_accuracy" (share of the steps) or "squared_error"."""
        return MEASURES[self.task]

    @property
    def classes(self) -> int:
        """Number of classes: the highest label and 1, or the number of their names. Raises DataError for values."""
        if self.task == "values":
            raise DataError("is labelled with values, not with classes", where=f"data set {self.name!r}")
        return max(int(self.labels.max()) + 1, len(self.names))

    @property
    def outputs(self) -> int:
        """Number of output neurons that it takes: one for each class, or for each value."""
        return int(self.labels.shape[-1]) if self.task == "values" else self.classes

    @cached_property
    def sha256(self) -> str:
        """Hash of samples and labels, for provenance."""
        digest = hashlib.sha256()
        if isinstance(self.samples, Events):
            arrays = self.samples.offsets, self.samples.t, self.samples.place
            digest.update(repr((self.name, self.split, self.shape, "events")).encode())
        else:
            arrays = (self.samples,)  # type: ignore[assignment]
            digest.update(repr((self.name, self.split, self.shape, self.samples.shape)).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        if self.task != "classes":
            digest.update(repr((self.task, self.labels.shape)).encode())
        digest.update(np.ascontiguousarray(self.labels).astype("<f8" if self.task == "values" else "<i8").tobytes())
        return digest.hexdigest()

    def first(self, samples: int) -> "Dataset":
        """Return the first ``samples`` of the split, or all of it if it has fewer."""
        return self.of(slice(samples))

    def of(self, chosen: slice | NDArray[Any]) -> "Dataset":
        """Return some samples of the split: a slice, their numbers, or a mask."""
        return replace(self, samples=self.samples[chosen], labels=self.labels[chosen])

    def input_shape(self, encoding: Encoding) -> tuple[int, ...]:
        """Return the shape of an input in this encoding. Raises DataError if it does not take such samples."""
        try:
            return encoded_shape(encoding, self.samples, self.shape)
        except DataError as error:
            raise DataError(error.what, where=f"data set {self.name!r}", fix=error.fix) from error

    def left_out(self, encoding: Encoding) -> float:
        """Return the part of the events that come after the last step of an encoding; 0 for images and rasters."""
        if not isinstance(self.samples, Events) or not len(self.samples.t):
            return 0.0
        return float((self.samples.t // np.uint32(encoding.bin_us) >= encoding.steps).mean())

    def encoded(self, encoding: Encoding, chosen: slice | NDArray[Any], first_sample: int = 0) -> NDArray[np.uint8]:
        """Return rasters (samples, steps, n) of some samples; see `encode`."""
        return encode(encoding, self.samples[chosen], first_sample, self.shape)


def must_have_classes(data: Dataset, what: str) -> None:
    """Raise DataError for data whose samples have no class each: ``what`` reports accuracies."""
    if data.task != "classes":
        kind = "values" if data.task == "values" else "a class in each step"
        fix = "use snnc train, prune, quantise and simulate, which report its measure"
        raise DataError(f"is labelled with {kind}, and {what} reports accuracies of classes", where=data.name, fix=fix)


def must_go_together(train: Dataset, test: Dataset | None, encoding: Encoding) -> None:
    """Raise DataError if an encoding does not take both splits, if their shapes differ, or the test split has more classes."""
    shapes = [split.input_shape(encoding) for split in (train, test) if split]
    for split in filter(None, (train, test)):
        _must_have_steps(split, encoding)
    if test and shapes[0] != shapes[1]:
        raise DataError(f"has inputs of {shapes[1]}, the training split of {shapes[0]}", where=f"data set {test.name!r}, test")
    if test and test.task != train.task:
        what = f"is labelled with {test.task}, the training split with {train.task}"
        raise DataError(what, where=f"data set {test.name!r}", fix="label both alike")
    if test and (test.outputs > train.outputs or (test.task == "values" and test.outputs < train.outputs)):
        kind, fix = ("values", "label both alike") if test.task == "values" else ("classes", "add training samples of each class")
        what = f"has {test.outputs} {kind}, the training split {train.outputs}"
        raise DataError(what, where=f"data set {test.name!r}", fix=fix)


def _must_have_steps(split: Dataset, encoding: Encoding) -> None:
    """Raise DataError for rasters, or labels of steps, of another number of steps than the encoding has."""
    if split.kind == "rasters":
        split.encoded(encoding, slice(1))  # raises for another number of steps
    if (steps := steps_of(split.labels)) not in (None, encoding.steps):
        what = f"has labels of {steps} steps, the encoding has {encoding.steps}"
        raise DataError(what, where=f"data set {split.name!r}, {split.split}", fix=f"use -T {steps}, or label each of the steps")


def _checked(samples: NDArray[Any], shape: tuple[int, ...], where: str) -> NDArray[np.uint8]:
    """Return images (samples, n) or rasters (samples, steps, n) as read-only bytes. Raises DataError for anything else."""
    if len(samples) and (samples.ndim not in (2, 3) or not samples.size or samples.shape[-1] != prod(shape)):
        what = f"has images {samples.shape} for the shape {tuple(shape)}, expected (samples, {prod(shape)})"
        raise DataError(what, where=where, fix="reshape them: images.reshape(len(images), -1)")
    name = "rasters" if samples.ndim == 3 else "images"
    if len(samples):
        _must_be_whole(name, samples, 255, where, "scale them to 0 .. 255, round them and convert them to numpy.uint8")
    kept = samples.astype(np.uint8, copy=False).view()
    kept.setflags(write=False)
    return kept


def _must_be_whole(name: str, array: NDArray[Any], most: int, where: str, fix: str) -> None:
    """Raise DataError for numbers that are not whole or not 0 .. ``most``."""
    if array.dtype.kind not in "ui":
        raise DataError(f"has {name} of {array.dtype}, expected whole numbers 0 .. {most}", where=where, fix=fix)
    if array.dtype != np.uint8 and (array.min() < 0 or array.max() > most):
        raise DataError(f"has {name} of {array.min()} .. {array.max()}, expected 0 .. {most}", where=where, fix=fix)


def must_suit(net: Network, data: Dataset) -> None:
    """Raise DataError if a network does not take such samples, has other inputs than they have pixels, or too few outputs."""
    fix = "name with --data the data set that it was trained on"
    try:
        pixels = prod(data.input_shape(net.encoding) if net.encoding else data.shape)
        if net.encoding:
            _must_have_steps(data, net.encoding)
    except DataError as error:  # the encoding is the network's: no option changes it
        raise DataError(error.what, where=error.where or data.name, fix=fix) from error
    inputs = sum(p.size for p in net.inputs)
    if pixels != inputs:
        what = f"images of {pixels} pixels" if data.kind == "images" else f"{data.kind} of {pixels} places"
        raise DataError(f"has {what}, the network has {inputs} inputs", where=data.name, fix=fix)
    if data.outputs > net.output.size or (data.task == "values" and data.outputs < net.output.size):
        kind = "values" if data.task == "values" else "classes"
        raise DataError(f"has {data.outputs} {kind}, the network has {net.output.size} outputs", where=data.name, fix=fix)
