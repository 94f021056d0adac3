"""A call of the engine: memory for all samples, blocks of them on threads."""

import os
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DataError, UsageError, nearest
from snnc.network.model import Network, Population
from snnc.simulation.engine.block import Job, Kernel, blocks, run
from snnc.simulation.engine.choice import choose, measured
from snnc.simulation.engine.plan import Program, plan
from snnc.simulation.engine.vector import LANES
from snnc.simulation.reference import check_inputs, check_messages
from snnc.simulation.run import Rasters, Run, models

Choice = Kernel | Literal["auto"]
CHOICES = ("auto", "lanes", "events")

EVENT_SAMPLES = 64  # of a block that follows messages, so that what one population sends is near when the next one reads it
# for steps that were begun; a thread that compiles, which takes longer and cannot be broken off, is left to itself
ENDING_S = 0.3


@dataclass(frozen=True, eq=False)
class StreamState:
    """Where a network is in the middle of a stream."""

    steps: int  # that were computed
    neurons: Mapping[str, Mapping[str, NDArray[np.int64]]]  # by population and variable: (samples, n)
    sent: Rasters  # of populations with delays, what they sent last: (samples, up to the longest delay, n)
    network: str  # its `Network.hash`; empty where nobody goes on


@dataclass(frozen=True)
class Options:
    """Of a call; only ``record`` and ``keep`` decide what comes out."""

    record: bool = False  # the states of every step, not only those of readouts
    keep: Collection[str] | None = None  # populations whose spikes are wanted; None: all. Inputs are there in any case
    threads: int | None = None  # None: as many as there are processors for this program
    kernel: Choice = "auto"


def advance(net: Network, inputs: Rasters, options: Options, state: StreamState | None = None) -> tuple[Run, StreamState]:
    """Run the steps of ``inputs`` from ``state`` on. Returns the run and where it ended, which has no neurons if ``state`` is
    None: then the run starts at the first step and nobody goes on.

    Raises NetworkError for a float network, DataError for inputs or a state that do not suit the network, UsageError for
    options that cannot be.
    """
    _must_be_possible(options, net)
    samples, steps = check_inputs(net, inputs)
    made = plan(net)
    state = StreamState(0, {}, {}, "") if state is None else checked(state, made, samples)
    job = _job(made, inputs, state, samples, steps, options)
    _compute(job, samples, options.threads or processors(), options.kernel)
    return _run(job), _state(job, state.steps + steps)


def _must_be_possible(options: Options, net: Network) -> None:
    """Raise UsageError for a kernel or populations that there are not, or for less than one thread."""
    names = tuple(p.name for p in net.populations)
    for name in (name for name in options.keep or () if name not in names):
        raise UsageError(f"no population {name!r}", where="keep", fix=nearest(name, names))
    if options.kernel not in CHOICES:
        raise UsageError(f"no kernel {options.kernel!r}", where="kernel", fix=nearest(options.kernel, CHOICES))
    if options.threads is not None and options.threads < 1:
        raise UsageError(f"is {options.threads}, expected 1 or more", where="threads", fix="leave it out: one a processor")


