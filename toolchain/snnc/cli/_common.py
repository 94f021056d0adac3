"""What the verbs share: options made from configurations, output for people and for scripts."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from snnc.config import Config, kind

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

PATH = click.Path(path_type=Path)

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


def print_table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A table on stdout under a title; numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    if title:
        click.echo(f"\n{title}")
    table = Table(show_edge=False, pad_edge=False)
    for i, column in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) for row in rows) and bool(rows)
        table.add_column(column, justify="right" if numeric else "left", no_wrap=i == 0)
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell) for cell in row))
    Console(width=None if Console().is_terminal else 140).print(table)


def say(message: str, quiet: bool = False) -> None:
    """One line of progress on stderr."""
    if not quiet:
        click.echo(message, err=True)
