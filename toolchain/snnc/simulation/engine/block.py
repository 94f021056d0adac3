"""Run a block of samples through all steps, each population by the kernel that was chosen for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from threading import Event
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.network.op import Op
from snnc.ops.maxpool2d import MaxPool2d
from snnc.simulation.engine.adder import SUM_BITS
from snnc.simulation.engine.events import delivering, firing
from snnc.simulation.engine.lanes import advancing, order
from snnc.simulation.engine.packing import pack, unpack
from snnc.simulation.engine.plan import VERSION, Adding, Layer, Program
from snnc.simulation.engine.sums import Feed
from snnc.simulation.engine.vector import LANES, STEPS, WORDS
from snnc.simulation.reference import check_messages

Kernel = Literal["lanes", "events"]

CURRENT_BYTES = 1 << 18  # of currents that are computed ahead, so that they stay in a near cache
_PLACES = np.argsort(order())  # where in a neuron's states a sample lies


@dataclass(frozen=True, eq=False)
class Job:
    """What a call has in memory for all its samples. Rasters start ``before[population]`` steps before the first one, with
    what was sent then; populations whose spikes nobody asked for have none. ``states`` holds (samples, n) by population and
    variable, before and afterwards; it is empty if the call starts at the first step and nobody asked where it ends.
    """

    plan: Program
    steps: int
    rasters: Mapping[str, NDArray[Any]]  # (samples, steps before + steps, n)
    before: Mapping[str, int]
    states: Mapping[str, Mapping[str, NDArray[Any]]]
    traces: Mapping[str, NDArray[Any]]  # (variables, samples, steps, n) of populations whose states are recorded
    stopped: Event


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros from an address that vectors of any width may start at; elsewhere each would lie in two lines of the cache."""
    size = prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.__array_interface__["data"][0] % 64
    return np.ndarray(shape, dtype, memory, start)


def run(job: Job, samples: slice, kernels: Mapping[str, Kernel]) -> None:
    """Compute ``samples``, at most `LANES` of them if a kernel is "lanes": fills rasters and traces, and changes the states."""
    rasters = _rasters(job, samples, kernels)
    for p in job.plan.net.inputs:
        check_messages(p, rasters[p.name])
    layers: list[_Lanes | _Events] = []
    board, ahead = None, 1 if job.plan.loops else max(job.steps, 1)
    if "lanes" in kernels.values():
        ahead = _ahead(job, kernels)
        board = aligned((job.plan.board.rows, ahead, WORDS), np.uint64)
    for layer in job.plan.layers:
        if kernels[layer.name] == "lanes" and board is not None:
            layers.append(_Lanes(job, samples, rasters, layer, job.plan.board.layers[layer.name], board, kernels))
        else:
            layers.append(_Events(job, samples, rasters, layer))
    for start in range(0, job.steps, ahead):
        if job.stopped.is_set():
            return
        for one in layers:
            one.advance(start, min(start + ahead, job.steps))
    for one in layers:
        one.leave()


def _rasters(job: Job, samples: slice, kernels: Mapping[str, Kernel]) -> dict[str, NDArray[Any]]:
    """Return the rasters of these samples; of populations that nobody asked for, only where a kernel needs them."""
    rasters = {name: raster[samples] for name, raster in job.rasters.items()}
    live = {layer.name for layer in job.plan.layers if kernels[layer.name] == "lanes"}
    for reader in job.plan.layers:
        if reader.name in live:
            live -= {i.src for i in reader.inputs if i.feed.key != (i.src, 0, None)}
        else:
            live -= {i.src for i in reader.inputs}
    for layer in job.plan.layers:
        if layer.name not in rasters and layer.name not in live:
            rasters[layer.name] = np.empty((samples.stop - samples.start, job.steps, layer.n), np.uint8)
    return rasters


def _ahead(job: Job, kernels: Mapping[str, Kernel]) -> int:
    """Return how many steps lie side by side: one where spikes come back, states of each are wanted, or few are left."""
    traced = any(kernels[name] == "lanes" for name in job.traces)
    return 1 if job.plan.loops or traced or job.steps < STEPS - 1 else STEPS


