"""`snnc prune`: train a float network further while a method removes its synapses. Between training and quantising."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from snnc.data.dataset import Dataset, must_suit
from snnc.errors import ConfigError, nearest
from snnc.network.connectivity import parameter_connectivity
from snnc.network.model import Network, Stage
from snnc.training import methods
from snnc.training.loop import losses, ranks
from snnc.training.loop.fit import fit, provenance, steps_in_epoch
from snnc.training.loop.record import Metrics, Record
from snnc.training.models.learned import Learning
from snnc.training.models.trainable import trainable
from snnc.training.pruning.optimizer import PruningOptimizer
from snnc.training.settings import PruneConfig


def prune(
    net: Network,
    data: Dataset,
    config: PruneConfig,
    test: Dataset | None = None,
    record: Record | None = None,
    resume: Path | None = None,
) -> Network:
    """Return the network with exactly round(target * weights) synapses, by any method except prior "paper".

    The metrics of each epoch say for each layer how many synapses exist, were pruned and grew back. Raises ConfigError, before
    training starts, for a connectivity that the network is already below or that leaves a layer without synapses; DataError for
    images or classes of another number; UnsupportedError for a network that cannot be trained.
    """
    encoding = net.encoding
    if encoding is None:
        raise ConfigError("does not say how samples are encoded", where=f"network {net.name!r}", fix="train it with snnc train")
    must_suit(net, data)
    losses.must_suit(config.loss, net.output, data.task)
    config = ranks.placed(config)
    steps = config.epochs * steps_in_epoch(data, config)
    trained = trainable(net, config.kernel, config.device, Learning(config.learn, config.max_delay, steps, config.seed))
    weights = trained.weights
    present = parameter_connectivity(net)
    ends = {c.name: (c.src, c.dst) for c in net.connections}
    optimizer = pruner(weights, trained.others, config, steps, present, ends)
    metrics = fit(
        trained.model, data, encoding, config,
        test=test, optimizer=optimizer, after_epoch=lambda: changes(weights, optimizer), record=record, resume=resume,
    )  # fmt: skip
    masks = {name: optimizer.exists(weight) for name, weight in weights.items()}
    return trained.to_network((Stage("prune", provenance(config, data, metrics)),), masks)


def pruner(
    weights: Mapping[str, Tensor],
    others: Sequence[Tensor],
    config: PruneConfig,
    steps: int,
    present: float = 1.0,
    ends: Mapping[str, tuple[str, str]] | None = None,
) -> PruningOptimizer:
    """Return the optimizer of ``config.method``: it prunes ``weights``, by name, and trains ``others`` with Adam.

    ``present`` is the current connectivity, which method none keeps; ``ends`` are the populations that each weight leads
    from and to, which neuron_pruning wants to know. Raises ConfigError for layers that are unknown or have no
    connectivity, and for options that the method does not have.
    """
    method = methods.get(config.method)
    options = {key: getattr(config, key) for key in ("prior", "alpha", "reach", "temperature") if _is_set(config, key)}
    if unknown := sorted(options.keys() - set(method.OPTIONS)):
        raise ConfigError(f"{config.method} has no {' and no '.join(unknown)}", fix="leave it out or use another method")
    common = {"steps": steps, "lr": config.lr, "rewire": config.rewire, "seed": config.seed}
    optimizer: PruningOptimizer = method(
        _groups(weights, others, config, ends), connectivity=config.target or present, **common, **options
    )
    return optimizer


def _is_set(config: PruneConfig, key: str) -> bool:
    return getattr(config, key) not in (None, "schedule")


def _groups(
    weights: Mapping[str, Tensor], others: Sequence[Tensor], config: PruneConfig, ends: Mapping[str, tuple[str, str]] | None
) -> list[dict[str, Any]]:
    layers = config.layers
    for name in layers:
        if name not in weights:
            raise ConfigError(f"no layer {name!r} to prune", fix=nearest(name, list(weights)))
    left = [name for name in weights if name not in layers]
    if left and config.target is None and config.method != "none":
        raise ConfigError(f"no connectivity for {', '.join(left)}", fix=f"add --connectivity, or --layer {left[0]}=0.05")
    groups: list[dict[str, Any]] = []
    for name, weight in weights.items():
        own: dict[str, Any] = {"connectivity": layers[name]} if name in layers else {}
        if ends is not None:
            own["source"], own["target"] = ends[name]
        groups.append({"params": [weight], "prune": True, "name": name, **own})
    return groups + ([{"params": list(others)}] if others else [])


def changes(weights: Mapping[str, Tensor], optimizer: PruningOptimizer) -> Metrics:
    """Return what rewiring did in an epoch, for the metrics: in total and by layer."""
    change_of = dict(zip(weights, optimizer.changes(), strict=True))
    total = sum(weight.numel() for weight in weights.values())
    keys = ("pruned", "regrown", "pruned_cumulated", "regrown_cumulated")
    return {
        "parameter_connectivity": sum(c.existing for c in change_of.values()) / total,
        **{key: sum(getattr(c, key) for c in change_of.values()) for key in keys},
        "layers": {name: {**vars(c), "possible": weights[name].numel()} for name, c in change_of.items()},
    }
