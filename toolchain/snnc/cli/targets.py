"""snnc targets: what can be exported to where."""

import click

from snnc import neurons, targets
from snnc.cli._common import json_option, print_json, print_table


@click.command("targets", short_help="List the targets and the neuron models that each takes.")
@json_option
def command(as_json: bool) -> None:
    """List the targets: which neuron models each takes, whether it needs a mapping to a chip, and whether its artifacts can
    be run here by `snnc verify`."""
    rows = {name: targets.load(name) for name in targets.names()}
    matrix = targets.support_matrix()
    if as_json:
        print_json(
            "targets/1",
            targets={
                name: {
                    "summary": target.SUMMARY,
                    "needs_mapping": target.NEEDS_MAPPING,
                    "runnable": targets.is_runnable(target),
                    "neurons": matrix[name],
                }
                for name, target in rows.items()
            },
        )
        return
    table = [
        (
            name,
            *("yes" if not matrix[name][model] else "no" for model in neurons.names()),
            "yes" if target.NEEDS_MAPPING else "no",
            "yes" if targets.is_runnable(target) else "no",
            target.SUMMARY,
        )
        for name, target in rows.items()
    ]
    print_table("Targets", ("target", *neurons.names(), "needs a chip", "verified here", "what it writes"), table)
    for name, row in matrix.items():
        for model, reason in row.items():
            if reason:
                click.echo(f"{name}, {model}: {reason}")
