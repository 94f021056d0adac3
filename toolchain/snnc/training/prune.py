"""`snnc prune`: train a float network on while Grad R takes its synapses away. Between training and quantising."""

import math
from pathlib import Path
from typing import Any

from snnc.connectivity import parameter_connectivity
from snnc.data import Dataset
from snnc.errors import ConfigError, DataError
from snnc.ir import Network, Stage
from snnc.training.fit import fit, provenance
from snnc.training.grad_r import GradR
from snnc.training.models import Feedforward, from_network, to_network
from snnc.training.record import Metrics, Record
from snnc.training.settings import PruneConfig


def prune(
    net: Network,
    data: Dataset,
    config: PruneConfig,
    test: Dataset | None = None,
    record: Record | None = None,
    resume: Path | None = None,
) -> Network:
    """The network with exactly round(target * weights) synapses, all others gone (prior "schedule").

    The metrics of each epoch say for each layer how many synapses exist, were pruned and grew back. Raises ConfigError for
    a connectivity that the network is below already or that leaves a layer without synapses, before training starts;
    DataError for images of another size; UnsupportedError for a network that cannot be trained.
    """
    encoding = net.encoding
    if encoding is None:
        raise ConfigError("does not say how samples are encoded", where=f"network {net.name!r}", fix="train it with snnc train")
    if data.images.shape[1] != net.inputs[0].size:
        raise DataError(
            f"has images of {data.images.shape[1]} pixels, the network has {net.inputs[0].size} inputs",
            where=data.name,
            fix="prune on the data that it was trained on",
        )
    present = parameter_connectivity(net)
    if config.target > present:
        raise ConfigError(
            f"has a connectivity of {present:g}, below {config.target:g}", where=f"network {net.name!r}", fix="ask for less"
        )
    model = from_network(net)
    optimizer = _optimizer(model, config, config.epochs * math.ceil(len(data) / config.batch_size))
    metrics = fit(
        model, data, encoding, config,
        test=test, optimizer=optimizer, after_epoch=lambda: _changes(model, optimizer), record=record, resume=resume,
    )  # fmt: skip
    masks = {name: optimizer.exists(linear.weight) for name, linear in model.linears.items()}
    stage = Stage("prune", provenance(config, data, metrics))
    return to_network(model, encoding, net.name, net.dt_s, (*net.done, stage), masks)


def _optimizer(model: Feedforward, config: PruneConfig, steps: int) -> GradR:
    """Grad R for the weights, Adam for the biases."""
    biases = [linear.bias for linear in model.linears.values() if linear.bias is not None]
    groups: list[dict[str, Any]] = [{"params": [linear.weight for linear in model.linears.values()], "prune": True}]
    groups += [{"params": biases}] if biases else []
    return GradR(
        groups,
        connectivity=config.target,
        steps=steps,
        lr=config.lr,
        prior=config.prior,
        alpha=config.alpha,
        rewire=config.rewire,
        seed=config.seed,
    )


def _changes(model: Feedforward, optimizer: GradR) -> Metrics:
    """What rewiring did in an epoch, for the metrics."""
    changes = dict(zip(model.linears, optimizer.changes(), strict=True))
    weights = sum(linear.weight.numel() for linear in model.linears.values())
    return {
        "parameter_connectivity": sum(c.existing for c in changes.values()) / weights,
        "pruned": sum(c.pruned for c in changes.values()),
        "regrown": sum(c.regrown for c in changes.values()),
        "layers": {name: vars(c) for name, c in changes.items()},
    }
