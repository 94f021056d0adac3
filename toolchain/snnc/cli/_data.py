"""The options by which verbs name a data set."""

from typing import Any

import click

from snnc import data
from snnc.cli._common import PATH, Decorator


def data_options(command: Any) -> Any:
    """``--data`` and ``--data-dir``; the command gets ``data_name`` and ``data_dir``."""
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
    """``--download``; the command gets ``download``."""
    return click.option("--download", is_flag=True, help="Fetch missing files of mnist into --data-dir first.")(command)
