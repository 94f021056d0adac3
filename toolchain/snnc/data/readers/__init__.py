"""Readers of files and folders of one's own: each returns what is there by split, as `snnc.data.content` checks it."""

from pathlib import Path

from snnc.base.npz import open_arrays
from snnc.data.content import REMEDY, Content, Part, parts_of
from snnc.data.dataset import Split
from snnc.data.readers import factory, folder, hdf5
from snnc.errors import DataError

__all__ = ["factory", "read"]

MAX_NPZ_BYTES = 4 << 30  # of all arrays


def read(path: Path, split: Split) -> dict[Part, Content]:
    """Return what a file or folder holds. Of splits in files of their own only ``split`` is read.

    Raises DataError for a file of another kind, and what its reader raises.
    """
    if path.is_dir():
        inside = folder.split_file(path, split, tuple(FILES))
        if inside is None:
            return folder.read(path)
        return {split: _whole(FILES[inside.suffix](inside), str(inside))}
    if path.suffix.lower() not in FILES:
        raise DataError(
            f"is no kind of file with samples ({path.suffix or 'no suffix'})", where=str(path),
            fix="name a .npz, .h5 or .hdf5 file, a folder, or FILE.py:NAME",
        )  # fmt: skip
    return FILES[path.suffix.lower()](path)


def _read_npz(path: Path) -> dict[Part, Content]:
    """Return what a .npz file holds: nothing is unpickled, and sizes are known before anything is unpacked."""
    with open_arrays(path, "file of samples", max_bytes=MAX_NPZ_BYTES, fix=REMEDY) as file:
        arrays = {name: file[name] for name in file.names}
    return parts_of(arrays, str(path))


FILES = {".npz": _read_npz, ".h5": hdf5.read, ".hdf5": hdf5.read}


def _whole(parts: dict[Part, Content], where: str) -> Content:
    """Return the one part of a file that is a split by itself. Raises DataError if it has splits inside."""
    if "all" not in parts or parts["all"].test is not None:
        raise DataError("is one split, and says splits inside", where=where, fix="name the file itself with --data")
    return parts["all"]
