"""Sound as events: a bank of filters as in the cochlea, then level crossing of the loudness of each band.

1. Gammatone filters of order 4, their centres equally far apart on the scale of equivalent rectangular bandwidths (ERB), from
   100 Hz up to 0.45 of the sample rate. R. D. Patterson et al., "An efficient auditory filterbank based on the gammatone
   function", 1987; B. R. Glasberg and B. C. J. Moore, "Derivation of auditory filter shapes from notched-noise data", 1990: an
   ERB of 24.7 (4.37 f / 1000 + 1) Hz. The coefficients are those of `scipy.signal.gammatone`.
2. The mean square of each band in windows of 10 ms, in tenths of a decibel above 80 dB below full scale: 0 .. 800.
3. An event whenever the loudness has moved by 3 dB since the last, up or down (`level_crossings`). Silence before and after is 0.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.data.crossings import level_crossings
from snnc.network.events import Events

BANDS = 40
LOWEST_HZ, HIGHEST_PART = 100.0, 0.45
WINDOW_US = 10_000
FLOOR_DB = 80
THRESHOLD = 30  # tenths of a decibel


def centres(rate: int, bands: int = BANDS) -> NDArray[np.float64]:
    """Return the centre of each band in Hz, from low to high, for sound of ``rate`` samples a second."""
    low, high = (21.4 * np.log10(1 + 4.37 * f / 1000) for f in (LOWEST_HZ, HIGHEST_PART * rate))
    hertz: NDArray[np.float64] = (10 ** (np.linspace(low, high, bands) / 21.4) - 1) * 1000 / 4.37
    return hertz


@cache
def _filters(rate: int, bands: int) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
    from scipy.signal import gammatone

    return tuple(gammatone(f, "iir", fs=rate) for f in centres(rate, bands))


def loudness(sound: NDArray[np.float64], rate: int, bands: int = BANDS) -> NDArray[np.int64]:
    """Return the loudness of each band, (windows + 2, bands), in tenths of a decibel; the first and the last are silence.

    Args:
        sound: (samples,), full scale is 1.
        rate: Samples a second.
        bands: How many.
    """
    from scipy.signal import lfilter

    length = max(rate * WINDOW_US // 1_000_000, 1)
    windows = -(-len(sound) // length)
    padded = np.zeros(windows * length)
    padded[: len(sound)] = sound
    levels = np.zeros((windows + 2, bands), np.int64)
    for band, (b, a) in enumerate(_filters(rate, bands)):
        power = np.square(lfilter(b, a, padded)).reshape(windows, length).mean(1)
        decibels = 10 * np.log10(np.maximum(power, 10.0 ** (-FLOOR_DB / 10))) + FLOOR_DB
        levels[1:-1, band] = np.rint(decibels * 10)
    return levels


def heard(sound: NDArray[np.float64], rate: int, bands: int = BANDS) -> Events:
    """Return the events of one sound: a sensor of up and down, one row, and the bands."""
    return level_crossings(loudness(sound, rate, bands)[None], (THRESHOLD,), WINDOW_US)
