"""Inputs built from the weights to reach synapses and thresholds that the samples did not reach. After `coverage`."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import sent
from snnc.network.model import Network
from snnc.simulation.choice import simulator
from snnc.simulation.input_budget import keep_budget
from snnc.simulation.run import Rasters, Run
from snnc.verification.coverage import Coverage
from snnc.verification.refute import RegisterEnd, drive

LONGER = (1, 4, 16)  # times the steps that were asked for, as long as synapses are left
ROUNDS = 6  # of all populations, as long as one brings anything new
NEURONS_AT_ONCE = 128  # of which each gets an input of its own
DRIVEN = 200  # neurons, of those that these inputs do not make fire, that are driven one by one
RATES = (0.02, 0.1, 0.3, 0.6)  # of noise, in which thresholds are met by chance
NOISE = 64  # samples of each rate and round
MOST_UNROLLED = 1 << 24  # synapses on the ways to a neuron


def covering(
    net: Network, coverage: Coverage, steps: int, *, by: str | None = None, seed: int = 0
) -> dict[str, NDArray[np.int64]]:
    """Return rasters (samples, steps, n) for each input; each sample reaches something that nothing before it reached.

    ``coverage`` is not changed. The samples are longer than ``steps`` if messages would otherwise arrive too late, or if
    neurons need longer to climb to their thresholds. ``by``: the name of the simulator that runs them.
    """
    coverage = coverage.copy()
    run, kept = simulator(net, by), list[Rasters]()
    steps += sum(c.longest_delay for c in net.connections)
    for longer in LONGER:
        for _ in range(ROUNDS):
            before = _reached(coverage)
            rng = np.random.default_rng([seed, len(kept)])
            for tried in _tries(net, coverage, longer * steps, rng):
                within = {p.name: keep_budget(p, tried[p.name], rng) for p in net.inputs}
                kept += _useful(net, coverage, run(net, within, True))
            if _reached(coverage) == before or not _left(coverage):
                break
        if not any(share.left for share in coverage.synapses().values()):
            break
    steps = max((x[net.inputs[0].name].shape[1] for x in kept), default=steps)
    kept = [{name: _padded(raster, steps) for name, raster in x.items()} for x in kept]
    return {p.name: np.concatenate([np.zeros((0, steps, p.size), np.int64), *(x[p.name] for x in kept)]) for p in net.inputs}


def _padded(raster: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """Return a raster with silent steps appended."""
    return np.pad(raster, ((0, 0), (0, steps - raster.shape[1]), (0, 0)))


def _tries(net: Network, coverage: Coverage, steps: int, rng: np.random.Generator) -> Iterator[Rasters]:
    """Yield rasters for what is not reached yet, population by population."""
    for p in net.ordered:
        if not coverage.sources_left(p.name).any():
            continue
        if p.neuron is None:
            yield _everything(net, steps)
            yield from _single(net, p.name, coverage, steps)
            continue
        for neurons in _some(coverage, p.name):
            yield _towards(net, p.name, neurons, steps)
        voltage = next(state.name for state in p.neuron.states if state.role == "voltage")
        for neuron in np.flatnonzero(coverage.sources_left(p.name))[:DRIVEN]:
            driven = drive(net, RegisterEnd(p.name, int(neuron), voltage, True), steps)
            if driven is not None:
                yield {name: np.asarray(raster, np.int64) for name, raster in driven.inputs.items()}
    for rate in RATES:
        yield {
            p.name: np.where(rng.random((NOISE, steps, p.size)) < rate, sent(p).largest, 0).astype(np.int64) for p in net.inputs
        }


def _some(coverage: Coverage, population: str) -> Iterator[NDArray[np.int64]]:
    """Yield groups of neurons with unreached synapses; what was reached in the meantime is left out."""
    waiting = coverage.sources_left(population)
    while (at := np.flatnonzero(waiting & coverage.sources_left(population))[:NEURONS_AT_ONCE]).size:
        waiting[at] = False
        yield at


def _everything(net: Network, steps: int) -> Rasters:
    """Return one sample in which every input sends its largest message in every step, and one in which it does so only in the
    first step.
    """
    rasters = {p.name: np.full((2, steps, p.size), sent(p).largest, np.int64) for p in net.inputs}
    for raster in rasters.values():
        raster[1, 1:] = 0
    return rasters


def _single(net: Network, name: str, coverage: Coverage, steps: int) -> Iterator[Rasters]:
    """Yield samples in which one source with unreached synapses sends alone: first 1, then its largest message."""
    for at in _some(coverage, name):
        rasters = {p.name: np.zeros((len(at), steps, p.size), np.int64) for p in net.inputs}
        rasters[name][np.arange(len(at)), 0, at] = 1
        rasters[name][np.arange(len(at)), 1 % steps, at] = sent(net[name]).largest
        yield rasters


def _towards(net: Network, population: str, neurons: NDArray[np.int64], steps: int) -> Rasters:
    """Return a sample for each neuron in which, in all steps, every input sends what drives the neuron up over all paths
    together.
    """
    wanted = {p.name: np.zeros((len(neurons), p.size)) for p in net.populations}
    wanted[population][np.arange(len(neurons)), neurons] = 1.0
    total = {p.name: np.zeros((len(neurons), p.size)) for p in net.inputs}
    ways = {c.name: c.op.influence(MOST_UNROLLED) for c in net.connections}
    for _ in net.populations:
        passed = {name: np.zeros_like(x) for name, x in wanted.items()}
        for c in net.connections:
            passed[c.src] += (ways[c.name].T @ wanted[c.dst].T).T
        for name in total:
            total[name] += passed[name]
        wanted = {name: x / np.maximum(np.abs(x).max(axis=1, keepdims=True), 1e-12) for name, x in passed.items()}
    return {
        p.name: np.where((total[p.name] > 0)[:, None, :], sent(p).largest, 0).repeat(steps, axis=1).astype(np.int64)
        for p in net.inputs
    }


def _useful(net: Network, coverage: Coverage, run: Run) -> list[Rasters]:
    """Add the samples of a run that reach anything new, one by one; return their inputs."""
    samples, useful = len(run.spikes[net.inputs[0].name]), list[Rasters]()
    for i in range(samples):
        before = _reached(coverage)
        coverage.add(run.of_samples(slice(i, i + 1)))
        if _reached(coverage) > before:
            useful.append({p.name: np.asarray(run.spikes[p.name][i : i + 1], np.int64) for p in net.inputs})
    return useful


def _reached(coverage: Coverage) -> int:
    """Return how many synapses, and sides of thresholds, were reached."""
    synapses = sum(int(carried.sum()) for carried in coverage.carried.values())
    return synapses + sum(int(side.sum()) for sides in (coverage.below, coverage.above) for side in sides.values())


def _left(coverage: Coverage) -> int:
    shares = [*coverage.synapses().values(), *(share for sides in coverage.thresholds().values() for share in sides.values())]
    return sum(share.left for share in shares)
