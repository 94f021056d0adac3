"""Free Spoken Digit Dataset: digits from zero to nine, spoken by six people, as events of a bank of filters.

The files are those of https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0): 3,000 WAV files
``recordings/DIGIT_SPEAKER_INDEX.wav`` of 8,000 samples a second. The split is the official one: indices 0 .. 4 are test samples.
How sound becomes events: `snnc.data.cochlea`.
"""

import re
from pathlib import Path

import numpy as np

from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split
from snnc.data.files import named_folder
from snnc.data.readers import wav
from snnc.errors import DataError

TEST_INDICES = 5
NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]{1,3})\.wav")
DIGITS = tuple("0123456789")
HELP = f"name with --data-dir or {FOLDER_VARIABLE} a folder with recordings/0_jackson_0.wav and so on"


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 2,700 + 300 spoken digits, from ``folder`` or its subfolder ``recordings``.

    Raises DataError for files that are missing, damaged or named otherwise.
    """
    named = named_folder("fsdd", folder, HELP)
    home = named / "recordings" if (named / "recordings").is_dir() else named
    files, labels = [], []
    for path in sorted(home.glob("*.wav")):
        name = NAME.fullmatch(path.name)
        if name is None:
            raise DataError("is no DIGIT_SPEAKER_INDEX.wav", where=str(path), fix=HELP)
        if (int(name[3]) < TEST_INDICES) == (split == "test"):
            files.append(path)
            labels.append(int(name[1]))
    if not files:
        raise DataError(f"has no recordings of the {split} split", where=str(home), fix=HELP)
    events = wav.events_of(files)
    return Dataset("fsdd", split, events, events.sensor, np.array(labels), DIGITS)
