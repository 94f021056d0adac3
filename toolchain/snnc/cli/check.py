"""snnc check: whether a network fits a chip."""

from pathlib import Path
from typing import Any

import click

from snnc import hw, store
from snnc.check import Budget, LayerBudget, check
from snnc.cli._common import PATH, json_option, output_width, print_json, print_table
from snnc.usage import Usage, words_for

BAR = 5  # characters of a full bar
BAR_WIDTH = 100  # columns from which there is room for bars


@click.command("check", short_help="Hold a network against a chip, core by core.")
@click.argument("model", type=PATH)
@click.option("--hw", "profile_name", required=True, help="Hardware profile: a name (see `snnc profiles`) or a .toml file.")
@json_option
def command(model: Path, profile_name: str, as_json: bool) -> int:
    """Hold MODEL against a chip: neurons, axons and synapse memory of every core, and the features it needs.

    Exit code 0: it fits every public limit. 3: it does not fit. 4: the chip cannot express it.
    """
    profile = hw.load(profile_name)
    budget = check(store.load(model), profile)
    if as_json:
        print_json("check/1", **{"ok": budget.fits, **budget.to_json()})
    else:
        _print(budget, tuple(map(words_for, profile.resources)))
    return 0 if budget.fits else (4 if budget.has_room else 3)


def _print(budget: Budget, names: tuple[str, ...]) -> None:
    print_table(
        f"{budget.network} on {budget.profile}, per layer (fullest core: used / limit)",
        ("layer", "neurons", "cores", *names[1:]),
        [(x.population, x.neurons, x.cores if x.cores is not None else "-", *_cells(x, len(names))) for x in budget.layers],
    )
    print_table(
        "connectivity",
        ("connection", "operator", "weights", "synapses", "parameter connectivity", "synapse connectivity"),
        [
            (c.connection, c.operator, c.weights, c.synapses, f"{c.parameter_connectivity:.2%}", f"{c.synapse_connectivity:.2%}")
            for layer in budget.layers
            for c in layer.connections
        ],
    )
    if budget.cores:
        rows = [(x.core, f"{x.population} {x.start}..{x.stop - 1}", *map(_cell, x.uses)) for x in budget.cores]
        print_table("per core (used / limit)", ("core", "neurons of", *names), rows)
    if budget.totals:
        rows = [(words_for(usage.resource), usage.place, _cell(usage)) for usage in budget.totals]
        print_table("however it is cut (used / limit)", ("number", "at", "used"), rows)
    for title, lines in _sections(budget):
        click.echo(f"{title}:")
        for line in lines:
            click.echo(f"  {line}")
    click.echo(_verdict(budget))


def _cells(layer: LayerBudget, resources: int) -> tuple[str, ...]:
    return tuple(map(_cell, layer.uses[1:])) or ("-",) * (resources - 1)


def _cell(usage: Usage) -> str:
    """used / limit, percent and (where there is room) a bar, or what is not known of them."""
    used, limit = (f"{n:,}" if n is not None else "?" for n in (usage.used, usage.limit))
    if usage.share is None:
        return f"{used}/{limit} unknown"
    text, filled = f"{used}/{limit} {usage.share:.1%}", min(BAR, round(BAR * usage.share))
    return f"{text} {'#' * filled}{'.' * (BAR - filled)}" if output_width() >= BAR_WIDTH else text


def _sections(budget: Budget) -> list[tuple[str, Any]]:
    sections = [
        ("not supported", budget.problems),
        ("unknown, as the numbers are not public", budget.unknown),
        ("assumed", budget.assumptions),
        ("what would help", budget.remedies),
    ]
    return [(title, lines) for title, lines in sections if lines]


def _verdict(budget: Budget) -> str:
    """One line: the answer, the cores, and the limit that binds."""
    words = [f"{budget.network} {_answer(budget)} {budget.profile}"]
    if budget.chip:
        words.append(f"{budget.chip.used:,} of {budget.chip.limit:,} cores")
    if (b := budget.binding) is not None and b.share is not None:
        words.append(f"binding: {words_for(b.resource)} at {b.place}, {b.used:,} of {b.limit:,} ({b.share:.1%})")
    return "; ".join(words)


def _answer(budget: Budget) -> str:
    if budget.fits:
        return "fits every public limit of" if budget.unknown else "fits"
    return "needs what is missing on" if budget.has_room else "does not fit"
