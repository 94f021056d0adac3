"""HDF5 files: arrays as in an .npz file, or events in the layout of the Spiking Heidelberg Digits.

That layout (Cramer et al., "The Heidelberg spiking data sets for the systematic evaluation of spiking neural networks", 2020,
doi 10.1109/TNNLS.2020.3044364) has ``spikes/times`` in seconds and ``spikes/units``, an array of its own for each sample.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base import hdf5
from snnc.data.content import Content, Part, parts_of
from snnc.errors import DataError

MAX_BYTES = 4 << 30  # of all numbers
TIMES, UNITS = "spikes/times", "spikes/units"


def read(path: Path, channels: int | None = None) -> dict[Part, Content]:
    """Return what an HDF5 file holds, by split. ``channels``: of the layout of SHD, if that is known.

    Raises FileError for what is no such file, DataError for what it holds, MissingDependencyError without h5py.
    """
    content = hdf5.read(path, max_bytes=MAX_BYTES)
    arrays = dict(content.arrays())
    if hdf5.lengths_of(TIMES) in arrays:
        return parts_of(_unrolled(arrays, channels, str(path)), str(path), _names(content))
    return parts_of(arrays, str(path))


def _unrolled(arrays: dict[str, NDArray[Any]], channels: int | None, where: str) -> dict[str, NDArray[Any]]:
    lengths, others = arrays[hdf5.lengths_of(TIMES)], arrays.get(hdf5.lengths_of(UNITS))
    if others is None or len(others) != len(lengths):
        raise DataError(f"has no {UNITS} for each of {len(lengths)} {TIMES}", where=where, fix="get the file again")
    if (unlike := lengths != others).any():
        at = int(unlike.argmax())
        raise DataError(
            f"has {lengths[at]} times and {others[at]} units", where=f"{where}, sample {at}", fix="get the file again"
        )
    unrolled = {"t": arrays[TIMES], "x": arrays[UNITS], "offsets": np.concatenate([[0], np.cumsum(lengths)])}
    if channels:
        unrolled["sensor"] = np.array([1, 1, channels])
    return unrolled | ({"labels": arrays["labels"]} if "labels" in arrays else {})


def _names(content: hdf5.Group) -> tuple[str, ...]:
    """Return the names of the classes, if the file says them as SHD does."""
    if "extra" not in content or "keys" not in (extra := content.group("extra")):
        return ()
    names = extra.tree["keys"]
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()
