"""`snnc train`: makes a float network from a data set."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

import snnc.neurons as neurons
from snnc.base.factory import Factory
from snnc.base.files import sha256_of
from snnc.data.dataset import Dataset, must_suit
from snnc.network.encoding import Encoding
from snnc.network.model import Network, Population, Stage
from snnc.training.layers import read_layers
from snnc.training.loop import losses, ranks
from snnc.training.loop.fit import fit, provenance, steps_in_epoch, threads
from snnc.training.loop.record import Record
from snnc.training.models.feedforward import build, to_network
from snnc.training.models.from_layers import Described, from_layers
from snnc.training.models.graph import FloatGraph
from snnc.training.models.learned import Learning
from snnc.training.models.untrained import untrained
from snnc.training.settings import TrainConfig
from snnc.training.user_module import make, network_of

Say = Callable[[str], None]


def train(
    data: Dataset, test: Dataset | None, config: TrainConfig, record: Record | None = None, resume: Path | None = None,
    say: Say = lambda line: None,
) -> Network:  # fmt: skip
    """Return a trained float network.

    Equal data, configuration and threads give an equal network. Raises RunError if the loss diverges, FileError if the
    checkpoint ``resume`` cannot be used, UnsupportedError for a loss that does not suit the output.
    """
    config = ranks.placed(config)
    encoding = config.input_encoding
    with threads(config.threads):
        torch.manual_seed(config.seed)
        model, to_network = _own(data, encoding, config, say) if config.is_own else _layers(data, encoding, config)
        metrics = fit(model, data, encoding, config, test=test, record=record, resume=resume)
    return to_network(Stage("train", provenance(config, data, metrics)))


def at_the_start(data: Dataset, config: TrainConfig) -> Network:
    """Return the network that training starts from; its weights are drawn from torch's generator, or those of a module."""
    return _described(data, config).network


def _described(data: Dataset, config: TrainConfig) -> Described:
    encoding = config.input_encoding
    shape = data.input_shape(encoding)
    if config.factory:
        return _module(config.factory, data, config)
    if config.model:
        return from_layers(read_layers(Path(config.model)), data.name, shape, data.outputs, encoding, config.dt_s)
    return Described(untrained(config, data.name, prod(shape), data.outputs, encoding))


def _module(factory: Factory, data: Dataset, config: TrainConfig) -> Described:
    """Return the network of a torch module, which is compared with it, as `snnc import` does."""
    weights, encoding = Path(config.weights) if config.weights else None, config.input_encoding
    module = make(factory, config.seed, weights)
    made = network_of(module, encoding, data.input_shape(encoding), config.time_axis, config.dt_s, factory.name)
    origin: dict[str, Any] = {"from": "snntorch", "factory": factory.name, "time_axis": config.time_axis}
    origin |= {"file": factory.path.name, "sha256": sha256_of(factory.path)}
    if weights:
        origin |= {"weights": weights.name, "weights_sha256": sha256_of(weights)}
    return Described(made.network.after(Stage("import", origin)), notes=made.notes)


def _own(data: Dataset, encoding: Encoding, config: TrainConfig, say: Say) -> tuple[nn.Module, Callable[[Stage], Network]]:
    """Return the module of neurons that train by their own step, and the function that returns its network."""
    start = _described(data, config)
    for note in start.notes:
        say(f"note: {note}")
    net = start.network
    must_suit(net, data)
    losses.must_suit(config.loss, net.output, data.task)
    learning = Learning(config.learn, config.max_delay, config.epochs * steps_in_epoch(data, config), config.seed)
    graph = FloatGraph(net, config.kernel, learning=learning, normed=start.normed).to(config.device)
    return graph, lambda stage: graph.to_network((Stage(stage.name, {**stage.settings, **start.stated}),))


def _layers(data: Dataset, encoding: Encoding, config: TrainConfig) -> tuple[nn.Module, Callable[[Stage], Network]]:
    """Return snnTorch's layers, which `from_network` can make again, and the function that returns their network."""
    losses.must_suit(config.loss, Population("output", (data.outputs,), neurons.get(config.own_neuron).example()), data.task)
    model = build(
        (prod(data.input_shape(encoding)), *config.hidden, data.outputs),
        neuron="synaptic" if config.neuron == "synaptic" else "leaky",
        beta=config.beta,
        alpha=config.alpha,
        threshold=config.threshold,
        bias=config.bias,
        kernel=config.kernel,
    ).to(config.device)
    return model, lambda stage: to_network(model, encoding, data.name, config.dt_s, (stage,))
