"""snnc import: read a network from another tool's file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import snnc.chips as chips
import snnc.targets as targets
from snnc import importers, store
from snnc.base.files import must_be_free
from snnc.cli._common import (
    command_line,
    config_from,
    config_options,
    force_option,
    json_option,
    out_option,
    print_json,
    print_table,
    quiet_option,
    say,
)
from snnc.importers import ImportConfig, Imported
from snnc.mapping.capabilities import lacking
from snnc.network.model import Network


@click.command("import", short_help="Turn a snnTorch module, a NIR or netx file, or a description by rules into a network.")
@click.argument("model")
@click.option(
    "--from", "importer", type=click.Choice(importers.names()), help="Format of MODEL; guessed from its name where possible."
)
@config_options(ImportConfig)
@out_option
@force_option
@json_option
@quiet_option
def command(model: str, importer: str | None, out: Path, force: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Read MODEL, which another tool made, and write the same network for the stages that follow.

    MODEL is a file, or FILE.py:FACTORY for a torch module that a function makes. A .toml file describes populations and the rules
    that join them (docs/scale.md). Whatever cannot be mapped spike for spike is
    refused, all of it at once, with the reason and the remedy.
    """
    config = config_from(ImportConfig, options)
    must_be_free(out, force)
    name = importer or importers.guess(model)
    say(f"reading {model} ({importers.load(name).SUMMARY})", quiet)
    imported = importers.import_network(model, name, config=config)
    store.save(imported.network, out, force=force)
    if as_json:
        print_json("import/1", **_body(imported, name, out))
        return
    print_table(f"imported from {name}", ("there", "is", "became"), [(p.place, p.kind, p.became) for p in imported.parts])
    for note in imported.notes:
        click.echo(f"note: {note}")
    click.echo(f"{out}: {_size(imported)}")
    _print_takers("targets", targets.refusals(imported.network))
    _print_takers("chips", _chips(imported.network))
    click.echo(f"next: {command_line('inspect', out)}")


def _print_takers(what: str, refusals: dict[str, str]) -> None:
    """Print who takes a network, and each reason of the others once."""
    takers = [name for name, why in refusals.items() if not why]
    click.echo(f"{what} that take its neurons: {', '.join(takers) or 'none'}")
    for why in dict.fromkeys(filter(None, refusals.values())):
        click.echo(f"  not {', '.join(name for name, other in refusals.items() if other == why)}: {why}")


def _chips(net: Network) -> dict[str, str]:
    """Return for each chip whose numbers snnc knows why it cannot compute the network; empty if it can."""
    known = [chip for chip in chips.every() if chip.family == chip.name and chip.numeric]
    return {chip.name: next(iter(lacking(net, chip)), "").replace(chip.name, "it") for chip in known}


def _size(imported: Imported) -> str:
    net = imported.network
    neurons = sum(p.size for p in net.populations if p.neuron)
    return f"{len(net.populations)} populations with {neurons:,} neurons, {len(net.connections)} connections"


def _body(imported: Imported, name: str, out: Path) -> dict[str, Any]:
    net = imported.network
    return {
        "path": str(out),
        "from": name,
        "network_hash": net.hash,
        "populations": {p.name: list(p.shape) for p in net.populations},
        "connections": {c.name: [c.src, c.dst] for c in net.connections},
        "parts": [asdict(part) for part in imported.parts],
        "notes": list(imported.notes),
        "targets": targets.refusals(net),
        "chips": _chips(net),
    }
