"""HDF5 files of strangers as plain arrays and text: bounded, read in a process of its own. Under importers and data sets."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import FileError, MissingDependencyError, RunError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_FILE_BYTES = 4 << 30
TIMEOUT_S = 120.0
INSTALL = "install it: pip install '.[exchange]'"
Tree = dict[str, Any]  # name -> Tree, array, text, or nested list of texts


@dataclass(frozen=True, eq=False)
class Group:
    """A group of a file. Each reader raises FileError with the place if the entry is missing or of another kind."""

    tree: Tree
    file: str
    place: str = ""

    def __contains__(self, name: str) -> bool:
        return name in self.tree

    def __iter__(self) -> Iterator[str]:
        return iter(self.tree)

    def group(self, name: str) -> "Group":
        """A group inside this one."""
        found = self._entry(name)
        if not isinstance(found, dict):
            raise self.error("is no group", name)
        return Group(found, self.file, self._path(name))

    def text(self, name: str) -> str:
        """A text; of a list of one text that one."""
        found = self._entry(name)
        while isinstance(found, list) and len(found) == 1:
            found = found[0]
        if not isinstance(found, str):
            raise self.error("is no text", name)
        return found

    def texts(self, name: str) -> list[list[str]]:
        """A list of rows of texts."""
        found = self._entry(name)
        if isinstance(found, np.ndarray) and not found.size:
            return []
        if not isinstance(found, list) or not all(isinstance(row, list) for row in found):
            raise self.error("is no table of texts", name)
        return found

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Numbers, all finite, as float64."""
        found = self._entry(name)
        if not isinstance(found, np.ndarray):
            raise self.error("holds no numbers", name)
        numbers = np.asarray(found, np.float64)
        if bad := int(np.count_nonzero(~np.isfinite(numbers))):
            raise self.error(f"holds {bad} numbers that are NaN or infinite", name)
        return numbers

    def integers(self, name: str) -> NDArray[np.int64]:
        """Numbers that are all integers of at most 48 bits."""
        numbers = self.numbers(name)
        if numbers.size and ((numbers != np.rint(numbers)).any() or np.abs(numbers).max() >= 1 << 48):
            wrong = numbers[(numbers != np.rint(numbers)) | (np.abs(numbers) >= 1 << 48)]
            raise self.error(f"holds {wrong[0]:g}, expected integers", name)
        return numbers.astype(np.int64)

    def integer(self, name: str) -> int:
        """One integer."""
        values = self.integers(name)
        if values.size != 1:
            raise self.error(f"holds {values.size} numbers, expected one", name)
        return int(values.flat[0])

    def arrays(self, place: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
        """Every array of this group and those inside it, by its path from here."""
        for name, entry in self.tree.items():
            inside = f"{place}/{name}".lstrip("/")
            if isinstance(entry, dict):
                yield from Group(entry, self.file, inside).arrays(inside)
            elif isinstance(entry, np.ndarray):
                yield inside, entry

    def error(self, what: str, name: str = "") -> FileError:
        """An error at an entry of this group."""
        return FileError(f"{self._path(name)!r} {what}", where=self.file, fix="write the file again")

    def _entry(self, name: str) -> Any:
        if name not in self.tree:
            raise self.error("is missing", name)
        return self.tree[name]

    def _path(self, name: str) -> str:
        return "/".join(part for part in (self.place, name) if part)


def lengths_of(place: str) -> str:
    """Return the name of the lengths of the rows of an array whose rows differ in length; the rows are joined in the array."""
    return f"{place}:lengths"


def read(path: Path, timeout_s: float = TIMEOUT_S, *, max_bytes: int | None = None) -> Group:
    """All of an HDF5 file. Nothing in it is executed, and it reaches no other file.

    ``max_bytes`` reads samples: so many bytes of numbers in all, and arrays whose rows differ in length (see `lengths_of`).

    Raises FileError for a file that is missing, truncated, of another kind, too large, or not made of numbers and text in
    groups; MissingDependencyError without h5py.
    """
    _must_be_hdf5(path)
    if find_spec("h5py") is None:
        raise MissingDependencyError("h5py is not installed, which HDF5 files need", where=str(path), fix=INSTALL)
    code, out, said = _call(path, timeout_s, max_bytes)
    if code:
        problem, place = _explained(said)
        raise FileError(
            f"{place!r} {problem}" if place else problem, where=str(path), fix="write the file again, or get a sound copy"
        )
    return Group(_tree(out), str(path))


def _must_be_hdf5(path: Path) -> None:
    try:
        if not path.exists():
            raise FileError("no such file", where=str(path), fix="check the path")
        if not path.is_file():
            raise FileError("is no regular file", where=str(path), fix="name an HDF5 file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FileError(f"has {path.stat().st_size:,} bytes, at most {MAX_FILE_BYTES:,} are read", where=str(path))
        with path.open("rb") as file:
            start = file.read(len(SIGNATURE))
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the permissions") from error
    if start != SIGNATURE:
        raise FileError("is no HDF5 file", where=str(path), fix="name a file that NIR or netx wrote")


def _call(path: Path, timeout_s: float, max_bytes: int | None) -> tuple[int, bytes, str]:
    """(exit code, output, message) of the reading process."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("hdf5_child.py")), str(path)]
    command += [str(max_bytes)] if max_bytes else []
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return 1, b"", json.dumps([f"was not read within {timeout_s:g} s", ""])
    except OSError as error:
        raise RunError(
            f"cannot be started: {error.strerror}", where=sys.executable, fix="check the Python installation"
        ) from error
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def _explained(said: str) -> tuple[str, str]:
    """(problem, place) out of what the reading process said; it may have died without a word."""
    try:
        problem, place = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        return "is damaged: the HDF5 library could not read it", ""
    return str(problem), str(place)


def _tree(out: bytes) -> Tree:
    from safetensors.numpy import load

    length = int.from_bytes(out[:8], "little")
    header = json.loads(json.loads(out[8 : 8 + length])["__metadata__"]["content"])
    tree: Tree = {}
    for place in header["groups"]:
        _inside(tree, place)
    for place, value in (*load(out).items(), *header["texts"].items()):
        parent, _, name = place.rpartition("/")
        _inside(tree, parent)[name] = value
    return tree


def _inside(tree: Tree, place: str) -> Tree:
    for name in place.split("/") if place else ():
        tree = tree.setdefault(name, {})
    return tree
