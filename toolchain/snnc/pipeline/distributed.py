"""The samples of a data set split over processes or a cluster, by the engines of `snnc sweep`. Part of `snnc simulate`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import snnc.data as data
from snnc import store
from snnc.simulation.run import Run
from snnc.training.sweep import engines
from snnc.verification.evaluate import AT_ONCE, Evaluation, evaluate, together

Collected = dict[str, list[NDArray[np.uint8]]]  # rasters of successive samples, by population


@dataclass(frozen=True)
class Split:
    """What every worker has to know; paths have to be the same for all."""

    model: Path
    data_name: str | data.Source
    part: Any  # train or test
    data_dir: Path | None
    by: str | None
    rasters: bool  # whether they are wanted


def collect(rasters: Collected, run: Run) -> None:
    """Put the rasters of a run behind those that are there."""
    for name, spikes in run.spikes.items():
        rasters.setdefault(name, []).append(spikes)


def some_samples(split: Split, first: int, count: int) -> tuple[int, Evaluation, Collected]:
    """What a worker does: the evaluation of some samples, and their rasters."""
    rasters: Collected = {}
    images = data.load(split.data_name, split.part, split.data_dir)
    see = (lambda _, runs: collect(rasters, runs[-1])) if split.rasters else None
    return first, evaluate(store.load(split.model), images, count, first=first, watch=see, by=split.by), rasters


def run_split(
    split: Split, samples: int, executor: str, jobs: int, scheduler: str | None, done: Callable[[int], None]
) -> tuple[Evaluation, Collected]:
    """All samples on all workers. An interrupt ends it with the first samples, as far as they are complete.

    Raises MissingDependencyError without dask.distributed, and what a simulation raises.
    """
    parts: dict[int, tuple[Evaluation, Collected]] = {}
    calls = [partial(some_samples, split, first, min(AT_ONCE, samples - first)) for first in range(0, samples, AT_ONCE)]
    interrupted = False
    try:
        with engines.dask(jobs, scheduler) if executor == "dask" else engines.local(jobs) as run:
            for first, evaluation, rasters in run(calls):
                parts[first] = evaluation, rasters
                done(sum(part.samples for part, _ in parts.values()))
    except KeyboardInterrupt:
        if 0 not in parts:
            raise
        interrupted = True
    return _joined(parts, interrupted)


def _joined(parts: dict[int, tuple[Evaluation, Collected]], interrupted: bool) -> tuple[Evaluation, Collected]:
    """The parts from the first sample on up to the first that is missing."""
    first, complete, rasters = 0, [], Collected()
    while first in parts:
        evaluation, more = parts[first]
        complete.append(evaluation)
        for name, chunks in more.items():
            rasters.setdefault(name, []).extend(chunks)
        first += evaluation.samples
    return replace(together(complete), interrupted=interrupted), rasters
