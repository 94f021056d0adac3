"""What a chain keeps of its runs for the report: rasters of a few samples from both runs of each comparison, and how often
every neuron fires. Written by `snnc run`, read by `snnc report`.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base.files import write_bytes
from snnc.base.npz import open_arrays
from snnc.network.model import Network
from snnc.simulation.run import Run
from snnc.simulation.run import classes as classes_of
from snnc.verification.compare import Verdict

RECORDING = "recorded.npz"  # in the folder of a chain
SAMPLES = 8  # of each comparison, besides the one with the first divergence
MAX_BYTES = 16 << 20  # of the rasters of one comparison, unpacked
MAX_FILE_BYTES = 64 << 20  # of all arrays of a file, unpacked

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pair:
    """The same samples in two runs."""

    samples: Ints  # (k,) their numbers in the data set
    spikes: tuple[Mapping[str, NDArray[Any]], Mapping[str, NDArray[Any]]]  # population -> (k, steps, n); reference, candidate
    classes: Ints  # (2, k)
    labels: Ints  # (k,)


@dataclass(frozen=True, eq=False)
class Recording:
    """What was kept of a chain's runs."""

    pairs: Mapping[str, Pair]  # by comparison: "target_against_fixed", ...
    rates: Mapping[str, NDArray[np.float64]]  # population -> (n,) spikes an inference of the fixed network; none: not recorded


@dataclass(frozen=True, eq=False)
class _Kept:
    """One sample of two runs."""

    number: int
    spikes: tuple[Mapping[str, NDArray[Any]], Mapping[str, NDArray[Any]]]  # population -> (steps, n)
    classes: tuple[int, int]


class Recorder:
    """Collects while a chain compares: `keep` sees the runs of each comparison, `count` those of the fixed network."""

    def __init__(self, net: Network, labels: Ints) -> None:
        self.net, self.labels = net, labels
        self._pairs: dict[str, list[_Kept]] = {}
        self._diverged: set[str] = set()
        self._fired: dict[str, Ints] = {p.name: np.zeros(p.size, np.int64) for p in net.populations}
        self._samples = 0

    def keep(self, name: str, first: int, reference: Run, candidate: Run, verdict: Verdict | None = None) -> None:
        """Keep the first samples of a comparison, and that of its first divergence; ``first``: the number of the runs' first."""
        kept = self._pairs.setdefault(name, [])
        chosen = list(range(min(len(reference.spikes[self.net.output.name]), _room(reference) - len(kept))))
        if verdict and verdict.first and name not in self._diverged:
            self._diverged.add(name)
            chosen = [i for i in chosen if i != verdict.first.sample] + [verdict.first.sample]
        if chosen:
            classes = classes_of(reference, self.net.output), classes_of(candidate, self.net.output)
            for i in chosen:
                rasters = _spikes(reference, i), _spikes(candidate, i)
                kept.append(_Kept(first + i, rasters, (int(classes[0][i]), int(classes[1][i]))))

    def count(self, run: Run) -> None:
        """Add the spikes of every neuron to the count."""
        for name, raster in run.spikes.items():
            self._fired[name] += np.count_nonzero(raster, axis=(0, 1))
        self._samples += len(run.spikes[self.net.output.name])

    def write(self, path: Path) -> None:
        """Write a compressed npz file; equal runs give equal bytes. Raises WriteError."""
        arrays: dict[str, NDArray[Any]] = {}
        if self._samples:
            arrays |= {f"rates/{name}": fired / self._samples for name, fired in self._fired.items()}
        for name, kept in self._pairs.items():
            numbers = np.array([one.number for one in kept], np.int64)
            arrays |= {f"samples/{name}": numbers, f"labels/{name}": self.labels[numbers]}
            arrays[f"classes/{name}"] = np.array([one.classes for one in kept], np.int64).T
            for side in (0, 1):
                for p in self.net.populations:
                    arrays[f"runs/{name}/{side}/{p.name}"] = np.stack([one.spikes[side][p.name] for one in kept])
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
        write_bytes(path, packed.getvalue(), force=True)


def _room(run: Run) -> int:
    bytes_a_sample = 2 * sum(int(raster[0].nbytes) for raster in run.spikes.values())
    return max(1, min(SAMPLES, MAX_BYTES // bytes_a_sample))


def _spikes(run: Run, i: int) -> Mapping[str, NDArray[Any]]:
    """Copy one sample, so that the rest of the run is let go."""
    return {name: raster[i].copy() for name, raster in run.spikes.items()}


def read_recording(path: Path, net: Network) -> Recording:
    """Read what `Recorder.write` left, which anyone may have altered. Raises FileError if it is damaged or not of ``net``."""
    with open_arrays(path, "recording of this network", max_bytes=MAX_FILE_BYTES, fix="run snnc run again") as file:
        names = [key.removeprefix("samples/") for key in file.names if key.startswith("samples/")]
        pairs = {name: _pair(file, name, net) for name in names}
        rated = any(name.startswith("rates/") for name in file.names)  # of all populations, or of none
        return Recording(pairs, {p.name: _rates(file, p.name, p.size) for p in net.populations} if rated else {})


def _pair(file: Any, name: str, net: Network) -> Pair:
    samples = _array(file, f"samples/{name}", "iu", (None,))
    k, steps = len(samples), file[f"runs/{name}/0/{net.output.name}"].shape[1]
    reference, candidate = (
        {p.name: _array(file, f"runs/{name}/{side}/{p.name}", "iub", (k, steps, p.size)) for p in net.populations}
        for side in (0, 1)
    )
    classes, labels = _array(file, f"classes/{name}", "iu", (2, k)), _array(file, f"labels/{name}", "iu", (k,))
    return Pair(samples, (reference, candidate), classes, labels)


def _rates(file: Any, name: str, size: int) -> NDArray[np.float64]:
    rates = _array(file, f"rates/{name}", "f", (size,))
    if not np.isfinite(rates).all() or (rates < 0).any():
        raise ValueError(f"rates of {name} are no rates")
    return rates


def _array(file: Any, key: str, kinds: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    array: NDArray[Any] = file[key]
    wanted = tuple(have if want is None else want for have, want in zip(array.shape, shape, strict=False))
    if array.shape != wanted or array.ndim != len(shape) or array.dtype.kind not in kinds:
        raise ValueError(f"{key} is {array.dtype} of shape {array.shape}")
    return array
