"""Small data sets of every kind that a reader takes, written into a folder as a user would."""

import wave
from pathlib import Path

import numpy as np

STEPS, PLACES, SAMPLES = 6, 5, 20


def dense(seed=0):
    """Rasters (samples, steps, places) and labels of two classes."""
    rng = np.random.default_rng(seed)
    return {"rasters": rng.integers(0, 3, (SAMPLES, STEPS, PLACES)), "labels": np.arange(SAMPLES) % 2}


def events(seed=0):
    """Events in microseconds, with the sensor (2, 3, 5) and labels of two classes."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 30, SAMPLES)
    t = np.concatenate([np.sort(rng.integers(0, 5000, n)) for n in lengths])
    x, y, p = (rng.integers(0, size, len(t)) for size in (5, 3, 2))
    return {
        "t": t, "x": x, "y": y, "p": p, "offsets": np.cumsum([0, *lengths]), "sensor": np.array([2, 3, 5]),
        "labels": np.arange(SAMPLES) % 2,
    }  # fmt: skip


def npz(folder: Path, arrays) -> str:
    np.savez(folder / "own.npz", **arrays)
    return str(folder / "own.npz")


def h5(folder: Path, arrays) -> str:
    import h5py

    with h5py.File(folder / "own.h5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return str(folder / "own.h5")


def factory(folder: Path, arrays) -> str:
    """A Python file that returns the arrays of an .npz file."""
    np.savez(folder / "arrays.npz", **arrays)
    path = folder / "own.py"
    path.write_text(
        "import numpy as np\nfrom pathlib import Path\n\ndef samples():\n"
        "    return dict(np.load(Path(__file__).with_name('arrays.npz'), allow_pickle=True))\n"
    )
    return f"{path}:samples"


def structured(arrays, sample):
    """The events of a sample as one structured array, as tonic has them."""
    first, last = arrays["offsets"][sample : sample + 2]
    table = np.zeros(last - first, [(key, np.int64) for key in "txyp"])
    for key in "txyp":
        table[key] = arrays[key][first:last]
    return table


def classes(folder: Path, arrays, kind: str) -> str:
    """A folder for each class, with a file for each sample: raster.npy, events.npy, events.npz."""
    for sample, label in enumerate(arrays["labels"]):
        home = folder / "own" / f"class{label}"
        home.mkdir(parents=True, exist_ok=True)
        if kind == "raster.npy":
            np.save(home / f"{sample:03}.npy", arrays["rasters"][sample])
        elif kind == "events.npy":
            np.save(home / f"{sample:03}.npy", structured(arrays, sample))
        else:
            table = structured(arrays, sample)
            np.savez(home / f"{sample:03}.npz", **{key: table[key] for key in "txyp"})
    return str(folder / "own")


def sound(path: Path, hertz=440.0, rate=8000, seconds=0.2, channels=1, width=2) -> Path:
    """A WAV file with a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave_form = np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.repeat((wave_form * 20000).astype("<i2"), channels).tobytes())
    return path
