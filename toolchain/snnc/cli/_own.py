"""Pruning of a model that a Python file of the user makes: the implementation of `snnc prune FILE.py:FACTORY`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import snnc.data as data
from snnc import store
from snnc.base.factory import Factory
from snnc.base.files import must_be_free, sha256_of, write_bytes
from snnc.cli._common import say
from snnc.cli._training import scores_of, show
from snnc.data.dataset import Dataset
from snnc.data.load import Source
from snnc.errors import ConfigError, UnsupportedError
from snnc.network.model import Network, Stage
from snnc.pipeline.train import prune
from snnc.training.pruning.own_settings import OwnConfig
from snnc.training.settings import PruneConfig, is_first, must_have_torch

if TYPE_CHECKING:
    from snnc.training.pruning.pruned import PrunedModule

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
    def weights(self) -> Path:
        """Path of the weights of a module."""
        return self.out.with_suffix(".safetensors") if self.out.suffix == ".snnc" else self.out

    @property
    def network(self) -> Path:
        """Path of the network, beside the weights."""
        return self.out.with_suffix(".snnc")

    @property
    def report(self) -> Path:
        """Path of the report, beside the weights."""
        return self.out.with_suffix(".json")


def prune_file(factory: Factory, own: OwnConfig, config: PruneConfig, run: PruneOptions) -> None:
    """Write the pruned state dict, and beside it report (.json), metrics (.metrics.jsonl), checkpoint (.ckpt), and the network
    (.snnc) that fires as the module does.

    Raises UnsupportedError, before anything is trained, if ``out`` is a network and the module cannot become one.
    """
    must_have_torch()
    from safetensors.torch import save

    from snnc.training.user_module import make

    for path in (run.weights, run.report, run.network):
        must_be_free(path, run.force or not is_first())
    started = time.perf_counter()
    model = make(factory, config.seed, own.weights)
    samples, test = (data.load(run.data_name, split, run.data_dir) for split in ("train", "test"))
    _say_if_no_network(model, samples, own, run)
    pruned = prune(
        model, samples, test=test, keep=run.out, resume=run.resume, tensorboard=run.tensorboard, force=run.force,
        quiet=run.quiet, say=say, config=config, own=own,
    )  # fmt: skip
    if not is_first():
        return
    state = {key: value.detach().cpu().clone().contiguous() for key, value in model.state_dict().items()}
    write_bytes(run.weights, save(state), force=run.force)
    files = {"file": _named(factory.path) | {"factory": factory.name}, "weights": _named(own.weights) if own.weights else None}
    report = {"schema": REPORT, **files, **pruned.report}
    write_bytes(run.report, (json.dumps(report, indent=1) + "\n").encode(), force=run.force)
    net = _network(model, pruned, run.out.stem, {**files, **pruned.report})
    if net:
        store.save(net, run.network, force=run.force)
    for note in pruned.notes if net else ():
        say(f"note: {note}", run.quiet)
    written = {"network": str(run.network)} if net else {}
    show(run.as_json, "prune", {**written, **_body(run, pruned.report, time.perf_counter() - started)})


def _say_if_no_network(model: Any, samples: Dataset, own: OwnConfig, run: PruneOptions) -> None:
    """Say before the training that no network will be written; raise UnsupportedError if one was asked for."""
    from snnc.training.pruning.own import why_no_network

    why = why_no_network(model, samples, own)
    if why and run.out.suffix == ".snnc":
        raise UnsupportedError(f"no network is written: {why}", fix="name the weights with --out, as pruned.safetensors")
    if why:
        say(f"note: no network is written, only weights: {why}", run.quiet)


def _network(model: Any, pruned: PrunedModule, name: str, settings: dict[str, Any]) -> Network | None:
    """Return the pruned network, with its files in its history; of a model with ``to_network(name)`` the one that this makes."""
    if hasattr(model, "to_network"):
        made: Network = model.cpu().eval().to_network(name)
        return made.after(Stage("prune", settings))
    net = pruned.network
    return net and replace(net, name=name, done=(*net.done[:-1], Stage("prune", settings)))


def _named(path: Path) -> dict[str, Any]:
    return {"name": path.name, "sha256": sha256_of(path)}


def _body(run: PruneOptions, pruned: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    reached = pruned["reached"]
    return {
        "weights": str(run.weights),
        "report": str(run.report),
        "epochs": reached["epoch"],
        **scores_of(reached),
        "parameter_connectivity": pruned["parameter_connectivity"],
        "synapse_connectivity": pruned["synapse_connectivity"],
        "seconds": round(seconds, 1),
    }
