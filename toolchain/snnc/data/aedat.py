"""AEDAT files, versions 2.0 (DVS128) and 3.1: what cameras with event sensors write. Only polarity events are read.

Source: iniVation, "AEDAT file formats", https://docs.inivation.com/software/software-advanced-usage/file-formats/
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnc.data.files import read_at_most
from snnc.errors import DataError

MAX_BYTES = 1 << 30
MAX_HEADER_LINES = 10_000
SIDE = 128  # of a DVS128
HEADER_END = b"#!END-HEADER\r\n"
PACKET = np.dtype(
    [("type", "<i2"), ("source", "<i2"), ("size", "<i4"), ("time_offset", "<i4"), ("overflow", "<i4"), ("capacity", "<i4"),
     ("number", "<i4"), ("valid", "<i4")]
)  # fmt: skip
POLARITY_EVENT, POLARITY_BYTES = 1, 8


@dataclass(frozen=True, eq=False)
class Recording:
    """Events of one file, in order of time: microseconds, column, row from the top, polarity (1: brighter); each (events,)."""

    t: NDArray[np.int64]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    p: NDArray[np.int64]

    def within(self, start_us: int, end_us: int) -> "Recording":
        """Return the events from a time on, up to but without another, counted from its beginning."""
        first, last = np.searchsorted(self.t, [start_us, end_us])
        return Recording(self.t[first:last] - start_us, self.x[first:last], self.y[first:last], self.p[first:last])


def read(path: Path) -> Recording:
    """Return the events of a file. Raises DataError for one that is damaged, of another version, or out of order."""
    raw = read_at_most(path, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise DataError(f"has more than {MAX_BYTES:,} bytes", where=str(path), fix="cut it")
    if raw.startswith(b"#!AER-DAT3.1"):
        recording = _read_3(raw, str(path))
    elif raw.startswith(b"#!AER-DAT2.0"):
        recording = _read_2(raw, str(path))
    else:
        raise DataError(
            f"starts with {raw[:14]!r}, no AEDAT 2.0 or 3.1", where=str(path), fix="get the file again, as it is published"
        )
    if (backward := np.diff(recording.t) < 0).any():
        raise DataError(f"has event {int(backward.argmax()) + 1} before the one it follows", where=str(path), fix="get it again")
    return recording


def _read_2(raw: bytes, where: str) -> Recording:
    """Pairs of address and time in big-endian numbers: bit 0 is the polarity, 1 .. 7 the column, 8 .. 14 the row from below."""
    at = 0
    for _ in range(MAX_HEADER_LINES):
        if raw[at : at + 1] != b"#":
            break
        end = raw.find(b"\n", at)
        if end < 0:
            raise DataError("ends within its header", where=where, fix="get the file again")
        at = end + 1
    if (len(raw) - at) % POLARITY_BYTES:
        raise DataError(f"has {len(raw) - at} bytes of events, not a multiple of 8", where=where, fix="get the file again")
    address, time = np.frombuffer(raw, ">u4", offset=at).reshape(-1, 2).astype(np.int64).T
    return Recording(time, address >> 1 & 0x7F, SIDE - 1 - (address >> 8 & 0x7F), address & 1)


def _read_3(raw: bytes, where: str) -> Recording:
    """Packets of events in little-endian numbers: bit 0 says valid, 1 the polarity, 2 .. 16 the row, 17 .. 31 the column."""
    at = raw.find(HEADER_END)
    if at < 0:
        raise DataError("has no end of its header", where=where, fix="get the file again")
    at += len(HEADER_END)
    parts = [np.zeros((0, 2), np.int64)]
    while at < len(raw):
        if len(raw) - at < PACKET.itemsize:
            raise DataError(f"ends within the header of a packet at byte {at}", where=where, fix="get the file again")
        packet = np.frombuffer(raw, PACKET, 1, at)[0]
        at += PACKET.itemsize
        number, size = int(packet["number"]), int(packet["size"])
        if number < 0 or size < 1 or (end := at + number * size) > len(raw):
            what = f"announces {number} events of {size} bytes at byte {at} of {len(raw)}"
            raise DataError(what, where=where, fix="get the file again")
        if packet["type"] == POLARITY_EVENT and size == POLARITY_BYTES:
            data, time = np.frombuffer(raw, "<u4", 2 * number, at).reshape(-1, 2).astype(np.int64).T
            parts.append(np.stack([data, time + (int(packet["overflow"]) << 31)], 1)[(data & 1).astype(np.bool_)])
        at = end
    data, time = np.concatenate(parts).T
    return Recording(time, data >> 17 & 0x7FFF, data >> 2 & 0x7FFF, data >> 1 & 1)
