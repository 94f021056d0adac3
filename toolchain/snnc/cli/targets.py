"""snnc targets: list what can be exported to which target."""

from collections.abc import Iterator

import click

import snnc.neurons as neurons
import snnc.targets as targets
from snnc import ops
from snnc.base import registry
from snnc.cli._common import json_option, print_json, print_table, say
from snnc.targets.target import Target


@click.command("targets", short_help="List the targets and the neurons and operators that each takes.")
@click.option("--markdown", is_flag=True, help="Print every target, neuron and operator as the page docs/supported.md.")
@json_option
def command(markdown: bool, as_json: bool) -> None:
    """List the targets: which neuron models and operators each takes, whether it needs a mapping to a chip, and what runs its
    artifacts in `snnc verify`."""
    rows = {name: targets.load(name) for name in targets.working()}
    broken = {kind.kind: kind.broken() for kind in (registry.TARGETS, registry.NEURONS, registry.OPERATORS)}
    for error in (error for errors in broken.values() for error in errors.values()):
        say(f"left out: {error}")
    if as_json:
        print_json("targets/1", targets={name: _described(target) for name, target in rows.items()})
        return
    if markdown:
        click.echo("\n".join(_page(rows)))
        return
    table = [
        (
            name,
            ", ".join(model for model in neurons.working() if not target.neuron_problem(model)),
            ", ".join(kind for kind in ops.working() if not target.operator_problem(kind)),
            "yes" if target.NEEDS_MAPPING else "no",
            _verified_by(target) or "no",
            target.SUMMARY,
        )
        for name, target in rows.items()
    ]
    print_table("Targets", ("target", "neurons", "operators", "needs a chip", "verified by", "what it writes"), table)
    for name, target in rows.items():
        for what, reason in _refused(target):
            click.echo(f"{name}, {what}: {reason}")


def _described(target: Target) -> dict[str, object]:
    return {
        "summary": target.SUMMARY,
        "needs_mapping": target.NEEDS_MAPPING,
        "runnable": targets.is_runnable(target),
        "verified_by": _verified_by(target),
        "neurons": {model: target.neuron_problem(model) for model in neurons.working()},
        "operators": {kind: target.operator_problem(kind) for kind in ops.working()},
    }


def _verified_by(target: Target) -> str:
    return target.VERIFIED_BY if targets.is_runnable(target) else ""


def _refused(target: Target) -> Iterator[tuple[str, str]]:
    """Return what the target does not take, and why."""
    answers = {model: target.neuron_problem(model) for model in neurons.working()}
    answers |= {kind: target.operator_problem(kind) for kind in ops.working()}
    return ((what, reason) for what, reason in answers.items() if reason)


def _page(rows: dict[str, Target]) -> Iterator[str]:
    """Return docs/supported.md, line by line."""
    yield "# What each target takes"
    yield ""
    yield "Printed by `snnc targets --markdown`. A pair of neuron and operator that says yes is exported by a test, and where the"
    yield "target is verified by something, run and compared spike for spike. A test fails, too, when a pair that says no is not"
    yield "refused, or works in a program."
    matrix = targets.support_matrix()
    for name, target in rows.items():
        yield from ("", f"## {name}", "", f"{target.SUMMARY}. Verified by: {_verified_by(target) or 'nothing'}.", "")
        yield from ("| neuron | " + " | ".join(ops.working()) + " |", "|---" * (1 + len(ops.working())) + "|")
        for model, row in matrix[name].items():
            yield f"| {model} | " + " | ".join("no" if row[kind] else "yes" for kind in ops.working()) + " |"
        refused = [f"- {what}: {reason}" for what, reason in _refused(target)]
        yield from ("", *refused) if refused else ()
