"""snnc profiles: list the known chips, show where each of their numbers is from, and check your own profile."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import snnc.chips as chips
from snnc.chips.schema import CONFIDENCES, Fact
from snnc.cli._common import PATH, json_option, print_json, print_table, say
from snnc.errors import ProfileError, nearest


class _Group(click.Group):
    """Says what to do when a chip is named without a verb."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            known = args[0] in chips.names() or args[0].endswith(".toml")
            fix = f"did you mean: snnc profiles show {args[0]}" if known else nearest(args[0], (*self.commands, *chips.names()))
            ctx.fail(f"no command {args[0]!r}; {fix}")
        return super().resolve_command(ctx, args)


@click.group("profiles", cls=_Group, invoke_without_command=True, short_help="The chips and their numbers, each with its source.")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the hardware profiles, show every number of one with its source, or check a file of your own."""
    if ctx.invoked_subcommand is None:
        _list(as_json)


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List all chips and systems."""
    _list(as_json)


@command.command("show")
@click.argument("name")
@json_option
def show_command(name: str, as_json: bool) -> None:
    """Show every number of NAME (a name or a .toml file) with its confidence and its source."""
    profile = chips.load(name)
    if as_json:
        facts = {key: asdict(fact) for key, fact in profile.facts.items()}
        print_json("profile/1", name=profile.name, title=profile.title, facts=facts, not_public=list(profile.not_public))
        return
    rows = [(key, _text(fact), fact.confidence, fact.source) for key, fact in profile.facts.items()]
    print_table(f"{profile.name}: {profile.title}", ("number", "value", "confidence", "source"), rows)
    if profile.not_public:
        click.echo(f"not public, so that checks which need them answer unknown: {', '.join(profile.not_public)}")


@command.command("check")
@click.argument("file", type=PATH)
@json_option
def check_command(file: Path, as_json: bool) -> None:
    """Check whether FILE is a profile; if not, print the first problem. Use a profile as: snnc check MODEL --hw FILE."""
    if file.suffix != ".toml":
        raise ProfileError("is not named .toml", where=str(file), fix="rename it; --hw knows files by that")
    profile = chips.load(file)
    sure = {c: sum(fact.confidence == c for fact in profile.facts.values()) for c in CONFIDENCES}
    if as_json:
        print_json("profile_check/1", name=profile.name, numbers=len(profile.facts), confidence=sure,
                   not_public=list(profile.not_public))  # fmt: skip
        return
    counts = ", ".join(f"{count} {c}" for c, count in sure.items() if count)
    click.echo(f"{file} is a profile: {profile.title}; {len(profile.facts)} entries ({counts})")
    if profile.not_public:
        click.echo(f"not given, so that checks which need them answer unknown: {', '.join(profile.not_public)}")


def _list(as_json: bool) -> None:
    profiles = chips.every()
    for name, error in chips.broken().items():
        say(f"left out: {name}: {error}")
    if as_json:
        print_json("profiles/1", profiles=[_summary(p) for p in profiles])
        return
    rows = [(p.name, p.title, p.chips, *_cores(p), ", ".join(p.neurons) or "none of snnc's") for p in profiles]
    print_table("hardware profiles", ("name", "chip", "chips", "cores", "neurons per core", "neuron models"), rows)


def _summary(p: chips.Profile) -> dict[str, Any]:
    computes = {"neurons": list(p.neurons), "programmable_neurons": list(p.programmable_neurons)}
    more = {"chips": p.chips, **computes, "other_dynamics": p.other_dynamics or None}
    return {"name": p.name, "title": p.title, "cores": p.cores, **more, **p.limits, **p.totals}


def _cores(p: chips.Profile) -> tuple[Any, str]:
    """Return the cores of a chip and the neurons of each; "-" for an FPGA, which has none."""
    return ("-", "-") if p.fpga else (p.cores, _known(p.limits.get("neurons_per_core")))


def _known(limit: int | None) -> str:
    return "not public" if limit is None else f"{limit:,}"


def _text(fact: Fact) -> str:
    others = ", ".join(map(str, fact.other_values))
    return f"{fact.value} (others say {others})" if others else str(fact.value)
