"""From images to input rasters. The same integers enter training, simulation and every exported program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.errors import ConfigError

Images = NDArray[np.uint8]  # (samples, n), 0 .. 255


@dataclass(frozen=True)
class Encoding:
    """How a sample becomes an input raster of integers, shape (steps, n).

    ``rate``: each step is a spike with probability pixel / 256, drawn from a generator keyed by seed and sample.
    ``latency``: one spike a pixel, the brighter the earlier; black pixels stay silent.
    ``constant``: the pixel itself as an 8-bit message in every step; only for chips with graded spikes.
    """

    kind: Literal["rate", "latency", "constant"] = "rate"
    steps: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _ENCODERS:
            raise ConfigError(f"unknown encoding {self.kind!r}", fix=f"use one of: {', '.join(_ENCODERS)}")
        if type(self.steps) is not int or not 1 <= self.steps <= 100_000:
            raise ConfigError(f"an encoding of {self.steps!r} steps", fix="use 1 to 100000 steps")
        if type(self.seed) is not int or not 0 <= self.seed < 1 << 64:
            raise ConfigError(f"an encoding with the seed {self.seed!r}", fix="use a whole number from 0 to 2**64 - 1")

    @property
    def message_bits(self) -> int:
        """0 for spikes, 8 for pixels sent as integers."""
        return 8 if self.kind == "constant" else 0

    @property
    def unit(self) -> float:
        """What a message of 1 stands for in training: an exact power of two."""
        return 2.0**-self.message_bits


def encode(encoding: Encoding, images: Images, first_sample: int = 0) -> NDArray[np.uint8]:
    """Encode pixels (samples, n) as rasters (samples, steps, n).

    ``first_sample`` is the number of the first image within its data set: a sample's raster depends on its number, not on
    how the samples are batched.
    """
    rasters: NDArray[np.uint8] = _ENCODERS[encoding.kind](encoding, images, first_sample)
    return rasters


def _rate(encoding: Encoding, images: Images, first_sample: int) -> NDArray[np.uint8]:
    samples, n = images.shape
    spikes = np.empty((samples, encoding.steps, n), np.uint8)
    for i in range(samples):
        noise = _noise(encoding.seed, first_sample + i, encoding.steps * n).reshape(encoding.steps, n)
        np.less(noise, images[i], out=spikes[i], casting="unsafe")
    return spikes


def _noise(seed: int, sample: int, count: int) -> NDArray[np.uint8]:
    """Return ``count`` uniform bytes. The raw output of Philox is the same in every version of NumPy and on every machine."""
    words = np.random.Philox(key=[seed, sample]).random_raw(-(-count // 8))
    return np.asarray(words).astype("<u8").view(np.uint8)[:count]


def _latency(encoding: Encoding, images: Images, first_sample: int) -> NDArray[np.uint8]:
    step = ((255 - images.astype(np.int64)) * (encoding.steps - 1) + 127) // 255
    at = np.arange(encoding.steps)[None, :, None] == step[:, None, :]
    spikes: NDArray[np.uint8] = (at & (images > 0)[:, None, :]).astype(np.uint8)
    return spikes


def _constant(encoding: Encoding, images: Images, first_sample: int) -> NDArray[np.uint8]:
    return np.repeat(images[:, None, :], encoding.steps, axis=1)


_ENCODERS: dict[str, Callable[[Encoding, Images, int], Any]] = {
    "rate": _rate,
    "latency": _latency,
    "constant": _constant,
}
