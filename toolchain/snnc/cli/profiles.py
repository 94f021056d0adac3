"""snnc profiles: the chips that are known, and where each of their numbers is from."""

from dataclasses import asdict

import click

from snnc import hw
from snnc.cli._common import json_option, print_json, print_table
from snnc.hw_keys import Fact


@click.command("profiles", short_help="List the chips, or one chip's numbers with their sources.")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the hardware profiles, or show every number of NAME (a name or a .toml file) with its source."""
    if name:
        _show(hw.load(name), as_json)
    else:
        _list(as_json)


def _list(as_json: bool) -> None:
    profiles = [hw.load(name) for name in hw.names()]
    if as_json:
        print_json("profiles/1", profiles=[{"name": p.name, "title": p.title, "cores": p.cores, **p.limits} for p in profiles])
        return
    rows = [(p.name, p.title, p.cores, p.limits["neurons_per_core"], "yes" if p.graded_spikes else "no") for p in profiles]
    print_table("hardware profiles", ("name", "chip", "cores", "neurons per core", "graded spikes"), rows)


def _show(profile: hw.Profile, as_json: bool) -> None:
    if as_json:
        facts = {key: asdict(fact) for key, fact in profile.facts.items()}
        print_json("profile/1", name=profile.name, title=profile.title, facts=facts, not_public=list(profile.not_public))
        return
    rows = [(key, _text(fact), fact.confidence, fact.source) for key, fact in profile.facts.items()]
    print_table(f"{profile.name}: {profile.title}", ("number", "value", "confidence", "source"), rows)
    if profile.not_public:
        click.echo(f"not public, so that checks which need them answer unknown: {', '.join(profile.not_public)}")


def _text(fact: Fact) -> str:
    others = ", ".join(map(str, fact.other_values))
    return f"{fact.value} (others say {others})" if others else str(fact.value)
