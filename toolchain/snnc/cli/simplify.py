"""snnc simplify: turn a fixed network into one with fewer neurons and the same spikes."""

from pathlib import Path

import click

from snnc import store
from snnc.base.files import must_be_free
from snnc.cli._common import PATH, force_option, json_option, out_option, print_json, print_table
from snnc.passes.simplify import Simplified, simplify


@click.command("simplify", short_help="Remove neurons that can never fire.")
@click.argument("model", type=PATH)
@out_option
@force_option
@json_option
def command(model: Path, out: Path, force: bool, as_json: bool) -> None:
    """Remove the neurons that can never fire from the fixed network MODEL, and their synapses, without changing a spike.

    It is proved from the integer weights that these neurons never fire, for every input and any number of steps
    (docs/proof.md). Where weights are shared, whole channels are removed. Inputs and outputs keep their neurons.
    """
    must_be_free(out, force)
    simplified = simplify(store.load(model))
    store.save(simplified.network, out, force=force)
    if as_json:
        print_json("simplify/1", path=str(out), network_hash=simplified.network.hash, **simplified.to_json())
    else:
        print_saved(simplified)


def print_saved(simplified: Simplified) -> None:
    """Print what was removed, by population and in total."""
    saved = simplified.to_json()
    rows = [(name, before, after, simplified.silent.get(name, 0)) for name, (before, after) in saved["neurons"].items()]
    print_table(f"{simplified.network.name}: neurons", ("population", "before", "after", "can never fire"), rows)
    for what in ("weights", "synapses"):
        before, after = saved[what]
        click.echo(f"{what}: {before:,} before, {after:,} after ({before - after:,} saved)")
