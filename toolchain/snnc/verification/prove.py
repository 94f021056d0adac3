"""Proof of an artifact: run it and the reference on the same input and compare every spike and state. After export."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from math import prod

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.range_proof import prove_ranges
from snnc.analysis.reachability import Reach
from snnc.chips.profile import Profile
from snnc.errors import DataError, NetworkError, UnsupportedError
from snnc.network.arithmetic import Fixed
from snnc.network.encoding import Samples, encode, encoded_shape
from snnc.network.events import Events
from snnc.network.model import Network, Population
from snnc.simulation.choice import simulator
from snnc.simulation.input_budget import keep_budget
from snnc.simulation.run import Rasters, Run, classes
from snnc.targets.integrity import alterations, must_be_unaltered
from snnc.targets.target import Artifact, RunnableTarget, is_runnable, load, reason_not_run, remark
from snnc.verification.compare import Verdict, compare, join

Source = Callable[[int, int], Rasters]  # (first sample, number of samples) -> rasters (samples, steps, n) by input
See = Callable[[int, Run, Run, Verdict], None]  # number of the first sample, reference, candidate, how they compare
BYTES_AT_ONCE = 256 << 20
BYTES_PER_SLOT = 32  # spikes, u and v of one neuron in one step, in both runs
BYTES_PER_SPIKE = 4  # where no states are kept


@dataclass(frozen=True, eq=False)
class Comparison:
    """A verdict with further results: (samples,) arrays of classes, and remarks about the artifact."""

    verdict: Verdict
    reference_classes: NDArray[np.int64]
    candidate_classes: NDArray[np.int64]
    operations: int  # synaptic ones in the reference, all samples together: a message at a synapse is one
    measured: Mapping[str, float]  # what a simulator of chips counted, all samples together; empty for other candidates
    notes: tuple[str, ...]
    altered: tuple[str, ...] = ()  # how the artifact is not what an export writes; it was run all the same

    @property
    def exact(self) -> bool:
        """Whether the verdict is exact, and the candidate's count of synaptic operations, if it has one, equals the
        reference's.
        """
        return self.verdict.exact and self.measured.get("synaptic_operations", self.operations) == self.operations


@dataclass(frozen=True, eq=False)
class Batch:
    """Result for some successive samples; the fields are those of a `Comparison`.

    ``digest``: the SHA-256 of what went in, and of the reference's spikes.
    """

    verdict: Verdict
    reference_classes: NDArray[np.int64]
    candidate_classes: NDArray[np.int64]
    operations: int
    measured: Mapping[str, float]
    digest: str = ""


def compare_batches(
    net: Network, run: Callable[[Rasters], Run], source: Source, samples: range, *, by: str | None = "reference",
    record: bool = True, at_most: int | None = None, see: See = lambda first, reference, candidate, verdict: None,
) -> Iterator[Batch]:  # fmt: skip
    """Compare ``run`` with a simulator on some samples, as many at once as fit in memory or ``at_most``. ``by``: the name of
    the simulator, None for the fastest one available. ``record``: whether states are compared, if ``run`` has them. ``see`` is
    called with the runs.

    Raises what ``run`` and the simulator raise.
    """
    for first, count in batches(net, source, samples, record, at_most):
        see_first = partial(see, first)
        yield compare_batch(net, run, source(first, count), by=by, record=record, see=see_first)


def batches(net: Network, source: Source, samples: range, record: bool, at_most: int | None) -> list[tuple[int, int]]:
    """Return (first sample, number of samples) of the batches of `compare_batches`."""
    fit = BYTES_AT_ONCE // ((BYTES_PER_SLOT if record else BYTES_PER_SPIKE) * _slots(net, source))
    at_once = max(1, min(fit, at_most or fit))
    return [(first, min(at_once, samples.stop - first)) for first in range(samples.start, samples.stop, at_once)]


def compare_batch(
    net: Network, run: Callable[[Rasters], Run], inputs: Rasters, *, by: str | None, record: bool,
    see: Callable[[Run, Run, Verdict], None] = lambda reference, candidate, verdict: None,
) -> Batch:  # fmt: skip
    """Compare ``run`` with a simulator on one batch, as `compare_batches` does."""
    reference, candidate = simulator(net, by)(net, inputs, record), run(inputs)
    verdict = compare(reference, candidate)
    see(reference, candidate, verdict)
    return Batch(
        verdict, classes(reference, net.output), classes(candidate, net.output),
        synaptic_operations(net, reference.spikes), candidate.measured, digest(reference),
    )  # fmt: skip


def digest(run: Run) -> str:
    """Return the SHA-256 of the messages of all populations of a run, inputs included."""
    total = sha256()
    for name, raster in run.spikes.items():
        total.update(f"{name} {raster.shape}".encode())
        total.update(np.ascontiguousarray(raster, np.int32).tobytes())
    return total.hexdigest()


def holds(net: Network, part: Batch, inputs: Rasters, see: Callable[[Run], None] = lambda reference: None) -> bool:
    """Return whether a batch read from a file belongs to these inputs, as far as the network, run again by its fastest
    simulator, can tell. ``see`` is called with that run, its states recorded.
    """
    reference = simulator(net)(net, inputs, True)
    see(reference)
    v = part.verdict
    sizes = {name: raster.size for name, raster in reference.spikes.items()}
    equal = v.first is not None or (
        not any(differing for counts in (v.spikes, v.states) for _, differing in counts.values())
        and np.array_equal(part.candidate_classes, part.reference_classes)
    )
    return (
        equal
        and part.digest == digest(reference)
        and {name: compared for name, (compared, _) in v.spikes.items()} == sizes
        and v.fired.keys() == sizes.keys()
        and all(compared == sizes.get(name.rpartition(".")[0]) for name, (compared, _) in v.states.items())
        and np.array_equal(part.reference_classes, classes(reference, net.output))
        and part.operations == synaptic_operations(net, reference.spikes)
    )


def joined(parts: Sequence[Batch], net: Network) -> Comparison:
    """Join batches, which must follow one another from sample 0 on, into one comparison. Raises DataError if there is none."""
    counts = [len(part.reference_classes) for part in parts]
    verdict, measured = join([(sum(counts[:i]), part.verdict) for i, part in enumerate(parts)]), Counter[str]()
    for part in parts:
        measured.update(part.measured)
    verdict = replace(verdict, never_fire=_never_fire(net, verdict.silent))
    return Comparison(
        verdict,
        np.concatenate([part.reference_classes for part in parts]), np.concatenate([part.candidate_classes for part in parts]),
        sum(part.operations for part in parts), measured, (),
    )  # fmt: skip


def _never_fire(net: Network, silent: Sequence[str]) -> tuple[str, ...]:
    """Return those of some silent populations for which the range proof shows that no input makes them fire."""
    names = [name for name in silent if net[name].neuron]
    if not names or not isinstance(net.numeric, Fixed):
        return ()
    reaches = prove_ranges(net).reaches
    return tuple(name for name in names if _is_silent(net[name], reaches[name]))


def _is_silent(p: Population, reach: Reach) -> bool:
    """Return whether no neuron can fire, or for a readout whether no voltage can differ from 0."""
    assert p.neuron is not None  # noqa: S101 - for the type checker; callers ask for neurons only
    if p.neuron.rule.fires:
        return not reach.fires.any()
    v = reach.states[p.neuron.readout]
    return bool(reach.found.all() and not v.low.any() and not v.high.any())


def compare_runs(
    net: Network, run: Callable[[Rasters], Run], source: Source, samples: int, *, by: str | None = "reference",
    watch: Callable[[int], None] = lambda done: None, see: See = lambda first, reference, candidate, verdict: None,
) -> Comparison:  # fmt: skip
    """Join `compare_batches` of the first ``samples`` samples. ``watch`` is called with how many are done, ``see`` with the
    runs.
    """
    parts, done = [], 0
    for part in compare_batches(net, run, source, range(samples), by=by, see=see):
        parts.append(part)
        done += len(part.reference_classes)
        watch(done)
    return joined(parts, net)


def synaptic_operations(net: Network, sent: Rasters) -> int:
    """Count the messages that reach an existing synapse, one for each synapse. ``sent``: rasters of all populations."""
    often = {name: np.count_nonzero(raster, axis=(0, 1)) for name, raster in sent.items()}
    return sum(int(often[c.src] @ c.op.fan_out()) for c in net.connections)


def verify_artifact(
    artifact: Artifact, net: Network, source: Source, samples: int, *, timeout_s: float = 600, by: str | None = "reference",
    chip: Profile | None = None, as_it_is: bool = False, watch: Callable[[int], None] = lambda done: None,
    see: See = lambda first, reference, candidate, verdict: None,
) -> Comparison:  # fmt: skip
    """Compare an exported program with a simulator, as `compare_runs` does; each run of the program may take ``timeout_s``
    seconds.

    Before anything runs, every byte of the artifact is compared with a new export of the network. ``as_it_is`` runs an altered
    artifact all the same; the comparison names the alterations. ``chip``: the profile that the artifact is mapped to, if snnc
    does not include it.

    Raises AlteredError for an altered artifact, NetworkError if it holds other populations than the network, UnsupportedError
    if it cannot be run here, and what the run raises.
    """
    run = running(artifact, net, timeout_s)
    altered = alterations(artifact, net, chip)
    if not as_it_is:
        must_be_unaltered(altered, artifact.root)
    return remarked(compare_runs(net, run, source, samples, by=by, watch=watch, see=see), artifact, altered)


def remarked(comparison: Comparison, artifact: Artifact, altered: tuple[str, ...]) -> Comparison:
    """Return a comparison of an artifact with its alterations, and with the remark that its target adds to all its verdicts."""
    notes = filter(None, [remark(load(artifact.target), bool(comparison.measured))])
    return replace(comparison, altered=altered, notes=(*altered, *notes))


def running(artifact: Artifact, net: Network, timeout_s: float, netlist: str | None = None) -> Callable[[Rasters], Run]:
    """Return the function that runs the program of an artifact, or of a design the ``netlist`` for that FPGA.

    Raises as `verify_artifact`, before anything runs, and UnsupportedError for a netlist of what is no design.
    """
    target = _runnable(artifact, net)
    if netlist is None:
        return lambda inputs: target.run(artifact, inputs, True, timeout_s)
    if not hasattr(target, "run_netlist"):
        raise UnsupportedError(f"artifacts of target {artifact.target!r} have no netlist", fix="export with -t verilog")
    return lambda inputs: target.run_netlist(artifact, inputs, True, timeout_s, netlist)


def _runnable(artifact: Artifact, net: Network) -> RunnableTarget:
    if net.numeric.kind != artifact.numeric:
        raise NetworkError(
            f"is a {net.numeric.kind} network, the artifact was made from a {artifact.numeric} one",
            where=f"network {net.name!r}",
            fix="name the model that was exported",
        )
    have, want = sorted(artifact.latency), sorted(p.name for p in net.populations)
    if have != want:
        raise NetworkError(
            f"has populations {', '.join(have)}, the network {net.name!r} has {', '.join(want)}",
            where=str(artifact.root),
            fix="name the model that was exported",
        )
    target = load(artifact.target)
    if not is_runnable(target):
        raise UnsupportedError(f"artifacts of target {artifact.target!r} cannot be run here", fix=reason_not_run(target))
    return target


def _slots(net: Network, source: Source) -> int:
    """Return neurons times steps of one sample."""
    steps: int = source(0, 1)[net.inputs[0].name].shape[1]
    return steps * sum(p.size for p in net.populations)


def from_samples(net: Network, samples: Samples, shape: tuple[int, ...] | None = None) -> Source:
    """Return a source of samples of a data set, in the network's own encoding. ``shape``: of a step of rasters. Raises DataError
    if they do not suit the network.
    """
    if net.encoding is None:
        fix = "pass rasters (--inputs), or import it anew: snnc import --encoding rate"
        raise DataError("does not say how samples become input", where=f"network {net.name!r}", fix=fix)
    encoding, name = net.encoding, net.inputs[0].name
    own = samples.sensor if isinstance(samples, Events) else shape or samples.shape[-1:]
    try:
        pixels = prod(encoded_shape(encoding, samples, own))
        encode(encoding, samples[:1], 0, shape)
    except DataError as error:  # the encoding is the network's: no option changes it
        raise DataError(error.what, where=error.where, fix="pick another data set") from error
    if len(net.inputs) != 1 or net.inputs[0].size != pixels:
        sizes = {p.name: p.size for p in net.inputs}
        raise DataError(f"samples have {pixels} pixels, the network's inputs are {sizes}", fix="pick another data set")
    return lambda first, count: {name: encode(encoding, samples[first : first + count], first, shape)}


def from_rasters(rasters: Rasters) -> Source:
    """Return a source of given samples: (samples, steps, n) by input."""
    return lambda first, count: {name: raster[first : first + count] for name, raster in rasters.items()}


def from_noise(net: Network, steps: int, rate: float, seed: int) -> Source:
    """Return a source of random rasters. Each slot of an input holds a message with probability ``rate``, as far as the
    budget of the input allows; a message has any size that the input can send.
    """

    def sample(number: int, p: Population) -> NDArray[np.integer]:
        rng = np.random.default_rng([seed, number])
        message = rng.integers(1, 2 ** max(p.message_bits, 1), (steps, p.size))
        return keep_budget(p, np.where(rng.random((steps, p.size)) < rate, message, 0), rng)

    def source(first: int, count: int) -> Rasters:
        return {p.name: np.stack([sample(first + i, p) for i in range(count)]) for p in net.inputs}

    return source
