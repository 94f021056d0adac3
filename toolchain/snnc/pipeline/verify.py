"""Is what was exported, spike for spike, what the network means? The stage behind `snnc verify` and `snnc.verify`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import snnc.targets as targets
from snnc.base import units
from snnc.base.public import Count, Seconds, Seed, Times, public
from snnc.data.dataset import Split
from snnc.data.labels import task_of
from snnc.errors import UsageError
from snnc.network.arithmetic import Fixed
from snnc.network.html import block
from snnc.network.model import Network
from snnc.pipeline.arguments import Chip, Data, Inputs, Say, Watch, path_of, profile_of, silent, simulator_name
from snnc.pipeline.contest import Contest, contest, shrink, where_to_shrink
from snnc.pipeline.mutate import caught_by
from snnc.pipeline.rerun import Rerun, compared_by_workers
from snnc.pipeline.samples import Samples, counting, left_to_count, samples_of, with_covering
from snnc.simulation.choice import simulator
from snnc.targets.target import Artifact
from snnc.verification import ledger
from snnc.verification.compare import Divergence, Verdict
from snnc.verification.coverage import Coverage
from snnc.verification.mutations import Caught
from snnc.verification.prove import Batch, Comparison, compare_batches, holds, joined

FEW, SOME = 25, 1000  # samples: of a program, and of torch, whose operations an interrupt does not break off
MANY = 256  # samples of a simulator that workers get at once


@dataclass(frozen=True, eq=False)
class Verification:
    """The answer of `verify`: the verdict, and what else is worth knowing.

    Attributes:
        comparison: Verdict, classes of every sample, synaptic operations, measurements and notes.
        samples: Samples that were compared.
        asked_for: Samples that were to be compared; more than ``samples`` after an interrupt.
        accuracy: Of "reference" and "candidate", where labels are known.
        counterexample: The test with the smallest case that differs, if one was written.
        coverage: What the runs reached of an integer network; None where no states were compared.
        mutants: Programs that are wrong in one number, and whether the same runs catch them.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> verification = snnc.verify(net, net, noise=0.5, samples=5)
        >>> verification.first, verification.samples
        (None, 5)
    """

    comparison: Comparison
    asked_for: int
    accuracy: Mapping[str, float] = field(default_factory=dict)
    counterexample: Path | None = None
    coverage: Coverage | None = None
    mutants: tuple[Caught, ...] = ()

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


@public
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
    steps: Count | None = None,
    seed: Seed = 0,
    by: str = "auto",
    timeout_s: Seconds = 600,
    resume: Path | str | None = None,
    counterexample: Path | str | None = None,
    weights: Path | str | None = None,
    chip: Chip | None = None,
    as_it_is: bool = False,
    cover: bool = False,
    mutate: Times = 0,
    netlist: str | None = None,
    rtl: Path | str | None = None,
    watch: Watch = silent,
    say: Say = silent,
) -> Verification:
    """Run a candidate and the simulator of a network on the same input, and compare every spike and every state.

    Runs are moved by their declared latency only; there is no tolerance. An interrupt (Ctrl-C) ends it with what was compared.

    Args:
        candidate: An artifact or its folder, whose program is executed, or a network, which a simulator runs.
        against: The network that was exported; or "torch" or "reference" for a candidate that is a network: its model in torch,
            or the engine, is then held against its simulator; or "FILE.py:NAME" for a float network: the module that this
            function makes, which is executed, is held against its simulator, in float64.
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
        weights: Of "FILE.py:NAME": a file with the state dict of the module: safetensors, or .pt of torch.save.
        chip: Name, path or profile of the chip that the artifact is mapped to, where it is none of snnc's own.
        as_it_is: Whether an artifact that is not what an export writes is run all the same; the verdict says so.
        cover: Whether inputs are made, from the weights, that reach what the samples do not reach, and are compared as well.
        mutate: So many programs that are wrong in one number are exported and run on the same input, to see which are caught.
        netlist: Of a design: an FPGA ("ice40up5k"), for which it is synthesised; the netlist of its cells is run.
        rtl: Folder with the RTL of the chip, for targets that simulate a clone of your own; named for the whole process.
        watch: Called with the number of samples done.
        say: Called with a line of progress.

    Returns:
        The verdict (``exact``, ``first``), accuracies, measurements and notes.

    Raises:
        UsageError: Input is missing or given twice, or the candidate does not go with ``against``, or ``netlist`` not with
            ``mutate`` and ``counterexample``.
        DataError: The input does not suit the network.
        AlteredError: The artifact is not, byte for byte, what an export of the network writes. Nothing of it was run.
        NetworkError: The artifact has other populations than the network.
        UnsupportedError: The artifact cannot be run here.
        RunError: The program of the artifact fails or takes too long.
        FileError: The folder holds no artifact.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1)
        >>> verification = snnc.verify(net, "torch", data="digits", samples=20)
        >>> verification.exact, verification.verdict.mismatches
        (True, 0)
    """
    if not isinstance(candidate, Network | Artifact):
        candidate = targets.read_artifact(Path(candidate))
    if folder_of_rtl := path_of(rtl):
        targets.use_rtl(candidate.target if isinstance(candidate, Artifact) else "", folder_of_rtl)
    where_to_shrink(candidate, against, test_folder := path_of(counterexample))
    if netlist is not None and (mutate or test_folder):
        where = "mutate" if mutate else "counterexample"
        raise UsageError("programs are mutated and made smaller as they are, not as netlists", where=where, fix="leave it out")
    profile = None if chip is None else profile_of(chip)
    chosen = contest(
        candidate,
        against,
        simulator_name(by),
        timeout_s,
        as_it_is=as_it_is,
        chip=profile,
        weights=path_of(weights),
        netlist=netlist,
    )
    given = samples_of(chosen.net, data, inputs, noise, split, folder, samples, steps, seed, chosen.inner)
    say(f"running {_name(candidate)} on {given.count:,} samples")
    if chosen.hint:
        say(f"note: {chosen.hint}")
    coverage = Coverage(chosen.net) if chosen.record and isinstance(chosen.net.numeric, Fixed) else None
    _must_be_countable(chosen, coverage, cover, mutate)
    rerun = Rerun(
        candidate if isinstance(candidate, Network) else candidate.root.absolute(), against, simulator_name(by), timeout_s,
        as_it_is, profile, path_of(weights), netlist, folder_of_rtl,
    )  # fmt: skip
    parts = _compared(chosen, given, path_of(resume), coverage, watch, say, rerun if units.are_shared() else None)
    if cover and coverage and _samples_of(parts) == given.count:
        given = with_covering(chosen.net, coverage, given, say)
        more, see = range(given.data, given.count), counting(coverage, everything=True)
        parts += compare_batches(chosen.net, chosen.run, given.source, more, by=chosen.by, see=see)
    comparison = chosen.remarked(joined(parts, chosen.net))
    first = comparison.verdict.first
    test = shrink(chosen, given.source, first, test_folder, say) if test_folder and first else None
    caught = caught_by(chosen, given, mutate, profile, say) if comparison.exact else ()
    labels = None if given.labels is None else given.labels[: given.data]
    return Verification(comparison, given.count, _accuracy(comparison, labels), test, coverage, caught)


def _name(candidate: Network | Artifact) -> str:
    return candidate.name if isinstance(candidate, Network) else str(candidate.root)


def _must_be_countable(chosen: Contest, coverage: Coverage | None, cover: bool, mutate: int) -> None:
    """Raise UsageError, before anything runs, for what cannot be covered or mutated."""
    if cover and coverage is None:
        fix = "leave it out, or verify an artifact of an integer network"
        raise UsageError("coverage is counted where states of an integer network are compared", where="--cover", fix=fix)
    if mutate and (coverage is None or chosen.artifact is None):
        raise UsageError(
            "only the program of an integer network is mutated", where="--mutate", fix="leave it out, or verify an artifact"
        )


def _compared(
    chosen: Contest, given: Samples, kept: Path | None, coverage: Coverage | None, watch: Watch, say: Say, rerun: Rerun | None
) -> list[Batch]:  # fmt: skip
    """Return the batches of all samples, or at an interrupt of those that were done, if any were; by workers with ``rerun``."""
    of = {**chosen.of, "input": given.of}
    parts = _resumed(chosen.net, given, ledger.read(kept, of), coverage, say) if kept else []
    done = _samples_of(parts)
    at_most = SOME if chosen.peer == "torch" else FEW if kept and chosen.artifact else None  # so few are lost at an interrupt
    watch(done)
    left = range(done, given.count)
    try:
        for part in _batches(chosen, given, left, coverage, at_most, rerun):
            parts.append(part)
            done += len(part.reference_classes)
            if kept:
                ledger.write(kept, of, parts)
            watch(done)
    except KeyboardInterrupt:
        if not parts:
            raise
    return parts


def _batches(
    chosen: Contest, given: Samples, left: range, coverage: Coverage | None, at_most: int | None, rerun: Rerun | None
) -> Iterator[Batch]:  # fmt: skip
    """Yield the batches of some samples, and count what they reach."""
    see = counting(coverage)
    if rerun is None or not left:
        yield from compare_batches(
            chosen.net, chosen.run, given.source, left, by=chosen.by, record=chosen.record, at_most=at_most, see=see
        )
        return
    for first, part in compared_by_workers(rerun, chosen, given.source, left, at_most or (FEW if chosen.artifact else MANY)):
        if coverage and (some := min(len(part.reference_classes), left_to_count(coverage, given))) > 0:
            reference = simulator(chosen.net)(chosen.net, given.source(first, some), True)
            see(first, reference, reference, part.verdict)
        yield part


def _samples_of(parts: Sequence[Batch]) -> int:
    return sum(len(part.reference_classes) for part in parts)


def _resumed(net: Network, given: Samples, parts: list[Batch], coverage: Coverage | None, say: Say) -> list[Batch]:
    """Return the batches of a ledger of the samples that were asked for; none if one is not of what the network makes of them."""
    whole, first = list[Batch](), 0
    for part in parts:
        count = len(part.reference_classes)
        if not count or first + count > given.count:
            break
        see = counting(coverage)
        if not holds(net, part, given.source(first, count), lambda reference, see=see: see(0, reference, reference, None)):  # type: ignore[misc]
            say("what was kept does not fit the input or the network: everything is compared anew")
            return []
        whole.append(part)
        first += count
    return whole


def _accuracy(comparison: Comparison, labels: NDArray[np.int64] | None) -> dict[str, float]:
    """Return the accuracy of both runs, if the class of each sample is known."""
    if labels is None or task_of(labels) != "classes":
        return {}
    answers = {"reference": comparison.reference_classes, "candidate": comparison.candidate_classes}
    return {name: float(np.mean(classes[: len(labels)] == labels[: len(classes)])) for name, classes in answers.items()}
