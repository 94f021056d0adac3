"""Labelled images to train and to measure on: the first input of every stage. No torch."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DataError
from snnc.network.model import Network

Split = Literal["train", "test"]

FOLDER_VARIABLE = "SNNC_DATA"
MOST_CLASSES = 1 << 20


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a data set. Its arrays are read-only copies or views; those that are passed stay as they are.

    Attributes:
        name: Of the data set, for reports and provenance.
        split: "train" or "test".
        images: Bytes (samples, n): each pixel, or other value, is 0 .. 255. Whole numbers of another type are converted.
        shape: Of one image; its product is n.
        labels: Class of each sample (samples,), from 0.

    Raises:
        DataError: Images or labels are of another shape, number or range.

    Examples:
        >>> import snnc
        >>> from snnc import data
        >>> digits = data.load("digits", "test")
        >>> len(digits), digits.shape, digits.classes
        (360, (8, 8), 10)
    """

    name: str
    split: Split
    images: NDArray[np.uint8]  # (samples, n), 0 .. 255
    shape: tuple[int, ...]  # of one image; its product is n
    labels: NDArray[np.int64]  # (samples,)

    def __post_init__(self) -> None:
        images, labels, where = np.asarray(self.images), np.asarray(self.labels), f"data set {self.name!r}"
        if not images.size:
            raise DataError("has no samples", where=where, fix="pass at least one image")
        if images.ndim != 2 or images.shape[1] != prod(self.shape):
            what = f"has images {images.shape} for the shape {tuple(self.shape)}, expected (samples, {prod(self.shape)})"
            raise DataError(what, where=where, fix="reshape them: images.reshape(len(images), -1)")
        if labels.shape != (len(images),):
            raise DataError(f"has labels {labels.shape} for {len(images)} images", where=where, fix="pass one label an image")
        _must_be_whole("images", images, 255, where, "scale them to 0 .. 255, round them and convert them to numpy.uint8")
        _must_be_whole("labels", labels, MOST_CLASSES - 1, where, "number the classes from 0")
        for name, array, dtype in (("images", images, np.uint8), ("labels", labels, np.int64)):
            kept = array.astype(dtype, copy=False).view()
            kept.setflags(write=False)
            object.__setattr__(self, name, kept)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {self.split}, {len(self):,} images {self.shape}, {self.classes} classes)"

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """Number of classes: the highest label and 1."""
        return int(self.labels.max()) + 1

    @cached_property
    def sha256(self) -> str:
        """Hash of images and labels, for provenance."""
        digest = hashlib.sha256(repr((self.name, self.split, self.shape, self.images.shape)).encode())
        digest.update(np.ascontiguousarray(self.images).tobytes())
        digest.update(np.ascontiguousarray(self.labels).astype("<i8").tobytes())
        return digest.hexdigest()

    def first(self, samples: int) -> "Dataset":
        """Return the first ``samples`` of the split, or all of it if it has fewer."""
        return Dataset(self.name, self.split, self.images[:samples], self.shape, self.labels[:samples])


def _must_be_whole(name: str, array: NDArray[Any], most: int, where: str, fix: str) -> None:
    """Raise DataError for numbers that are not whole or not 0 .. ``most``."""
    if array.dtype.kind not in "ui":
        raise DataError(f"has {name} of {array.dtype}, expected whole numbers 0 .. {most}", where=where, fix=fix)
    if array.dtype != np.uint8 and (array.min() < 0 or array.max() > most):
        raise DataError(f"has {name} of {array.min()} .. {array.max()}, expected 0 .. {most}", where=where, fix=fix)


def must_suit(net: Network, data: Dataset) -> None:
    """Raise DataError if a network has other inputs than the images have pixels, or too few outputs for the classes."""
    fix = "name with --data the data set that it was trained on"
    pixels, inputs = data.images.shape[1], sum(p.size for p in net.inputs)
    if pixels != inputs:
        raise DataError(f"has images of {pixels} pixels, the network has {inputs} inputs", where=data.name, fix=fix)
    if data.classes > net.output.size:
        raise DataError(f"has {data.classes} classes, the network has {net.output.size} outputs", where=data.name, fix=fix)
