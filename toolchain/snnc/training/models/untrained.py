"""The network that `snnc train` starts from, of any neuron model: layers with torch's initial weights."""

from itertools import pairwise
from typing import Any

import numpy as np
from torch import nn

import snnc.neurons as neurons
from snnc.errors import ConfigError
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.neuron import Neuron
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense
from snnc.training.models.feedforward import snapped
from snnc.training.settings import TrainConfig


def untrained(config: TrainConfig, name: str, pixels: int, classes: int, encoding: Encoding) -> Network:
    """Return populations input, hidden1 .., output; connections fc1, fc2, .., and again1, .. of recurrent layers.

    Weights are drawn from torch's generator. Raises ConfigError for a bias of neurons that have none.
    """
    sizes = (pixels, *config.hidden, classes)
    names = ["input", *(f"hidden{i}" for i in range(1, len(sizes) - 1)), "output"]
    models = {"input": None} | dict.fromkeys(names[1:-1], config.own_neuron) | {"output": config.readout or config.own_neuron}
    populations = tuple(
        Population(p, (size,), _neuron(config, model, size) if model else None, 0 if model else encoding.message_bits)
        for (p, model), size in zip(models.items(), sizes, strict=True)
    )
    connections = []
    for i, (src, dst) in enumerate(pairwise(populations), 1):
        unit = encoding.unit if i == 1 else 1.0
        connections.append(Connection(f"fc{i}", src.name, dst.name, _drawn(src.size, dst.size, unit)))
        if config.recurrent and dst.name != "output":
            connections.append(Connection(f"again{i}", dst.name, dst.name, _drawn(dst.size, dst.size), delay_steps=1))
    return Network(name, populations, tuple(connections), config.dt_s, encoding=encoding)


def _drawn(n_src: int, n_dst: int, unit: float = 1.0) -> Dense:
    weight = nn.Linear(n_src, n_dst, bias=False).weight.detach().numpy().astype(np.float64) * unit
    return Dense(Synapses.from_dense(weight, np.ones(weight.shape, np.bool_)))


def _neuron(config: TrainConfig, name: str, size: int) -> Neuron:
    """Return the neuron. Settings apply to the parameters of these names; a readout filters its current only if the other
    neurons do.
    """
    model, inner = neurons.get(name), neurons.get(config.own_neuron).parameters()
    values: dict[str, Any] = {
        "decay_v": 1 - snapped(config.beta), "decay_u": 1 - snapped(config.alpha), "threshold": config.threshold,
        **(config.parameters if name == config.own_neuron else {}),
    }  # fmt: skip
    if config.bias and "bias" not in model.parameters():
        raise ConfigError(f"{name} neurons have no bias", fix="leave out --bias")
    if config.bias:
        values["bias"] = np.zeros(size)
    apply = [key for key in values if key in model.parameters() and (key != "decay_u" or key in inner)]
    return model(**{key: values[key] for key in apply})
