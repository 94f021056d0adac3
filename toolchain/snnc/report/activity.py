"""Spikes and synaptic operations of every layer, before and after quantising. Part of report."""

from collections.abc import Iterator
from typing import Any

from snnc.report.blocks import Cell, Section, Share, Table, not_recorded
from snnc.report.facts import at, number, table, text, whole
from snnc.report.folder import RunFolder

NAMES = {"pruned": "pruned, float", "fixed": "fixed, integers"}
UNIT = {"spikes": "spikes", "synaptic_operations": "synaptic operations"}


def activity(run: RunFolder) -> Section:
    """What fires how often, and how many synapses that reaches, a sample."""
    title, found = "Spikes and synaptic operations", at(run.summary, "activity")
    tables = [Table(_caption(found, what), ("layer", *_columns(what)), tuple(_rows(found, what))) for what in UNIT]
    shown = tuple(t for t in tables if t.rows)
    return Section("activity", title, shown or (not_recorded("how often neurons fired"),))


def _caption(found: Any, what: str) -> str:
    samples = whole(found, "fixed", "samples")
    return f"{UNIT[what].capitalize()} a sample{f', mean of {samples:,} test samples' if samples else ''}"


def _columns(what: str) -> Iterator[str]:
    for name in NAMES.values():
        yield name
        if what == "spikes":
            yield f"{name}: spikes a neuron and step"


def _rows(found: Any, what: str) -> Iterator[tuple[Cell, ...]]:
    layers = dict.fromkeys(name for stage in NAMES for name in table(found, stage, what))
    most = {stage: max((_a_sample(found, stage, what, name) or 0 for name in layers), default=0) for stage in NAMES}
    for name in layers:
        cells: list[Cell] = []
        for stage in NAMES:
            count = _a_sample(found, stage, what, name)
            cells.append(
                None if count is None else Share(count / most[stage] if most[stage] else 0.0, f"{count:,.1f}", said=False)
            )
            if what == "spikes":
                cells.append(_rate(found, stage, name, count))
        yield text(name), *cells


def _a_sample(found: Any, stage: str, what: str, name: str) -> float | None:
    count, samples = number(found, stage, what, name), number(found, stage, "samples")
    return count / samples if count is not None and samples else None


def _rate(found: Any, stage: str, name: str, count: float | None) -> str | None:
    slots = (number(found, stage, "neurons", name) or 0) * (number(found, stage, "steps") or 0)
    return None if count is None or not slots else f"{count / slots:.4f}"
