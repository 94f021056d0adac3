"""What verbs hand to workers: the samples of a data set (the stage behind `snnc simulate --executor`), and counts of rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import snnc.data as data
from snnc import store
from snnc.base.units import Work, Workers
from snnc.network.model import Network
from snnc.simulation.run import Run
from snnc.verification.evaluate import AT_ONCE, Evaluation, evaluate, together

Collected = dict[str, list[NDArray[np.uint8]]]  # rasters of successive samples, by population
RASTER = "spikes/"  # begins the names of rasters


@dataclass(frozen=True)
class Split:
    """What every worker has to know; paths have to be the same for all."""

    model: Path
    data_name: str | data.Source
    part: Any  # train or test
    data_dir: Path | None
    by: str | None
    rasters: bool  # whether they are wanted


def count_rows(net: Network) -> None:
    """Count the synapses of each row of all rules at once, by whoever does units: whatever comes next needs them."""
    drawn: list[Any] = [c.op.synapses for c in net.connections if c.op.synapses.are_drawn]
    if drawn:
        from snnc.rules import counting

        counting.count_rows(drawn)


def collect(rasters: Collected, run: Run) -> None:
    """Put the rasters of a run behind those that are there."""
    for name, spikes in run.spikes.items():
        rasters.setdefault(name, []).append(spikes)


def some_samples(split: Split, unit: tuple[int, int]) -> dict[str, NDArray[Any]]:
    """Return as arrays the evaluation of some samples (the first, how many), and their rasters: what a worker does."""
    first, count = unit
    rasters: Collected = {}
    images = data.load(split.data_name, split.part, split.data_dir)
    see = (lambda _, runs: collect(rasters, runs[-1])) if split.rasters else None
    made = evaluate(store.load(split.model), images, count, first=first, watch=see, by=split.by)
    if made.interrupted:  # in this process: what is before these samples counts
        raise KeyboardInterrupt
    return {
        "classes": made.classes, "labels": made.labels, "scores": made.scores, "steps": np.array(made.steps),
        "spikes": np.array([*made.spikes.values()]), "operations": np.array([*made.synaptic_operations.values()], np.int64),
        **{f"{RASTER}{name}": np.concatenate(parts) for name, parts in rasters.items()},
    }  # fmt: skip


def run_split(
    split: Split, net: Network, images: data.Dataset, samples: int, workers: Workers, done: Callable[[int], None]
) -> tuple[Evaluation, Collected]:
    """Evaluate the first samples on all workers. An interrupt ends it with those before the first that is missing.

    Raises what a simulation raises, and RunError if the workers are lost.
    """
    parts: list[Evaluation] = []
    rasters: Collected = {}
    units = [(first, min(AT_ONCE, samples - first)) for first in range(0, samples, AT_ONCE)]
    interrupted = False
    of = (net.hash, images.sha256, split.by, split.rasters)
    try:
        for arrays in workers.results(Work("batches of samples", some_samples, split, lambda: of), units):
            parts.append(_evaluation(net, arrays))
            for name in (name for name in arrays if name.startswith(RASTER)):
                rasters.setdefault(name.removeprefix(RASTER), []).append(arrays[name])
            done(sum(part.samples for part in parts))
    except KeyboardInterrupt:
        if not parts:
            raise
        interrupted = True
    return replace(together(parts), interrupted=interrupted), rasters


def _evaluation(net: Network, arrays: dict[str, NDArray[Any]]) -> Evaluation:
    return Evaluation(
        len(arrays["classes"]), int(arrays["steps"]), arrays["classes"], arrays["labels"],
        dict(zip((p.name for p in net.ordered), arrays["spikes"].tolist(), strict=True)),
        {p.name: p.size for p in net.ordered},
        dict(zip((c.name for c in net.connections), arrays["operations"].tolist(), strict=True)), scores=arrays["scores"],
    )  # fmt: skip
