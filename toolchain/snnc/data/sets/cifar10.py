"""CIFAR-10: small colour images of ten kinds of things (Krizhevsky 2009), in the binary or the Python layout.

There are copies whose pixels went through JPEG, so that no hash is asked for; sizes, labels and counts are.
"""

from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from snnc.data import plain_pickle
from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split
from snnc.data.files import named_folder, read_at_most
from snnc.errors import DataError

RECORDS = 10_000  # in a file
SHAPE = (3, 32, 32)  # red, green, blue; rows; columns
PIXELS = 3 * 32 * 32
CLASSES = 10
MAX_PICKLE_BYTES = 40_000_000  # an original one has about 31 million
FILES: dict[Split, tuple[str, ...]] = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
FOLDER_HELP = (
    f"name with --data-dir or {FOLDER_VARIABLE} a folder with cifar-10-batches-bin or cifar-10-batches-py, "
    "as https://www.cs.toronto.edu/~kriz/cifar.html offers them"
)

_Records = tuple[NDArray[np.uint8], NDArray[np.int64]]  # images (records, pixels), labels (records,)


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 50,000 + 10,000 images of 32x32 pixels, all red ones of an image first, then green, then blue.

    ``folder`` is, or holds, ``cifar-10-batches-bin`` or ``cifar-10-batches-py``. The latter are pickles, which are read as
    data: nothing in them is executed. Raises DataError for files that are missing or damaged.
    """
    files = _find(named_folder("cifar10", folder, FOLDER_HELP), split)
    batches = [_read_records(path) if path.suffix == ".bin" else _read_pickle(path) for path in files]
    images, labels = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    _must_hold_each_class_alike(labels, str(files[0].parent))
    return Dataset("cifar10", split, images, SHAPE, labels)


def _find(folder: Path, split: Split) -> list[Path]:
    """Return the files of a split, binary ones first."""
    homes = [folder / name for name in (".", "cifar-10-batches-bin", "cifar-10-batches-py", "cifar10")]
    homes += [folder / "cifar10" / home.name for home in homes[1:3]]
    layouts = [[home / f"{name}{suffix}" for name in FILES[split]] for suffix in (".bin", "") for home in homes]
    best = max(layouts, key=lambda files: sum(path.is_file() for path in files))
    if missing := [path.name for path in best if not path.is_file()]:
        where = folder if len(missing) == len(best) else best[0].parent
        raise DataError(f"has no {', '.join(missing)}", where=str(where), fix=FOLDER_HELP)
    return best


def _read_records(path: Path) -> _Records:
    """Read records of a label byte and the pixels."""
    expected = RECORDS * (1 + PIXELS)
    raw = read_at_most(path, expected + 1)
    if len(raw) != expected:
        size = f"{len(raw)} bytes" if len(raw) < expected else f"more than {expected} bytes"
        raise DataError(f"has {size}, expected {expected}", where=str(path), fix="get the file again")
    records = np.frombuffer(raw, np.uint8).reshape(RECORDS, 1 + PIXELS)
    if (wrong := records[:, 0] >= CLASSES).any():
        raise DataError(
            f"has {int(wrong.sum())} labels above {CLASSES - 1}, the first in record {int(wrong.argmax())}",
            where=str(path),
            fix="get the file again",
        )
    return records[:, 1:], records[:, 0].astype(np.int64)


def _read_pickle(path: Path) -> _Records:
    """Read a pickled dict with ``data`` and ``labels``."""
    raw = read_at_most(path, MAX_PICKLE_BYTES + 1)
    if len(raw) > MAX_PICKLE_BYTES:
        raise DataError(f"has more than {MAX_PICKLE_BYTES} bytes", where=str(path), fix="get the original file")
    batch = plain_pickle.read(raw, str(path))
    data, labels = (batch.get(key) if isinstance(batch, dict) else None for key in (b"data", b"labels"))
    if not _are_images(data) or not _are_labels(labels):
        raise DataError(
            f"is no dict with data of ({RECORDS}, {PIXELS}) bytes and {RECORDS} labels from 0 to {CLASSES - 1}",
            where=str(path),
            fix="get the original file",
        )
    return np.frombuffer(data.content, np.uint8).reshape(data.shape), np.array(labels, np.int64)


def _are_images(data: Any) -> TypeGuard[plain_pickle.Bytes]:
    whole = isinstance(data, plain_pickle.Bytes) and data.shape == (RECORDS, PIXELS)
    return whole and len(data.content) == RECORDS * PIXELS


def _are_labels(labels: Any) -> bool:
    return isinstance(labels, list) and len(labels) == RECORDS and all(type(n) is int and 0 <= n < CLASSES for n in labels)


def _must_hold_each_class_alike(labels: NDArray[np.int64], where: str) -> None:
    counts = np.bincount(labels, minlength=CLASSES)
    if (counts != len(labels) // CLASSES).any():
        raise DataError(
            f"has {', '.join(map(str, counts))} images of the classes, expected {len(labels) // CLASSES} of each",
            where=where,
            fix="get the files again; two of them may be copies of one",
        )
