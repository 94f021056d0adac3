"""Tables for a terminal, of whatever width. Used by every verb of the command line."""

import shutil
from typing import Any

import click

GAP = 3  # between two columns of a table
LONGEST_WORD = 24  # that a table gives room to; longer ones (links, paths) are folded


class Styled(str):
    """A cell of a table in a style of rich's ("red", say), which shows on a terminal and nowhere else."""

    style: str

    def __new__(cls, text: str, style: str) -> "Styled":
        made = super().__new__(cls, text)
        made.style = style
        return made


def print_table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A table on stdout under a title; numbers to the right. No word is ever cut: a narrow terminal wraps the lines."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if title:
        click.echo(f"\n{title}")
    texts = [columns, *(tuple(map(_cell_text, row)) for row in rows)]
    widths = _widths(list(zip(*texts, strict=True)), output_width())
    table = Table(show_edge=False, pad_edge=False)
    for i, (column, width) in enumerate(zip(columns, widths, strict=True)):
        numeric = all(isinstance(row[i], int | float) for row in rows) and bool(rows)
        table.add_column(column, justify="right" if numeric else "left", width=width, overflow="fold")
    for row in texts[1:]:
        table.add_row(*(Text(text, getattr(text, "style", "")) for text in row))
    Console(width=sum(widths) + GAP * len(widths), markup=False, emoji=False).print(table)


def _widths(columns: list[tuple[str, ...]], room: int) -> list[int]:
    """The widths of columns of cells: what they need, or less where that is more than ``room``, yet each holds its words."""
    widths = [max(map(len, cells)) for cells in columns]
    least = [min(LONGEST_WORD, max(len(word) for cell in cells for word in cell.split() or [""])) for cells in columns]
    for _ in range(sum(widths) + GAP * (len(widths) - 1) - room):
        spare = [width - low for width, low in zip(widths, least, strict=True)]
        if max(spare) > 0:
            widths[spare.index(max(spare))] -= 1
    return widths


def output_width() -> int:
    """Columns of the terminal; 140 where stdout is none and the variable COLUMNS is not set."""
    return shutil.get_terminal_size((140, 24)).columns


def _cell_text(cell: Any) -> str:
    if isinstance(cell, Styled):
        return cell
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
