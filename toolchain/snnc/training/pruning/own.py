"""Pruning of the user's own torch model: any module that answers samples with spikes. Beside `prune`, which takes networks.

The contract: ``forward`` maps images (batch, channels, height, width), 0 to 1, or rasters (batch, steps, n), to spikes
(batch, steps, classes), or averages of spikes; it starts every sample from a fresh state; in evaluation equal samples get
equal answers. The weights of all linear layers and convolutions are pruned, nothing else is.
"""

from dataclasses import asdict
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from snnc.base.factory import Factory, beside, function
from snnc.data.dataset import Dataset
from snnc.errors import ConfigError, FileError, NetworkError
from snnc.training.loop import ranks
from snnc.training.loop.fit import fit, provenance, steps_in_epoch
from snnc.training.loop.record import Record
from snnc.training.models.weights import others, prunable, synapses_per_weight
from snnc.training.pruning.own_settings import OwnConfig
from snnc.training.pruning.prune import changes, pruner
from snnc.training.pruning.pruned import PrunedModule, layers_report
from snnc.training.settings import PruneConfig

SHOWN = 5  # problems of one kind that a message lists
LATER = ".graded_spikes_factor"  # which snnTorch up to 0.6 neither has nor saves; it is 1 there
STATES = ("mem", "syn", "spk")


def make(factory: Factory, seed: int, weights: Path | None = None) -> nn.Module:
    """Return the model that the user's own file makes, with these weights or its own. The file is executed.

    Raises FileError if the file cannot be read or has no such function, ConfigError if that makes no module, NetworkError if
    the weights are those of another model. Other errors are those of the user's file.
    """
    torch.manual_seed(seed)
    with beside(factory.path):
        model = function(factory)()
    if not isinstance(model, nn.Module):
        raise ConfigError(f"makes {type(model).__name__}, no torch module", where=f"{factory.path}:{factory.name}")
    if weights:
        load_weights(model, weights)
    return model


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a safetensors file into a model. Raises FileError, or NetworkError that names what does not fit."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        given = load_file(path)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from error
    except SafetensorError as error:
        raise FileError(
            f"is no safetensors file ({error})", where=str(path), fix="save the state dict with safetensors"
        ) from error
    given = {key: value for key, value in given.items() if not _is_state(model, key)}
    wanted = {key: value for key, value in model.state_dict().items() if key in given or not key.endswith(LATER)}
    problems = _listed("lacks", [key for key in wanted if key not in given])
    problems += _listed("has in addition", [key for key in given if key not in wanted])
    shapes = {key: (tuple(given[key].shape), tuple(wanted[key].shape)) for key in wanted if key in given}
    problems += _listed("has", [f"{key} of {one}, expected {other}" for key, (one, other) in shapes.items() if one != other])
    if problems:
        raise NetworkError("; ".join(problems), where=str(path), fix=f"pass weights of this {type(model).__name__}")
    model.load_state_dict(given, strict=False)


def _is_state(model: nn.Module, key: str) -> bool:
    """Return whether an entry is a state of neurons, which snnTorch 0.8 saved among the weights."""
    layer, _, name = key.rpartition(".")
    owner = dict(model.named_modules()).get(layer)
    return name in STATES and name in getattr(owner, "_non_persistent_buffers_set", ())


def _listed(verb: str, items: list[str]) -> list[str]:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return [f"{verb} {', '.join(items[:SHOWN])}{more}"] if items else []


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
    return PrunedModule(model, masks, metrics, report)


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
    if first.dim() != 3 or len(first) != 2 or first.shape[2] < data.classes:
        raise ConfigError(
            f"answers 2 samples with {tuple(first.shape)}, expected (2, steps, {data.classes})",
            where=where,
            fix="return the spikes of every step, (batch, steps, classes)",
        )
    if not torch.equal(first, second):
        raise ConfigError(
            "answers the same samples differently in evaluation", where=where, fix="reset the neurons at the start of forward"
        )
    return {name.removeprefix("model."): counts for name, counts in per_weight.items()}
