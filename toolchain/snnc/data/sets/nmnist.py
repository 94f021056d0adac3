"""N-MNIST: MNIST's digits seen by an event camera that moves (Orchard et al. 2015), from its files as published.

G. Orchard et al., "Converting static image datasets to spiking neuromorphic datasets using saccades", Frontiers in Neuroscience 9
(2015), doi 10.3389/fnins.2015.00437: 34x34 pixels; an event has 40 bits: column, row, polarity, 23 bits of microseconds. A row of
240 says that 8,192 microseconds were lost to an overflow.
"""

from pathlib import Path

import numpy as np

from snnc.data.aedat import Recording
from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split
from snnc.data.files import named_folder, read_at_most
from snnc.data.recordings import class_files, events_of
from snnc.errors import DataError

SENSOR = (2, 34, 34)
DIGITS = tuple("0123456789")
EVENT_BYTES = 5
MAX_BYTES = 1 << 24
OVERFLOW_ROW, OVERFLOW_US = 240, 1 << 13
HELP = f"name with --data-dir or {FOLDER_VARIABLE} a folder with Train and Test, unpacked from Train.zip and Test.zip"


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 60,000 + 10,000 recordings of about 300 ms, from ``Train/DIGIT/*.bin`` and ``Test/DIGIT/*.bin`` in ``folder``.

    Raises DataError for files that are missing or damaged.
    """
    home = named_folder("nmnist", folder, HELP) / split.capitalize()
    files, labels = class_files(home, DIGITS, ".bin", HELP)
    return Dataset("nmnist", split, events_of(((path, _read(path)) for path in files), SENSOR), SENSOR, np.array(labels), DIGITS)


def _read(path: Path) -> Recording:
    raw = read_at_most(path, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES or len(raw) % EVENT_BYTES:
        what = f"has {len(raw)} bytes, expected a multiple of {EVENT_BYTES} up to {MAX_BYTES:,}"
        raise DataError(what, where=str(path), fix="get the file again")
    columns = np.frombuffer(raw, np.uint8).reshape(-1, EVENT_BYTES).astype(np.int64).T
    x, y = columns[0], columns[1]
    overflows = y == OVERFLOW_ROW
    t = ((columns[2] & 0x7F) << 16 | columns[3] << 8 | columns[4]) + OVERFLOW_US * np.cumsum(overflows)
    kept = ~overflows
    return Recording(t[kept], x[kept], y[kept], (columns[2] >> 7)[kept])
