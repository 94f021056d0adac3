"""The rasters that an artifact's program reads and writes; `programs.write` puts this in the place of its import."""

import sys
import zipfile
import zlib
from typing import Any

import numpy as np


def read(path: str, sizes: "dict[str, int]") -> "dict[str, Any]":
    """The raster (samples, steps, n) of each input population, by name, from an array of this name or, as `snnc simulate --out`
    writes it, of spikes/NAME. Ends the program if there is none, or another array than such a raster.
    """
    try:
        if not zipfile.is_zipfile(path):
            sys.exit(f"error: {path} is missing, or no .npz file")
        with np.load(path, allow_pickle=False) as file:
            held = {key: key if key in file else f"spikes/{key}" for key in sizes}
            if missing := [key for key, name in held.items() if name not in file]:
                sys.exit(f"error: {path} has no array {missing[0]!r}, but {', '.join(map(repr, file)) or 'none'}")
            inputs = {key: file[name] for key, name in held.items()}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):  # what NumPy says of it tells to load it unsafely
        sys.exit(f"error: {path} is damaged, or holds objects")
    for name, raster in inputs.items():
        if raster.dtype.kind not in "biu" or raster.ndim != 3 or raster.shape[2] != sizes[name]:
            what = f"array {name!r} is {raster.dtype} {raster.shape}, expected integers (samples, steps, {sizes[name]})"
            sys.exit(f"error: {path}: {what}")
    if len(lengths := {raster.shape[:2] for raster in inputs.values()}) > 1:
        sys.exit(f"error: {path}: arrays have {' and '.join(map(str, sorted(lengths)))} samples and steps, expected the same")
    return inputs


def must_keep_budgets(budgets: "dict[str, int]", inputs: "dict[str, Any]") -> None:
    """End the program if an input sends more messages in a step than its budget: nothing is proved of such inputs."""
    for name, most in budgets.items():
        counts = np.count_nonzero(inputs[name], axis=2)
        if counts.size and counts.max() > most:
            sample, step = np.unravel_index(counts.argmax(), counts.shape)
            sys.exit(f"error: input {name} sends {counts.max()} messages in step {step} of sample {sample}, its budget is {most}")


def save(path: str, arrays: "dict[str, Any]") -> None:
    """Write an .npz file. numpy.savez would take arrays that are called file or allow_pickle for its own arguments."""
    with zipfile.ZipFile(path, "w") as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
