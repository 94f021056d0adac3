"""snnc check: whether a network fits a chip, and whether its registers can overflow."""

from pathlib import Path
from typing import Any

import click

import snnc.chips as chips
from snnc import store
from snnc.analysis.reachability import MOST_STEPS
from snnc.base.files import must_be_free
from snnc.budget.check import Budget, CoreBudget, LayerBudget
from snnc.budget.remedies import Remedy
from snnc.chips.profile import Profile
from snnc.chips.schema import DISTINCT
from snnc.cli._common import PATH, Styled, json_option, output_width, print_json, print_table
from snnc.cli._ranges import JudgedRanges, judge_ranges, print_proof, write_inputs
from snnc.cli._spread import Spread, spread_options
from snnc.errors import UsageError
from snnc.mapping.usage import Usage, words_for
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.pipeline.arguments import own_chip
from snnc.pipeline.chip import check, remedies

BAR = 5  # characters of a full bar
BAR_WIDTH = 100  # columns from which there is room for bars
NEARLY_FULL = 0.9  # of a limit
SHARED = "if axons shared their lists of synapses, which the budgets do not count on (snnc map says more)"


@click.command("check", short_help="Check whether a network fits a chip, core by core.")
@click.argument("model", type=PATH)
@click.option(
    "--hw",
    "profile_name",
    help="Hardware profile: a name or a .toml file.  [default: the chip that MODEL is for]",
)
@click.option(
    "--remedies/--no-remedies",
    "search",
    default=None,
    help="Search for what would make it fit, or for other chips that hold it.  [default: only if it does not fit]",
)
@click.option("--proof", "wanted", is_flag=True, help="Prove that no register wraps or saturates, or show an input that does it.")
@click.option("--steps", type=click.IntRange(1, MOST_STEPS), help="With --proof: within this many steps.  [default: any number]")
@click.option(
    "--max-spikes-per-step",
    "budget",
    type=click.IntRange(min=0),
    help="With --proof: assume that each input sends at most this many messages in a step.  [default: any number]",
)
@click.option("--inputs", type=PATH, help="With --proof: write the inputs that overflow a register (.npz).")
@spread_options("slices of rows and cores")
@click.option("--force", is_flag=True, help="Replace what exists at --inputs.")
@json_option
def command(
    model: Path,
    profile_name: str | None,
    search: bool | None,
    wanted: bool,
    steps: int | None,
    budget: int | None,
    inputs: Path | None,
    spread: Spread,
    force: bool,
    as_json: bool,
) -> int:
    """Check whether MODEL fits a chip: neurons, axons and synapse memory of every core, and the features that it needs.

    --proof bounds what every register has to hold, from the integer weights and for every possible input (the rules are in
    docs/proof.md). Where a bound is too large, it looks for an input that overflows the register.

    Exit code 0: MODEL fits every public limit, and what --proof asks is proved. 1: that is not proved. 3: MODEL does not fit.
    4: the chip cannot express it.
    """
    _must_agree(profile_name, search, wanted, {"--steps": steps, "--max-spikes-per-step": budget, "--inputs": inputs})
    if inputs:
        must_be_free(inputs, force, option="--inputs")
    profile = chips.load(profile_name) if profile_name else None
    net = store.load(model)
    if profile is None and not wanted:
        profile = own_chip(net)
    with spread.workers(net):
        fit = check(net, profile) if profile else None
        advice = _search(net, profile, fit, search) if profile and fit else None
        asked = wanted or (as_json and isinstance(net.numeric, Fixed) and net.tiles == 1)
        judged = judge_ranges(net, steps, budget, try_inputs=wanted) if asked else None
    if judged and inputs:
        write_inputs(judged, inputs, force)
    code = _code(fit, judged if wanted else None)
    if as_json:
        body: dict[str, Any] = fit.to_json() if fit else {"network": net.name}
        if advice is not None:
            body["remedies"] = [str(remedy) for remedy in advice]
        print_json("check/1", **{"ok": code == 0, **body, "range_proof": judged and judged.to_json()})
        return code
    if fit and profile:
        _print(fit, profile.resources, advice or ())
    if judged:
        print_proof(net.name, judged)
    return code


def _search(net: Network, profile: Profile, fit: Budget, search: bool | None) -> tuple[Remedy, ...] | None:
    """Return the remedies: nothing for a network that fits unless ``search`` is True, None if it is False."""
    if search is False:
        return None
    return remedies(net, profile, fit) if search or not fit.fits else ()


def _must_agree(profile: str | None, search: bool | None, proof: bool, only_with_proof: dict[str, Any]) -> None:
    if search is not None and proof and not profile:
        raise UsageError("is about a chip", where="--remedies", fix="name one with --hw")
    for option, value in only_with_proof.items():
        if value is not None and not proof:
            raise UsageError("is an option of the proof", where=option, fix="add --proof")


def _code(fit: Budget | None, judged: JudgedRanges | None) -> int:
    if fit and not fit.fits:
        return 4 if fit.has_room else 3
    return 0 if judged is None or judged.proof.holds else 1


