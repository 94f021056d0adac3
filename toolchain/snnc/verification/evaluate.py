"""Evaluation of a network on a data set, and of two networks on the same data (fixed against float, say), by the engine or the
reference simulator. After training, pruning and quantising. It only counts: there is no tolerance and no verdict of exactness.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from snnc.data.dataset import Dataset, must_suit
from snnc.data.labels import MEASURES, Labels, Measure, in_words, scores, task_of
from snnc.errors import DataError, NetworkError
from snnc.network.arithmetic import Fixed
from snnc.network.delays import parts
from snnc.network.model import Connection, Network
from snnc.passes.quantise import voltage_unit
from snnc.simulation.choice import simulator
from snnc.simulation.run import Rasters, Run, answers, classes
from snnc.verification.prove import Source, from_rasters, from_samples

AT_ONCE = 1024  # samples that are simulated side by side, if they fit
BYTES_AT_ONCE = 256 << 20  # of their rasters

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Watch = Callable[[int, tuple[Run, ...]], None]  # number of the first sample, the run of each network


@dataclass(frozen=True, eq=False)
class Recorded:
    """Rasters (samples, steps, n) of each input, without labels."""

    rasters: Rasters

    def __len__(self) -> int:
        return len(next(iter(self.rasters.values())))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Results of a network on the first ``samples`` samples of a split; counts are sums over all of them.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> evaluation = snnc.evaluate(net, samples=10)
        >>> evaluation.accuracy == evaluation.correct / 10
        True
    """

    samples: int
    steps: int
    classes: Ints  # (samples,), what the network says
    labels: Labels  # as in `Dataset`; (0,) where none are known
    spikes: Mapping[str, int]  # by population; inputs: messages other than 0
    neurons: Mapping[str, int]  # by population
    synaptic_operations: Mapping[str, int]  # by connection: a message that reaches a synapse that exists
    interrupted: bool = False  # before all samples that were asked for
    scores: Floats = field(
        default_factory=lambda: np.zeros(0)
    )  # (samples,), how well each label is met: `snnc.data.labels.scores`

    def __repr__(self) -> str:
        right = "" if self.score is None else f", {in_words(self.measure, self.score)}"
        if self.accuracy is not None:
            right = f", {self.accuracy:.2%} right"
        return f"Evaluation({self.samples:,} samples{right}, {sum(self.spikes.values()):,} spikes)"

    @property
    def labelled(self) -> bool:
        """Whether labels are known; if not, accuracy is not reported."""
        return len(self.labels) > 0

    @property
    def measure(self) -> Measure:
        """What `score` is: "accuracy", "step_accuracy" where each step has a label, "squared_error" where labels are values."""
        return MEASURES[task_of(self.labels)]

    @property
    def score(self) -> float | None:
        """Mean over the samples of how well labels are met, as `measure` says; None without labels."""
        return float(self.scores.mean()) if self.labelled else None

    @property
    def correct(self) -> int | None:
        """Number of samples that are classified as labelled; None without a class for each sample."""
        return round(float(self.scores.sum())) if self.labelled and self.measure == "accuracy" else None

    @property
    def accuracy(self) -> float | None:
        """Share of the samples that are classified as labelled; None without a class for each sample."""
        return None if self.correct is None else self.correct / self.samples

    @property
    def confusion(self) -> list[list[int]] | None:
        """How many samples of each label (row) are said to be of each class (column); None without a class for each sample."""
        if self.correct is None:
            return None
        n = int(max(self.labels.max(), self.classes.max())) + 1
        counts = np.zeros((n, n), np.int64)
        np.add.at(counts, (self.labels, self.classes[: len(self.labels)]), 1)
        table: list[list[int]] = counts.tolist()
        return table

    @property
    def rates(self) -> dict[str, float]:
        """Spikes per neuron and step, by population."""
        return {name: count / (self.neurons[name] * self.samples * self.steps) for name, count in self.spikes.items()}


@dataclass(frozen=True)
class Difference:
    """Differences between the spikes of a population in two networks."""

    slots: int  # neurons * steps * samples
    slots_differing: int
    spikes: tuple[int, int]  # of the reference, of the candidate
    count_difference: int  # sum over samples and neurons of |spike count - spike count|
    samples_differing: int
    first_steps: tuple[int, ...]  # of each sample that differs, the first step that does


