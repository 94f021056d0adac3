"""Braille letters read by touch: the event data set that needs no files. 27 letters, 1,350 recordings.

A robot's fingertip with 12 capacitive taxels slid over each letter (26 and the space) 50 times; it was read 40 times a second, 77
readings a recording, and only 4 taxels move. Readings become events by level crossing, as in the publication, with its four
thresholds side by side: 1, 2, 5 and 10 of the 8-bit readings.

S. F. Müller-Cleve et al., "Braille letter reading: A benchmark for spatio-temporal pattern recognition on neuromorphic hardware",
Frontiers in Neuroscience 16 (2022), doi 10.3389/fnins.2022.951164; data: doi 10.5281/zenodo.6556273, CC BY 4.0.
"""

from pathlib import Path

import numpy as np

from snnc.base.npz import open_arrays
from snnc.data.crossings import level_crossings
from snnc.data.dataset import Dataset, Split

FILE = Path(__file__).with_name("braille-letters.npz")
MAX_BYTES = 1 << 22
THRESHOLDS = (1, 2, 5, 10)
STEP_US = 25_000  # 40 readings a second
LETTERS = (*"ABCDEFGHIJKLMNOPQRS", "Space", *"TUVWXYZ")


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 1,080 + 270 recordings as events of a sensor of 2 polarities, 4 thresholds and 12 taxels.

    Every fifth repetition of each letter (4, 9, .. 49) is a test sample: 80 % and 20 %, as published, and every letter equally
    often in both.
    """
    with open_arrays(FILE, "data set", max_bytes=MAX_BYTES, fix="install snnc again") as file:
        taxels, labels, repetition = file["taxels"], file["label"], file["repetition"]
    chosen = (repetition % 5 == 4) == (split == "test")
    events = level_crossings(taxels[chosen], THRESHOLDS, STEP_US)
    return Dataset("braille", split, events, events.sensor, labels[chosen].astype(np.int64), LETTERS)
