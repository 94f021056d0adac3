"""Events of a sensor: when which of its places said that something changed. Sparse until a batch becomes rasters."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnc.errors import DataError

MOST_US = (1 << 32) - 1  # 71 minutes
MOST_PLACES = 1 << 24  # of a sensor
FIX = "leave out these samples, or repair them"

Sensor = tuple[int, int, int]  # polarities, rows, columns


@dataclass(frozen=True, eq=False)
class Events:
    """Events of successive samples.

    Attributes:
        offsets: Where each sample begins, and the end of the last, (samples + 1,).
        t: Microseconds since the sample began, (events,), in order within a sample.
        place: Place in the sensor, (events,): (polarity * rows + y) * columns + x.
        sensor: Polarities, rows and columns.

    Raises:
        DataError: Events are out of order or outside the sensor, or the arrays do not go together.
    """

    offsets: NDArray[np.int64]
    t: NDArray[np.uint32]
    place: NDArray[np.uint32]
    sensor: Sensor

    def __post_init__(self) -> None:
        _must_be_sensor(self.sensor)
        if (places := prod(self.sensor)) > MOST_PLACES:
            raise DataError(f"has a sensor of {places:,} places, expected at most {MOST_PLACES:,}", fix="take a part of it")
        for name, dtype in (("offsets", np.int64), ("t", np.uint32), ("place", np.uint32)):
            array = np.asarray(getattr(self, name)).astype(dtype, copy=False).view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        _must_be_offsets(self.offsets, len(self.t))
        if len(self.place) != len(self.t):
            raise DataError(f"has {len(self.place)} places for {len(self.t)} times", where="events", fix=FIX)
        self._must_be_ordered()
        if len(self.place) and (most := int(self.place.max())) >= prod(self.sensor):
            sample = self._sample(int(self.place.argmax()))
            raise DataError(f"has an event at place {most} of {prod(self.sensor)}", where=f"sample {sample}", fix=FIX)

    def _must_be_ordered(self) -> None:
        backward = np.flatnonzero(self.t[1:] < self.t[:-1]) + 1
        wrong = backward[~np.isin(backward, self.offsets)]
        if len(wrong):
            at = int(wrong[0])
            raise DataError(
                f"has an event at {self.t[at]} us after one at {self.t[at - 1]} us", where=f"sample {self._sample(at)}",
                fix="sort the events of each sample by time",
            )  # fmt: skip

    def _sample(self, event: int) -> int:
        return int(np.searchsorted(self.offsets, event, "right")) - 1

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, chosen: slice | NDArray[Any]) -> "Events":
        """Return some samples: a slice, their numbers, or a mask."""
        numbers = np.arange(len(self))[chosen]
        starts, counts = self.offsets[numbers], np.diff(self.offsets)[numbers]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        at = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
        return Events(offsets, self.t[at], self.place[at], self.sensor)

    @property
    def samples(self) -> NDArray[np.int64]:
        """The number of the sample of each event, (events,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @property
    def longest_us(self) -> int:
        """The time of the last event of all."""
        return int(self.t.max(initial=0))

    @classmethod
    def of(
        cls, sensor: Sensor, offsets: ArrayLike, t: ArrayLike, x: ArrayLike, y: ArrayLike | None = None,
        p: ArrayLike | None = None,
    ) -> "Events":  # fmt: skip
        """Return events of microseconds, columns, rows and polarities, of any type whose values are whole.

        Raises:
            DataError: A value is not whole, or outside of the sensor.
        """
        _must_be_sensor(sensor)
        _must_be_offsets(np.asarray(offsets), np.size(t))
        times = _whole("t", np.asarray(t), MOST_US, offsets)
        zeros = np.zeros(len(times), np.int64)
        columns = _whole("x", np.asarray(x), sensor[2] - 1, offsets)
        rows = zeros if y is None else _whole("y", np.asarray(y), sensor[1] - 1, offsets)
        polarities = zeros if p is None else _whole("p", np.asarray(p), sensor[0] - 1, offsets)
        if sizes := {len(a) for a in (columns, rows, polarities)} - {len(times)}:
            raise DataError(f"has {len(times)} times and {min(sizes)} of another column", where="events", fix=FIX)
        place: NDArray[Any] = (polarities * sensor[1] + rows) * sensor[2] + columns
        return cls(np.asarray(offsets), times.astype(np.uint32), place.astype(np.uint32), sensor)


def joined(parts: Sequence[Events]) -> Events:
    """Return the samples of several, one after the other."""
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    t, place = (np.concatenate(arrays) for arrays in ([p.t for p in parts], [p.place for p in parts]))
    return Events(offsets, t, place, parts[0].sensor)


def _must_be_sensor(sensor: Sensor) -> None:
    if len(sensor) != 3 or min(sensor) < 1:
        raise DataError(f"has a sensor of {sensor}", fix="give polarities, rows and columns, each at least 1")


def _must_be_offsets(offsets: NDArray[np.int64], events: int) -> None:
    sound = offsets.ndim == 1 and len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == events
    if not sound or (np.diff(offsets) < 0).any():
        ends = f"from {offsets[0]} to {offsets[-1]}" if offsets.ndim == 1 and len(offsets) else f"of shape {offsets.shape}"
        raise DataError(
            f"has offsets {ends} for {events} events", where="events",
            fix="give where each sample begins, in order from 0, and behind them the number of all events",
        )  # fmt: skip


def _whole(name: str, values: NDArray[Any], most: int, offsets: ArrayLike) -> NDArray[np.int64]:
    """Return values as integers. Raises DataError, with the sample, for one that is not whole or not 0 .. ``most``."""
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise DataError(f"has {name} of {values.dtype} and shape {values.shape}", where="events", fix="pass one number an event")
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= 0) & (values <= most))
        if values.dtype.kind == "f":
            wrong |= values != np.rint(values)
    if wrong.any():
        at = int(wrong.argmax())
        sample = int(np.searchsorted(np.asarray(offsets), at, "right")) - 1
        raise DataError(f"has an event with {name} = {values[at]}, expected 0 .. {most}", where=f"sample {sample}", fix=FIX)
    return values.astype(np.int64)