@dataclass(frozen=True)
class Contrast:
    """Results of two networks on the same samples; ``differences`` by population, in the order of computation.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> snnc.contrast(net, net, samples=10).differences["hidden1"].slots_differing
        0
    """

    reference: Evaluation
    candidate: Evaluation
    differences: Mapping[str, Difference]

    def __repr__(self) -> str:
        slots = sum(d.slots_differing for d in self.differences.values()), sum(d.slots for d in self.differences.values())
        what = f"{slots[0]:,} of {slots[1]:,} spike slots"
        return f"Contrast({self.reference.samples:,} samples, {self.classes_differing:,} classes and {what} differ)"

    @property
    def classes_differing(self) -> int:
        """Number of samples that the networks classify differently."""
        return int((self.reference.classes != self.candidate.classes).sum())


def evaluate(
    net: Network, data: Dataset | Recorded, samples: int | None = None, *, first: int = 0, watch: Watch | None = None,
    by: str | None = None,
) -> Evaluation:  # fmt: skip
    """Simulate ``samples`` (default: all) samples from number ``first`` on, in batches. ``watch`` is called with each run.
    ``by``: the name of a simulator. An interrupt ends the evaluation early and returns the result so far, if there is one.

    Raises DataError if the data does not suit the network's input or has no samples, and what the simulator raises.
    """
    tally, interrupted = _Tally(net, _labels(data, first)), False
    try:
        for number, runs in _runs((net,), data, samples, by, first):
            tally.add(runs[0])
            if watch:
                watch(number, runs)
    except KeyboardInterrupt:
        if not tally.classes:
            raise
        interrupted = True
    return replace(tally.total(), interrupted=interrupted)


def contrast(
    reference: Network, candidate: Network, data: Dataset | Recorded, samples: int | None = None, *, watch: Watch | None = None,
    by: str | None = None,
) -> Contrast:  # fmt: skip
    """Simulate two networks on the same samples and count how their spikes and classes differ.

    Raises NetworkError if they differ in populations or encoding, DataError as `evaluate` does.
    """
    _must_be_alike(reference, candidate)
    tallies = tuple(_Tally(net, _labels(data)) for net in (reference, candidate))
    differences = {p.name: _Differences() for p in reference.ordered if p.neuron}
    for first, runs in _runs((reference, candidate), data, samples, by):
        for tally, run in zip(tallies, runs, strict=True):
            tally.add(run)
        for name, difference in differences.items():
            difference.add(*(run.spikes[name] for run in runs))
        if watch:
            watch(first, runs)
    totals = {name: difference.total() for name, difference in differences.items()}
    return Contrast(tallies[0].total(), tallies[1].total(), totals)


def together(parts: Sequence[Evaluation]) -> Evaluation:
    """Join evaluations of successive samples into one."""
    spikes, operations = Counter[str](), Counter[str]()
    for part in parts:
        spikes.update(part.spikes)
        operations.update(part.synaptic_operations)
    classes, labels, scores = (np.concatenate([getattr(p, name) for p in parts]) for name in ("classes", "labels", "scores"))
    return replace(
        parts[0], samples=len(classes), classes=classes, labels=labels, spikes=dict(spikes), synaptic_operations=dict(operations),
        scores=scores,
    )  # fmt: skip


