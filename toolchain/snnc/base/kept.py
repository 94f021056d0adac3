"""A folder of results of units, from which work that was broken off goes on."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base.files import make_folder, write_bytes
from snnc.base.npz import open_arrays, packed
from snnc.base.units import G, R, U, Work, Workers
from snnc.base.version import __version__
from snnc.errors import FileError, RunError

Arrays = Mapping[str, NDArray[Any]]
NOTE = "work.json"
SCHEMA = "snnc.work/1"
MAX_BYTES = 1 << 30  # of one result


class Kept(Workers):
    """Workers whose results are written to a folder, one file a unit, and read from there when they are asked for again.

    A unit is known by a hash of what it is made from, so that a folder can serve several networks and stages. Results are arrays
    by name; files are read without unpickling, and one that is damaged is made again. Work that does not say what identifies it
    is not kept.

    Raises FileError for a folder that holds anything else.
    """

    def __init__(self, workers: Workers, folder: Path) -> None:
        self.workers, self.folder = workers, folder
        _must_be_ours(folder)

    @property
    def jobs(self) -> int:  # type: ignore[override]
        return self.workers.jobs

    def results(self, work: Work[G, U, R], units: Sequence[U], ahead: int | None = None) -> Iterator[R]:
        if work.of is None:
            return self.workers.results(work, units, ahead)
        of = digest(__version__, work.function.__qualname__, *work.of())
        return self._results(work, units, [self.folder / f"{digest(of, unit)[:32]}.npz" for unit in units], ahead)

    def _results(self, work: Work[G, U, R], units: Sequence[U], paths: Sequence[Path], ahead: int | None) -> Iterator[R]:
        there = [path.exists() for path in paths]
        left = self.workers.results(work, [unit for unit, known in zip(units, there, strict=True) if not known], ahead)
        try:
            for unit, path, known in zip(units, paths, there, strict=True):
                made: Any = _read(path) if known else next(left)
                if made is None:
                    made = work(unit)
                    known = False
                if not known:
                    write_bytes(path, packed(made, level=None), force=True)
                yield made
        except RunError as error:
            raise type(error)(error.what, where=error.where, fix=f"{error.fix}; {self._kept()}") from error

    def _kept(self) -> str:
        count = sum(1 for _ in self.folder.glob("*.npz"))
        return f"{count} finished units are kept in {self.folder}"


def digest(*parts: Any) -> str:
    """Return the SHA-256 of texts, bytes, numbers, arrays, and of tuples, mappings and dataclasses of them, in hexadecimal."""
    total = hashlib.sha256()
    for part in parts:
        _add(total, part)
    return total.hexdigest()


def _add(total: Any, part: Any) -> None:
    match part:
        case np.ndarray():
            total.update(f"array {part.dtype.str} {part.shape} ".encode())
            total.update(np.ascontiguousarray(part).tobytes())
        case bytes():
            total.update(f"bytes {len(part)} ".encode() + part)
        case tuple() | list():
            total.update(f"list {len(part)} ".encode())
            for one in part:
                _add(total, one)
        case Mapping():
            _add(total, [one for pair in part.items() for one in pair])
        case str() | int() | float() | bool() | None:
            text = repr(part).encode()
            total.update(f"value {len(text)} ".encode() + text)
        case _ if is_dataclass(part) and not isinstance(part, type):
            _add(total, [type(part).__name__, *(getattr(part, f.name) for f in fields(part))])
        case _:
            raise TypeError(f"{type(part).__name__} identifies nothing")


def _must_be_ours(folder: Path) -> None:
    note = folder / NOTE
    if not folder.exists():
        if not folder.absolute().parent.is_dir():
            raise FileError("the folder does not exist", where=str(folder.absolute().parent), fix="create it first")
        make_folder(folder, "--work")
    if not folder.is_dir() or (any(folder.iterdir()) and not note.is_file()):
        raise FileError("exists and is no folder of finished units", where=str(folder), fix="pick another --work")
    if not note.exists():
        write_bytes(note, (json.dumps({"schema": SCHEMA}) + "\n").encode(), force=True)


def _read(path: Path) -> Arrays | None:
    """Return a result, None if its file is damaged."""
    try:
        with open_arrays(path, "result", max_bytes=MAX_BYTES, fix="delete it") as file:
            return {name: file[name] for name in file.names}
    except FileError:
        return None
