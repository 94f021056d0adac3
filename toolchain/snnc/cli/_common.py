"""What the verbs share: options made from configurations, output for people and for scripts."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from snnc.base.config import Config, kind

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

PATH = click.Path(path_type=Path)
GAP = 3  # between two columns of a table
LONGEST_WORD = 24  # that a table gives room to; longer ones (links, paths) are folded

out_option = click.option("-o", "--out", type=PATH, required=True, help="Where to write the result.")
force_option = click.option("--force", is_flag=True, help="Replace what exists at --out.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print no progress.")


def config_options(cls: type[Config]) -> Decorator:
    """One option for each field of a configuration; `config_from` collects them again."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for f in reversed(fields(cls)):
            flag = "--" + f.name.replace("_", "-")
            hint = kind(cls, f)
            extra: dict[str, Any] = {"type": hint}
            if hint is bool:
                flag, extra = f"{flag}/--no-{flag[2:]}", {}
            elif get_origin(hint) is Literal:
                extra = {"type": click.Choice(get_args(hint))}
            elif get_origin(hint) is tuple:
                extra = {"type": get_args(hint)[0], "multiple": True}
            shown = f.default is not None and f.default != ()
            command = click.option(
                *f.metadata["flags"],
                flag,
                f.name,
                default=f.default,
                show_default=shown,
                help=f.metadata["help"],
                **extra,
            )(command)
        return command

    return decorate


def config_from(cls: type[Config], options: dict[str, Any]) -> Any:
    """The configuration out of a verb's options; takes its fields away from ``options``."""
    return cls(**{f.name: options.pop(f.name) for f in fields(cls)})


def print_json(schema: str, **body: Any) -> None:
    """Exactly one versioned object on stdout."""
    click.echo(json.dumps({"schema": f"snnc.{schema}", "ok": True, **body}))


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


def say(message: str, quiet: bool = False) -> None:
    """One line of progress on stderr."""
    if not quiet:
        click.echo(message, err=True)


@contextmanager
def progress(total: int, quiet: bool, label: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal's stderr, nothing elsewhere; gives the function that takes how many of ``total`` are done."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)
