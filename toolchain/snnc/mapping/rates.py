"""How often each neuron fires, from a recorded run. Read by map."""

import zipfile
from pathlib import Path

import numpy as np

from snnc.errors import DataError, FileError
from snnc.mapping.task import Rates
from snnc.network.model import Network

MAX_BYTES = 4 << 30  # of all rasters, unpacked
KEY = "spikes/"


def read_rates(path: Path, net: Network) -> tuple[Rates, int]:
    """Read (spikes an inference of every neuron, steps of an inference) from the rasters that `snnc simulate --out` wrote.

    Raises FileError if it is no such file or too large, DataError if it is not of this network.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
        if size > MAX_BYTES:
            raise FileError(f"unpacks to {size:,} bytes, at most {MAX_BYTES:,} are read", where=str(path))
        with np.load(path, allow_pickle=False) as file:
            means = {p.name: _mean(file, p.name) for p in net.populations if KEY + p.name in file}
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise FileError(f"is no file of rasters ({error})", where=str(path), fix="write it with: snnc simulate --out") from error
    for p in net.populations:
        if p.name not in means or means[p.name][0].shape != (p.size,):
            raise DataError(f"has no spikes of the {p.size} neurons of {p.name!r}", where=str(path), fix="record this network")
    return {name: mean for name, (mean, _) in means.items()}, max(steps for _, steps in means.values())


def _mean(file: np.lib.npyio.NpzFile, name: str) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], int]:
    """Return (mean count of each neuron over the samples, steps); messages of several bits count once."""
    raster = file[KEY + name]
    if raster.ndim != 3 or not all(raster.shape) or raster.dtype.kind not in "uib":
        raise ValueError(f"{name} is {raster.dtype} of shape {raster.shape}, expected integers (samples, steps, n)")
    return np.asarray(np.count_nonzero(raster, axis=1).mean(axis=0), np.float64), raster.shape[1]
