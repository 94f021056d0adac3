"""Small files in the layouts in which data sets of events and sounds are published, with the events that they hold."""

from pathlib import Path

import numpy as np

from cases import own_data

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # t, x, y, p


def some_events(seed: int, side: int, count: int = 30, start: int = 0) -> Columns:
    rng = np.random.default_rng(seed)
    t = start + np.sort(rng.integers(0, 5000, count))
    x, y = rng.integers(0, side, (2, count))
    return t, x, y, rng.integers(0, 2, count)


def forty_bits(path: Path, columns: Columns) -> None:
    """N-MNIST's events."""
    t, x, y, p = columns
    rows = np.stack([x, y, p << 7 | t >> 16, t >> 8 & 0xFF, t & 0xFF], 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rows.astype(np.uint8).tobytes())


def aedat2(path: Path, columns: Columns) -> None:
    """A DVS128's events, whose rows are counted from below."""
    t, x, y, p = columns
    address = (127 - y) << 8 | x << 1 | p
    path.parent.mkdir(parents=True, exist_ok=True)
    header = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
    path.write_bytes(header + np.stack([address, t], 1).astype(">u4").tobytes())


def packet(columns: Columns, *, kind: int = 1, overflow: int = 0, valid: int = 1) -> bytes:
    """A packet of AEDAT 3.1."""
    t, x, y, p = columns
    data = x << 17 | y << 2 | p << 1 | valid
    header = np.array([kind | 1 << 16, 8, 4, overflow, len(t), len(t), len(t)], "<i4")
    return header.tobytes() + np.stack([data, t], 1).astype("<u4").tobytes()


def aedat3(path: Path, *packets: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n" + b"".join(packets))


def heidelberg(path: Path, samples: list[tuple[np.ndarray, np.ndarray]], labels: list[int]) -> None:
    """A file of SHD: times in half precision, as published."""
    import h5py

    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (len(samples),), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (len(samples),), h5py.vlen_dtype(np.uint16))
        for i, (t, unit) in enumerate(samples):
            times[i], units[i] = t.astype(np.float16), unit
        file["labels"] = np.array(labels, np.uint16)
        file["extra/speaker"] = np.zeros(len(samples), np.uint16)
        file["extra/keys"] = [f"word{i}".encode() for i in range(20)]


def fsdd(home: Path) -> None:
    for digit in range(3):
        for index in (0, 4, 5, 49):
            own_data.sound(home / "recordings" / f"{digit}_theo_{index}.wav", 300 * (digit + 1) + index)


def speech_commands(home: Path) -> None:
    for i, word in enumerate(("bed", "zero", "_background_noise_")):
        for number in range(4):
            own_data.sound(home / word / f"{number}_nohash_0.wav", 300 * (i + 1) + number, rate=16000)
    (home / "testing_list.txt").write_text("bed/0_nohash_0.wav\nzero/1_nohash_0.wav\n")
    (home / "validation_list.txt").write_text("bed/1_nohash_0.wav\n")
