"""snnc map: assign neurons to the cores of a chip."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import snnc.chips as chips
from snnc import store
from snnc.base.files import write_bytes
from snnc.cli._common import PATH, force_option, json_option, must_be_free_and_differ, print_json, print_table
from snnc.cli._spread import Spread, spread_options
from snnc.errors import UsageError
from snnc.mapping import strategies
from snnc.mapping.choose import Mapped
from snnc.mapping.lower_bounds import LowerBounds, lower_bounds
from snnc.mapping.neurobench import measures
from snnc.mapping.picture import picture
from snnc.mapping.shared_lists import Saved, saved
from snnc.mapping.task import of_slices
from snnc.mapping.tiled import goes_by_tiles
from snnc.network.model import Network
from snnc.pipeline.arguments import own_chip
from snnc.pipeline.chip import map_tiles_with, map_with


@click.command("map", short_help="Map a network to the cores of a chip.")
@click.argument("model", type=PATH)
@click.option("--hw", "profile_name", help="Hardware profile: a name or a .toml file.  [default: the chip that MODEL is for]")
@click.option(
    "--strategy", type=click.Choice(strategies.names()), help="Strategy that cuts the network.  [default: all, and take the best]"
)
@click.option("--rates", "recorded", type=PATH, help="Spike rates, as snnc simulate --out records.  [default: all alike]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the strategy.")
@click.option("-o", "--out", type=PATH, help="Write the mapping (.json), for snnc export --mapping.")
@click.option("--picture", "svg", type=PATH, help="Write a picture of the chip (.svg): cores by use, links by traffic.")
@spread_options("slices of rows and cores")
@force_option
@json_option
def command(
    model: Path, profile_name: str | None, strategy: str | None, recorded: Path | None, seed: int, out: Path | None,
    svg: Path | None, spread: Spread, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Cut MODEL into cores and place them on the chip, with few packets x hops; every limit is checked again.

    Without --strategy, all strategies are tried, but those that would take minutes for so many synapses. The best one has the
    fewest packets x hops, with at most 10 % more cores than the lower bound.
    """
    must_be_free_and_differ({"--out": out, "--picture": svg}, force)
    net = store.load(model)
    profile = chips.load(profile_name) if profile_name else own_chip(net)
    if goes_by_tiles(net, profile):
        with spread.workers(net):
            _map_tiles(net, profile, strategy, seed, out, force, as_json, {"--rates": recorded, "--picture": svg})
        return
    with spread.workers(net):
        mappings = map_with(net, profile, strategy=strategy, rates=recorded, seed=seed)
        task, made, failed, steps = mappings.task, list(mappings.made), mappings.failed, mappings.steps
        _write(made[0], profile, out, svg, force)
        bounds = lower_bounds(task)
        told = measures(task, made[0].census, steps)
        lists = saved(task, of_slices(task, tuple(core.slices for core in made[0].mapping.cores)))
    if as_json:
        print_json("map/1", network=net.name, profile=profile.name, seed=seed, rates=str(recorded) if recorded else None,
                   best=made[0].mapping.strategy, strategies=[_summary(m) for m in made], failed=failed,
                   lower_bounds=asdict(bounds), shared_lists={name: asdict(s) for name, s in lists.items()} or None,
                   **told)  # fmt: skip
        return
    _print(net, profile, made, failed, bounds, told)
    if lists:
        _print_shared(lists)
    for path in (out, svg):
        if path:
            click.echo(f"wrote {path}")


