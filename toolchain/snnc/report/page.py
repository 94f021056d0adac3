"""A report as one page that needs nothing else: styles, script, figures and data are in it. Part of report.

All text passes through `escape`. The page's own policy lets only its own script run, and nothing be loaded, whatever a
file in the folder says.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from html import escape
from importlib import resources

from snnc.report.blocks import Block, Cell, Figure, Rasters, Report, Section, Share, Table, Text

MISSING = '<span class="none">not recorded</span>'
LONG = 12  # rows from which a table starts folded


def page(report: Report) -> str:
    """Write the report as HTML; equal reports, equal text. Raises MissingDependencyError without matplotlib."""
    script = _own("page.js")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    links = "".join(f'<li><a href="#{escape(s.key)}">{escape(s.title)}</a></li>' for s in report.sections)
    body = "\n".join(map(_section, report.sections))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(report.title)}</title>
<style>{_own("page.css")}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><h1>{escape(report.title)}</h1></header>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<main id="content" tabindex="-1">
{body}
</main>
<footer><p>Written by snnc report.</p></footer>
<script>{script}</script>
</body>
</html>
"""


@cache
def _own(name: str) -> str:
    return resources.files("snnc.report").joinpath(name).read_text(encoding="utf-8")


def _section(section: Section) -> str:
    inside = "\n".join(map(_block, section.blocks))
    head = f'<summary><h2 id="{escape(section.key)}-title">{escape(section.title)}</h2></summary>'
    return f'<section id="{escape(section.key)}"><details open>{head}\n<div class="blocks">{inside}</div></details></section>'


def _block(block: Block) -> str:
    match block:
        case Text(text, tone):
            return f'<p class="{tone or "plain"}">{escape(text)}</p>'
        case Table():
            return _table(block)
        case Figure(draw, _, caption, wide):
            kind, picture = ("wide", _scroll(block.alt, draw())) if wide else ("plot", draw())
            return f'<figure class="{kind}">{picture}<figcaption>{escape(caption)}</figcaption></figure>'
        case Rasters(data):
            return _rasters(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))


def _table(table: Table) -> str:
    columns = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "\n".join(f"<tr>{''.join(_cells(row))}</tr>" for row in table.rows)
    label = escape(table.caption)
    inside = _scroll(table.caption, f"<table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>")
    state = "" if len(table.rows) > LONG else " open"
    return f'<details class="table"{state}><summary>{label}</summary>{inside}</details>'


def _scroll(label: str, inside: str) -> str:
    """Wrap what may be wider than a phone, so that it can be scrolled, with the keyboard, too."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(label)}">{inside}</div>'


def _cells(row: tuple[Cell, ...]) -> Iterator[str]:
    yield f'<th scope="row">{_cell(row[0])}</th>'
    for cell in row[1:]:
        kind = ' class="number"' if isinstance(cell, int) else ""
        yield f"<td{kind}>{_cell(cell)}</td>"


def _cell(cell: Cell) -> str:
    match cell:
        case None:
            return MISSING
        case Share():
            return escape(cell.text) if cell.part is None else _bar(cell.part, cell)
        case int():
            return f"{cell:,}"
        case _:
            return escape(cell)


def _bar(part: float, cell: Share) -> str:
    kind, percent = "bar over" if part > 1 else "bar", f" <b>{100 * part:.1f} %</b>" if cell.in_percent else ""
    return (
        f'<span class="share"><span class="{kind}"><i style="width:{100 * min(max(part, 0.0), 1.0):.2f}%"></i></span>'
        f"<span>{escape(cell.text)}{percent}</span></span>"
    )


def _rasters(data: str) -> str:
    return f"""<div class="rasters" hidden>
<div class="choices">
<label>Runs <select id="pair"></select></label>
<label>Sample <select id="sample"></select></label>
<button type="button" id="before">Previous sample</button>
<button type="button" id="after">Next sample</button>
<button type="button" id="first" hidden>First divergence</button>
</div>
<p id="told" aria-live="polite"></p>
<ul class="legend" aria-hidden="true"><li><i class="both"></i>in both</li><li><i class="one"></i><span id="one"></span></li>
<li><i class="two"></i><span id="two"></span></li></ul>
<canvas id="raster" role="img" aria-describedby="told counts"></canvas>
<div class="scroll" tabindex="0" role="group" aria-label="Spikes of the chosen sample"><table id="counts"></table></div>
</div>
<noscript><p class="note">Choosing a sample needs JavaScript, which this browser does not run.</p></noscript>
<script type="application/json" id="raster-data">{data}</script>"""
