"""Cores that two large layers of random synapses need, whatever the mapping: a bound that holds for nearly all random masks.

Layer b follows layer a; each neuron of a layer has equally many sources, drawn at random. A bound that looks at each resource on
its own (`snnc.mapper.lower_bounds`) lets the neurons on a core share their sources; random ones do not. Counted here:

- Any k neurons of a layer have `reached` sources at least. By the union bound, P(some k of n neurons, of fan-in d, all miss some
  m of s sources) <= C(n, k) C(s, m) (C(s - m, d) / C(s, d)) ** k; for all k and both layers it fails with probability `RISK`.
- On a core, x neurons of a and y of b take input axons and memory together. Words of an axon are not rounded up.
- Every axon from a into a core with neurons of b is an output axon of a core with neurons of a, each of which has at most one for
  each core with neurons of b.

How many cores of each kind (x, y) there are is unknown; a linear program finds the fewest, and these rounded up are the bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.special import gammaln

from snnc.hw import Profile
from snnc.storage import Storage, field

RISK = 1e-9  # that drawn masks need fewer cores
KINDS = 256  # numbers of neurons of a layer on a core that are told apart; those between count as the larger, cost as the smaller

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layer:
    """Neurons with ``fan_in`` synapses each. ``reached``: (neurons + 1,) sources that any 0, 1, ... of them have at least."""

    neurons: int
    fan_in: int
    reached: Ints

    @classmethod
    def random(cls, neurons: int, sources: int, fan_in: int, risk: float = RISK / 2) -> "Layer":
        """Of drawn sources; ``reached`` holds but for ``risk``."""
        found = [0, *(sources - _missed(neurons, sources, fan_in, k, log(risk / neurons)) for k in range(1, neurons + 1))]
        return cls(neurons, fan_in, np.maximum.accumulate(found))


def _missed(neurons: int, sources: int, fan_in: int, k: int, allowed: float) -> int:
    """The most sources that some k neurons may all miss: more are so unlikely, as the logarithm of a probability."""
    m = np.arange(sources - fan_in + 1)
    all_miss = _log_choose(sources - m, fan_in) - _log_choose(sources, fan_in)
    likely = _log_choose(neurons, k) + _log_choose(sources, m) + k * all_miss > allowed
    return int(m[likely].max(initial=0))


def _log_choose(n: Any, k: Any) -> Floats:
    found: Floats = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return found


def cores(a: Layer, b: Layer, profile: Profile, weight_bits: int) -> int:
    """The bound, on a chip that has every limit of Loihi 1."""
    kinds = _kinds(a, b, profile, weight_bits)
    best = a.neurons + b.neurons
    for ends in range(1, b.neurons + 1):  # cores with neurons of b
        if ends < best:
            best = min(best, max(ends, _least(kinds, ends, a, b, profile)))
    return best


def _kinds(a: Layer, b: Layer, profile: Profile, weight_bits: int) -> tuple[Ints, Ints, Ints]:
    """Of all cores that may be, the neurons of a, those of b, and the input axons from a at least: (kinds,) each."""
    most = [_numbers(layer, profile.limits["neurons_per_core"]) for layer in (a, b)]
    x, y = (g.ravel() for g in np.meshgrid(*(m for m, _ in most), indexing="ij"))
    few = [g.ravel() for g in np.meshgrid(*(f for _, f in most), indexing="ij")]
    axons = [layer.reached[n] for layer, n in zip((a, b), few, strict=True)]
    words = _words(profile.storage, [a, b], few, axons, weight_bits)  # type: ignore[arg-type]
    needs = {"neurons_per_core": few[0] + few[1], "input_axons_per_core": axons[0] + axons[1], "synapse_words_per_core": words}
    fits = np.all([amount <= profile.limits[resource] for resource, amount in needs.items()], axis=0)
    return x[fits], y[fits], axons[1][fits]


def _numbers(layer: Layer, limit: int) -> tuple[Ints, Ints]:
    """How many neurons may be on a core, 0 and in steps, and the fewest that each number stands for."""
    most = min(limit, layer.neurons)
    step = ceil(most / KINDS)
    numbers = np.arange(0, most + step, step)
    return np.minimum(numbers, most), np.concatenate([[0], numbers[:-1] + 1])


def _words(storage: Storage, layers: Sequence[Layer], neurons: Sequence[Ints], axons: Sequence[Ints], weight_bits: int) -> Floats:
    """Of the synapses of both layers, each in the cheaper format; an axon's words are not rounded up, but at least 1."""
    weight, total = field(weight_bits, storage.weight_field_bits) or 0, np.zeros(len(axons[0]))
    for layer, n, ends in zip(layers, neurons, axons, strict=True):
        index = np.array([field((max(1, i) - 1).bit_length(), storage.index_field_bits) or 0 for i in n.tolist()])
        sparse = ends * storage.entry_header_bits + n * layer.fan_in * (weight + index)
        dense = ends * (storage.entry_header_bits + weight * n)
        total += np.maximum(ends, np.minimum(sparse, dense) / storage.word_bits)
    return total


def _least(kinds: tuple[Ints, Ints, Ints], ends: int, a: Layer, b: Layer, profile: Profile) -> int:
    """Cores, of which ``ends`` have neurons of b; all neurons if there is no way."""
    of_a, of_b, axons = kinds
    sent = np.minimum(profile.limits["output_axons_per_core"], of_a * ends)
    holds = -np.array([of_a, of_b, sent - axons])
    made = linprog(np.ones(len(sent)), holds, [-a.neurons, -b.neurons, 0], (of_b > 0)[None], [ends])
    return ceil(made.fun - 1e-6) if made.status == 0 else a.neurons + b.neurons
