"""The samples that `verify` compares runs on: those of a data set, of given rasters, of noise, and those made to reach more."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.data.dataset import Split
from snnc.errors import UsageError
from snnc.network.model import Network
from snnc.pipeline.arguments import Data, Inputs, Say, dataset_of, rasters_of
from snnc.simulation.run import Rasters, Run
from snnc.verification.cover import covering
from snnc.verification.coverage import Coverage
from snnc.verification.prove import Source, from_noise, from_rasters, from_samples

MOST_COUNTED = 1 << 25  # slots of neurons and steps of which the coverage is counted
NOISE_STEPS = 16  # of a random sample, where the network has no encoding


@dataclass(frozen=True, eq=False)
class Samples:
    """What runs are compared on."""

    source: Source
    labels: NDArray[np.int64] | None
    count: int
    of: dict[str, Any]  # what identifies them, for a ledger
    covering: Rasters | None = None  # those that were made to reach more, after the others

    @property
    def data(self) -> int:
        """How many are not made to reach more."""
        return self.count - (len(next(iter(self.covering.values()))) if self.covering else 0)


def samples_of(
    net: Network, data: Data | None, inputs: Inputs | None, noise: float | None, split: Split, folder: Path | str | None,
    samples: int | None, steps: int | None, seed: int, inner: int | None = None,
) -> Samples:  # fmt: skip
    """Return the samples of a data set, of given rasters, or of noise; of one frame if a module makes ``inner`` steps of it."""
    given = {"data": data, "inputs": inputs, "noise": noise}
    if len(chosen := [name for name, value in given.items() if value is not None]) != 1:
        raise UsageError(f"{len(chosen)} of {', '.join(given)} are given", where="verify", fix="give exactly one of them")
    if samples is not None and samples < 1:
        raise UsageError(f"{samples} samples cannot be compared", where="samples", fix="ask for at least one, or for all")
    if noise is None and (said := [name for name, value in {"steps": steps, "seed": seed}.items() if value]):
        raise UsageError("says how random input is made, and there is none", where=", ".join(said), fix="leave it out")
    of: dict[str, Any] = {"data_name": "", "split": split, "rate": noise, "steps": steps, "seed": seed}
    if noise is not None:
        if not 0 < noise <= 1:
            raise UsageError(f"{noise} is no part of the slots", where="noise", fix="give more than 0 and at most 1")
        if samples is None:
            raise UsageError("random input has no end", where="samples", fix="say how many samples, or name a data set")
        source = from_noise(net, steps or (net.encoding.steps if net.encoding else NOISE_STEPS), noise, seed)
        return Samples(_holding_a_frame(source, steps or inner) if inner else source, None, samples, of)
    if inputs is not None:
        rasters = rasters_of(net, inputs)
        there = len(next(iter(rasters.values())))
        digest = sha256(b"".join(np.ascontiguousarray(raster).tobytes() for raster in rasters.values())).hexdigest()
        return Samples(from_rasters(rasters), None, min(samples or there, there), {**of, "inputs": digest})
    dataset = dataset_of(data or "", split, folder)
    count = min(samples or len(dataset), len(dataset))
    return Samples(from_samples(net, dataset.samples, dataset.shape), dataset.labels, count, {**of, "data_name": dataset.name})


def _holding_a_frame(source: Source, steps: int) -> Source:
    """Return a source of samples that are in every step what they are in their first, as a module takes them that repeats it."""
    return lambda first, count: {name: np.repeat(raster[:, :1], steps, 1) for name, raster in source(first, count).items()}


def counting(coverage: Coverage | None, *, everything: bool = False) -> Callable[[int, Run, Run, Any], None]:
    """Return what adds runs to a coverage: of ``everything``, or of as many samples as are counted in seconds."""

    def see(first: int, reference: Run, candidate: Run, verdict: Any) -> None:
        if coverage is None:
            return
        samples, steps, _ = reference.spikes[coverage.net.inputs[0].name].shape
        room = samples if everything else _most_counted(coverage, steps) - coverage.samples
        if room > 0:
            coverage.add(reference.of_samples(slice(0, room)))

    return see


def left_to_count(coverage: Coverage, given: Samples) -> int:
    """Return of how many further samples the coverage is counted, beside those that were made to reach more."""
    steps = given.source(0, 1)[coverage.net.inputs[0].name].shape[1]
    return _most_counted(coverage, steps) - coverage.samples


def _most_counted(coverage: Coverage, steps: int) -> int:
    return max(MOST_COUNTED // (steps * sum(p.size for p in coverage.net.populations)), 1)


def with_covering(net: Network, coverage: Coverage, given: Samples, say: Say) -> Samples:
    """Return the samples with others after them that reach more."""
    steps = given.source(0, 1)[net.inputs[0].name].shape[1]
    say("making inputs that reach what is left")
    made: Rasters = covering(net, coverage, steps)

    def source(first: int, count: int) -> Rasters:
        at = first - given.count
        return given.source(first, count) if at < 0 else {name: raster[at : at + count] for name, raster in made.items()}

    return replace(given, source=source, count=given.count + len(next(iter(made.values()))), covering=made)
