"""The settings and the result of an import: without any package of the tools that are imported from."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from snnc.base.config import Config, setting
from snnc.errors import ConfigError
from snnc.network.encoding import Encoding, microseconds
from snnc.network.model import Network

ENCODING_FIELDS = ("encoding", "steps", "seed")


@dataclass(frozen=True)
class ImportConfig(Config):
    """What a file of another tool leaves open. Each importer takes some of it.

    Examples:
        >>> import snnc
        >>> snnc.ImportConfig(input_shape="1x28x28").shape
        (1, 28, 28)
    """

    weights: Path | None = setting(
        None, "For FILE.py:FACTORY: file with the state dict of the model: safetensors, or .pt of torch.save."
    )
    input_shape: str | None = setting(None, "Shape of one input frame, channels first: 784 or 1x28x28; where it is not stored.")
    time_axis: Literal["none", "first", "second"] = setting(
        "none",
        "For FILE.py:FACTORY: what forward takes. none: a frame (batch, ...), once a step or repeated inside; "
        "first: (steps, batch, ...); second: (batch, steps, ...).",
    )
    dt_s: float | None = setting(None, "Time step in seconds, where the file has none.", flags=("--dt",), low=1e-9, high=1e3)
    discretise: Literal["euler", "exp"] | None = setting(
        None, "For continuous-time files: decay dt/tau (euler), or 1 - exp(-dt/tau) (exp)."
    )
    message_bits: int = setting(
        0, "The input sends integers below 2 to the power of this, such as event counts; 0: spikes.", low=0, high=8
    )
    pixel_range: str | None = setting(
        None, "For netx files whose input is an image: what black and white were in training, such as 0:1 or -1:1."
    )
    writer: Literal["snntorch-0.7", "spyx"] | None = setting(
        None,
        "What trained it, where its neurons follow other rules: snntorch-0.7 for modules written for snnTorch 0.6 and 0.7, spyx "
        "for NIR files of Spyx.",
    )
    trust: bool = setting(False, "For FILE.py:FACTORY: do not compare the network with the module on random rasters.")
    encoding: Literal["rate", "latency", "constant", "events"] | None = setting(
        None, "How samples of a data set become its input; events: those of a step, counted up to --message-bits."
    )
    steps: int = setting(16, "Time steps of the encoding, per sample.", flags=("-T", "--timesteps"), low=1)
    seed: int = setting(0, "Seed of the encoding's noise.", low=0)

    def encoding_of(self, net: Network) -> Encoding | None:
        """Return the encoding, if one was asked for: events in steps of the network, counted as far as its input sends counts.

        Raises ConfigError for events and a time step that is no whole number of microseconds.
        """
        if self.encoding != "events":
            return Encoding(self.encoding, self.steps, self.seed) if self.encoding else None
        bits = max((p.message_bits for p in net.inputs), default=0)
        return Encoding("events", self.steps, self.seed, microseconds(net.dt_s), count_bits=bits)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """``input_shape`` as numbers. Raises ConfigError if it is none."""
        if self.input_shape is None:
            return None
        if not re.fullmatch(r"[1-9][0-9]{0,8}([x,][1-9][0-9]{0,8}){0,3}", self.input_shape):
            raise ConfigError(f"input_shape = {self.input_shape!r} is no shape", fix="write it as 784 or 1x28x28")
        return tuple(int(n) for n in re.split("[x,]", self.input_shape))

    @property
    def black_and_white(self) -> tuple[int, int] | None:
        """``pixel_range`` as two whole numbers. Raises ConfigError if it is none."""
        if self.pixel_range is None:
            return None
        ends = re.fullmatch(r"(-?[0-9]{1,6}):(-?[0-9]{1,6})", self.pixel_range)
        if not ends or int(ends[1]) >= int(ends[2]):
            raise ConfigError(f"pixel_range = {self.pixel_range!r} is no range", fix="write black and white as 0:1 or -1:1")
        return int(ends[1]), int(ends[2])


@dataclass(frozen=True)
class Part:
    """A part of the source and what became of it."""

    place: str  # its name there
    kind: str  # its type there
    became: str  # population or connection here, or why it left no trace


@dataclass(frozen=True, eq=False)
class Imported:
    """A network with the account of its import; ``settings`` go into its history.

    Examples:
        >>> import snnc
        >>> import tempfile
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     artifact = snnc.export(net, "nir", folder + "/exported")
        ...     file = next(name for name in artifact.files if name.endswith(".nir"))
        ...     imported = snnc.read(f"{folder}/exported/{file}", dt_s=1e-3, discretise="euler")
        >>> [p.size for p in imported.network.populations]
        [64, 16, 10]
    """

    network: Network
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