def _map_tiles(
    net: Network, profile: chips.Profile, strategy: str | None, seed: int, out: Path | None, force: bool, as_json: bool,
    of_others: Mapping[str, Path | None],
) -> None:  # fmt: skip
    """Map a network of equal tiles, and say what one costs and what each further one does."""
    for option, value in of_others.items():
        if value:
            raise UsageError("is not for networks of equal tiles", where=option, fix="leave it out")
    made = map_tiles_with(net, profile, strategy=strategy, seed=seed)
    if out:
        write_bytes(out, (json.dumps(made.to_json(), indent=1, sort_keys=True) + "\n").encode(), force=force)
    told = {
        "tiles": made.tiles, "cores": made.cores, "chips_per_tile": made.chips_per_tile, "packets": made.packets,
        "packet_hops": made.packet_hops, "busiest_link": made.busiest_link, "seconds_for_the_first_tile": made.tile_seconds,
        "seconds_for_each_further_tile": made.seconds_for_each_further_tile,
    }  # fmt: skip
    if as_json:
        print_json("map_tiles/1", network=net.name, profile=profile.name, seed=seed, strategy=made.tile.mapping.strategy,
                   failed=made.failed, **told)  # fmt: skip
        return
    rows = [(name.replace("_", " "), _rounded(value)) for name, value in told.items()]
    print_table(
        f"{net.name} on {profile.name}, one inference; a tile by {made.tile.mapping.strategy}", ("measure", "value"), rows
    )
    for name, why in made.failed.items():
        click.echo(f"{name}: {why}")
    click.echo("assumed: how chips are wired is not public, their meshes are taken to continue in each other")
    if out:
        click.echo(f"wrote {out}")


def _write(best: Mapped, profile: chips.Profile, out: Path | None, svg: Path | None, force: bool) -> None:
    if out:
        write_bytes(out, (json.dumps(best.mapping.to_json(), indent=1, sort_keys=True) + "\n").encode(), force=force)
    if svg:
        write_bytes(svg, picture(best, profile).encode(), force=force)


def _summary(m: Mapped) -> dict[str, Any]:
    return {
        "strategy": m.mapping.strategy, "cores": m.cores, "packets": m.census.packets, "packet_hops": m.packet_hops,
        "busiest_link": m.busiest_link,
        "busiest_operations": m.busiest_operations, "input_packets": m.census.input_packets, "seconds": round(m.seconds, 3),
    }  # fmt: skip


def _print(
    net: Network, profile: chips.Profile, made: list[Mapped], failed: dict[str, str], bounds: LowerBounds, told: dict[str, Any]
) -> None:
    rows = [
        (
            m.mapping.strategy,
            m.cores,
            *map(_rounded, (m.census.packets, m.packet_hops, m.busiest_link, m.busiest_operations)),
            f"{m.seconds:.1f}",
        )
        for m in made
    ]
    packets, hops, most_operations = map(_rounded, (bounds.packets, bounds.packet_hops, bounds.busiest_operations))
    print_table(
        f"{net.name} on {profile.name}, one inference; the best strategy first",
        ("strategy", "cores", "packets", "packets x hops", "busiest link", "operations of the busiest core", "seconds"),
        [*rows, ("lower bound", bounds.cores, packets, hops, "", most_operations, "")],
    )
    for name, why in failed.items():
        click.echo(f"{name}: {why}")
    if profile.mesh is None:
        click.echo(f"assumed: the mesh of {profile.name} is not public, hops are those of a square of single cores")
    if profile.chips > 1:
        click.echo("assumed: how chips are wired is not public, their meshes are taken to continue in each other")
    operations = told["synaptic_operations"]
    print_table(
        "in the words of NeuroBench",
        ("metric", "value"),
        [
            ("footprint", f"{told['footprint']:,} bytes of synapse memory"),
            ("connection_sparsity", f"{told['connection_sparsity']:.4f}"),
            ("activation_sparsity", _or_unknown(told["activation_sparsity"])),
            ("synaptic_operations", ", ".join(f"{key} {_or_unknown(value)}" for key, value in operations.items())),
        ],
    )


def _print_shared(lists: Mapping[str, Saved]) -> None:
    """Print what shared lists would save in the best mapping."""
    print_table(
        "if axons shared their lists of synapses, which the budgets do not count on",
        ("connection", "words", "with shared lists", "saved", "more output axons"),
        [(name, s.words, s.shared, f"{1 - s.shared / max(1, s.words):.1%}", s.output_axons) for name, s in lists.items()],
    )


def _rounded(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.4g}"


def _or_unknown(value: float | None) -> str:
    return "unknown without --rates" if value is None else f"{value:,.4g}" if value < 100 else f"{value:,.0f}"
