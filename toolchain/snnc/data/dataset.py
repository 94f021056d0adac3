"""Labelled images to train and to measure on: the first input of every stage. No torch."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DataError
from snnc.network.model import Network

Split = Literal["train", "test"]

FOLDER_VARIABLE = "SNNC_DATA"


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a data set. The arrays are read-only.

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
        for array in (self.images, self.labels):
            array.setflags(write=False)

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


def must_suit(net: Network, data: Dataset) -> None:
    """Raise DataError if a network has other inputs than the images have pixels, or too few outputs for the classes."""
    fix = "name with --data the data set that it was trained on"
    pixels, inputs = data.images.shape[1], sum(p.size for p in net.inputs)
    if pixels != inputs:
        raise DataError(f"has images of {pixels} pixels, the network has {inputs} inputs", where=data.name, fix=fix)
    if data.classes > net.output.size:
        raise DataError(f"has {data.classes} classes, the network has {net.output.size} outputs", where=data.name, fix=fix)
