"""How often each neuron fires, from a recorded run. Read by map."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnc.base.npz import Arrays, open_arrays
from snnc.errors import DataError
from snnc.mapping.task import Rates
from snnc.network.model import Network

MAX_BYTES = 1 << 28  # of a raster, or of a sample of it, that is at hand at once
KEY = "spikes/"


def read_rates(path: Path, net: Network) -> tuple[Rates, int]:
    """Read (spikes an inference of every neuron, steps of an inference) from the rasters that `snnc simulate --out` wrote.

    Raises FileError if it is no such file or too large, DataError if it is not of this network.
    """
    with open_arrays(path, "file of rasters", max_bytes=MAX_BYTES, fix="write it with: snnc simulate --out") as file:
        for p in net.populations:
            if KEY + p.name not in file or file.shape(KEY + p.name)[2:] != (p.size,):
                raise DataError(
                    f"has no spikes of the {p.size} neurons of {p.name!r}", where=str(path), fix="record this network"
                )
        means = {p.name: _mean(file, p.name) for p in net.populations}
    return {name: mean for name, (mean, _) in means.items()}, max(steps for _, steps in means.values())


def _mean(file: Arrays, name: str) -> tuple[NDArray[np.float64], int]:
    """Return (mean count of each neuron over the samples, steps); messages of several bits count once."""
    samples, steps, n = shape = file.shape(KEY + name)
    if not all(shape):
        raise ValueError(f"{name} has shape {shape}, expected integers (samples, steps, n)")
    total = np.zeros(n, np.int64)
    for part in file.chunks(KEY + name):
        if part.dtype.kind not in "uib":
            raise ValueError(f"{name} is {part.dtype}, expected integers (samples, steps, n)")
        total += np.count_nonzero(part, axis=(0, 1))
    return total / samples, steps
