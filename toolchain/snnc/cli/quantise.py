"""snnc quantise: turn a float network into a chip's integers."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

import snnc.chips as chips
from snnc import store
from snnc.base.files import must_be_free
from snnc.chips.profile import Profile
from snnc.cli._common import (
    PATH,
    config_from,
    config_options,
    force_option,
    json_option,
    out_option,
    print_json,
    quiet_option,
    say,
)
from snnc.cli._data import data_options
from snnc.cli._inspection import print_connections, print_parameters, print_populations
from snnc.cli._spread import Spread, spread_options
from snnc.cli.simplify import print_saved
from snnc.data.load import Source
from snnc.mapping.capabilities import lacking
from snnc.network.model import Network
from snnc.passes.quantise import QuantiseConfig
from snnc.passes.simplify import simplify
from snnc.pipeline.arguments import profile_of
from snnc.pipeline.quantise import quantise
from snnc.report.inspection import inspect
from snnc.targets.target import load, refusals
from snnc.training.settings import FinetuneConfig, Loss

_DEFAULT = FinetuneConfig()


@click.command("quantise", short_help="Round a network to the integers of a chip.")
@click.argument("model", type=PATH)
@click.option("--hw", "profile", required=True, help="Hardware profile: a name (see snnc profiles) or a .toml file.")
@config_options(QuantiseConfig)
@click.option(
    "--finetune-epochs", type=click.IntRange(0, 100_000), default=0, show_default=True,
    help="Then train for this many passes over the training split of --data, in the chip's integers.",
)  # fmt: skip
@click.option(
    "--finetune-lr", type=click.FloatRange(min=0), default=_DEFAULT.lr, show_default=True, help="Learning rate of fine-tuning."
)
@click.option(
    "--finetune-loss", type=click.Choice(get_args(Loss)),
    help="Loss of fine-tuning.  [default: the one that the network was trained with, else counts]",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=_DEFAULT.seed, show_default=True, help="Seed of fine-tuning.")
@click.option("--threads", type=click.IntRange(1, 256), default=_DEFAULT.threads, show_default=True, help="Threads of torch.")
@click.option("--simplify", "fewer", is_flag=True, help="Then remove neurons that can never fire, as snnc simplify does.")
@data_options
@spread_options("slices of rows")
@out_option
@force_option
@json_option
@quiet_option
def command(
    model: Path,
    profile: str,
    data_name: str | Source,
    data_dir: Path | None,
    spread: Spread,
    out: Path,
    force: bool,
    fewer: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Round MODEL to the integers of a chip, and show how that changed each parameter.

    Nothing is clipped: a value that the chip cannot hold is an error, and a scale at which a current could wrap around is made
    smaller. --finetune-epochs recovers accuracy that rounding lost.
    """
    config = config_from(QuantiseConfig, options)
    must_be_free(out, force)
    net = store.load(model)
    with spread.workers(net):
        fixed = quantise(
            net, profile, data=data_name, folder=data_dir, quiet=quiet, say=lambda line: say(line, quiet), config=config,
            **options,
        )  # fmt: skip
        simplified = simplify(fixed) if fewer else None
        written = simplified.network if simplified else fixed
        store.save(written, out, force=force)
        _say_what_takes_it(written, profile_of(profile), quiet)
    inspection = inspect(fixed, net)
    if as_json:
        more: dict[str, Any] = {s.name: s.settings for s in fixed.done if s.name == "finetune"}
        more |= {"simplify": simplified.to_json()} if simplified else {}
        print_json("quantise/1", **asdict(inspection), **more, out=str(out), network_hash=written.hash)
        return
    print_populations(inspection)
    print_connections(inspection)
    print_parameters(inspection)
    _print_budgets(written)
    if simplified:
        print_saved(simplified)


def _print_budgets(net: Network) -> None:
    """Print for which inputs it is proved that no current wraps, if not for all."""
    budgets = [
        f"{p.max_spikes_per_step:,} messages a step of {p.name!r}" for p in net.inputs if p.max_spikes_per_step is not None
    ]
    if budgets:
        click.echo(
            f"no current wraps: proved for inputs of at most {' and '.join(budgets)}; simulators and programs refuse others"
        )


def _say_what_takes_it(net: Network, profile: Profile, quiet: bool) -> None:
    """Say now, and not at the export, that the chip cannot compute a network of its integers, and which targets and chips can.

    Targets that need a mapping are not named: they would ask for one to this chip.
    """
    if quiet or not (problems := lacking(net, profile)):
        return
    say(f"note: {profile.name} cannot compute it: {problems[0]}", quiet)
    takers = sorted(name for name, why in refusals(net).items() if not why and not load(name).NEEDS_MAPPING)
    others = [chip.name for chip in chips.every() if chip.family == chip.name and not lacking(net, chip)]
    more = f"; of the chips, {', '.join(others)}" if others else ""
    say(f"note: of the targets, {', '.join(takers) or 'none'} take it{more}", quiet)
