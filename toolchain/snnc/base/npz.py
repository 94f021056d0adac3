"""NumPy's .npz files from outside: every size is known and bounded before anything is unpacked, and nothing is unpickled."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import FileError

BYTES_AT_ONCE = 1 << 24
MAX_ARRAYS = 100_000
KINDS = "biuf"  # of numbers that are read
STORED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGE = (
    ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, RecursionError, MemoryError, SyntaxError, RuntimeError,
    NotImplementedError, tokenize.TokenError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
)  # fmt: skip
"""What reading a damaged or hostile archive, or a header in it, brings about."""


@dataclass(eq=False)
class Arrays:
    """The arrays of an open .npz file, read one by one. ``left``: bytes that may still be read into whole arrays."""

    archive: zipfile.ZipFile
    left: int

    @property
    def names(self) -> list[str]:
        """Return the names of all arrays."""
        return [entry.removesuffix(".npy") for entry in self.archive.namelist() if entry.endswith(".npy")]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape that an array says it has; only its header is read."""
        with self._entry(name) as (_, shape, _, _):
            return shape

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return an array of numbers. Raises ValueError if it is not as large as its entry, or larger than what is left."""
        with self._entry(name) as (file, shape, dtype, by_columns):
            self._take(name, prod(shape) * dtype.itemsize)
            array = np.empty(shape[::-1] if by_columns else shape, dtype)
            _fill(file, array)
            return array.T if by_columns else array

    def chunks(self, name: str) -> Iterator[NDArray[Any]]:
        """Yield an array in successive parts along its first axis, so that as much as is at hand stays small."""
        with self._entry(name) as (file, shape, dtype, by_columns):
            if by_columns or not shape:
                yield self[name]
                return
            rows_at_once = max(1, BYTES_AT_ONCE // max(1, prod(shape[1:]) * dtype.itemsize))
            for first in range(0, shape[0], rows_at_once):
                wanted = (min(rows_at_once, shape[0] - first), *shape[1:])
                if (size := prod(wanted) * dtype.itemsize) > self.left:
                    raise ValueError(f"{name} has rows of {size:,} bytes, at most {self.left:,} are read")
                part = np.empty(wanted, dtype)
                _fill(file, part)
                yield part

    def _take(self, name: str, size: int) -> None:
        if size > self.left:
            raise ValueError(f"{name} has {size:,} bytes, at most {self.left:,} more are read")
        self.left -= size

    @contextmanager
    def _entry(self, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype[Any], bool]]:
        entry = self.archive.getinfo(f"{name}.npy")
        if entry.compress_type not in STORED or entry.flag_bits & 1:
            raise ValueError(f"{name} is encrypted, or packed in a way that NumPy does not use")
        with self.archive.open(entry) as file:
            shape, by_columns, dtype = _header(file)
            if dtype.kind not in KINDS:
                raise ValueError(f"{name} holds {dtype}, no numbers")
            if prod(shape) * dtype.itemsize != entry.file_size - file.tell():
                raise ValueError(f"{name} says that it is {dtype} of shape {shape}, its entry has {entry.file_size:,} bytes")
            yield file, shape, dtype, by_columns


@contextmanager
def open_arrays(path: Path, what: str, *, max_bytes: int, fix: str) -> Iterator[Arrays]:
    """Open an .npz file, of which whole arrays of ``max_bytes`` together are read, and turn all that is wrong into one sentence.

    Raises FileError (``what`` it is not, and ``fix``) for what is no such file, damaged, encrypted or too large.
    """
    try:
        if not S_ISREG(path.stat().st_mode):
            raise FileError("is no regular file", where=str(path), fix=fix)
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MAX_ARRAYS:
                raise ValueError(f"{len(archive.infolist()):,} arrays")
            yield Arrays(archive, max_bytes)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from error
    except DAMAGE as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise FileError(f"is no {what} ({said})", where=str(path), fix=fix) from error


def read_array(path: Path, *, max_bytes: int) -> NDArray[Any]:
    """Read a .npy file of numbers, or of a table of numbers: nothing is unpickled.

    Raises FileError for what is no such file, damaged or larger than ``max_bytes``.
    """
    fix = "save it with numpy.save, as numbers"
    try:
        with path.open("rb") as file:
            if not S_ISREG(path.stat().st_mode):
                raise FileError("is no regular file", where=str(path), fix=fix)
            shape, by_columns, dtype = _header(file)
            columns = [dtype[name] for name in dtype.names] if dtype.names else [dtype]
            if any(column.kind not in KINDS or column.shape for column in columns):
                raise ValueError(f"it holds {dtype}, no numbers")
            if (size := prod(shape) * dtype.itemsize) > max_bytes or size != path.stat().st_size - file.tell():
                raise ValueError(f"it says that it is {dtype} of shape {shape}, and has {path.stat().st_size:,} bytes")
            array = np.frombuffer(file.read(size), dtype)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from error
    except DAMAGE as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise FileError(f"is no .npy file ({said})", where=str(path), fix=fix) from error
    return array.reshape(shape[::-1]).T if by_columns else array.reshape(shape)


def packed(arrays: Mapping[str, NDArray[Any]], *, level: int | None = 6) -> bytes:
    """Return the bytes of an .npz file; equal arrays give equal bytes. Any name is possible, as `numpy.savez` has none of its own
    here. ``level``: of compression, None for none."""
    content = io.BytesIO()
    kind = zipfile.ZIP_STORED if level is None else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(content, "w", kind, compresslevel=level) as file:
        for name, array in arrays.items():
            with file.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
    return content.getvalue()


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array of version {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    if any(n < 0 for n in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, by_columns, dtype


def _fill(file: IO[bytes], array: NDArray[Any]) -> None:
    view = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    at = 0
    while at < len(view):
        part = file.read(min(BYTES_AT_ONCE, len(view) - at))
        if not part:
            raise EOFError(f"ends after {at:,} of {len(view):,} bytes")
        view[at : at + len(part)] = part
        at += len(part)
