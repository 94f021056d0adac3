"""Is what was exported, spike for spike, what the network means? The stage behind `snnc verify` and `snnc.verify`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import snnc.targets as targets
from snnc.data.dataset import Split
from snnc.errors import UsageError
from snnc.network.html import block
from snnc.network.model import Network
from snnc.pipeline.arguments import (
    Chip,
    Data,
    Inputs,
    Say,
    Watch,
    dataset_of,
    path_of,
    profile_of,
    rasters_of,
    silent,
    simulator_name,
)
from snnc.pipeline.contest import Contest, contest, shrink, where_to_shrink
from snnc.targets.target import Artifact
from snnc.verification import ledger
from snnc.verification.compare import Divergence, Verdict
from snnc.verification.prove import Comparison, Piece, Source, from_images, from_noise, joined, pieces

FEW, SOME = 25, 1000  # samples: of a program, and of torch, whose operations an interrupt does not break off
NOISE_STEPS = 16  # of a random sample, where the network has no encoding


@dataclass(frozen=True, eq=False)
class Verification:
    """The answer of `verify`: the verdict, and what else is worth knowing.

    Attributes:
        comparison: Verdict, classes of every sample, synaptic operations, measurements and notes.
        samples: Samples that were compared.
        asked_for: Samples that were to be compared; more than ``samples`` after an interrupt.
        accuracy: Of "reference" and "candidate", where labels are known.
        counterexample: The test with the smallest case that differs, if one was written.
    """

    comparison: Comparison
    asked_for: int
    accuracy: Mapping[str, float] = field(default_factory=dict)
    counterexample: Path | None = None

    @property
    def verdict(self) -> Verdict:
        """What was compared and what differs, by population."""
        return self.comparison.verdict

    @property
    def exact(self) -> bool:
        """Whether every spike and state is equal and no population was silent; what scripts read."""
        return self.comparison.exact

    @property
    def first(self) -> Divergence | None:
        """The first difference, or None."""
        return self.verdict.first

    @property
    def samples(self) -> int:
        """Samples that were compared."""
        return len(self.comparison.reference_classes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the target or the state of the artifact adds to the verdict."""
        return self.comparison.notes

    def __repr__(self) -> str:
        return f"Verification({self.verdict!r}, samples={self.samples})"

    def _repr_html_(self) -> str:
        return self.verdict._repr_html_() + block("", {"samples": self.samples, **self.accuracy}, notes=self.notes)


@dataclass(frozen=True, eq=False)
class _Samples:
    """What runs are compared on."""

    source: Source
    labels: NDArray[np.int64] | None
    count: int
    of: dict[str, Any]  # what identifies them, for a ledger


def verify(
    candidate: Network | Artifact | Path | str,
    against: Network | str,
    *,
    data: Data | None = None,
    inputs: Inputs | None = None,
    noise: float | None = None,
    split: Split = "test",
    folder: Path | str | None = None,
    samples: int | None = 100,
    steps: int | None = None,
    seed: int = 0,
    by: str = "auto",
    timeout_s: float = 600,
    resume: Path | str | None = None,
    counterexample: Path | str | None = None,
    chip: Chip | None = None,
    as_it_is: bool = False,
    watch: Watch = silent,
    say: Say = silent,
) -> Verification:
    """Run a candidate and the simulator of a network on the same input, and compare every spike and every state.

    Runs are moved by their declared latency only; there is no tolerance. An interrupt (Ctrl-C) ends it with what was compared.

    Args:
        candidate: An artifact or its folder, whose program is executed, or a network, which a simulator runs.
        against: The network that was exported; or "torch" or "reference" for a candidate that is a network: its model in torch,
            or the engine, is then held against its simulator.
        data: Name of a data set, or the data set. One of ``data``, ``inputs`` and ``noise`` is needed.
        inputs: Rasters (samples, steps, n) of integers by input population, or one array where there is one input.
        noise: Part of the slots of random rasters that hold a message, above 0 and at most 1.
        split: "train" or "test", of a data set given by its name.
        folder: Where the files of the data set are (default: the environment variable SNNC_DATA).
        samples: How many samples are compared, from the first on; None for all.
        steps: Time steps of random rasters (default: those of the network's encoding, or 16).
        seed: Seed of random rasters.
        by: Simulator of the network: "engine", "lanes", "events", "reference", or "auto": the engine where it suits.
        timeout_s: Seconds that each run of a program may take.
        resume: A file that keeps what was compared, and from which a verification that was stopped goes on.
        counterexample: Where to write the smallest case that differs, as a test.
        chip: Name, path or profile of the chip that the artifact is mapped to, where it is none of snnc's own.
        as_it_is: Whether an artifact that is not what an export writes is run all the same; the verdict says so.
        watch: Called with the number of samples done.
        say: Called with a line of progress.

    Returns:
        The verdict (``exact``, ``first``), accuracies, measurements and notes.

    Raises:
        UsageError: Input is missing or given twice, or the candidate does not go with ``against``.
        DataError: The input does not suit the network.
        AlteredError: The artifact is not, byte for byte, what an export of the network writes. Nothing of it was run.
        NetworkError: The artifact has other populations than the network.
        UnsupportedError: The artifact cannot be run here.
        RunError: The program of the artifact fails or takes too long.
        FileError: The folder holds no artifact.

    Example:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1)
        >>> verification = snnc.verify(net, "torch", data="digits", samples=20)
        >>> verification.exact, verification.verdict.mismatches
        (True, 0)
    """
    if not isinstance(candidate, Network | Artifact):
        candidate = targets.read_artifact(Path(candidate))
    where_to_shrink(candidate, against, test_folder := path_of(counterexample))
    profile = None if chip is None else profile_of(chip)
    chosen = contest(candidate, against, simulator_name(by), timeout_s, as_it_is=as_it_is, chip=profile)
    given = _samples(chosen.net, data, inputs, noise, split, folder, samples, steps, seed)
    say(f"running {_name(candidate)} on {given.count:,} samples")
    comparison = chosen.remarked(joined(_compared(chosen, given, path_of(resume), watch)))
    first = comparison.verdict.first
    test = shrink(chosen, given.source, first, test_folder, say) if test_folder and first else None
    return Verification(comparison, given.count, _accuracy(comparison, given.labels), test)


