"""Shared parts of the verbs: options made from configurations, output for people and for scripts."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from click.core import ParameterSource

from snnc.base.config import Config, kind
from snnc.base.files import must_be_free
from snnc.errors import UsageError
from snnc.report.terminal import Styled, output_width, print_table

__all__ = [
    "PATH",
    "Decorator",
    "Styled",
    "command_line",
    "config_from",
    "config_options",
    "force_option",
    "json_option",
    "must_be_free_and_differ",
    "must_not_be_given",
    "out_option",
    "output_width",
    "print_json",
    "print_table",
    "progress",
    "quiet_option",
    "say",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

PATH = click.Path(path_type=Path)

out_option = click.option("-o", "--out", type=PATH, required=True, help="Where to write the result.")
force_option = click.option("--force", is_flag=True, help="Replace what exists at --out.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")


def _quieten(ctx: click.Context, _: click.Parameter, quiet: bool) -> bool:
    """Let the engine say nothing while a verb with -q runs."""
    if quiet:
        from snnc.simulation import engine

        ctx.with_resource(engine.quietly())
    return quiet


quiet_option = click.option("-q", "--quiet", is_flag=True, callback=_quieten, help="Print no progress.")


def config_options(cls: type[Config]) -> Decorator:
    """Add one option for each field of a configuration; `config_from` collects them again."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for f in reversed(fields(cls)):
            flag = "--" + f.name.replace("_", "-")
            hint = kind(cls, f)
            extra: dict[str, Any] = {"type": _type(hint)}
            if hint is bool:
                flag, extra = f"{flag}/--no-{flag[2:]}", {}
            elif get_origin(hint) is tuple:
                extra = {"type": _type(get_args(hint)[0]), "multiple": True}
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


def _type(hint: Any) -> Any:
    """Return the type of an option's value as click knows it."""
    return click.Choice(get_args(hint)) if get_origin(hint) is Literal else hint


def config_from(cls: type[Config], options: dict[str, Any]) -> Any:
    """Return the configuration from a verb's options, and remove its fields from ``options``."""
    return cls(**{f.name: options.pop(f.name) for f in fields(cls)})


def must_be_free_and_differ(paths: Mapping[str, Path | None], force: bool) -> None:
    """Raise UsageError if two options name one file, FileError if one of them exists and may not be overwritten."""
    given = {option: path for option, path in paths.items() if path}
    for (option, path), (other, other_path) in combinations(given.items(), 2):
        if path.resolve() == other_path.resolve():
            raise UsageError(f"{option} and {other} name the same file", where=str(path), fix="give them two names")
    for option, path in given.items():
        must_be_free(path, force, option=option)


def must_not_be_given(*parameters: str, reason: str, fix: str) -> None:
    """Raise UsageError if one of these options of the verb that runs stands on the command line, where it would say nothing."""
    ctx = click.get_current_context()
    by_user = {name for name in parameters if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if options := [max(p.opts, key=len) for p in ctx.command.params if p.name in by_user]:
        raise UsageError(f"says nothing, as {reason}", where=", ".join(options), fix=fix)


def print_json(schema: str, **body: Any) -> None:
    """Print exactly one versioned object to stdout."""
    click.echo(json.dumps({"schema": f"snnc.{schema}", "ok": True, **body}))


def command_line(*words: str | Path) -> str:
    """Return a command of snnc that a shell takes as it is, whatever the names of files are."""
    return shlex.join(["snnc", *map(str, words)])


def say(message: str, quiet: bool = False) -> None:
    """Print one line of progress to stderr."""
    if not quiet:
        click.echo(message, err=True)


@contextmanager
def progress(total: int, quiet: bool, label: str) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal's stderr, nothing elsewhere. Returns the function that takes how many of ``total`` are
    done.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)
