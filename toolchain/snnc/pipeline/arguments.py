"""What callers may pass in short: a chip by its name, a data set by its name, input rasters as one array."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import snnc.chips as chips
import snnc.data as data
from snnc.base.npz import open_arrays
from snnc.chips.profile import Profile
from snnc.data.dataset import Dataset, Split
from snnc.errors import DataError, UsageError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network, Population
from snnc.simulation.run import Rasters

SPIKES = "spikes/"  # begins the names of rasters that `snnc simulate --out` writes
MAX_RASTER_BYTES = 1 << 29  # of all input rasters in a file


def _no_data(value: object) -> None:
    """Raise DataError for what is neither a data set nor a name."""
    fix = "make a snnc.Dataset of images and labels"
    raise DataError(f"{type(value).__name__} is neither a data set nor the name of one", fix=fix)


Chip = str | Path | Profile  # a name of `snnc profiles`, the path of a .toml file, or the profile itself
Data = Annotated[str | data.Source | Dataset, _no_data]  # a name, a name with the seed of its split, or the split itself
Inputs = Mapping[str, ArrayLike] | NDArray[Any]  # rasters (samples, steps, n) by input population; one array for a single input


def silent(*_: Any) -> None:
    """Say nothing and watch nothing."""


Say = Callable[[str], None]
Watch = Callable[[int], None]


def path_of(path: Path | str | None) -> Path | None:
    """Return a path that may be given as text, or not at all."""
    return None if path is None else Path(path)


def simulator_name(by: str | None) -> str | None:
    """Return the name of a simulator, None for "auto"."""
    return None if by == "auto" else by


def own_chip(net: Network) -> Profile:
    """Return the chip that a network was quantised for. Raises UsageError if it was for none, or for one that has no profile
    here.
    """
    name = net.numeric.profile if isinstance(net.numeric, Fixed) else ""
    if name in chips.names():
        return chips.load(name)
    what = f"was quantised for {name!r}, which is no profile of snnc's" if name else "is for no chip yet"
    fix = "name its .toml file with --hw" if name else "name a chip with --hw, or quantise it first"
    raise UsageError(what, where=f"network {net.name!r}", fix=fix)


def profile_of(chip: Chip) -> Profile:
    """Return the profile of a chip. Raises ProfileError as `snnc.chips.load` does."""
    return chip if isinstance(chip, Profile) else chips.load(chip)


def dataset_of(name_or_data: Data, split: Split, folder: Path | str | None = None) -> Dataset:
    """Return a split by the name of its data set, or the data set itself. Raises DataError as `snnc.data.load` does."""
    if isinstance(name_or_data, Dataset):
        return name_or_data
    return data.load(name_or_data, split, path_of(folder))


def rasters_of(net: Network, inputs: Inputs) -> Rasters:
    """Return input rasters by population, each (samples, steps, n) integers.

    Raises DataError if an input lacks a raster or one is of another shape, of other numbers than the input sends, or of another
    number of samples or steps than the others.
    """
    if not isinstance(inputs, Mapping):
        if len(net.inputs) != 1:
            names = ", ".join(p.name for p in net.inputs)
            raise DataError("one raster for several inputs", where=f"network {net.name!r}", fix=f"pass one for each of {names}")
        inputs = {net.inputs[0].name: inputs}
    if inputs.keys() != {p.name for p in net.inputs}:
        given, names = ", ".join(sorted(inputs)) or "nothing", ", ".join(p.name for p in net.inputs)
        what = f"got rasters for {given}, its inputs are {names}"
        raise DataError(what, where=f"network {net.name!r}", fix=f"pass rasters for {names}")
    made = {p.name: _raster(p, np.asarray(inputs[p.name])) for p in net.inputs}
    if len(sizes := {raster.shape[:2] for raster in made.values()}) > 1:
        raise DataError(
            f"inputs differ in samples or steps: {sorted(sizes)}", where=f"network {net.name!r}", fix="cut them alike"
        )
    return made


def read_rasters(path: Path, net: Network) -> dict[str, NDArray[Any]]:
    """Return the rasters in an .npz file, by population: arrays of its name, or ``spikes/NAME`` as `snnc simulate` writes them;
    of what that wrote for all populations, those of the inputs of ``net``.

    Raises FileError if it is no such file, or larger than `MAX_RASTER_BYTES`.
    """
    fix = "write it with numpy.savez: an integer array (samples, steps, n) under the name of each input population"
    with open_arrays(path, "file of rasters", max_bytes=MAX_RASTER_BYTES, fix=fix) as file:
        of_run = [name for name in file.names if name.startswith(SPIKES)]
        inputs = {SPIKES + p.name for p in net.inputs}
        names = [name for name in of_run if name in inputs] or of_run or file.names
        return {name.removeprefix(SPIKES): file[name] for name in names}


def _raster(p: Population, raster: NDArray[Any]) -> NDArray[Any]:
    where = f"input {p.name!r}"
    if raster.ndim != 3 or not all(raster.shape) or raster.shape[2] != p.size:
        raise DataError(f"has shape {raster.shape}, expected (samples, steps, {p.size})", where=where, fix="reshape it")
    if raster.dtype == np.bool_:
        return raster.astype(np.uint8)
    if raster.dtype.kind not in "ui":
        raise DataError(f"holds {raster.dtype}, expected integers", where=where, fix="round and convert it")
    most = max(1, 2**p.message_bits - 1)
    if raster.min() < 0 or raster.max() > most:
        raise DataError(f"holds {raster.min()} .. {raster.max()}, the input sends 0 .. {most}", where=where, fix="scale it")
    return raster
