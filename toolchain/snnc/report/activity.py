"""Spikes and synaptic operations of every layer, before and after quantising. Part of report."""

from collections.abc import Iterator
from typing import Any

from snnc.report.blocks import Cell, Section, Share, Table, not_recorded
from snnc.report.facts import at, number, table, text, whole
from snnc.report.folder import RunFolder

NAMES = {"pruned": "pruned, float", "fixed": "fixed, integers"}
UNIT = {"spikes": "spikes", "synaptic_operations": "synaptic operations"}


def activity(run: RunFolder) -> Section:
    """Show how often each layer fires, and how many synapses that reaches, a sample."""
    title, recorded = "Spikes and synaptic operations", at(run.summary, "activity")
    tables = [Table(_caption(recorded, what), ("layer", *_columns(what)), tuple(_rows(recorded, what))) for what in UNIT]
    shown = tuple(t for t in tables if t.rows)
    return Section("activity", title, shown or (not_recorded("how often neurons fired"),))


def _caption(recorded: Any, what: str) -> str:
    samples = whole(recorded, "fixed", "samples")
    return f"{UNIT[what].capitalize()} a sample{f', mean of {samples:,} test samples' if samples else ''}"


def _columns(what: str) -> Iterator[str]:
    for name in NAMES.values():
        yield name
        if what == "spikes":
            yield f"{name}: spikes a neuron and step"


def _rows(recorded: Any, what: str) -> Iterator[tuple[Cell, ...]]:
    layers = dict.fromkeys(name for stage in NAMES for name in table(recorded, stage, what))
    most = {stage: max((_a_sample(recorded, stage, what, name) or 0 for name in layers), default=0) for stage in NAMES}
    for name in layers:
        cells: list[Cell] = []
        for stage in NAMES:
            count = _a_sample(recorded, stage, what, name)
            cells.append(
                None if count is None else Share(count / most[stage] if most[stage] else 0.0, f"{count:,.1f}", in_percent=False)
            )
            if what == "spikes":
                cells.append(_rate(recorded, stage, name, count))
        yield text(name), *cells


def _a_sample(recorded: Any, stage: str, what: str, name: str) -> float | None:
    count, samples = number(recorded, stage, what, name), number(recorded, stage, "samples")
    return count / samples if count is not None and samples else None


def _rate(recorded: Any, stage: str, name: str, count: float | None) -> str | None:
    slots = (number(recorded, stage, "neurons", name) or 0) * (number(recorded, stage, "steps") or 0)
    return None if count is None or not slots else f"{count / slots:.4f}"
