"""Message by message, change an input so that it drives a neuron farther. Used by the range proof's adversary."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[np.int64]]  # input -> (tries, steps, n)

ROUNDS = 40
TRIES = 192  # changes in a round, of which the best is kept
LAST = 6  # only messages of the last steps are changed


def improved(best: Inputs, largest: Mapping[str, int], budget: int | None, values: Callable[[Inputs], NDArray[Any]]) -> Inputs:
    """The input (one try) after changes that each raise its value, until none of those that are tried does.

    ``values``: inputs -> (tries,), how far each drives. ``largest``: an input's largest message; a change takes it away or
    sends it. ``budget``: messages of an input in a step.
    """
    rng, reached = np.random.default_rng(0), values(best)[0]
    for _ in range(ROUNDS):
        tried = _changed(best, largest, budget, rng)
        found = values(tried)
        if found.max() <= reached:
            break
        at, reached = int(found.argmax()), found.max()
        best = {name: raster[at : at + 1] for name, raster in tried.items()}
    return best


def _changed(best: Inputs, largest: Mapping[str, int], budget: int | None, rng: np.random.Generator) -> Inputs:
    """Copies of an input with a message more or less each."""
    tried = {name: raster.repeat(TRIES, axis=0) for name, raster in best.items()}
    names = sorted(tried)
    for i in range(TRIES):
        name = names[int(rng.integers(len(names)))]
        _, steps, n = tried[name].shape
        step, source = steps - 1 - int(rng.integers(min(LAST, steps))), int(rng.integers(n))
        row = tried[name][i, step]
        if row[source]:
            row[source] = 0
        elif budget is None or np.count_nonzero(row) < budget:
            row[source] = largest[name]
    return tried