def _name(candidate: Network | Artifact) -> str:
    return candidate.name if isinstance(candidate, Network) else str(candidate.root)


def _samples(
    net: Network, data: Data | None, inputs: Inputs | None, noise: float | None, split: Split, folder: Path | str | None,
    samples: int | None, steps: int | None, seed: int,
) -> _Samples:  # fmt: skip
    """Return the samples of a data set, of given rasters, or of noise."""
    given = {"data": data, "inputs": inputs, "noise": noise}
    if len(chosen := [name for name, value in given.items() if value is not None]) != 1:
        raise UsageError(f"{len(chosen)} of {', '.join(given)} are given", where="verify", fix="give exactly one of them")
    of: dict[str, Any] = {"data_name": "", "split": split, "rate": noise, "steps": steps, "seed": seed}
    if noise is not None:
        if samples is None:
            raise UsageError("random input has no end", where="samples", fix="say how many samples, or name a data set")
        source = from_noise(net, steps or (net.encoding.steps if net.encoding else NOISE_STEPS), noise, seed)
        return _Samples(source, None, samples, of)
    if inputs is not None:
        rasters = rasters_of(net, inputs)
        there = len(next(iter(rasters.values())))
        digest = sha256(b"".join(np.ascontiguousarray(raster).tobytes() for raster in rasters.values())).hexdigest()
        source = lambda first, count: {name: raster[first : first + count] for name, raster in rasters.items()}  # noqa: E731
        return _Samples(source, None, min(samples or there, there), {**of, "inputs": digest})
    dataset = dataset_of(data or "", split, folder)
    count = min(samples or len(dataset), len(dataset))
    return _Samples(from_images(net, dataset.images), dataset.labels, count, {**of, "data_name": dataset.name})


def _compared(chosen: Contest, given: _Samples, kept: Path | None, watch: Watch) -> list[Piece]:
    """Return the pieces of all samples, or at an interrupt of those that were done, if any were."""
    of = {**chosen.of, "input": given.of}
    parts = ledger.read(kept, of) if kept else []
    done = sum(len(part.reference_classes) for part in parts)
    at_most = SOME if chosen.peer == "torch" else FEW if kept and chosen.artifact else None  # so few are lost at an interrupt
    watch(done)
    left = range(done, given.count)
    try:
        for part in pieces(
            chosen.net, chosen.run, given.source, left, by=chosen.by, record=chosen.record, at_most=at_most
        ):  # fmt: skip
            parts.append(part)
            done += len(part.reference_classes)
            if kept:
                ledger.write(kept, of, parts)
            watch(done)
    except KeyboardInterrupt:
        if not parts:
            raise
    return parts


def _accuracy(comparison: Comparison, labels: NDArray[np.int64] | None) -> dict[str, float]:
    """Return the accuracy of both runs, if labels are known."""
    if labels is None:
        return {}
    answers = {"reference": comparison.reference_classes, "candidate": comparison.candidate_classes}
    return {name: float(np.mean(classes == labels[: len(classes)])) for name, classes in answers.items()}
