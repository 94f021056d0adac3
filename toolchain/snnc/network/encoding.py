"""From samples to input rasters. The same integers enter training, simulation and every exported program."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.errors import ConfigError, DataError
from snnc.network.events import Events

Images = NDArray[np.uint8]  # (samples, n), 0 .. 255
Samples = NDArray[Any] | Events  # images (samples, n), rasters (samples, steps, n), or events
Polarity = Literal["separate", "merged"]

MOST_STEPS = 100_000
MOST_BIN_US = 1 << 31
MOST_POOL = 1024
MOST_COUNT_BITS = 8
DENSE = 16  # numbers of a raster for each event, up to which one count of all is faster than sorting the events


@dataclass(frozen=True)
class Encoding:
    """How a sample becomes an input raster of integers, shape (steps, n).

    ``rate``: each step is a spike with probability pixel / 256, drawn from a generator keyed by seed and sample.
    ``latency``: one spike a pixel, the brighter the earlier; black pixels stay silent.
    ``constant``: the pixel itself as an 8-bit message in every step; only for chips with graded spikes.
    ``events``: of events those of a bin of ``bin_us`` microseconds in each step; of rasters each step as it is. ``pool`` joins
    squares of places, ``polarity`` "merged" both polarities. The number of events is clipped: to 1, a spike, or with
    ``count_bits`` to a message of as many bits. Events after the last step are left out.
    """

    kind: Literal["rate", "latency", "constant", "events"] = "rate"
    steps: int = 16
    seed: int = 0
    bin_us: int = 0
    polarity: Polarity = "separate"
    pool: int = 1
    count_bits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in (*_OF_IMAGES, "events"):
            raise ConfigError(f"unknown encoding {self.kind!r}", fix=f"use one of: {', '.join(_OF_IMAGES)}, events")
        _must_be_within("steps", self.steps, 1, MOST_STEPS)
        _must_be_within("seed", self.seed, 0, (1 << 64) - 1)
        of_events = self.bin_us, self.polarity, self.pool, self.count_bits
        if self.kind != "events":
            if of_events != (0, "separate", 1, 0):
                raise ConfigError(f"encoding {self.kind!r} takes images, which have no events", fix="use --encoding events")
            return
        _must_be_within("bin_us", self.bin_us, 1, MOST_BIN_US)
        _must_be_within("pool", self.pool, 1, MOST_POOL)
        _must_be_within("count_bits", self.count_bits, 0, MOST_COUNT_BITS)
        if self.polarity not in ("separate", "merged"):
            raise ConfigError(f"an encoding of {self.polarity!r} polarities", fix="use separate or merged")

    @property
    def message_bits(self) -> int:
        """0 for spikes, 8 for pixels sent as integers, and those of the counts of events."""
        return 8 if self.kind == "constant" else self.count_bits

    @property
    def unit(self) -> float:
        """What a message of 1 stands for in training: an exact power of two. An event is worth a spike."""
        return 2.0**-8 if self.kind == "constant" else 1.0

    def stated(self) -> dict[str, Any]:
        """Return the encoding as JSON values; of images those that files have always had."""
        stated: dict[str, Any] = {"kind": self.kind, "steps": self.steps, "seed": self.seed}
        if self.kind == "events":
            stated |= {
                "bin_us": self.bin_us, "polarity": self.polarity, "pool": self.pool, "count_bits": self.count_bits,
            }  # fmt: skip
        return stated


def microseconds(dt_s: float) -> int:
    """Return a time step in whole microseconds. Raises ConfigError if it is not whole, up to a part in a million."""
    bin_us = round(dt_s * 1e6)
    if bin_us < 1 or abs(bin_us - dt_s * 1e6) > 1e-6 * bin_us:
        raise ConfigError(f"a time step of {dt_s:g} s is no whole number of microseconds", fix="use --dt-s 0.001, say")
    return bin_us


def _must_be_within(name: str, value: Any, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ConfigError(f"an encoding with {name} = {value!r}", fix=f"use a whole number from {low} to {high}")


def encoded_shape(encoding: Encoding, samples: Samples, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of what samples of ``shape`` become in each step; its product is the size of the input.

    Raises DataError if the encoding does not take such samples: events only by ``events``, images only by the others.
    """
    images = not isinstance(samples, Events) and samples.ndim == 2
    if images != (encoding.kind != "events"):
        kind, remedy = ("images", "rate, latency or constant") if images else ("events or rasters", "events")
        raise DataError(f"holds {kind}, which encoding {encoding.kind!r} does not take", fix=f"use --encoding {remedy}")
    if encoding.kind != "events" or (encoding.pool == 1 and encoding.polarity == "separate"):
        return shape
    if len(shape) != 3:
        raise DataError(
            f"has steps of shape {shape}, and pooling or merging needs (polarities, rows, columns)",
            fix="leave out --event-pool and --event-polarity",
        )
    channels, rows, columns = shape
    return 1 if encoding.polarity == "merged" else channels, -(-rows // encoding.pool), -(-columns // encoding.pool)


def encode(
    encoding: Encoding, samples: Samples, first_sample: int = 0, shape: tuple[int, ...] | None = None
) -> NDArray[np.uint8]:
    """Encode samples as rasters (samples, steps, n).

    ``first_sample`` is the number of the first sample within its data set: a sample's raster depends on its number, not on
    how the samples are batched. ``shape``: of a step of dense rasters that are pooled or merged. Raises DataError if the
    encoding does not take such samples.
    """
    if isinstance(samples, Events):
        encoded_shape(encoding, samples, samples.sensor)
        return _binned(encoding, samples)
    encoded_shape(encoding, samples, shape or samples.shape[-1:])
    if encoding.kind == "events":
        return _clipped(encoding, samples, shape or samples.shape[-1:])
    rasters: NDArray[np.uint8] = _OF_IMAGES[encoding.kind](encoding, samples, first_sample)
    return rasters


def _binned(encoding: Encoding, events: Events) -> NDArray[np.uint8]:
    """Count the events of each bin; what takes memory beside the rasters is as long as the events."""
    shape = encoded_shape(encoding, events, events.sensor)
    step = events.t // np.uint32(encoding.bin_us)
    inside = step < encoding.steps
    place = _pooled_place(encoding, events.place[inside].astype(np.int64), events.sensor)
    slot = (events.samples[inside] * encoding.steps + step[inside]) * prod(shape) + place
    rasters = np.zeros((len(events), encoding.steps, prod(shape)), np.uint8)
    most, flat = _most(encoding), rasters.reshape(-1)
    if most == 1:
        flat[slot] = 1
    elif len(flat) <= DENSE * len(slot):
        np.minimum(np.bincount(slot, minlength=len(flat)), most, out=flat, casting="unsafe")
    else:
        slots, counts = np.unique(slot, return_counts=True)
        flat[slots] = np.minimum(counts, most)
    return rasters


def _pooled_place(encoding: Encoding, place: NDArray[np.int64], sensor: tuple[int, ...]) -> NDArray[np.int64]:
    if encoding.pool == 1 and encoding.polarity == "separate":
        return place
    channels, rows, columns = np.unravel_index(place, sensor)
    if encoding.polarity == "merged":
        channels = np.zeros_like(channels)
    high, wide = -(-sensor[1] // encoding.pool), -(-sensor[2] // encoding.pool)
    pooled: NDArray[np.int64] = (channels * high + rows // encoding.pool) * wide + columns // encoding.pool
    return pooled


def _clipped(encoding: Encoding, rasters: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Pool and clip rasters (samples, steps, n), each step of ``shape``. Raises DataError for another number of steps."""
    if rasters.shape[1] != encoding.steps:
        raise DataError(
            f"has {rasters.shape[1]} steps, the encoding {encoding.steps}", where="rasters",
            fix=f"use --timesteps {rasters.shape[1]}",
        )  # fmt: skip
    if encoded_shape(encoding, rasters, shape) != shape:
        planes = rasters.reshape(*rasters.shape[:2], *shape).astype(np.int64)
        if encoding.polarity == "merged":
            planes = planes.sum(2, keepdims=True)
        for axis in (3, 4):
            planes = np.add.reduceat(planes, np.arange(0, planes.shape[axis], encoding.pool), axis)
        rasters = planes.reshape(*rasters.shape[:2], -1)
    clipped: NDArray[np.uint8] = np.minimum(rasters, _most(encoding)).astype(np.uint8)
    return clipped


def _most(encoding: Encoding) -> int:
    return max(1, (1 << encoding.count_bits) - 1)


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


_OF_IMAGES: dict[str, Callable[[Encoding, Images, int], Any]] = {
    "rate": _rate,
    "latency": _latency,
    "constant": _constant,
}
