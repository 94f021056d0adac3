"""Speech Commands: words of a second, spoken by many people (Warden 2018), as events of a bank of filters. 35 classes.

P. Warden, "Speech Commands: A dataset for limited-vocabulary speech recognition", arXiv 1804.03209, version 0.02: a folder of WAV
files for each word, 16,000 samples a second, and lists of the validation and test files. How sound becomes events:
`snnc.data.cochlea`.
"""

from pathlib import Path

import numpy as np

from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split
from snnc.data.files import named_folder, read_at_most
from snnc.data.readers import wav
from snnc.errors import DataError

LISTS = ("validation_list.txt", "testing_list.txt")
MAX_LIST_BYTES = 1 << 24
HELP = f"name with --data-dir or {FOLDER_VARIABLE} a folder with {LISTS[1]} and a folder for each word"


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 84,843 + 11,005 words: all that neither list names, and the test list. Folders that begin in _ hold noise, no words.

    Raises DataError for files that are missing or damaged.
    """
    home = named_folder("speech_commands", folder, HELP)
    validation, test = (_listed(home / name) for name in LISTS)
    words = sorted(path.name for path in home.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))
    files, labels = [], []
    for label, word in enumerate(words):
        for path in sorted((home / word).glob("*.wav")):
            name = f"{word}/{path.name}"
            if name in test if split == "test" else name not in test | validation:
                files.append(path)
                labels.append(label)
    if len(words) < 2 or not files:
        raise DataError(f"has {len(words)} words and {len(files)} files of the {split} split", where=str(home), fix=HELP)
    events = wav.events_of(files)
    return Dataset("speech_commands", split, events, events.sensor, np.array(labels), tuple(words))


def _listed(path: Path) -> frozenset[str]:
    if not path.is_file():
        raise DataError("no such file", where=str(path), fix=HELP)
    return frozenset(read_at_most(path, MAX_LIST_BYTES).decode("utf-8", "replace").split())
