"""The options by which verbs name a data set."""

from pathlib import Path
from typing import Any

import click

import snnc.data as data
from snnc.cli._common import PATH, Decorator, must_not_be_given
from snnc.errors import UsageError

SPLIT_SEED = "snnc.split_seed"
OF_SPLIT_SEED = "For data without a split: the seed that draws a fifth of each class as test samples."


def data_options(command: Any) -> Any:
    """Add ``--data``, ``--split-seed`` and ``--data-dir``; the command gets ``data_name``, of both, and ``data_dir``."""
    decorators: tuple[Decorator, ...] = (
        click.option(
            "--split-seed",
            type=click.IntRange(0),
            is_eager=True,
            expose_value=False,
            callback=_remember_seed,
            help=OF_SPLIT_SEED,
        ),
        click.option(
            "--data",
            "data_name",
            default="digits",
            show_default=True,
            callback=_source,
            help=f"Data set ({', '.join(data.names())}), a file or folder with samples, or FILE.py:NAME, which is executed.",
        ),
        click.option("--data-dir", type=PATH, envvar=data.FOLDER_VARIABLE, help="Folder with the data set's files."),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def _remember_seed(ctx: click.Context, option: click.Parameter, seed: int | None) -> None:
    ctx.meta[SPLIT_SEED] = seed


def _source(ctx: click.Context, option: click.Parameter, name: str) -> str | data.Source:
    seed = ctx.meta.get(SPLIT_SEED)
    return name if seed is None else data.Source(name, seed)


def download_option(command: Any) -> Any:
    """Add ``--download``; the command gets ``download``."""
    return click.option("--download", is_flag=True, help="Fetch missing files of mnist into --data-dir first.")(command)


def must_be_from_one_place(recorded: Path | None, rate: float | None = None) -> None:
    """Raise UsageError if the samples of a verb would come from two places: a data set, recorded rasters, and noise."""
    if rate is not None and recorded is not None:
        raise UsageError("noise and recorded rasters are two inputs", where="--random, --inputs", fix="leave one of them out")
    if rate is not None or recorded is not None:
        other = "--random" if recorded is None else "--inputs"
        must_not_be_given(
            "data_name", "split", "split_seed", "data_dir", reason=f"samples come from {other}", fix=f"leave it or {other} out"
        )


def number_or_all(ctx: click.Context, option: click.Parameter, value: str) -> int | None:
    """Return how many samples an option asks for; None for the word all."""
    if value == "all":
        return None
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is no number of samples; use 1 or more, or all")
    return int(value)
