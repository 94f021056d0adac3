"""Settings for pruning the user's own model: without torch, so that the command line can show them without it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from snnc.base.config import Config, setting
from snnc.network.encoding import MOST_BIN_US, MOST_COUNT_BITS, Encoding


@dataclass(frozen=True)
class OwnConfig(Config):
    """The weights that a user's own model starts from, and the input that it takes."""

    weights: Path | None = setting(
        None, "For FILE.py:FACTORY: file with its state dict to start from: safetensors, or .pt of torch.save."
    )
    input: Literal["image", "rate", "latency", "constant", "events"] = setting(
        "image", "For FILE.py:FACTORY: what it takes: images (batch, channels, height, width), or rasters (batch, steps, n)."
    )
    steps: int = setting(
        8, "For FILE.py:FACTORY: time steps of a raster; from an image it makes its own.", flags=("-T", "--timesteps"), low=1
    )
    bin_us: int = setting(1000, "For FILE.py:FACTORY, with --input events: microseconds of a step.", low=1, high=MOST_BIN_US)

    @property
    def encoding(self) -> Encoding:
        """The encoding of an image as a raster of one step that holds the pixels, or of samples as the module takes them."""
        if self.input == "events":
            return Encoding("events", self.steps, bin_us=self.bin_us, count_bits=MOST_COUNT_BITS)
        return Encoding("constant", 1) if self.input == "image" else Encoding(self.input, self.steps)
