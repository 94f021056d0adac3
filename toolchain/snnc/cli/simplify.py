"""snnc simplify: a fixed network -> the same spikes with fewer neurons."""

from pathlib import Path

import click

from snnc import store
from snnc.base.files import must_be_free
from snnc.cli._common import PATH, force_option, json_option, out_option, print_json, print_table
from snnc.passes.simplify import Simplified, simplify


@click.command("simplify", short_help="Take away neurons that can never fire.")
@click.argument("model", type=PATH)
@out_option
@force_option
@json_option
def command(model: Path, out: Path, force: bool, as_json: bool) -> None:
    """Take away what can never fire in the fixed network MODEL, and its synapses, without changing a spike.

    That a neuron can never fire is proved from the integer weights, for every input and any number of steps (docs/proof.md).
    Where weights are shared, whole channels go. Inputs and outputs keep their neurons.
    """
    must_be_free(out, force)
    found = simplify(store.load(model))
    store.save(found.network, out, force=force)
    if as_json:
        print_json("simplify/1", path=str(out), network_hash=found.network.hash, **found.to_json())
    else:
        print_saved(found)


def print_saved(found: Simplified) -> None:
    """What was taken away, by population and in all."""
    saved = found.to_json()
    rows = [(name, before, after, found.silent.get(name, 0)) for name, (before, after) in saved["neurons"].items()]
    print_table(f"{found.network.name}: neurons", ("population", "before", "after", "can never fire"), rows)
    for what in ("weights", "synapses"):
        before, after = saved[what]
        click.echo(f"{what}: {before:,} before, {after:,} after ({before - after:,} saved)")
