"""A report as Markdown for a pull request: words and tables; figures as what they show. Part of report."""

import re

from snnc.report.blocks import Block, Cell, Figure, Report, Section, Share, Table, Text

MARKS = {"good": "✅ ", "bad": "❌ ", "note": "", "": ""}
LONG = 12  # rows from which a table starts folded


def markdown(report: Report) -> str:
    """Write the report as GitHub reads Markdown; equal reports, equal text."""
    return f"# {_plain(report.title)}\n\n" + "\n".join(map(_section, report.sections))


def _section(section: Section) -> str:
    return f"## {section.title}\n\n" + "".join(map(_block, section.blocks))


def _block(block: Block) -> str:
    match block:
        case Text(text, tone):
            return f"{MARKS[tone]}{_plain(text)}\n\n"
        case Table():
            return _table(block)
        case Figure():
            return f"{_plain(block.alt)}\n\n"
        case _:
            return "The rasters are in the page.\n\n"


def _table(table: Table) -> str:
    lines = [table.columns, tuple("---" for _ in table.columns), *(tuple(map(_cell, row)) for row in table.rows)]
    head, *rest = [[*map(_plain, lines[0])], *lines[1:]]
    text = "\n".join("| " + " | ".join(line) + " |" for line in (head, *rest))
    if len(table.rows) > LONG:
        return f"<details><summary>{_plain(table.caption)}</summary>\n\n{text}\n\n</details>\n\n"
    return f"{_plain(table.caption)}:\n\n{text}\n\n"


def _cell(cell: Cell) -> str:
    match cell:
        case None:
            return "*not recorded*"
        case Share(part, text, in_percent):
            return _plain(text) + (f" ({100 * part:.1f} %)" if in_percent and part is not None else "")
        case int():
            return f"{cell:,}"
        case _:
            return _plain(cell)


def _plain(text: str) -> str:
    """Escape everything that Markdown or HTML would take for its own; nobody is mentioned and nothing is linked."""
    text = re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", " ".join(text.split()))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(https?):|@", lambda match: f"{match[1]}&#58;" if match[1] else "&#64;", text)
