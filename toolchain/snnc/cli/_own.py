"""Pruning a model that a Python file of the user's own makes: what `snnc prune FILE.py:FACTORY` does."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from snnc import data
from snnc.cli._training import interruptible, show
from snnc.errors import ConfigError
from snnc.files import must_be_free, write_bytes
from snnc.training.own_settings import Factory, OwnConfig
from snnc.training.settings import PruneConfig

REPORT = "snnc.pruned-model/1"


def must_not_be_given(own: OwnConfig, model: Path) -> None:
    """Raises ConfigError if options of FILE.py:FACTORY were given for a network, which has its own."""
    if own != OwnConfig():
        raise ConfigError(
            "--weights, --input and --steps are for FILE.py:FACTORY", where=str(model), fix="leave them out for a network"
        )


def prune_file(
    factory: Factory, own: OwnConfig, config: PruneConfig, sets: tuple[str, Path | None], resume: Path | None, out: Path,
    force: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Write the pruned state dict to ``out``, and beside it report (.json), metrics (.metrics.jsonl), checkpoint (.ckpt)."""
    from safetensors.torch import save

    from snnc.training.own import make, prune_own
    from snnc.training.record import Record

    record, report = Record.beside(out, quiet), out.with_suffix(".json")
    record.must_be_free(force or resume is not None)
    for path in (out, report):
        must_be_free(path, force)
    started = time.perf_counter()
    with interruptible(record.checkpoint):
        images, test = (data.load(sets[0], split, sets[1]) for split in ("train", "test"))
        model = make(factory, config.seed, own.weights)
        found = prune_own(model, images, config, own, test, record, resume)
    state = {key: value.detach().clone().contiguous() for key, value in model.state_dict().items()}
    write_bytes(out, save(state), force=force)
    files = {"file": _named(factory.path) | {"factory": factory.name}, "weights": _named(own.weights) if own.weights else None}
    write_bytes(report, (json.dumps({"schema": REPORT, **files, **found}, indent=1) + "\n").encode(), force=force)
    show(as_json, "prune", _body(out, report, found, time.perf_counter() - started))


def _named(path: Path) -> dict[str, Any]:
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _body(out: Path, report: Path, found: dict[str, Any], seconds: float) -> dict[str, Any]:
    reached = found["reached"]
    return {
        "weights": str(out),
        "report": str(report),
        "epochs": reached["epoch"],
        "train_accuracy": reached["train_accuracy"],
        "test_accuracy": reached["test_accuracy"],
        "parameter_connectivity": found["parameter_connectivity"],
        "synapse_connectivity": found["synapse_connectivity"],
        "seconds": round(seconds, 1),
    }
