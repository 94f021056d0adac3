"""The Heidelberg spiking data sets: files in HDF5 with the spikes of a model of the inner ear, 700 channels.

B. Cramer et al., "The Heidelberg spiking data sets for the systematic evaluation of spiking neural networks", IEEE TNNLS 2020,
doi 10.1109/TNNLS.2020.3044364.
"""

from pathlib import Path

import numpy as np

from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split
from snnc.data.files import named_folder
from snnc.data.readers import hdf5
from snnc.errors import DataError

CHANNELS = 700


def load(name: str, classes: int, split: Split, folder: Path | None) -> Dataset:
    """Load a split from ``NAME_train.h5`` or ``NAME_test.h5`` in ``folder``, or its subfolder of that name.

    Raises DataError if the file is missing or holds something else, FileError if it is damaged.
    """
    file = f"{name}_{split}.h5"
    fix = f"name with --data-dir or {FOLDER_VARIABLE} a folder with {file}, unpacked"
    home = named_folder(name, folder, fix)
    path = next((path for path in (home / file, home / name / file) if path.is_file()), None)
    if path is None:
        raise DataError(f"has no {file}", where=str(home), fix=fix)
    content = hdf5.read(path, CHANNELS).get("all")
    if content is None or content.shape != (1, 1, CHANNELS) or content.labels.max(initial=0) >= classes:
        raise DataError(f"holds no spikes of {CHANNELS} channels and {classes} classes", where=str(path), fix="get it again")
    names = content.names if len(content.names) == classes else tuple(str(n) for n in np.arange(classes))
    return Dataset(name, split, content.samples, content.shape, content.labels, names)
