"""Rasters of the samples that were recorded, two runs over each other, for the page's script to draw. Part of report."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.pipeline.recording import Pair, Recording
from snnc.report.blocks import Block, Rasters, Section, Text, not_recorded
from snnc.report.facts import at, text, whole
from snnc.report.folder import RunFolder

TITLES = {
    "target_against_fixed": "target against fixed",
    "fixed_against_float": "fixed against float",
    "float_against_torch": "float against torch",
}
SIDES = {"fixed_against_float": ("float", "fixed")}  # the others are named by what ran
MAX_NEURONS = 1024  # of a population that are drawn
Place = tuple[str, int, int]  # population, step, neuron


def rasters(run: RunFolder) -> Section:
    """Show the chosen sample of a chosen comparison: what fired in both runs, and in one only."""
    title = "Rasters"
    if run.recording is None or not run.recording.pairs:
        return Section("rasters", title, (not_recorded("spikes of single samples (recorded.npz)"),))
    strings: dict[str, int] = {}
    pairs = [_pair(run, name, strings) for name in TITLES if name in run.recording.pairs]
    data = {"pairs": pairs, "strings": list(strings)}
    blocks: tuple[Block, ...] = (Text(_said(run.recording)), Rasters(data))
    return Section("rasters", title, blocks)


def _said(recording: Recording) -> str:
    parts = []
    for name, title in TITLES.items():
        if pair := recording.pairs.get(name):
            differing = sum(int(np.count_nonzero(a != pair.spikes[1][population])) for population, a in pair.spikes[0].items())
            parts.append(f"{title}: {differing:,} slots differ in the {len(pair.samples)} samples that were kept")
    return f"{'; '.join(parts)}."


def _pair(run: RunFolder, name: str, strings: dict[str, int]) -> dict[str, Any]:
    pair: Pair = run.recording.pairs[name]  # type: ignore[union-attr]
    first = at(run.summary, name, "first")
    diverged = whole(first, "sample")
    place = _place(first, pair) if diverged is not None else None
    sides = SIDES.get(name) or tuple(text(run.summary, name, side) or side for side in ("reference", "candidate"))
    samples = [_sample(pair, i, place if number == diverged else None, strings) for i, number in enumerate(pair.samples.tolist())]
    return {"title": TITLES[name], "sides": list(sides), "samples": samples}


def _place(first: Any, pair: Pair) -> Place | None:
    """Return where the runs first part, if a raster has such a place."""
    population, step, neuron = text(first, "population"), whole(first, "step"), whole(first, "neuron")
    if population is None or population not in pair.spikes[0] or step is None or neuron is None:
        return None
    _, steps, n = pair.spikes[0][population].shape
    return (population, step, neuron) if 0 <= step < steps and 0 <= neuron < n else None


def _sample(pair: Pair, i: int, place: Place | None, strings: dict[str, int]) -> dict[str, Any]:
    spikes = [{name: raster[i] != 0 for name, raster in side.items()} for side in pair.spikes]
    return {
        "number": int(pair.samples[i]), "label": int(pair.labels[i]), "classes": pair.classes[:, i].tolist(), "first": place,
        "populations": [_population(name, spikes, place, strings) for name in spikes[0]],
    }  # fmt: skip


def _population(
    name: str, spikes: Sequence[Mapping[str, NDArray[Any]]], place: Place | None, strings: dict[str, int]
) -> dict[str, Any]:
    """Return counts over all neurons, and bits (step by step) of those drawn: the first, or those around the divergence."""
    a, b = spikes[0][name], spikes[1][name]
    start = place[2] // MAX_NEURONS * MAX_NEURONS if place and place[0] == name else 0
    drawn = [side[:, start : start + MAX_NEURONS] for side in (a, b)]
    return {
        "name": name, "neurons": a.shape[1], "start": start, "drawn": drawn[0].shape[1], "steps": a.shape[0],
        "both": int((a & b).sum()), "only": [int((a & ~b).sum()), int((b & ~a).sum())],
        "bits": [strings.setdefault(base64.b64encode(np.packbits(side).tobytes()).decode(), len(strings)) for side in drawn],
    }  # fmt: skip
