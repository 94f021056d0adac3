"""Labelled images to train and to measure on: the first input of every stage. No torch.

Files from outside are read with the sizes that they must have, and checked by hash.
"""

import gzip
import hashlib
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DataError, MissingDependencyError, nearest
from snnc.files import write_bytes

Split = Literal["train", "test"]

FOLDER_VARIABLE = "SNNC_DATA"
MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
DOWNLOAD_TIMEOUT_S = 30


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


def names() -> tuple[str, ...]:
    """The data sets that `load` knows."""
    return tuple(_LOADERS)


def load(name: str, split: Split = "train", folder: Path | None = None) -> Dataset:
    """A split of a data set.

    ``digits``: 1,797 handwritten digits of 8x8 pixels that scikit-learn carries (UCI "Optical Recognition of Handwritten
    Digits"); every fifth is a test sample. ``mnist``: 60,000 + 10,000 images of 28x28 pixels from the four IDX files in
    ``folder`` (default: the environment variable SNNC_DATA), gzipped or not.

    Raises DataError for an unknown name or split and for files that are missing or damaged; MissingDependencyError if
    digits are asked for without scikit-learn.
    """
    if name not in _LOADERS:
        raise DataError(f"unknown data set {name!r}", fix=nearest(name, names()))
    if split not in get_args(Split):
        raise DataError(f"unknown split {split!r} of {name}", fix="use train or test")
    return _LOADERS[name](split, folder)


def _digits(split: Split, folder: Path | None) -> Dataset:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingDependencyError("the digits come with scikit-learn", fix="pip install 'snnc[train]'") from error
    pixels, labels = load_digits(return_X_y=True)
    images = ((pixels.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)
    chosen = (np.arange(len(labels)) % 5 == 0) == (split == "test")
    return Dataset("digits", split, images[chosen], (8, 8), labels[chosen].astype(np.int64))


@dataclass(frozen=True)
class _Idx:
    """One of MNIST's files: its name, the MD5 of its unpacked bytes, and the array that its header must announce."""

    file: str
    md5: str
    shape: tuple[int, ...]

    @property
    def header(self) -> bytes:
        return struct.pack(f">{1 + len(self.shape)}I", 0x0800 + len(self.shape), *self.shape)

    @property
    def bytes(self) -> int:
        return len(self.header) + int(np.prod(self.shape))


_MNIST: dict[Split, tuple[_Idx, _Idx]] = {
    "train": (
        _Idx("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb", (60_000, 28, 28)),
        _Idx("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624", (60_000,)),
    ),
    "test": (
        _Idx("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea", (10_000, 28, 28)),
        _Idx("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637", (10_000,)),
    ),
}


def _mnist(split: Split, folder: Path | None) -> Dataset:
    images, labels = (_read_idx(idx, _mnist_folder(folder)) for idx in _MNIST[split])
    return Dataset("mnist", split, images.reshape(len(images), -1), (28, 28), labels.astype(np.int64))


def _mnist_folder(folder: Path | None) -> Path:
    """The folder that the user named, or its subfolder ``mnist``."""
    named = folder or (Path(value) if (value := os.environ.get(FOLDER_VARIABLE)) else None)
    if named is None:
        raise DataError("mnist is read from a folder and none was given", fix=_FOLDER_HELP)
    if not named.is_dir():
        raise DataError("no such folder", where=str(named), fix=_FOLDER_HELP)
    return named / "mnist" if (named / "mnist").is_dir() else named


_FOLDER_HELP = (
    f"name with --data-dir or {FOLDER_VARIABLE} a folder with "
    + ", ".join(idx.file for pair in _MNIST.values() for idx in pair)
    + " (each may end in .gz), or add --download"
)


def _read_idx(idx: _Idx, folder: Path) -> NDArray[np.uint8]:
    found = [path for path in (folder / idx.file, folder / f"{idx.file}.gz") if path.is_file()]
    if not found:
        raise DataError(f"has no {idx.file} and no {idx.file}.gz", where=str(folder), fix=_FOLDER_HELP)
    return _parse_idx(idx, _read_at_most(found[0], idx.bytes + 1), str(found[0]))


def _read_at_most(path: Path, limit: int) -> bytes:
    """The first ``limit`` bytes of a file, unpacked if it ends in .gz: a file that swells never fills the memory."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return bytes(file.read(limit))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"is no whole gzip file ({error})", where=str(path), fix="get the file again") from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the file") from error


def _parse_idx(idx: _Idx, raw: bytes, where: str) -> NDArray[np.uint8]:
    """Unpacked bytes -> array of ``idx.shape``; everything is checked before an array is made."""
    fix = f"get the original {idx.file} of MNIST"
    if raw[:4] != idx.header[:4]:
        raise DataError(f"starts with {raw[:4].hex() or 'nothing'}, expected {idx.header[:4].hex()}", where=where, fix=fix)
    if len(raw) < len(idx.header):
        raise DataError(f"ends within its header, after {len(raw)} bytes", where=where, fix=fix)
    sizes = struct.unpack_from(f">{len(idx.shape)}I", raw, 4)
    if sizes != idx.shape:
        raise DataError(f"announces an array of {sizes}, expected {idx.shape}", where=where, fix=fix)
    if len(raw) != idx.bytes:
        size = f"{len(raw)} bytes" if len(raw) < idx.bytes else f"more than {idx.bytes} bytes"
        raise DataError(f"has {size}, expected {idx.bytes}", where=where, fix=fix)
    found = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if found != idx.md5:
        raise DataError(f"has MD5 {found}, expected {idx.md5}", where=where, fix=fix)
    return np.frombuffer(raw, np.uint8, offset=len(idx.header)).reshape(idx.shape)


def download(folder: Path, *, force: bool = False) -> None:
    """Fetch MNIST's four files into ``folder``, each checked by hash before it is written; those that are there are kept.

    Raises DataError if the mirror cannot be reached or sends something else, FileError if the folder cannot be written.
    """
    for idx in (idx for pair in _MNIST.values() for idx in pair):
        path = folder / f"{idx.file}.gz"
        if path.exists() and not force:
            continue
        packed = _fetch(MIRROR + path.name, limit=idx.bytes)
        _parse_idx(idx, _unpack(packed, idx.bytes + 1, path.name), MIRROR + path.name)
        write_bytes(path, packed, force=force)


def _fetch(url: str, limit: int) -> bytes:
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as answer:  # noqa: S310 - the mirror above is https
            return bytes(answer.read(limit))
    except (HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"cannot be downloaded: {reason}", where=url, fix="check the network, or " + _FOLDER_HELP) from error


def _unpack(packed: bytes, limit: int, where: str) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, limit)
    except zlib.error as error:
        raise DataError(f"is no gzip file ({error})", where=where, fix="try again later") from error


_LOADERS: dict[str, Callable[[Split, Path | None], Dataset]] = {"digits": _digits, "mnist": _mnist}
