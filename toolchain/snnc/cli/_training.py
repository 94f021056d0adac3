"""Shared parts of the verbs that train: options, and the report at the end."""

from pathlib import Path
from typing import Any

import click

from snnc.cli._common import PATH, print_json, print_table
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
        "train_accuracy": reached["train_accuracy"],
        "test_accuracy": reached["test_accuracy"],
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
    return f"{100 * value:.2f} %" if key.endswith(("accuracy", "connectivity")) else str(value)
