"""Can a register of a fixed network wrap around? Answered from its integer weights, for every input that there can be."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnc.arith import Fixed
from snnc.delays import Part, parts
from snnc.errors import DoesNotFitError, NetworkError
from snnc.ir import Connection, Network, Population

Ints = NDArray[np.int64]

_ENOUGH = 1 << 40  # sums are cut here so that shifting them stays within int64; far beyond every register


class Bound(NamedTuple):
    """What the current u of each neuron of a population can reach, in state units."""

    low: Ints  # (n,)
    high: Ints  # (n,)
    limit: int  # below this magnitude nothing wraps

    @property
    def wraps(self) -> bool:
        return self.reach >= self.limit

    @property
    def reach(self) -> int:
        """The largest magnitude of all neurons."""
        return max(int(self.high.max()), -int(self.low.min()))

    @property
    def neuron(self) -> int:
        """The neuron that reaches farthest."""
        return int(np.maximum(self.high, -self.low).argmax())


@lru_cache(maxsize=1)  # for each chip that a network is held against, the same is asked
def current_bound(net: Network) -> dict[str, Bound]:
    """The reach of u in every population; sound for all inputs, and reached by one.

    u is the state that holds the input, with the decay "decay_u" if the model has one. Worst case: every synapse with a
    positive (negative) weight brings its largest message in every step. With a memory, the current then climbs to the
    smallest x with x = (x * (2**bits - decay) >> bits) + input, which has a closed form. Raises NetworkError for floats.
    """
    if not isinstance(net.numeric, Fixed):
        raise NetworkError("computes in floats, which do not wrap", where=f"network {net.name!r}", fix="quantise it first")
    return {
        p.name: population_bound(p, [(c, net[c.src].message_bits) for c in net.into(p.name)], net.numeric)
        for p in net.populations
        if p.neuron
    }


def must_not_wrap(net: Network) -> None:
    """Raises DoesNotFitError that names the first population and neuron whose current can wrap."""
    for name, bound in current_bound(net).items():
        if bound.wraps:
            raise DoesNotFitError(
                f"the current can reach {bound.reach:,} and wraps at {bound.limit:,}",
                where=f"population {name!r}, neuron {bound.neuron}",
                fix=f"scale its weights and threshold down by {bound.reach / bound.limit:.3g}, or prune it",
            )


def population_bound(p: Population, into: Sequence[tuple[Connection, int]], numeric: Fixed) -> Bound:
    """`current_bound` of one population, whose connections are given with the message bits of their sources."""
    low, high = step_input(p, into, numeric)
    decay = _decay(p, numeric)
    return Bound(-_climb(-low, decay, numeric), _climb(high, decay, numeric), numeric.state_limit)


def step_input(p: Population, into: Sequence[tuple[Connection, int]], numeric: Fixed) -> tuple[Ints, Ints]:
    """The least and the most that one step can add to u of each neuron, in state units; arguments as `population_bound`."""
    low, high = np.zeros(p.size, np.int64), np.zeros(p.size, np.int64)
    for c, message_bits in into:
        for part in parts(c):
            least, most = _sums(part, message_bits)
            low += numeric.shift(least, c.op.exponent)
            high += numeric.shift(most, c.op.exponent)
    return -numeric.lift(-low), numeric.lift(high)


def _sums(part: Part, message_bits: int) -> tuple[Ints, Ints]:
    """The least and the most that a step's weighted messages can sum to, by destination neuron."""
    message, values = 2 ** max(message_bits, 1) - 1, part.op.synapses.values
    least, most = part.sums(np.minimum(values, 0) * message), part.sums(np.maximum(values, 0) * message)
    return np.maximum(least, -_ENOUGH), np.minimum(most, _ENOUGH)


def _decay(p: Population, numeric: Fixed) -> Any:
    """How much of u leaks per step; all of it where the model has no decay for it."""
    return getattr(p.neuron, "decay_u", np.int64(1 << numeric.decay_bits))


def _climb(step: Ints, decay: Any, numeric: Fixed) -> Ints:
    """Where a state from 0 ends that gains ``step`` >= 0 in every step and decays.

    x is a fixed point if x - step <= x * (one - decay) / one < x - step + 1, that is, if
    one * (step - 1) < x * decay <= one * step; the smallest such x is where the climb ends.
    """
    one = 1 << numeric.decay_bits
    step = np.minimum(step, _ENOUGH)
    if (np.asarray(decay) == 0).any():
        return np.where(step > 0, _ENOUGH, 0)
    return np.where(step > 0, one * (step - 1) // decay + 1, 0)
