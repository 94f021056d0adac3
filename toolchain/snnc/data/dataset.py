"""Labelled images to train and to measure on: the first input of every stage. No torch.

The data sets themselves are in `datasets`, one file each, named as the data set. Adding a file adds a data set.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snnc.base import registry
from snnc.data import sets
from snnc.errors import DataError, UsageError
from snnc.network.model import Network

Split = Literal["train", "test"]

FOLDER_VARIABLE = "SNNC_DATA"


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a data set. The arrays are read-only."""

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
        """The first ``samples`` of the split, or all of it if it has fewer."""
        return Dataset(self.name, self.split, self.images[:samples], self.shape, self.labels[:samples])


def must_suit(net: Network, data: Dataset) -> None:
    """Raises DataError if a network has other inputs than the images have pixels, or too few outputs for the classes."""
    fix = "name with --data the data set that it was trained on"
    pixels, inputs = data.images.shape[1], sum(p.size for p in net.inputs)
    if pixels != inputs:
        raise DataError(f"has images of {pixels} pixels, the network has {inputs} inputs", where=data.name, fix=fix)
    if data.classes > net.output.size:
        raise DataError(f"has {data.classes} classes, the network has {net.output.size} outputs", where=data.name, fix=fix)


def names() -> tuple[str, ...]:
    """The data sets that `load` knows, by file name."""
    return registry.names(sets.__name__)


def load(name: str, split: Split = "train", folder: Path | None = None) -> Dataset:
    """A split of a data set. Where it comes from is said in the file of its name, in `datasets`.

    ``folder`` holds its files (default: the environment variable SNNC_DATA). Raises DataError for an unknown name or split
    and for files that are missing or damaged; MissingDependencyError if the package is missing that carries the data.
    """
    source = _source(name)
    if split not in get_args(Split):
        raise DataError(f"unknown split {split!r} of {name}", fix="use train or test")
    found: Dataset = source.load(split, folder)
    return found


def download(name: str, folder: Path | None, *, force: bool = False) -> None:
    """Fetch the files of a data set into ``folder``; those that are there are kept.

    Raises UsageError for a data set without files to fetch and without a folder, DataError if that fails, FileError if the
    folder cannot be written.
    """
    source = _source(name)
    if not hasattr(source, "download"):
        raise UsageError(f"{name} has no files to download", fix="leave out --download")
    if folder is None:
        raise UsageError("--download needs a folder to write to", fix="name it with --data-dir")
    source.download(folder, force=force)


def _source(name: str) -> ModuleType:
    return registry.module(sets.__name__, name, DataError, "data set")
