"""Shared parts of the verbs that train: options, and the report at the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from snnc.cli._common import PATH, print_json, print_table
from snnc.data.labels import measured
from snnc.network.connectivity import parameter_connectivity, synapse_connectivity
from snnc.network.model import Network

resume_option = click.option("--resume", type=PATH, help="Continue from this checkpoint, with the same settings.")
tensorboard_option = click.option("--tensorboard", type=PATH, help="Folder for a TensorBoard log of the metrics.")


def report(as_json: bool, out: Path, net: Network, seconds: float) -> None:
    """Print the result of a network's last stage, for a person or for a script."""
    verb, reached = net.done[-1].name, net.done[-1].settings["reached"]
    body = {
        "network": str(out),
        "epochs": reached["epoch"],
        **scores_of(reached),
        "parameter_connectivity": parameter_connectivity(net),
        "synapse_connectivity": synapse_connectivity(net),
        "seconds": round(seconds, 1),
    }
    show(as_json, verb, body, network_hash=net.hash)


def show(as_json: bool, verb: str, body: dict[str, Any], **more: Any) -> None:
    """Print a table for a person; one object, with ``more``, for a script."""
    if as_json:
        print_json(f"{verb}/1", **body, **more)
        return
    print_table(verb, ("result", "value"), [(key.replace("_", " "), _shown(key, value)) for key, value in body.items()])


def _shown(key: str, value: Any) -> str:
    if key.endswith("squared_error"):
        return f"{value:.4g}"
    return f"{100 * value:.2f} %" if key.endswith(("accuracy", "connectivity")) else str(value)


def scores_of(reached: Mapping[str, Any]) -> dict[str, Any]:
    """Return how well the training and the test split are answered, by the name of the measure in the metrics."""
    scores = {when: measured(reached, when) for when in ("train", "test")}
    return {f"{when}_{score[0]}": score[1] for when, score in scores.items() if score}
