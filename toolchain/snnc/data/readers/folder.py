"""Folders of one's own: splits in files train.npz and test.npz, or a folder for each class, alone or below train and test."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base.npz import open_arrays, read_array
from snnc.data.content import Content, Part, parts_of
from snnc.data.dataset import Split
from snnc.data.readers import wav
from snnc.errors import DataError

MAX_SAMPLES = 1 << 20
MAX_SAMPLE_BYTES = 1 << 30
MAX_BYTES = 8 << 30  # of all samples
FIX = "make a folder for each class, with a .npy, .npz or .wav file for each sample"

Arrays = dict[str, NDArray[Any]]


def split_file(folder: Path, split: Split, suffixes: Sequence[str]) -> Path | None:
    """Return the file of a split, train.npz or so. Raises DataError if only the other split has one."""
    names = [f"{part}{suffix}" for part in ("train", "test") for suffix in suffixes]
    if not (there := [folder / name for name in names if (folder / name).is_file()]):
        return None
    of_split = [path for path in there if path.stem == split]
    if len(of_split) != 1:
        raise DataError(f"has {len(of_split)} files of the {split} split", where=str(folder), fix=f"give it one {split}.npz")
    return of_split[0]


def read(folder: Path) -> dict[Part, Content]:
    """Return what the folders of classes hold, by split. The classes are those of all splits, in the order of their names.

    Raises DataError for a folder without classes, files of several kinds or samples that do not go together; FileError for a
    file that is damaged.
    """
    parts: tuple[Split, ...] = ("train", "test")
    homes: dict[Part, Path] = {part: folder / part for part in parts if (folder / part).is_dir()} or {"all": folder}
    names = tuple(sorted({path.name for home in homes.values() for path in _folders(home)}))
    if len(names) < 2:
        raise DataError(f"has {len(names)} folders of classes, at least 2 are needed", where=str(folder), fix=FIX)
    return {part: _content(home, names) for part, home in homes.items()}


def _folders(home: Path) -> list[Path]:
    return sorted(path for path in home.iterdir() if path.is_dir() and not path.name.startswith("."))


def _content(home: Path, names: tuple[str, ...]) -> Content:
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        inside = sorted(path for path in (home / name).glob("*") if not path.name.startswith("."))
        files += inside
        labels += [label] * len(inside)
    kinds = Counter(path.suffix.lower() for path in files)
    if len(kinds) != 1 or next(iter(kinds)) not in _READERS:
        listed = ", ".join(f"{count} {kind or 'without suffix'}" for kind, count in kinds.most_common(5)) or "no files"
        raise DataError(f"holds {listed} in its classes, expected files of one kind", where=str(home), fix=FIX)
    if len(files) > MAX_SAMPLES:
        raise DataError(f"holds {len(files):,} files, at most {MAX_SAMPLES:,} are read", where=str(home), fix="use an .npz file")
    if (size := sum(path.stat().st_size for path in files)) > MAX_BYTES:
        raise DataError(f"holds {size:,} bytes, at most {MAX_BYTES:,} are read", where=str(home), fix="use fewer samples")
    arrays = _READERS[next(iter(kinds))](files)
    return parts_of({**arrays, "labels": np.array(labels, np.int64)}, str(home), names)["all"]


def _read_npy(files: Sequence[Path]) -> Arrays:
    """Rasters (steps, ..), or structured arrays with t, x, y and p."""
    samples = [read_array(path, max_bytes=MAX_SAMPLE_BYTES) for path in files]
    if samples[0].dtype.names:
        tables = [{name: sample[name] for name in sample.dtype.names or ()} for sample in samples]
        return _events(files, tables)
    return _rasters(files, samples)


def _read_npz(files: Sequence[Path]) -> Arrays:
    """One array called raster, or events in arrays t, x, y and p."""
    tables = []
    for path in files:
        with open_arrays(path, "sample", max_bytes=MAX_SAMPLE_BYTES, fix="save it with numpy.savez") as file:
            tables.append({name: file[name] for name in file.names})
    if "raster" in tables[0]:
        if odd := next((i for i, table in enumerate(tables) if "raster" not in table), None):
            raise DataError("holds no array called raster, as the others do", where=str(files[odd]), fix="save all alike")
        return _rasters(files, [table["raster"] for table in tables])
    return _events(files, tables)


def _rasters(files: Sequence[Path], samples: Sequence[NDArray[Any]]) -> Arrays:
    for path, sample in zip(files, samples, strict=True):
        if sample.dtype.names or sample.shape != samples[0].shape:
            raise DataError(
                f"has shape {sample.shape}, {files[0].name} has {samples[0].shape}", where=str(path),
                fix="pad or cut the rasters to one length",
            )  # fmt: skip
    return {"rasters": np.stack(samples)}


def _events(files: Sequence[Path], tables: Sequence[Arrays]) -> Arrays:
    keys = sorted(tables[0].keys() & {*"txyp"})
    for path, table in zip(files, tables, strict=True):
        if not {"t", "x"} <= table.keys() or sorted(table.keys() & {*"txyp"}) != keys:
            raise DataError(
                f"holds {', '.join(sorted(table)) or 'nothing'}, expected {', '.join(keys) if 't' in keys else 't, x, y, p'}",
                where=str(path), fix="save events as t, x, y and p, or one array called raster",
            )  # fmt: skip
        if len({table[key].shape for key in keys}) > 1 or table["t"].ndim != 1:
            shapes = ", ".join(f"{key} {table[key].shape}" for key in keys)
            raise DataError(f"has columns of unequal length: {shapes}", where=str(path), fix="save one value an event in each")
    columns = {key: np.concatenate([table[key] for table in tables]) for key in keys}
    return {**columns, "offsets": np.cumsum([0, *(len(table["t"]) for table in tables)])}


_READERS: dict[str, Callable[[Sequence[Path]], Arrays]] = {".npy": _read_npy, ".npz": _read_npz, ".wav": wav.events_in}
