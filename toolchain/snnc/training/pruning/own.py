"""Pruning of the user's own torch model: any module that answers samples with spikes. Beside `prune`, which takes networks.

The contract: ``forward`` maps images (batch, channels, height, width), 0 to 1, or rasters (batch, steps, n), to spikes
(batch, steps, classes), or averages of spikes; it starts every sample from a fresh state; in evaluation equal samples get
equal answers. The weights of all linear layers and convolutions are pruned, nothing else is.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from math import prod
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from snnc.data.dataset import Dataset
from snnc.data.labels import steps_of
from snnc.errors import ConfigError, NetworkError, UnsupportedError
from snnc.network.encoding import Encoding
from snnc.network.model import Network, Stage
from snnc.training.from_snntorch.convert import Converted
from snnc.training.loop import ranks
from snnc.training.loop.fit import fit, provenance, steps_in_epoch
from snnc.training.loop.record import Record
from snnc.training.models.weights import others, prunable, synapses_per_weight
from snnc.training.pruning.own_settings import OwnConfig
from snnc.training.pruning.prune import changes, pruner
from snnc.training.pruning.pruned import PrunedModule, layers_report
from snnc.training.settings import PruneConfig
from snnc.training.user_module import network_of


def prune_own(
    model: nn.Module,
    data: Dataset,
    config: PruneConfig,
    own: OwnConfig = OwnConfig(),
    test: Dataset | None = None,
    record: Record | None = None,
    resume: Path | None = None,
) -> PrunedModule:
    """Prune ``model`` in place to exactly round(target * weights) weights.

    Raises ConfigError, before training starts, for a model that breaks the contract and for a connectivity that cannot be.
    """
    if own.input == "image" and steps_of(data.labels):
        what, fix = "makes its own steps of an image, and each step has a label", "use --input constant, with -T"
        raise ConfigError(what, where=type(model).__name__, fix=fix)
    config = ranks.placed(config)
    fed = _Fed(model, data, own, config.batch_size).to(config.device)
    per_weight = _tried(fed, data, own, config.device)
    weights, rest = prunable(model), others(model)
    present = sum(int((w != 0).sum()) for w in weights.values()) / sum(w.numel() for w in weights.values())
    optimizer = pruner(weights, list(rest.values()), config, config.epochs * steps_in_epoch(data, config), present)
    metrics = fit(
        fed, data, own.encoding, config,
        test=test, optimizer=optimizer, after_epoch=lambda: changes(weights, optimizer), record=record, resume=resume,
    )  # fmt: skip
    masks = {name: optimizer.exists(weight).cpu() for name, weight in weights.items()}
    report = {
        **provenance(config, data, metrics),
        "own": {key: value for key, value in asdict(own).items() if key != "weights"},
        **layers_report(masks, per_weight),
        "not_pruned": list(rest),
    }
    return PrunedModule(model, masks, metrics, report, *_network(model, data, own, report))


def why_no_network(model: nn.Module, data: Dataset, own: OwnConfig) -> str:
    """Return why a module cannot become a network, with the remedy; nothing if it can, or has ``to_network`` of its own.

    The module runs, but is not compared with the network yet.
    """
    if hasattr(model, "to_network"):
        return ""
    try:
        _imported(model, data, own, trust=True)
    except (UnsupportedError, ConfigError, NetworkError) as error:
        return str(error)
    return ""


def _network(
    model: nn.Module, data: Dataset, own: OwnConfig, report: Mapping[str, Any]
) -> tuple[Network | None, tuple[str, ...]]:
    """Return the network of a pruned module, or None if it is none, and notes."""
    if hasattr(model, "to_network"):
        return None, ()
    try:
        converted = _imported(model, data, own)
    except (UnsupportedError, ConfigError, NetworkError):
        return None, ()
    return converted.network.after(Stage("prune", dict(report))), converted.notes


def _imported(model: nn.Module, data: Dataset, own: OwnConfig, *, trust: bool = False) -> Converted:
    name = type(model).__name__
    axis: Literal["none", "second"]
    if own.input == "image":
        encoding, shape, axis = Encoding("constant", _steps_of(model, data, own)), data.shape, "none"
    else:
        encoding, shape, axis = own.encoding, (prod(data.input_shape(own.encoding)),), "second"
    converted = network_of(model, encoding, shape, axis, own.bin_us / 1e6, name, trust=trust)
    stage = Stage("import", {"from": "snntorch", "module": name, "time_axis": axis})
    return replace(converted, network=converted.network.after(stage))


def _steps_of(model: nn.Module, data: Dataset, own: OwnConfig) -> int:
    """Return the steps that a module makes of an image."""
    fed, device = _Fed(model, data, own, 1).eval(), next(model.parameters()).device
    try:
        with torch.no_grad():
            return int(fed(torch.zeros(1, 1, prod(data.shape), device=device)).shape[1])
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"fails on an image: {str(error).splitlines()[0]}", where=type(model).__name__) from error


class _Fed(nn.Module):
    """The model as the training loop calls it, on messages (batch, steps, n)."""

    def __init__(self, model: nn.Module, data: Dataset, own: OwnConfig, at_once: int) -> None:
        super().__init__()
        self.model, self.at_once = model, at_once
        planes = (1, *data.shape) if len(data.shape) == 2 else data.shape
        self.image = planes if own.input == "image" else None

    def forward(self, raster: Tensor) -> Tensor:
        """Call the model. Evaluation uses large batches, for which a large model has no memory, so they are cut."""
        given = raster[:, 0].reshape(-1, *self.image) if self.image else raster
        parts = [given] if self.training else torch.split(given, self.at_once)
        return torch.cat([self.model(part) for part in parts])


def _tried(fed: _Fed, data: Dataset, own: OwnConfig, device: str) -> dict[str, Tensor]:
    """Check with two samples that the model keeps the contract; return the synapses of each weight."""
    where, inputs = type(fed.model).__name__, prod(data.input_shape(own.encoding))
    shape = (2, *fed.image) if fed.image else (2, own.steps, inputs)
    raster = torch.rand(2, own.encoding.steps, inputs, generator=torch.Generator().manual_seed(0)).to(device)
    fed.eval()
    try:
        per_weight = synapses_per_weight(fed, raster)
        with torch.no_grad():
            first, second = fed(raster), fed(raster)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        fix = "see the contract in the docs, and --input"
        raise ConfigError(f"fails on an input of {shape}: {str(error).splitlines()[0]}", where=where, fix=fix) from error
    if first.dim() != 3 or len(first) != 2 or first.shape[2] < data.outputs:
        raise ConfigError(
            f"answers 2 samples with {tuple(first.shape)}, expected (2, steps, {data.outputs})",
            where=where,
            fix="return the spikes of every step, (batch, steps, classes)",
        )
    if not torch.equal(first, second):
        raise ConfigError(
            "answers the same samples differently in evaluation", where=where, fix="reset the neurons at the start of forward"
        )
    return {name.removeprefix("model."): counts for name, counts in per_weight.items()}