@dataclass(eq=False)
class _Lanes:
    """A population whose samples lie side by side, in (states, neurons, LANES)."""

    job: Job
    samples: slice
    rasters: Mapping[str, NDArray[Any]]  # of the samples
    layer: Layer
    adding: Adding
    board: NDArray[np.uint64]
    kernels: Mapping[str, Kernel]
    states: NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.count = self.samples.stop - self.samples.start
        self.states = aligned((len(self.layer.step.states), self.layer.n, LANES), self.layer.state_type)
        self.states += self.layer.initial.astype(self.states.dtype)[:, None, None]
        for k, values in enumerate(self.job.states.get(self.layer.name, {}).values()):
            self.states[k][:, _PLACES[: self.count]] = values[self.samples].T
        steps = self.board.shape[1]
        self.sums = aligned((steps, SUM_BITS, WORDS), np.uint64)
        low = self.sums.reshape(steps, -1).view(np.int16)
        self.current = low if self.adding.direct else aligned((steps, LANES), np.int32)
        self.rows = self.board if steps > 1 else self.board[:, 0]
        self.wanted = {feed.key: _wanted(feed) for feed, _ in self.adding.feeds}

    def advance(self, start: int, stop: int) -> None:
        """Run steps that lie side by side."""
        a, name, everything = self.adding, self.layer.name, self.layer.name in self.job.traces
        for feed, row in a.feeds:
            self._bring(feed, row, start, stop - start)
        full = everything or (name in self.job.states and stop == self.job.steps)
        advancing(a.full if full else a.lean, a.direct)(
            self.rows, self.sums, self.current, self.states, self.layer.parameters, a.numbers, a.stream, a.starts,
            self.job.plan.board.carried, a.table, a.gather, a.places, stop - start, a.out,
        )  # fmt: skip
        if name in self.rasters:
            unpack(self.board, a.out, self.job.before[name] + start, stop - start, self.rasters[name])
        if everything:
            self.job.traces[name][:, self.samples, start] = self._ordered()

    def _bring(self, feed: Feed, row: int, start: int, steps: int) -> None:
        """Bring rows of what a population sent, unless its kernel has just put them there."""
        if feed.key == (feed.src, 0, None) and self.kernels.get(feed.src) == "lanes":
            return
        sent, raster = self.job.before[feed.src] + start - feed.delay_steps, self.rasters[feed.src]
        for plane in range(feed.planes):
            bit = np.array([1 << plane], raster.dtype)
            pack(raster, sent, steps, bit, self.wanted[feed.key], self.board, row + plane * feed.n)

    def _ordered(self) -> NDArray[Any]:
        """Return the states with samples in order: (states, samples, neurons)."""
        return self.states[:, :, _PLACES[: self.count]].transpose(0, 2, 1)

    def leave(self) -> None:
        if self.layer.name in self.job.states:
            for values, mine in zip(self.job.states[self.layer.name].values(), self._ordered(), strict=True):
                values[self.samples] = mine


def _wanted(feed: Feed) -> NDArray[np.bool_]:
    return np.ones(feed.n, np.bool_) if feed.sources is None else feed.sources


@dataclass(eq=False)
class _Events:
    """A population whose neurons lie side by side, in (samples, states, neurons)."""

    job: Job
    samples: slice
    rasters: Mapping[str, NDArray[Any]]  # of the samples
    layer: Layer
    states: NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        layer, padded = self.layer, self.layer.parameters.shape[1]
        self.states = aligned((self.samples.stop - self.samples.start, len(layer.step.states), padded), layer.state_type)
        self.states += layer.initial.astype(self.states.dtype)[:, None]
        for k, values in enumerate(self.job.states.get(layer.name, {}).values()):
            self.states[:, k, : layer.n] = values[self.samples]
        self.spikes, self.current = aligned((padded,), np.uint8), aligned((0,), layer.current_type)  # of a piece, 0 between two
        everything = layer.name in self.job.traces
        nothing = np.zeros((0, 1, 1, 1), np.int64)
        self.trace = self.job.traces[layer.name][:, self.samples] if everything else nothing
        wanted = everything or layer.name in self.job.states
        self.fire = firing(f"{layer.step.text if wanted else layer.step.lean}\n{VERSION}")

    def advance(self, start: int, stop: int) -> None:
        """Run some steps of some samples at a time, as many as have currents that stay in a near cache."""
        padded = self.layer.parameters.shape[1]
        slots = max(1, CURRENT_BYTES // (padded * self.current.itemsize))
        some_steps = min(stop - start, slots)
        some = max(1, slots // some_steps)
        for first in range(0, len(self.states), some):
            for at in range(start, stop, some_steps):
                if self.job.stopped.is_set():
                    return
                self._piece(range(first, min(first + some, len(self.states))), range(at, min(at + some_steps, stop)))

    def _piece(self, samples: range, steps: range) -> None:
        layer, name = self.layer, self.layer.name
        shape = len(samples), len(steps), layer.parameters.shape[1]
        if len(self.current) < prod(shape):
            self.current = aligned((prod(shape),), layer.current_type)
        current = self.current[: prod(shape)].reshape(shape)
        for i, f in zip(layer.inputs, layer.fanouts, strict=True):
            sums = i.part.op.summing.n_dst if isinstance(i.part.op, MaxPool2d) else 0
            apart = f.down or sums
            into = np.zeros((*shape[:2], sums or shape[2]), f.values.dtype) if apart else current
            delivering(VERSION)(
                self.rasters[i.src], samples.start, self.job.before[i.src] + steps.start, i.part.delay_steps, f.inputs, f.starts,
                f.of, f.values, f.up, f.left, f.geometry, into,
            )  # fmt: skip
            if apart:
                self._add(into >> f.down, i.part.op, current)
        at = self.job.before[name] + steps.start
        self.fire(
            current,
            self.states,
            layer.parameters,
            layer.numbers,
            samples.start,
            at,
            steps.start,
            self.spikes,
            self.rasters[name],
            self.trace,
        )

    def _add(self, sums: NDArray[Any], op: Op, current: NDArray[Any]) -> None:
        """Add sums (samples, steps, neurons) that lie apart, or the largest of those under each neuron's place."""
        if isinstance(op, MaxPool2d):
            sums = op.largest(sums).reshape(*sums.shape[:2], -1)
        current[:, :, : sums.shape[2]] += sums.astype(current.dtype)

    def leave(self) -> None:
        for k, values in enumerate(self.job.states.get(self.layer.name, {}).values()):
            values[self.samples] = self.states[:, k, : self.layer.n]


def blocks(samples: slice, size: int) -> Iterable[slice]:
    """Yield the samples in blocks of at most ``size``."""
    return (slice(first, min(first + size, samples.stop)) for first in range(samples.start, samples.stop, size))
