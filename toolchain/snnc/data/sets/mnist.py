"""MNIST: images of handwritten digits (LeCun, Cortes, Burges), from its original files, each checked by hash."""

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnc.base.files import write_bytes
from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split
from snnc.data.files import named_folder, read_at_most
from snnc.errors import DataError

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
DOWNLOAD_TIMEOUT_S = 30


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


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 60,000 + 10,000 digits of 28x28 pixels, from four IDX files in ``folder`` or its subfolder ``mnist``, gzipped or not.

    Raises DataError for files that are missing or damaged.
    """
    home = _home(folder)
    images, labels = (_read_idx(idx, home) for idx in _MNIST[split])
    return Dataset("mnist", split, images.reshape(len(images), -1), (28, 28), labels.astype(np.int64))


def _home(folder: Path | None) -> Path:
    """Return the folder that the user named, or its subfolder ``mnist``."""
    named = named_folder("mnist", folder, _FOLDER_HELP)
    return named / "mnist" if (named / "mnist").is_dir() else named


_FOLDER_HELP = (
    f"name with --data-dir or {FOLDER_VARIABLE} a folder with "
    + ", ".join(idx.file for pair in _MNIST.values() for idx in pair)
    + " (each may end in .gz), or fetch them with snnc train --data mnist --download"
)


def _read_idx(idx: _Idx, folder: Path) -> NDArray[np.uint8]:
    files = [path for path in (folder / idx.file, folder / f"{idx.file}.gz") if path.is_file()]
    if not files:
        raise DataError(f"has no {idx.file} and no {idx.file}.gz", where=str(folder), fix=_FOLDER_HELP)
    return _parse_idx(idx, read_at_most(files[0], idx.bytes + 1), str(files[0]))


def _parse_idx(idx: _Idx, raw: bytes, where: str) -> NDArray[np.uint8]:
    """Return the array of ``idx.shape`` in unpacked bytes; everything is checked before an array is made."""
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
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if digest != idx.md5:
        raise DataError(f"has MD5 {digest}, expected {idx.md5}", where=where, fix=fix)
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
