"""Where two runs first part, if they do. Part of report."""

from collections.abc import Iterator
from typing import Any

from snnc.report.blocks import Block, Section, Table, Text, not_recorded
from snnc.report.facts import at, flag, number, table, text, whole
from snnc.report.folder import RunFolder
from snnc.report.overview import PROOFS


def divergences(run: RunFolder) -> Section:
    """Show the first divergence of each comparison: sample, population, step, neuron, both values, and what to look at."""
    blocks = [block for key, title in PROOFS.items() for block in _divergence(run.summary, key, title)]
    return Section("divergence", "First divergence", tuple(blocks))


def _divergence(summary: Any, key: str, title: str) -> Iterator[Block]:
    first, exact = at(summary, key, "first"), flag(summary, key, "exact")
    if exact is None:
        yield not_recorded(f"the verdict {title}")
        return
    if not isinstance(first, dict):
        yield Text(f"{title}: none.", "good" if exact else "note")
        return
    place = ", ".join(f"{word} {whole(first, word)}" for word in ("sample", "step", "neuron"))
    yield Text(f"{title}: first at {place} of {text(first, 'population')}. Look at {text(first, 'cause')}.", "bad")
    rows = [("spike", *(_value(first, "spike", side) for side in (0, 1)))]
    rows += [(str(text(name)), *(_value(first, "states", name, side) for side in (0, 1))) for name in table(first, "states")]
    runs = (text(summary, key, side) or side for side in ("reference", "candidate"))
    yield Table(f"{title}: the values there, after the reset", ("variable", *runs), tuple(rows))


def _value(first: Any, *keys: str | int) -> str | None:
    value = number(first, *keys)
    return None if value is None else f"{value:.17g}"
