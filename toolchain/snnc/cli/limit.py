"""snnc limit: say how many messages the inputs of a network send in a step at most."""

from pathlib import Path

import click

from snnc import store
from snnc.base.files import must_be_free
from snnc.cli._common import PATH, force_option, json_option, out_option, print_json, print_table
from snnc.cli._data import data_options
from snnc.pipeline.limit import limit


@click.command("limit", short_help="Say how many messages inputs send in a step at most.")
@click.argument("model", type=PATH)
@click.option(
    "--max-spikes-per-step",
    type=click.IntRange(min=1),
    help="Each input sends at most this many messages in a step.  [default: the most in a step of the training split of --data]",
)
@data_options
@out_option
@force_option
@json_option
def command(
    model: Path,
    max_spikes_per_step: int | None,
    data_name: str,
    data_dir: Path | None,
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Give the inputs of MODEL a budget: how many messages they send in a step at most.

    Weights and neurons stay as they are. What could wrap only if all inputs send at once can then be proved (snnc check
    --proof) and exported, and snnc quantise can choose larger scales. Simulators and exported programs refuse inputs beyond the
    budget (docs/proof.md).
    """
    must_be_free(out, force)
    net = limit(store.load(model), max_spikes_per_step, data=data_name, folder=data_dir)
    store.save(net, out, force=force)
    budgets = {p.name: p.max_spikes_per_step for p in net.inputs}
    if as_json:
        print_json("limit/1", path=str(out), network_hash=net.hash, max_spikes_per_step=budgets)
        return
    rows = [(p.name, f"{p.size:,}", f"{p.max_spikes_per_step:,}") for p in net.inputs]
    print_table(f"{net.name}: messages in a step", ("input", "neurons", "at most"), rows)
