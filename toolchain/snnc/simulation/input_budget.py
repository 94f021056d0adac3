"""The budget of an input: how many messages it sends in a step at most. Whatever runs a network holds its inputs to it."""

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DataError
from snnc.network.model import Population


def check_budget(p: Population, raster: NDArray[np.integer]) -> None:
    """Raise DataError for a raster (samples, steps, n) with more messages in a step than the budget of its input allows."""
    if p.max_spikes_per_step is None or not raster.size:
        return
    counts = np.count_nonzero(raster, axis=2)
    if (most := int(counts.max())) > p.max_spikes_per_step:
        sample, step = np.unravel_index(int(counts.argmax()), counts.shape)
        raise DataError(
            f"sends {most:,} messages in step {step} of sample {sample}, its budget is {p.max_spikes_per_step:,} a step",
            where=f"input {p.name!r}", fix="send fewer messages, or give the network a larger budget (snnc limit)",
        )  # fmt: skip


def keep_budget(p: Population, raster: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.integer]:
    """Return a raster (..., n) with as many messages in a step as the budget of its input allows; a random choice stays."""
    if p.max_spikes_per_step is None:
        return raster
    kept = raster.reshape(-1, p.size).copy()
    for at in np.flatnonzero(np.count_nonzero(kept, axis=1) > p.max_spikes_per_step):
        kept[at, rng.permutation(np.flatnonzero(kept[at]))[p.max_spikes_per_step :]] = 0
    return kept.reshape(raster.shape)
