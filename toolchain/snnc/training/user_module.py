"""The torch module that a function in the user's own file makes, with the weights of a file, and the network that it is."""

from dataclasses import replace
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from snnc.base.factory import Factory, made
from snnc.errors import ConfigError
from snnc.network.encoding import Encoding
from snnc.passes.encode_inputs import with_encoding
from snnc.training.from_snntorch.convert import Converted, TimeAxis, convert
from snnc.training.weights_file import load_weights


def make(factory: Factory, seed: int, weights: Path | None = None) -> nn.Module:
    """Return the model that the user's own file makes, with these weights or its own. The file is executed.

    Raises FileError if the file cannot be read, has no such function, or raises anything, ConfigError if that makes no module,
    NetworkError if the weights are those of another model.
    """
    torch.manual_seed(seed)
    model = made(factory)
    if not isinstance(model, nn.Module):
        raise ConfigError(f"makes {type(model).__name__}, no torch module", where=f"{factory.path}:{factory.name}")
    if not all(isinstance(parameter, Tensor) for parameter in model.parameters()):  # as in Rockpool
        what = f"makes {type(model).__name__}, whose parameters() holds no tensors, as that of torch's modules does"
        fix = "return a plain torch module; for networks of Rockpool, train here with snnc train --neuron xylo"
        raise ConfigError(what, where=f"{factory.path}:{factory.name}", fix=fix)
    if weights:
        load_weights(model, weights)
    return model


def network_of(
    module: nn.Module,
    encoding: Encoding,
    shape: tuple[int, ...],
    time_axis: TimeAxis,
    dt_s: float,
    name: str,
    *,
    trust: bool = False,
) -> Converted:
    """Return the float network that fires as a module does, and takes samples in this encoding, with notes.

    Args:
        module: The module. It is left as it was.
        encoding: How samples enter.
        shape: Of one encoded step: (n,), (rows, columns) or (channels, rows, columns). The module may take a step in this shape,
            with one channel where there is none, or as n values.
        time_axis: What ``forward`` takes, as in `convert`.
        dt_s: Time step in seconds.
        name: Of the network, and of the module in messages.
        trust: Do not compare the network with the module.

    Raises:
        UnsupportedError: With everything that cannot be mapped, or the first difference between module and network.
        ConfigError: The module fails on such an input.
    """
    bits = encoding.message_bits if encoding.kind == "events" else 0
    planes = (1, *shape) if len(shape) == 2 else shape
    failures = []
    for tried in dict.fromkeys((planes, (prod(shape),))):
        try:
            converted = convert(
                module, input_shape=tried, time_axis=time_axis, dt_s=dt_s, message_bits=bits,
                pixels=encoding.kind == "constant", trust=trust, name=name,
            )  # fmt: skip
            return replace(converted, network=with_encoding(converted.network, encoding))
        except ConfigError as error:
            failures.append(error)
    raise ConfigError(
        failures[0].what, where=name, fix="see --time-axis: whether forward takes a step or a raster"
    ) from failures[0]
