"""Batches of samples as units for workers: the stage behind `snnc verify --executor`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import snnc.targets as targets
from snnc.base import units
from snnc.chips.profile import Profile
from snnc.network.model import Network
from snnc.pipeline.contest import Contest, contest
from snnc.simulation.run import Rasters
from snnc.targets.target import Artifact
from snnc.verification.prove import Batch, Source, batches, compare_batch


@dataclass(frozen=True, eq=False)
class Rerun:
    """What a worker needs to hold the same candidate against the same network: the arguments of `contest`."""

    candidate: Network | Path  # a network, or the folder of an artifact, under the same path for all
    against: Network | str
    by: str | None
    timeout_s: float
    as_it_is: bool
    chip: Profile | None
    weights: Path | None
    netlist: str | None
    rtl: Path | None

    @cached_property
    def contest(self) -> Contest:
        """Who runs, and who judges; of an artifact, every byte is compared with a new export once more."""
        candidate: Network | Artifact
        if isinstance(self.candidate, Path):
            candidate = targets.read_artifact(self.candidate)
            if self.rtl:
                targets.use_rtl(candidate.target, self.rtl)
        else:
            candidate = self.candidate
        return contest(
            candidate, self.against, self.by, self.timeout_s, as_it_is=self.as_it_is, chip=self.chip, weights=self.weights,
            netlist=self.netlist,
        )  # fmt: skip


class _Inputs(Sequence[Rasters]):
    """The inputs of batches, made when they are handed out."""

    def __init__(self, source: Source, parts: Sequence[tuple[int, int]]) -> None:
        self.source, self.parts = source, parts

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, i: int) -> Rasters:  # type: ignore[override]
        return self.source(*self.parts[i])


def compared_by_workers(
    rerun: Rerun, chosen: Contest, source: Source, samples: range, at_most: int
) -> Iterator[tuple[int, Batch]]:  # fmt: skip
    """Yield the first sample of each batch with its comparison, in order. Raises what a run raises, and RunError."""
    parts = batches(chosen.net, source, samples, chosen.record, at_most)
    made = units.mapped(units.Work("batches of samples", _compared, rerun), _Inputs(source, parts))
    return zip((first for first, _ in parts), made, strict=True)


def _compared(rerun: Rerun, inputs: Rasters) -> Batch:
    chosen = rerun.contest
    return compare_batch(chosen.net, chosen.run, inputs, by=chosen.by, record=chosen.record)
