"""WAV files: whole numbers as PCM of 8, 16, 24 or 32 bits, one channel. Each becomes events by `snnc.data.cochlea`."""

import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.data.cochlea import heard
from snnc.errors import DataError
from snnc.network.events import Events, joined

RATES = (4_000, 96_000)  # samples a second
MAX_SECONDS = 60


def events_in(files: Sequence[Path]) -> dict[str, NDArray[Any]]:
    """Return the events of sounds, as arrays t, x, p, offsets and sensor. Raises DataError as `events_of` does."""
    events = events_of(files)
    polarity, _, band = np.unravel_index(events.place.astype(np.int64), events.sensor)
    return {
        "t": events.t, "x": band, "p": polarity, "offsets": events.offsets, "sensor": np.array(events.sensor),
    }  # fmt: skip


def events_of(files: Sequence[Path]) -> Events:
    """Return the events of sounds.

    Raises DataError, which names the file, for one that is no WAV file of whole numbers, has several channels, is too long, or
    has another sample rate than the first.
    """
    parts, first = [], 0
    for path in files:
        sound, rate = read(path)
        first = first or rate
        if rate != first:
            raise DataError(
                f"has {rate} samples a second, {files[0].name} has {first}", where=str(path), fix="resample them alike"
            )
        parts.append(heard(sound, rate))
    return joined(parts)


def read(path: Path) -> tuple[NDArray[np.float64], int]:
    """Return the sound of a WAV file, -1 to 1, and its samples a second. Raises DataError for anything else."""
    fix = "save it as PCM of one channel"
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, frames = file.getparams()[:4]
            if channels != 1 or not RATES[0] <= rate <= RATES[1] or not 0 < frames <= MAX_SECONDS * rate:
                raise DataError(
                    f"has {channels} channels and {frames:,} samples at {rate:,} a second, expected 1 channel, at most "
                    f"{MAX_SECONDS} s, and {RATES[0]:,} to {RATES[1]:,}",
                    where=str(path), fix=fix,
                )  # fmt: skip
            raw = file.readframes(frames)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the file") from error
    except (wave.Error, EOFError, ValueError, RuntimeError, OverflowError) as error:
        raise DataError(f"is no WAV file ({error or 'it ends too early'})", where=str(path), fix=fix) from error
    if len(raw) != frames * width:
        raise DataError(f"has {len(raw)} bytes of sound, announces {frames * width}", where=str(path), fix="get the file again")
    return _scaled(raw, width), rate


def _scaled(raw: bytes, width: int) -> NDArray[np.float64]:
    """Return little-endian numbers as parts of full scale; those of one byte are counted from 128."""
    if width == 1:
        return (np.frombuffer(raw, np.uint8).astype(np.float64) - 128) / 128
    padded = np.zeros((len(raw) // width, 4), np.uint8)
    padded[:, 4 - width :] = np.frombuffer(raw, np.uint8).reshape(-1, width)
    return padded.view("<i4")[:, 0].astype(np.float64) / 2.0**31
