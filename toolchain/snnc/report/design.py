"""What a design took of its FPGA, as `snnc build` recorded it: the estimate beside what the tools counted. Part of report."""

from pathlib import Path
from typing import Any

from snnc.base.files import read_json
from snnc.report.blocks import Block, Cell, Section, Share, Table, Text
from snnc.report.facts import at, number, table, text, whole

UTILISATION = "utilisation.json"
MAX_BYTES = 1 << 20
MOST = 64  # rows of a table


def designs(folder: Path) -> tuple[Section, ...]:
    """Return a section for each build in a folder or one below it; none where nothing was built."""
    files = sorted({*folder.glob(UTILISATION), *folder.glob(f"*/{UTILISATION}")})[:MOST]
    return tuple(_section(file, i) for i, file in enumerate(files))


def _section(file: Path, number_of_build: int) -> Section:
    built = read_json(file, "record of a build", MAX_BYTES, "run snnc build again")
    device, on = text(built, "device") or "an FPGA", text(built, "board")
    f_max = number(built, "f_max_mhz")
    sentence = f"{device}{f', board {on}' if on else ''}: synapses {text(built, 'synapses') or 'not said'}"
    if f_max is not None:
        sentence += f"; {f_max:g} MHz with the best of {len(_rows(built, 'seeds'))} seeds"
    blocks: list[Block] = [Text(f"{sentence}. It was placed and routed; nothing was run on an FPGA."), _cells(built)]
    if memories := _rows(at(built, "estimated"), "memories"):
        blocks.append(_memories(memories))
    key = "fpga" if not number_of_build else f"fpga{number_of_build + 1}"
    return Section(key, f"FPGA: {file.parent.name}", tuple(blocks))


def _cells(built: Any) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for kind in list(table(built, "used"))[:MOST]:
        used, there, before = (
            whole(built, *keys) for keys in (("used", kind, "used"), ("used", kind, "of"), ("estimated", kind))
        )
        if used is not None and there:
            rows.append((kind, "-" if before is None else f"{before:,}", Share(used / there, f"{used:,} of {there:,}")))
    caption = "Cells of the FPGA: estimated before synthesis, and counted by the tools"
    return Table(caption, ("cells", "estimated", "counted"), tuple(rows))


def _memories(memories: list[Any]) -> Table:
    """Return the RAMs that each memory was counted with, and its part of all."""
    each = [(text(m, "memory") or "?", text(m, "where") or "?", max(0, whole(m, "rams") or 0)) for m in memories[:MOST]]
    total = max(1, sum(rams for *_, rams in each))
    rows = tuple((name, where, Share(rams / total, f"{rams:,}")) for name, where, rams in each)
    return Table("RAMs of each memory, estimated, and their part of all", ("memory", "lies in", "RAMs"), rows)


def _rows(content: Any, key: str) -> list[Any]:
    rows = at(content, key)
    return rows if isinstance(rows, list) else []
