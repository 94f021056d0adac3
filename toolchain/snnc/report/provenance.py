"""What made what is shown: configuration, stages with their settings, code, versions, hashes. Part of report."""

from collections.abc import Iterator
from typing import Any

from snnc.base.version import __version__
from snnc.report.blocks import Cell, Section, Table, not_recorded
from snnc.report.facts import at, table, text
from snnc.report.folder import RunFolder

MAX_ROWS = 400  # of one table
Rows = tuple[tuple[Cell, ...], ...]


def provenance(run: RunFolder) -> Section:
    """Show everything that is needed to make the run again."""
    source, hashed = at(run.summary, "source"), text(run.summary, "network_hash")
    made: Rows = (
        ("commit", text(source, "commit")),
        *((name, text(version)) for name, version in sorted(table(source, "versions").items())),
        ("snnc that wrote this page", __version__),
        ("network hash in the summary", hashed),
        ("network hash of fixed.snnc", run.fixed.hash if run.fixed else None),
    )
    blocks = [Table("Made with", ("what", "value"), made)]
    if config := tuple(_settings(run.config))[:MAX_ROWS]:
        blocks.append(Table("Configuration (chain.json)", ("setting", "value"), config))
    stages = run.fixed.done if run.fixed else ()
    blocks += [
        Table(f"Stage {i}: {text(stage.name)}", ("setting", "value"), tuple(_settings(stage.settings))[:MAX_ROWS])
        for i, stage in enumerate(stages, 1)
    ]
    return Section("provenance", "Provenance", (*blocks, *(() if stages else (not_recorded("the stages of the network"),))))


def _settings(settings: Any, before: str = "") -> Iterator[tuple[Cell, ...]]:
    """Yield the leaves of nested tables with their dotted names."""
    for key, value in settings.items() if isinstance(settings, dict) else ():
        name = f"{before}{text(key)}"
        if isinstance(value, dict) and value and before.count(".") < 8:
            yield from _settings(value, f"{name}.")
        else:
            yield name, text(value if isinstance(value, str) else repr(value))
