"""Pruning of a model that a Python file of the user makes: the implementation of `snnc prune FILE.py:FACTORY`."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc import store
from snnc.base.factory import Factory
from snnc.base.files import must_be_free, write_bytes
from snnc.cli._common import say
from snnc.cli._training import show
from snnc.data.load import Source
from snnc.errors import ConfigError
from snnc.network.model import Stage
from snnc.pipeline.train import prune
from snnc.training.pruning.own_settings import OwnConfig
from snnc.training.settings import PruneConfig, is_first, must_have_torch

REPORT = "snnc.pruned-model/1"


def must_not_be_given(own: OwnConfig, model: Path) -> None:
    """Raise ConfigError if options of FILE.py:FACTORY are given for a network, which has its own."""
    if own != OwnConfig():
        raise ConfigError(
            "--weights, --input and --steps are for FILE.py:FACTORY", where=str(model), fix="leave them out for a network"
        )


@dataclass(frozen=True)
class PruneOptions:
    """Options of `snnc prune` for the files that it reads and writes."""

    data_name: str | Source
    data_dir: Path | None
    resume: Path | None
    tensorboard: Path | None
    out: Path
    force: bool
    as_json: bool
    quiet: bool

    @property
    def network(self) -> Path:
        """Path of the network, beside the weights, for a model that can return its network."""
        return self.out.with_suffix(".snnc")

    @property
    def report(self) -> Path:
        """Path of the report, beside the weights."""
        return self.out.with_suffix(".json")


def prune_file(factory: Factory, own: OwnConfig, config: PruneConfig, run: PruneOptions) -> None:
    """Write the pruned state dict to ``out``, and beside it report (.json), metrics (.metrics.jsonl), checkpoint (.ckpt), and
    the network (.snnc) if the model makes one."""
    must_have_torch()
    from safetensors.torch import save

    from snnc.training.pruning.own import make

    for path in (run.out, run.report, run.network):
        must_be_free(path, run.force or not is_first())
    started = time.perf_counter()
    model = make(factory, config.seed, own.weights)
    pruned = prune(
        model, run.data_name, folder=run.data_dir, keep=run.out, resume=run.resume, tensorboard=run.tensorboard, force=run.force,
        quiet=run.quiet, say=say, config=config, own=own,
    ).report  # fmt: skip
    if not is_first():
        return
    state = {key: value.detach().cpu().clone().contiguous() for key, value in model.state_dict().items()}
    write_bytes(run.out, save(state), force=run.force)
    files = {"file": _named(factory.path) | {"factory": factory.name}, "weights": _named(own.weights) if own.weights else None}
    write_bytes(run.report, (json.dumps({"schema": REPORT, **files, **pruned}, indent=1) + "\n").encode(), force=run.force)
    network = _write_network(model, run, {**files, **pruned})
    show(run.as_json, "prune", {**network, **_body(run, pruned, time.perf_counter() - started)})


def _write_network(model: Any, run: PruneOptions, settings: dict[str, Any]) -> dict[str, str]:
    """Write the pruned network for `snnc quantise`, if the model has a method ``to_network(name)`` that makes it."""
    if not hasattr(model, "to_network"):
        return {}
    net = model.cpu().eval().to_network(run.out.stem)
    store.save(net.after(Stage("prune", settings)), run.network, force=run.force)
    return {"network": str(run.network)}


def _named(path: Path) -> dict[str, Any]:
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _body(run: PruneOptions, pruned: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    reached = pruned["reached"]
    return {
        "weights": str(run.out),
        "report": str(run.report),
        "epochs": reached["epoch"],
        "train_accuracy": reached["train_accuracy"],
        "test_accuracy": reached["test_accuracy"],
        "parameter_connectivity": pruned["parameter_connectivity"],
        "synapse_connectivity": pruned["synapse_connectivity"],
        "seconds": round(seconds, 1),
    }
