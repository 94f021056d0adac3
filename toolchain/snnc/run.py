"""What came out of running a network once: by the reference, by an engine, by an exported program."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rasters = Mapping[str, NDArray[Any]]  # population -> (samples, steps, n) integers
States = Mapping[str, Mapping[str, NDArray[Any]]]  # population -> variable -> (samples, steps, n), after the reset


@dataclass(frozen=True, eq=False)
class Run:
    """Spikes of every population, and its states at the end of every step if they were recorded."""

    by: str  # what ran: "reference", "lava 0.10.0", ...
    dt_s: float
    spikes: Rasters
    states: States  # empty if not recorded
    latency: Mapping[str, int]  # steps by which a population runs late; its arrays are already moved back by them


def classes(spikes: NDArray[Any]) -> NDArray[np.int64]:
    """The class of each sample: the output neuron with most spikes, the first of equals. (samples, steps, n) -> (samples,)"""
    counts: NDArray[np.int64] = spikes.sum(axis=1, dtype=np.int64)
    return np.asarray(counts.argmax(axis=1), np.int64)