def processors() -> int:
    """Return how many processors this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def first_state(net: Network, inputs: Rasters) -> StreamState:
    """Return the state before the first step, for as many samples as ``inputs`` has."""
    samples, _ = check_inputs(net, inputs)
    neurons = {
        layer.name: {
            v: np.full((samples, layer.n), first, np.int64) for v, first in zip(layer.step.states, layer.initial, strict=True)
        }
        for layer in plan(net).layers
    }
    return StreamState(0, neurons, {}, net.hash)


def checked(state: StreamState, made: Program, samples: int) -> StreamState:
    """Copy the state, to be changed. Raises DataError if it is of another network, or holds what no step can lead to."""
    if state.network != made.net.hash:
        raise DataError(
            f"the state is one of network {state.network[:12]}, this is {made.net.hash[:12]}",
            where=f"network {made.net.name!r}", fix="go on with the network that it was saved of",
        )  # fmt: skip
    neurons = {}
    for layer in made.layers:
        mine = state.neurons.get(layer.name, {})
        shapes = {v: (x.dtype.kind, x.shape) for v, x in mine.items()}
        if shapes != dict.fromkeys(layer.step.states, ("i", (samples, layer.n))):
            held = ", ".join(f"{v} {x.dtype} of shape {x.shape}" for v, x in mine.items()) or "nothing"
            wanted = f"integers {', '.join(layer.step.states)} of shape {(samples, layer.n)}"
            raise DataError(
                f"the state holds {held}, expected {wanted}",
                where=f"population {layer.name!r}", fix="go on with the state of this network and these samples",
            )  # fmt: skip
        for v, (low, high) in layer.step.ranges.items():
            if mine[v].size and not low <= mine[v].min() <= mine[v].max() <= high:
                raise DataError(f"the state holds {v} in {mine[v].min()} .. {mine[v].max()}, reachable is {low} .. {high}",
                                where=f"population {layer.name!r}", fix="go on with a state of this network")  # fmt: skip
        neurons[layer.name] = {v: np.array(mine[v], np.int64) for v in layer.step.states}
    for name, longest in made.history.items():
        _check_sent(name, state, (samples, min(longest, state.steps), made.net[name].size), made.net[name].sent_bits)
    return StreamState(state.steps, neurons, state.sent, state.network)


def _check_sent(name: str, state: StreamState, shape: tuple[int, ...], message_bits: int) -> None:
    """Raise DataError unless a state holds what a population with delays sent last."""
    sent, highest = state.sent.get(name, np.zeros((shape[0], 0, shape[2]), np.uint8)), 2 ** max(message_bits, 1) - 1
    if sent.shape != shape or sent.dtype.kind not in "uib" or (sent.size and not 0 <= sent.min() <= sent.max() <= highest):
        raise DataError(
            f"the state holds sent messages {sent.dtype} of shape {sent.shape}, expected 0 .. {highest} of shape {shape}",
            where=f"population {name!r}", fix="go on with the state of this network and these samples",
        )  # fmt: skip


def _job(made: Program, inputs: Rasters, state: StreamState, samples: int, steps: int, options: Options) -> Job:
    rasters, before = {}, {}
    for p in made.net.populations:
        before[p.name] = state.sent[p.name].shape[1] if p.name in state.sent else 0
        if p.neuron and not made.history[p.name] and options.keep is not None and p.name not in options.keep:
            continue
        sent = state.sent.get(p.name, np.zeros((samples, 0, p.size), np.uint8))
        given = None if p.neuron else inputs[p.name]
        rasters[p.name] = _raster(sent, given, (samples, steps, p.size), p)
    kept = [layer for layer in made.layers if options.record or not layer.fires]
    traces = {layer.name: np.zeros((len(layer.step.states), samples, steps, layer.n), np.int64) for layer in kept}
    return Job(made, steps, rasters, before, state.neurons, traces, threading.Event())


def _raster(sent: NDArray[Any], given: NDArray[Any] | None, shape: tuple[int, int, int], p: Population) -> NDArray[Any]:
    """Return a raster, (samples, steps sent before + steps, n), in the smallest type that holds the messages.

    Messages that are converted are checked before; the others by each block, which has them near afterwards.
    """
    kind = next(t for t in (np.uint8, np.uint16, np.uint32) if np.iinfo(t).bits >= p.message_bits)
    if given is not None and given.dtype != kind:
        check_messages(p, given)
    if given is not None and not sent.shape[1]:
        return np.require(given, kind, ["C", "W"])
    samples, steps, n = shape
    raster = np.empty((samples, sent.shape[1] + steps, n), kind)
    raster[:, : sent.shape[1]] = sent
    if given is not None:
        raster[:, sent.shape[1] :] = given
    return raster


def _compute(job: Job, samples: int, threads: int, kernel: Choice) -> None:
    activity = measured({p.name: job.rasters[p.name][:64] for p in job.plan.net.inputs})
    size = max(1, min(EVENT_SAMPLES, -(-samples // threads)))
    work: list[tuple[slice, Mapping[str, Kernel]]] = []
    for block in blocks(slice(0, samples), LANES):
        kernels = _kernels(job.plan, block.stop - block.start, activity, kernel)
        work += ((part, kernels) for part in (blocks(block, size) if "lanes" not in kernels.values() else [block]))
    if len(work) == 1:
        run(job, *work[0])
    else:
        _on_threads(job, threads, work)


def _kernels(made: Program, samples: int, activity: Mapping[str, float], kernel: Choice) -> Mapping[str, Kernel]:
    if kernel == "auto":
        return choose(made, samples, activity)
    fit = made.board.layers if kernel == "lanes" else ()
    return {layer.name: "lanes" if layer.name in fit else "events" for layer in made.layers}


def _on_threads(job: Job, threads: int, work: Sequence[tuple[slice, Mapping[str, Kernel]]]) -> None:
    """Run blocks as they come; on an interrupt or an error all stop at their next step."""
    pool, running = ThreadPoolExecutor(threads), list[Future[None]]()
    try:
        running.extend(pool.submit(run, job, *one) for one in work)
        done, _ = wait(running, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
    except BaseException:
        job.stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
        wait(running, ENDING_S)
        raise
    pool.shutdown()


def _run(job: Job) -> Run:
    net = job.plan.net
    spikes = {p.name: job.rasters[p.name][:, job.before[p.name] :] for p in net.ordered if p.name in job.rasters}
    states = {
        layer.name: dict(zip(layer.step.states, job.traces[layer.name], strict=True))
        for layer in job.plan.layers if layer.name in job.traces
    }  # fmt: skip
    return Run("engine", net.dt_s, spikes, states, {p.name: 0 for p in net.populations}, models(net))


def _state(job: Job, steps: int) -> StreamState:
    if not job.states:
        return StreamState(steps, {}, {}, "")
    sent = {name: job.rasters[name][:, -longest:].copy() for name, longest in job.plan.history.items() if longest}
    return StreamState(steps, job.states, sent, job.plan.net.hash)
