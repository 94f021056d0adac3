"""Rows of a sweep over a torch module that a file of the user makes: it is trained and pruned as it is, with its batch norm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from snnc.base.factory import Factory
from snnc.base.files import write_bytes
from snnc.data.dataset import Dataset
from snnc.errors import FileError
from snnc.training.loop.record import Record
from snnc.training.pruning.own import prune_own
from snnc.training.pruning.pruned import PrunedModule
from snnc.training.settings import PruneConfig
from snnc.training.user_module import make
from snnc.training.weights_file import load_weights

BEFORE = "test_accuracy"  # in the header of a file of weights


def train_module(
    factory: Factory, config: PruneConfig, images: Dataset, test: Dataset, record: Record, resume: Path | None, out: Path
) -> None:
    """Train a new module without pruning it, and write its weights as safetensors, with the test accuracy in their header."""
    from safetensors.torch import save

    model = make(factory, config.seed)
    reached = prune_own(model, images, config, test=test, record=record, resume=resume).report["reached"]
    state = {key: value.detach().cpu().clone().contiguous() for key, value in model.state_dict().items()}
    write_bytes(out, save(state, {BEFORE: repr(reached["test_accuracy"])}), force=True)


def prune_module(
    factory: Factory, config: PruneConfig, trained: Path, images: Dataset, test: Dataset, record: Record, resume: Path | None
) -> Mapping[str, Any]:
    """Prune the module with the weights of `train_module`, and return what a row of a sweep says about the result."""
    model = make(factory, config.seed)
    load_weights(model, trained)
    pruned = prune_own(model, images, config, test=test, record=record, resume=resume)
    reached = pruned.report["reached"]
    return {
        "test_accuracy": reached["test_accuracy"],
        "train_accuracy": reached["train_accuracy"],
        "test_accuracy_before": _accuracy_before(trained),
        "parameter_connectivity": pruned.report["parameter_connectivity"],
        "synapse_connectivity": pruned.report["synapse_connectivity"],
        "network_hash": _hash(model, pruned),
    }


def _hash(model: nn.Module, pruned: PrunedModule) -> str | None:
    """Return the hash of the network that the pruned module is; None for a module that is none."""
    net = model.cpu().eval().to_network("module") if hasattr(model, "to_network") else pruned.network  # type: ignore[operator]
    return None if net is None else str(net.hash)


def _accuracy_before(trained: Path) -> float:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(trained, "pt") as weights:
            return float(weights.metadata()[BEFORE])
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise FileError("is no result of this sweep's training", where=str(trained), fix="delete it") from error
