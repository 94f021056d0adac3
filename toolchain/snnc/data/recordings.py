"""Recordings of a camera, one after the other, as the events of a data set."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from snnc.data.aedat import Recording
from snnc.errors import DataError
from snnc.network.events import Events, Sensor, joined


def events_of(recordings: Iterable[tuple[Path, Recording]], sensor: Sensor) -> Events:
    """Return the events, each recording a sample that begins at its first event.

    Raises DataError, which names the file, for an event outside of the sensor and if there is no recording.
    """
    parts = []
    for path, recording in recordings:
        start = int(recording.t[0]) if len(recording.t) else 0
        try:
            sample = Events.of(
                sensor, np.array([0, len(recording.t)]), recording.t - start, recording.x, recording.y, recording.p
            )
        except DataError as error:
            raise DataError(error.what, where=str(path), fix="get the file again") from error
        parts.append(sample)
    if not parts:
        raise DataError("has no recordings", where="data set", fix="get the files again")
    return joined(parts)


def class_files(home: Path, names: tuple[str, ...], suffix: str, fix: str) -> tuple[list[Path], list[int]]:
    """Return the files in the folder of each class, in the order of their names, and their labels.

    Raises DataError for a class without a folder or without such files.
    """
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        inside = sorted((home / name).glob(f"*{suffix}"))
        if not inside:
            raise DataError(f"has no {suffix} files of class {name}", where=str(home), fix=fix)
        files += inside
        labels += [label] * len(inside)
    return files, labels
