"""Cores that two large layers of random synapses need, whatever the mapping: a bound that holds for nearly all random masks.

Layer b follows layer a; each neuron of a layer has equally many sources, drawn at random. A bound that looks at each resource on
its own (`snnc.mapping.lower_bounds`) lets the neurons on a core share their sources; random ones do not. Counted here, each but
for a small probability by the union bound over all k of the n neurons of a layer, with d of s sources each:

- They have `reached` sources at least. P(some k neurons all miss some m sources) <= C(n, k) C(s, m) (C(s - m, d) / C(s, d)) ** k.
- Their synapses take `words` of memory at least: f(j) for a source with j synapses among them. Of the C(s, d) ** k masks of k
  neurons, (sum over j of C(k, j) exp(t j - l f(j))) ** s exp(l w - t k d) at most take w words or fewer, for any t and any l > 0.
- On a core, x neurons of a and y of b take input axons and memory together.
- Every axon from a into a core with neurons of b is an output axon of a core with neurons of a, each of which has at most one for
  each core with neurons of b.

How many cores of each kind (x, y) there are is unknown; an integer program finds the fewest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil, log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, milp, minimize
from scipy.special import gammaln, logsumexp

from snnc.chips.memory import Storage, field
from snnc.chips.memory.nengo_loihi import entry_words
from snnc.chips.profile import Profile

RISK = 1e-9  # that drawn masks need fewer cores
PLACES = ((-5.0, 5.0), (0.0, 10.0))  # where the best l (its logarithm) and t are sought: so that sums lose no digits that matter
NODES = 10_000  # of the integer program's search; its bound holds wherever it ends

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layer:
    """What any 0, 1, ... of so many neurons have at least."""

    neurons: int
    reached: Ints  # (neurons + 1,) sources
    words: Callable[[int, int], float]  # (how many neurons, bits of a synapse) -> words, in format sparse

    @classmethod
    def random(cls, neurons: int, sources: int, fan_in: int, storage: Storage, risk: float) -> "Layer":
        """Of drawn sources; all holds but for ``risk``."""
        allowed = log(risk / 2 / neurons)
        missed = [_missed(neurons, sources, fan_in, k, allowed) for k in range(1, neurons + 1)]
        widths = log(len(storage.index_field_bits))

        @cache
        def words(k: int, bits: int) -> float:
            return _least_words(entry_words(storage, np.arange(k + 1), bits), neurons, sources, fan_in, allowed - widths)

        return cls(neurons, np.maximum.accumulate([0, *(sources - m for m in missed)]), words)


def _missed(neurons: int, sources: int, fan_in: int, k: int, allowed: float) -> int:
    """The most sources that some k neurons may all miss: more are so unlikely, as the logarithm of a probability."""
    m = np.arange(sources - fan_in + 1)
    all_miss = _log_choose(sources - m, fan_in) - _log_choose(sources, fan_in)
    likely = _log_choose(neurons, k) + _log_choose(sources, m) + k * all_miss > allowed
    return int(m[likely].max(initial=0))


def _least_words(f: Ints, neurons: int, sources: int, fan_in: int, allowed: float) -> float:
    """Words that some k neurons may take: fewer are so unlikely. ``f``: (k + 1,) words of a source with 0, 1, ... k synapses."""
    k = len(f) - 1
    ways, j = _log_choose(k, np.arange(k + 1)), np.arange(k + 1)
    share = log(fan_in / (sources - fan_in + 1))  # near the best t but for words; any t and l give a bound that holds
    rest = allowed - _log_choose(neurons, k) + k * _log_choose(sources, fan_in)

    def bound(place: Floats) -> float:
        tilt = np.exp(place[0])
        t = share + tilt * place[1]
        return float((rest + t * k * fan_in - sources * logsumexp(ways + t * j - tilt * f)) / tilt)

    found = minimize(lambda place: -bound(place), (1.0, 0.3), method="Nelder-Mead", bounds=PLACES, options={"fatol": 0.1})
    return max(0.0, -float(found.fun))


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


def _kinds(a: Layer, b: Layer, profile: Profile, weight_bits: int) -> tuple[Ints, Ints]:
    """(kinds,) neurons of a and of b: for each number of the latter that a core can hold the most of the former."""
    found = []
    for of_b in range(b.neurons + 1):
        fit, over = -1, a.neurons + 1
        while over - fit > 1:
            tried = (fit + over) // 2
            if _fits(a, tried, b, of_b, profile, weight_bits):
                fit = tried
            else:
                over = tried
        if fit < 0:
            break
        found.append((fit, of_b))
    return np.array(found).T[0], np.array(found).T[1]


def _fits(a: Layer, of_a: int, b: Layer, of_b: int, profile: Profile, weight_bits: int) -> bool:
    """Whether a core might hold so many neurons."""
    limits, together, storage = profile.limits, of_a + of_b, profile.storage
    assert storage is not None
    if together > limits["neurons_per_core"] or a.reached[of_a] + b.reached[of_b] > limits["input_axons_per_core"]:
        return False
    index = field((max(1, together) - 1).bit_length(), storage.index_field_bits) or 0
    words = sum(_words(layer, n, storage, weight_bits, index) for layer, n in ((a, of_a), (b, of_b)) if n)
    return words <= limits["synapse_words_per_core"]


def _words(layer: Layer, n: int, storage: Storage, weight_bits: int, index: int) -> float:
    """Of the synapses of n neurons, in the cheapest format."""
    weight = field(weight_bits, storage.weight_field_bits) or 0
    dense = float(layer.reached[n] * entry_words(storage, np.array(n), weight))
    return min(dense, max(float(layer.reached[n]), layer.words(n, weight + index)))


def _least(kinds: tuple[Ints, Ints], ends: int, a: Layer, b: Layer, profile: Profile) -> int:
    """Cores, of which ``ends`` have neurons of b; all neurons if there is no way."""
    of_a, of_b = kinds
    sent = np.minimum(profile.limits["output_axons_per_core"], of_a * ends)
    holds = LinearConstraint(np.array([of_a, of_b, sent - b.reached[of_b]]), [a.neurons, b.neurons, 0])
    made = milp(
        np.ones(len(of_a)), constraints=[holds, LinearConstraint((of_b > 0)[None], ends, ends)],
        integrality=np.ones(len(of_a)), options={"node_limit": NODES},
    )  # fmt: skip
    return a.neurons + b.neurons if made.status == 2 else ceil(made.mip_dual_bound - 1e-6)
