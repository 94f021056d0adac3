"""Loading a split by what names it: a data set of `snnc.data.sets`, a file, a folder, or FILE.py:NAME."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from snnc.base.factory import Factory
from snnc.base.public import Seed, public
from snnc.data import readers, sets
from snnc.data.content import Content, Part
from snnc.data.dataset import Dataset, Split
from snnc.data.labels import Labels, task_of
from snnc.errors import DataError, UsageError, nearest

TEST_PART = 0.2  # of each class, where a seed splits
MOST_SEED = 1 << 63


@dataclass(frozen=True)
class Source:
    """What names a data set, with the seed that splits a file which says no split."""

    name: str
    split_seed: int | None = None

    def __str__(self) -> str:
        return self.name


@public
def load(
    source: str | Path | Source, split: Split = "train", folder: Path | str | None = None, *, split_seed: Seed | None = None
) -> Dataset:
    """Load a split of a data set.

    Args:
        source: A name that ``snnc train --help`` lists; a file (.npz, .h5, .hdf5) or a folder of one's own, as docs/data.md has
            them; or ``FILE.py:NAME``: a function that returns a Dataset or arrays. That file is executed.
        split: "train" or "test".
        folder: Where the files of a named data set are (default: the environment variable SNNC_DATA).
        split_seed: Splits a file that says no split: 20 % of each class, drawn by this seed, are test samples.

    Returns:
        The split.

    Raises:
        DataError: There is no such data set, its files are missing or damaged, or what they hold is no labelled samples.
        FileError: A file cannot be read.
        UsageError: The file says its own split, and a seed was given, too.
        MissingDependencyError: A package is missing that reads or carries the data.

    Examples:
        >>> import numpy as np, snnc
        >>> rasters = np.random.default_rng(0).integers(0, 2, (20, 5, 8))
        >>> np.savez("own.npz", rasters=rasters, labels=np.arange(20) % 2)
        >>> snnc.data("own.npz", "test", split_seed=0)
        Dataset('own', test, 4 rasters (8,), 2 classes)
    """
    name = str(source)
    if isinstance(source, Source) and split_seed is None:
        split_seed = source.split_seed
    if split not in get_args(Split):
        raise DataError(f"unknown split {split!r} of {name}", fix="use train or test")
    folder = Path(folder) if folder is not None else None
    if name in sets.names():
        if split_seed is not None:
            raise UsageError(f"{name} has a split of its own", where="--split-seed", fix="leave it out")
        return sets.load(name, split, folder)
    if factory := Factory.parse(name):
        return _chosen(readers.factory.read(factory, split), split, split_seed, factory.name, name)
    path = Path(name)
    if not path.exists():
        if path.suffix or len(path.parts) > 1:
            raise DataError("no such file or folder", where=name, fix="check the path")
        raise DataError(f"no data set {name!r}", fix=nearest(name, sets.names()))
    return _chosen(readers.read(path, split), split, split_seed, path.stem, name)


def _chosen(parts: dict[Part, Content] | Dataset, split: Split, seed: int | None, name: str, where: str) -> Dataset:
    """Return a split of what was read."""
    if isinstance(parts, Dataset):
        return parts
    content = parts.get("all")
    if content is None or content.test is not None:
        if seed is not None:
            raise UsageError("says its own split", where=where, fix="leave out --split-seed")
        content = content or parts.get(split)
        if content is None:
            raise DataError(f"holds no {split} samples", where=where, fix=f"add them, as {split}/labels and so on")
        mask = np.ones(len(content.labels), np.bool_) if content.test is None else content.test == (split == "test")
    elif seed is None:
        raise DataError("says no split into train and test", where=where, fix="use --split-seed 0, or see docs/data.md")
    else:
        mask = _drawn(content.labels, seed) == (split == "test")
    if not mask.any():
        raise DataError(f"holds no {split} samples", where=where, fix="mark some in the array split")
    dataset = Dataset(name, split, content.samples, content.shape, content.labels, content.names)
    return dataset if mask.all() else dataset.of(mask)


def _drawn(labels: Labels, seed: int) -> NDArray[np.bool_]:
    """Return which samples are test samples: of each class a fifth, at least one if it has two; of other labels of all."""
    if not 0 <= seed < MOST_SEED:
        raise UsageError(f"{seed} is no seed", where="--split-seed", fix=f"use a whole number 0 .. {MOST_SEED - 1}")
    test = np.zeros(len(labels), np.bool_)
    group = labels if task_of(labels) == "classes" else np.zeros(len(labels), np.int64)
    for label in np.unique(group):
        of_class = np.flatnonzero(group == label)
        count = max(round(len(of_class) * TEST_PART), min(len(of_class) - 1, 1))
        test[np.random.default_rng([seed, int(label)]).permutation(of_class)[:count]] = True
    return test