def _runs(
    nets: tuple[Network, ...], data: Dataset | Recorded, samples: int | None, by: str | None, start: int = 0
) -> Iterator[tuple[int, tuple[Run, ...]]]:
    if samples is not None and samples < 1:
        raise DataError(f"{samples} samples cannot be run", where="samples", fix="ask for at least one, or for all")
    source, stop = _source(nets[0], data), min(start + (samples or len(data)), len(data))
    slots = source(0, 1)[nets[0].inputs[0].name].shape[1] * sum(p.size for net in nets for p in net.populations)
    at_once = min(AT_ONCE, max(1, BYTES_AT_ONCE // slots))
    simulators = [(net, simulator(net, by if isinstance(net.numeric, Fixed) or net is nets[-1] else None)) for net in nets]
    for first in range(start, stop, at_once):
        inputs = source(first, min(at_once, stop - first))
        yield first, tuple(simulate(net, inputs, False) for net, simulate in simulators)


def _source(net: Network, data: Dataset | Recorded) -> Source:
    if not len(data):
        raise DataError("has no samples", where="the rasters" if isinstance(data, Recorded) else f"{data.name} {data.split}")
    if isinstance(data, Recorded):
        return from_rasters(data.rasters)
    if net.encoding and len(net.inputs) == 1:
        must_suit(net, data)
    return from_samples(net, data.samples, data.shape)


def _must_be_alike(a: Network, b: Network) -> None:
    if unlike := {(p.name, p.shape) for p in a.populations} ^ {(p.name, p.shape) for p in b.populations}:
        raise NetworkError(
            f"differ in population {min(unlike)[0]!r}", where=f"networks {a.name!r} and {b.name!r}", fix="name two of one chain"
        )
    if a.encoding != b.encoding:
        raise NetworkError(f"encode samples differently: {a.encoding} and {b.encoding}", fix="name two networks of one chain")


class _Tally:
    """Sums over the runs of a network. ``labels``: from its first sample on; none where none are known."""

    def __init__(self, net: Network, labels: Labels) -> None:
        self.net, self.labels, self.steps, self.samples = net, labels, 0, 0
        self.unit = voltage_unit(net) if task_of(labels) == "values" else 1.0
        self.classes: list[Ints] = []
        self.scores: list[Floats] = []
        self.spikes = {p.name: 0 for p in net.ordered}
        self.operations = {c.name: 0 for c in net.connections}

    def add(self, run: Run) -> None:
        self.steps = run.spikes[self.net.output.name].shape[1]
        self.classes.append(classes(run, self.net.output))
        if len(self.labels):
            answer = answers(run, self.net.output)
            wanted = self.labels[self.samples : self.samples + len(answer)]
            self.scores.append(scores(answer / self.unit if self.unit != 1 else answer, wanted))
        self.samples += len(self.classes[-1])
        for name, spikes in run.spikes.items():
            self.spikes[name] += int(np.count_nonzero(spikes))
        for c in self.net.connections:
            self.operations[c.name] += _operations(c, run)

    def total(self) -> Evaluation:
        neurons = {p.name: p.size for p in self.net.ordered}
        known = np.concatenate(self.scores) if self.scores else np.zeros(0)
        return Evaluation(
            self.samples, self.steps, np.concatenate(self.classes), self.labels[: self.samples], self.spikes, neurons,
            self.operations, scores=known,
        )  # fmt: skip


def _labels(data: Dataset | Recorded, first: int = 0) -> Labels:
    return np.zeros(0, np.int64) if isinstance(data, Recorded) else data.labels[first:]


def _operations(c: Connection, run: Run) -> int:
    """Return the messages that arrive within the run, times the synapses behind each source neuron."""
    raster, total = run.spikes[c.src], 0
    for part in parts(c):
        sent = np.count_nonzero(raster[:, : max(raster.shape[1] - part.delay_steps, 0)], axis=(0, 1))
        total += int((sent if part.sources is None else sent * part.sources) @ part.op.fan_out())
    return total


class _Differences:
    """Sums over pairs of runs, for one population."""

    def __init__(self) -> None:
        self.slots = self.differing = self.counts = self.samples = 0
        self.spikes = [0, 0]
        self.first: list[int] = []

    def add(self, want: NDArray[np.uint8], got: NDArray[np.uint8]) -> None:
        unlike = want != got
        self.slots += unlike.size
        self.differing += int(np.count_nonzero(unlike))
        self.counts += int(np.abs(want.sum(axis=1, dtype=np.int64) - got.sum(axis=1, dtype=np.int64)).sum())
        self.spikes = [count + int(spikes.sum()) for count, spikes in zip(self.spikes, (want, got), strict=True)]
        steps = unlike.any(axis=2)
        self.first += steps.argmax(axis=1)[steps.any(axis=1)].tolist()

    def total(self) -> Difference:
        spikes = self.spikes[0], self.spikes[1]
        return Difference(self.slots, self.differing, spikes, self.counts, len(self.first), tuple(self.first))
