"""Data sets: one file each, named as the data set. Adding a file adds a data set.

A file has ``load(split, folder) -> Dataset`` and, where the files may be fetched, ``download(folder, *, force)``.
"""

from pathlib import Path
from types import ModuleType

from snnc.base import registry
from snnc.data.dataset import Dataset, Split
from snnc.errors import UsageError


def names() -> tuple[str, ...]:
    """Return the names of the data sets that `load` knows."""
    return registry.DATA_SETS.names()


def load(name: str, split: Split = "train", folder: Path | None = None) -> Dataset:
    """Load a split of a data set. The file of its name, in this folder, says where it comes from.

    ``folder`` holds its files (default: the environment variable SNNC_DATA). Raises DataError for an unknown name or split
    and for files that are missing or damaged; MissingDependencyError if the package is missing that carries the data.
    """
    source = _source(name)
    dataset: Dataset = source.load(split, folder)
    return dataset


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
    return registry.DATA_SETS.module(name)
