"""DVS128 Gesture: hand and arm gestures of 29 people seen by an event camera (Amir et al. 2017), from its files as published.

A. Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017: 128x128 pixels, recordings in AEDAT 3.1,
each with a table of gestures: class (1 .. 11), begin and end in microseconds.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from snnc.data import aedat
from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split
from snnc.data.files import named_folder, read_at_most
from snnc.data.recordings import events_of
from snnc.errors import DataError

SENSOR = (2, 128, 128)
GESTURES = (
    "hand clapping", "right hand wave", "left hand wave", "right arm clockwise", "right arm counter clockwise",
    "left arm clockwise", "left arm counter clockwise", "arm roll", "air drums", "air guitar", "other gestures",
)  # fmt: skip
MAX_TEXT = 1 << 20
LISTS: dict[Split, str] = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
HELP = f"name with --data-dir or {FOLDER_VARIABLE} the folder DvsGesture, with {LISTS['train']} and the .aedat files"

Gesture = tuple[int, int, int]  # label from 0, begin, end


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 1,077 + 264 gestures of some seconds each, from the recordings that the list of the split names.

    Raises DataError for files that are missing or damaged.
    """
    home = named_folder("dvs_gesture", folder, HELP)
    home = home / "DvsGesture" if (home / "DvsGesture").is_dir() else home
    labels: list[int] = []
    events = events_of(_gestures(home, split, labels), SENSOR)
    return Dataset("dvs_gesture", split, events, SENSOR, np.array(labels), GESTURES)


def _gestures(home: Path, split: Split, labels: list[int]) -> Iterator[tuple[Path, aedat.Recording]]:
    """Yield each gesture, and note its label."""
    for name in _text(home / LISTS[split]).split():
        path = home / name
        if path.parent != home or path.suffix != ".aedat":
            raise DataError(f"names {name!r}, no recording beside it", where=str(home / LISTS[split]), fix="get the file again")
        table = _table(path.with_name(f"{path.stem}_labels.csv"))
        recording = aedat.read(path)
        for label, begin, end in table:
            labels.append(label)
            yield path, recording.within(begin, end)


def _table(path: Path) -> list[Gesture]:
    rows = [line.split(",") for line in _text(path).split("\n")[1:] if line.strip()]
    try:
        table = [(int(label) - 1, int(begin), int(end)) for label, begin, end in rows]
    except ValueError as error:
        raise DataError("is no table of class, begin and end", where=str(path), fix="get the file again") from error
    for label, begin, end in table:
        if not 0 <= label < len(GESTURES) or not 0 <= begin < end:
            what = f"has class {label + 1} from {begin} to {end} us, expected 1 .. {len(GESTURES)} and times in order"
            raise DataError(what, where=str(path), fix="get the file again")
    return table


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataError("no such file", where=str(path), fix=HELP)
    return read_at_most(path, MAX_TEXT).decode("utf-8", "replace")
