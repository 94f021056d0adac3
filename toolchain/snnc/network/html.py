"""How objects show themselves in a notebook: a title, facts, one table and notes, as escaped HTML."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

MOST_ROWS = 50  # of a table; the rest is counted


def block(
    title: str,
    facts: Mapping[str, Any] | None = None,
    columns: Sequence[str] = (),
    rows: Iterable[Sequence[Any]] = (),
    notes: Iterable[str] = (),
) -> str:
    """Return a title, "name: value" facts in one line, a table of at most `MOST_ROWS` rows, and a line for each note."""
    parts = [f"<strong>{escape(title)}</strong>"] if title else []
    if facts:
        parts.append(f"<p>{'; '.join(f'{escape(name)}: {_cell(value)}' for name, value in facts.items())}</p>")
    if columns:
        parts.append(_table(columns, list(rows)))
    parts += [f"<p>{escape(note)}</p>" for note in notes]
    return f"<div>{''.join(parts)}</div>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows[:MOST_ROWS])
    more = f"<p>and {len(rows) - MOST_ROWS:,} more</p>" if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else escape(str(value))
