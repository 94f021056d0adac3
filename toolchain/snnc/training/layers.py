"""The table of layers of `snnc train --model NET.toml`. Without torch.

[[layer]]
kind = "conv2d"
channels = 8
kernel = 3
padding = 1
batch_norm = true
max_pool = 2
neuron = "cuba_subtract"
decay_v = 0.25

[[layer]]
kind = "pool"
kernel = 2

[[layer]]
neurons = 64
recurrent = true
neuron = "cuba"

[[layer]]
neuron = "li"
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import snnc.neurons as neuron_models
from snnc.base.config import Config, from_table, read_toml, setting
from snnc.errors import ConfigError, nearest

MAX_LAYERS = 1000


@dataclass(frozen=True)
class LayerConfig(Config):
    """A layer: weights, and the neurons behind them; a pool, which averages for the next layer; or a max-pool of spikes."""

    kind: Literal["dense", "conv2d", "pool", "max_pool"] = setting(
        "dense", "dense, conv2d, pool (an average of messages), or max_pool (neurons that fire when a spike comes)."
    )
    name: str | None = setting(None, "Name of the population.")
    neurons: int | None = setting(None, "For dense: neurons; by default one for each class.", low=1, high=1 << 24)
    channels: int | None = setting(None, "For conv2d: channels.", low=1, high=1 << 16)
    kernel: int | None = setting(None, "For conv2d and pools: rows and columns of the kernel.", low=1, high=256)
    stride: int | None = setting(None, "For conv2d (default 1) and pools (default: their kernel).", low=1, high=256)
    padding: int = setting(0, "For conv2d: zeros on each side.", low=0, high=256)
    groups: int = setting(1, "For conv2d: groups of channels.", low=1, high=1 << 16)
    batch_norm: bool = setting(
        False, "Normalise the currents of the weights in training; folded into weights and bias at the end."
    )
    max_pool: int | None = setting(
        None, "For conv2d: neurons get the largest current of squares of so many rows and columns.", low=1, high=256
    )
    recurrent: bool = setting(False, "Dense weights from each neuron to each of the layer, a step later.")
    delay: int = setting(0, "Steps after which a spike reaches the layer.", low=0, high=1 << 16)
    neuron: str = setting("lif", f"Model of the neurons: {', '.join(neuron_models.names())}; its parameters are further keys.")
    bias: bool = setting(False, "A constant that each neuron adds in every step.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.neuron not in neuron_models.names():
            raise ConfigError(f"no neuron model {self.neuron!r}", fix=nearest(self.neuron, list(neuron_models.names())))
        for key, kinds in _OF.items():
            if getattr(self, key) not in (None, self._default(key)) and self.kind not in kinds:
                raise ConfigError(f"{self.kind} has no {key}", fix=f"leave it out; {' and '.join(kinds)} have it")
        for key in _NEEDED[self.kind]:
            if getattr(self, key) is None:
                raise ConfigError(f"{self.kind} needs {key}", fix=f"add {key} = ...")
        if self.batch_norm and self.bias:
            raise ConfigError("batch_norm adds a constant to each neuron itself", fix="leave out bias")

    def _default(self, key: str) -> Any:
        return next(f.default for f in fields(self) if f.name == key)


_WEIGHTED, _POOLS = ("dense", "conv2d"), ("pool", "max_pool")
_OF: dict[str, tuple[str, ...]] = {
    "neurons": ("dense",), "channels": ("conv2d",), "kernel": ("conv2d", *_POOLS), "stride": ("conv2d", *_POOLS),
    "padding": ("conv2d",), "groups": ("conv2d",), "batch_norm": _WEIGHTED, "max_pool": ("conv2d",), "recurrent": _WEIGHTED,
    "delay": _WEIGHTED, "neuron": _WEIGHTED, "bias": _WEIGHTED, "name": (*_WEIGHTED, "max_pool"),
}  # fmt: skip
_NEEDED: dict[str, tuple[str, ...]] = {
    "dense": (), "conv2d": ("channels", "kernel"), "pool": ("kernel",), "max_pool": ("kernel",),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of the table. ``where`` names it in messages."""

    config: LayerConfig
    parameters: Mapping[str, float]  # of the neurons
    where: str

    def stated(self) -> dict[str, Any]:
        """Return the given values, as JSON values."""
        default = LayerConfig()
        asked = {key: value for key, value in asdict(self.config).items() if key == "kind" or value != getattr(default, key)}
        return asked | dict(self.parameters)


def read_layers(path: Path) -> tuple[Layer, ...]:
    """Return the layers of a TOML file.

    Raises FileError if it cannot be read, ConfigError that names the layer for what is no layer.
    """
    table = read_toml(path)
    rows = table.get("layer")
    if table.keys() != {"layer"} or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError("is no table of layers", where=str(path), fix="write each layer under a line [[layer]]")
    if not 1 <= len(rows) <= MAX_LAYERS:
        raise ConfigError(f"has {len(rows)} layers, 1 to {MAX_LAYERS} are possible", where=str(path))
    layers = tuple(_layer(row, f"{path}, layer {i}") for i, row in enumerate(rows, 1))
    if layers[-1].config.kind in _POOLS:
        raise ConfigError("ends in a pool, which has no weights", where=str(path), fix="add a layer behind it")
    return layers


def _layer(row: dict[str, Any], where: str) -> Layer:
    """Return a layer. Keys that the table does not know are parameters of the neurons."""
    name = row.get("neuron", "lif")
    known = neuron_models.get(name).parameters().keys() if name in neuron_models.names() else ()
    own = {f.name for f in fields(LayerConfig)}
    parameters = {key: value for key, value in row.items() if key in known and key not in own}
    config = from_table(LayerConfig, {key: value for key, value in row.items() if key not in parameters}, where)
    if parameters and config.kind in _POOLS:
        raise ConfigError(f"{config.kind} has no {min(parameters)}", where=where, fix="leave it out")
    for key, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{key} = {value!r} is no number", where=where)
    return Layer(config, parameters, where)
