"""snnc doctor: what is installed, what is missing, and whether Lava runs."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict

import click

from snnc.base.version import __version__
from snnc.cli._common import json_option, print_json, print_table
from snnc.errors import MissingDependencyError, SnncError
from snnc.pipeline.doctor import Feature, PlugIn, features, plug_ins, try_lava


@click.command("doctor", short_help="Say what is installed, what is missing, and whether Lava runs.")
@click.option("--need", multiple=True, type=click.Choice(sorted(features())), help="Fail with exit code 5 if this is missing.")
@click.option("--run/--no-run", default=True, show_default=True, help="Run one neuron in Lava.")
@json_option
def command(need: tuple[str, ...], run: bool, as_json: bool) -> int:
    """Show what is installed, what is missing and how to install it, and whether Lava computes the right spikes."""
    known = features()
    runs, message = _try() if run else (None, "not tried")
    unmet = [name for name in need if not _works(known[name], runs)]
    if as_json:
        _print_json(known, runs, message, unmet, plug_ins())
    else:
        _print(known, message, plug_ins())
    if unmet:
        click.echo(f"error: needed, but not working: {', '.join(unmet)}", err=True)
    return MissingDependencyError.exit_code if unmet else 0


def _works(feature: Feature, lava_runs: bool | None) -> bool:
    """Return whether Lava runs. A trial says more than the list of packages: Lava may run in another interpreter."""
    return not feature.missing if feature.name != "lava" or lava_runs is None else lava_runs


def _try() -> tuple[bool, str]:
    try:
        return True, f"{try_lava()} computes the right spikes"
    except SnncError as error:
        return False, str(error)


def _print(known: Mapping[str, Feature], message: str, others: tuple[PlugIn, ...]) -> None:
    click.echo(f"snnc {__version__}, Python {platform.python_version()} ({sys.executable}), {platform.system()}")
    rows = [
        (f.name, p.name, p.requirement.removeprefix(p.name), p.version or "missing") for f in known.values() for p in f.packages
    ]
    print_table("", ("feature", "package", "needs", "installed"), rows)
    for feature in known.values():
        if feature.missing:
            click.echo(f"to add {feature.name}: {feature.install}")
    if others:
        table = [(x.kind, x.name, x.brought_by, x.problem or "works") for x in others]
        print_table("plug-ins of other packages", ("kind", "name", "brought by", ""), table)
    click.echo(f"Lava: {message}")


def _print_json(
    known: Mapping[str, Feature], runs: bool | None, message: str, unmet: list[str], others: tuple[PlugIn, ...]
) -> None:
    print_json(
        "doctor/1",
        ok=not unmet,
        unmet=unmet,
        snnc=__version__,
        python=platform.python_version(),
        executable=sys.executable,
        features={
            name: {"packages": {p.name: p.version for p in f.packages}, "missing": f.missing, "install": f.install}
            for name, f in known.items()
        },
        lava={"runs": runs, "message": message},
        plug_ins=[asdict(plug_in) for plug_in in others],
    )
