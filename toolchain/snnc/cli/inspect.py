"""snnc inspect: show what is in a network."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from snnc import store
from snnc.cli._common import PATH, json_option, print_json, print_table
from snnc.cli._inspection import print_connections, print_parameters, print_populations
from snnc.report.inspection import Inspection, inspect


@click.command("inspect", short_help="Show what is in a network, and what rounding cost.")
@click.argument("model", type=PATH)
@click.option("--against", type=PATH, help="The float network that MODEL was made from: shows what rounding cost.")
@json_option
def command(model: Path, against: Path | None, as_json: bool) -> None:
    """Show the populations, connections, parameters and history of MODEL.

    For a quantised network, each parameter is shown as float, integer and float again. The error is known with --against; if
    the network was not fine-tuned, it is at most half a step.
    """
    net = store.load(model)
    inspection = inspect(net, store.load(against) if against else None)
    if as_json:
        print_json("inspect/1", **asdict(inspection), network_hash=net.hash)
        return
    print_populations(inspection)
    _print_rules(inspection)
    print_connections(inspection)
    print_parameters(inspection)
    print_table("history", ("stage", "setting", "value"), _history(inspection))


def _print_rules(inspection: Inspection) -> None:
    rows = [
        (model, question.replace("_", " "), json.dumps(answer) if isinstance(answer, dict) else str(answer))
        for model, rule in inspection.rules.items()
        for question, answer in rule.items()
    ]
    print_table("when a neuron spikes", ("neuron", "question", "answer"), rows)


def _history(inspection: Inspection) -> list[tuple[str, str, str]]:
    return [
        (stage.name, key, json.dumps(value) if isinstance(value, dict | list) else str(value))
        for stage in inspection.done
        for key, value in stage.settings.items()
    ]
