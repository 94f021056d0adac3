"""The options by which verbs name a data set."""

from pathlib import Path
from typing import Any

import click

from snnc import data
from snnc.cli._common import PATH, Decorator
from snnc.errors import UsageError


def data_options(command: Any) -> Any:
    """Add ``--data`` and ``--data-dir``; the command gets ``data_name`` and ``data_dir``."""
    decorators: tuple[Decorator, ...] = (
        click.option(
            "--data", "data_name", type=click.Choice(data.names()), default="digits", show_default=True, help="Data set."
        ),
        click.option("--data-dir", type=PATH, envvar=data.FOLDER_VARIABLE, help="Folder with the data set's files."),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def download_option(command: Any) -> Any:
    """Add ``--download``; the command gets ``download``."""
    return click.option("--download", is_flag=True, help="Fetch missing files of mnist into --data-dir first.")(command)


def only_one_input(rate: float | None, recorded: Path | None) -> None:
    """Raise UsageError if both noise and recorded rasters are given."""
    if rate is not None and recorded is not None:
        raise UsageError("noise and recorded rasters are two inputs", where="--random, --inputs", fix="leave one of them out")


def number_or_all(ctx: click.Context, option: click.Parameter, value: str) -> int | None:
    """Return how many samples an option asks for; None for the word all."""
    if value == "all":
        return None
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is no number of samples; use 1 or more, or all")
    return int(value)