def _print(budget: Budget, resources: tuple[str, ...], advice: tuple[Remedy, ...]) -> None:
    amounts = tuple(r for r in resources if r not in DISTINCT)
    if budget.designs:
        _print_designs(budget)
    else:
        _print_layers(budget, amounts, tuple(r for r in resources if r in DISTINCT))
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
        rows = [(x.core, f"{x.population} {x.start}..{x.stop - 1}", *_cells(x, amounts)) for x in budget.cores]
        print_table("per core (used / limit)", ("core", "neurons of", *map(words_for, amounts)), rows)
    if budget.storage:
        _print_storage(budget)
    if budget.totals and not budget.designs:
        rows = [(words_for(usage.resource), usage.place, _cell(usage)) for usage in budget.totals]
        print_table("however it is cut (used / limit)", ("number", "at", "used"), rows)
    for title, lines in _sections(budget, advice):
        click.echo(f"{title}:")
        for line in lines:
            click.echo(f"  {line}")
    click.secho(_verdict(budget), fg="green" if budget.fits else "red")


def _print_layers(budget: Budget, amounts: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    """Print what the fullest core of each layer uses."""
    print_table(
        f"{budget.network} on {budget.profile}, per layer (fullest core: used / limit)",
        ("layer", "neurons", "cores", *map(words_for, amounts[1:])),
        [(x.population, x.neurons, x.cores if x.cores is not None else "-", *_cells(x, amounts[1:])) for x in budget.layers],
    )
    if kinds:
        counts = [(x.population, *_cells(x, kinds)) for x in budget.layers]
        print_table("different configurations (most on a core: used / limit)", ("layer", *map(_kind, kinds)), counts)


def _print_designs(budget: Budget) -> None:
    """Print where the memories of the design lie on an FPGA, and what designs with other lanes take."""
    last, limits = budget.designs[-1], {usage.resource: usage.limit for usage in budget.totals}
    rows = [
        (p.memory.name, f"{p.memory.words:,}", p.memory.bits, p.memory.copies, p.where, p.rams or "-") for p in last.placed
    ]  # fmt: skip
    title = f"{budget.network} on {budget.profile}: memories with {last.lanes} lane{'s' if last.lanes > 1 else ''}"
    print_table(title, ("memory", "words", "bits", "copies", "lies in", "RAMs"), rows)
    rows_by_lanes = [
        (design.lanes, *(_cell(Usage(kind, "", amount, limits[kind])) for kind, amount in design.amounts(limits).items()))
        for design in budget.designs
    ]
    print_table("designs (used / there)", ("lanes", *(words_for(kind) for kind in limits)), rows_by_lanes)


def _print_storage(budget: Budget) -> None:
    """Print, for each connection, what the choice of formats saves over one format everywhere, and what shared lists would
    save.
    """
    rows = [
        (s.connection, s.words, ", ".join(f"{1 - s.words / max(1, n):.1%} of all {name}" for name, n in s.by_format.items()))
        for s in budget.storage
    ]  # fmt: skip
    print_table("synapse memory (words, each core's cheapest format)", ("connection", "words", "saved"), rows)
    counts = [(s.connection, s.words, s.shared) for s in budget.storage if s.shared is not None]
    if any(words > fewer for _, words, fewer in counts):
        lists = [(*row, f"{1 - row[2] / max(1, row[1]):.1%}") for row in counts]
        print_table(SHARED, ("connection", "words", "with shared lists", "saved"), lists)


def _cells(of: LayerBudget | CoreBudget, resources: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the layer uses of those resources; "-" for a layer on no core."""
    uses = {usage.resource: usage for usage in of.uses}
    return tuple(_cell(uses[r]) if r in uses else "-" for r in resources)


def _kind(resource: str) -> str:
    """Return the kind of configurations in words: "synapse_configurations_per_core" -> "of synapses"."""
    return f"of {words_for(resource).split()[0]}s"


def _cell(usage: Usage) -> str:
    """Return used / limit, percent and (where there is room) a bar, or what is not known of them."""
    used, limit = (f"{n:,}" if n is not None else "?" for n in (usage.used, usage.limit))
    if usage.share is None:
        return Styled(f"{used}/{limit} unknown", "dim")
    text, filled = f"{used}/{limit} {usage.share:.1%}", min(BAR, round(BAR * usage.share))
    colour = "red" if usage.share > 1 else "yellow" if usage.share > NEARLY_FULL else "green"
    return Styled(f"{text} {'#' * filled}{'.' * (BAR - filled)}" if output_width() >= BAR_WIDTH else text, colour)


def _sections(budget: Budget, advice: tuple[Remedy, ...]) -> list[tuple[str, Any]]:
    sections = [
        ("not supported", budget.problems),
        ("unknown, as the numbers are not public", budget.unknown),
        ("assumed", budget.assumptions),
        ("it fits elsewhere, too" if budget.fits else "what would help", advice),
    ]
    return [(title, lines) for title, lines in sections if lines]


def _verdict(budget: Budget) -> str:
    """Return one line: the answer, the cores, and the limit that binds."""
    words = [f"{budget.network} {_answer(budget)} {budget.profile}"]
    if budget.fits and budget.designs:
        words[0] += f" with up to {budget.designs[-1].lanes} lanes"
    if budget.chip:
        words.append(f"{budget.chip.used:,} of {budget.chip.limit:,} cores")
    if (b := budget.binding) is not None and b.share is not None:
        words.append(f"binding: {words_for(b.resource)} at {b.place}, {b.used:,} of {b.limit:,} ({b.share:.1%})")
    return "; ".join(words)


def _answer(budget: Budget) -> str:
    if budget.fits:
        return "fits every public limit of" if budget.unknown else "fits"
    return "needs what is missing on" if budget.has_room else "does not fit"
