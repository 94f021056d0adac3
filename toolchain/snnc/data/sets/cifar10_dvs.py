"""CIFAR10-DVS: images of CIFAR-10 that move, seen by an event camera (Li et al. 2017), from its files as published.

H. Li et al., "CIFAR10-DVS: An event-stream dataset for object classification", Frontiers in Neuroscience 11 (2017),
doi 10.3389/fnins.2017.00309: 128x128 pixels, 1,000 recordings a class in AEDAT 2.0. It has no split of its own; of each class the
first nine tenths are training samples, as is common.
"""

import re
from pathlib import Path

import numpy as np

from snnc.data import aedat
from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split
from snnc.data.files import named_folder
from snnc.data.recordings import class_files, events_of
from snnc.errors import DataError

SENSOR = (2, 128, 128)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN_PART = 0.9
HELP = f"name with --data-dir or {FOLDER_VARIABLE} a folder with airplane, .. truck, each with its .aedat files"


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 9,000 + 1,000 recordings of about 1.3 s, from ``CLASS/cifar10_CLASS_NUMBER.aedat`` in ``folder``.

    Raises DataError for files that are missing or damaged.
    """
    files, labels = class_files(named_folder("cifar10_dvs", folder, HELP), CLASSES, ".aedat", HELP)
    order = sorted(range(len(files)), key=lambda i: (labels[i], _number(files[i])))
    chosen: list[int] = []
    for label in range(len(CLASSES)):
        of_class = [i for i in order if labels[i] == label]
        cut = round(TRAIN_PART * len(of_class))
        chosen += of_class[:cut] if split == "train" else of_class[cut:]
    if not chosen:
        raise DataError(f"has too few recordings for a {split} split", where=str(files[0].parent.parent), fix=HELP)
    events = events_of(((files[i], aedat.read(files[i])) for i in chosen), SENSOR)
    return Dataset("cifar10_dvs", split, events, SENSOR, np.array([labels[i] for i in chosen]), CLASSES)


def _number(path: Path) -> int:
    found = re.search(r"(\d+)$", path.stem)
    if not found:
        raise DataError("has no number at the end of its name", where=str(path), fix=HELP)
    return int(found[1])
