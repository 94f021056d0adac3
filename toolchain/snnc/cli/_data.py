"""The options by which verbs name a data set."""

from pathlib import Path
from typing import Any

import click

from snnc import data
from snnc.cli._common import PATH, Decorator
from snnc.errors import UsageError


def data_options(command: Any) -> Any:
    """``--data`` and ``--data-dir``; the command gets ``data_name`` and ``data_dir``."""
    decorators: tuple[Decorator, ...] = (
        click.option(
            "--data", "data_name", type=click.Choice(data.names()), default="digits", show_default=True, help="Data set."
        ),
        click.option(
            "--data-dir", type=PATH, envvar=data.FOLDER_VARIABLE, help="Folder with the data set's files (mnist: four IDX files)."
        ),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def download_option(command: Any) -> Any:
    """``--download``; the command gets ``download``."""
    return click.option("--download", is_flag=True, help="Fetch missing files of mnist into --data-dir first.")(command)


def fetch(data_name: str, data_dir: Path | None) -> None:
    """Download what is missing. Raises UsageError if the data set has no files or no folder was named."""
    if data_name != "mnist":
        raise UsageError(f"{data_name} has no files to download", fix="leave out --download")
    if data_dir is None:
        raise UsageError("--download needs a folder to write to", fix="name it with --data-dir")
    data.download(data_dir)
