"""Where a network lies in the machine: the lanes of neurons, the lists of events, and how wide their numbers are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from snnc.network.model import Network, Population


def unsigned_bits(most: int) -> int:
    """Bits of a number 0 .. most, at least 1."""
    return max(1, most.bit_length())


def signed_bits(low: int, high: int) -> int:
    """Bits in two's complement of a number low .. high."""
    return max(1 + max(high, 0).bit_length(), 1 + max(-low - 1, 0).bit_length())


@dataclass(frozen=True)
class EventList:
    """A ring of lists of events: what a population sent in each of the last ``length`` steps.

    A list takes ``words`` words from ``base`` on: how many events there are, then the events.
    """

    base: int
    words: int
    length: int

    @property
    def end(self) -> int:
        """The first word after the ring."""
        return self.base + self.words * self.length


@dataclass(frozen=True, eq=False)
class Layout:
    """The neuron at position i of a population is number i // lanes in lane i % lanes. ``lanes`` is a power of two.

    ``positions``: population -> the position of each of its neurons, (n,).
    """

    net: Network
    lanes: int
    positions: Mapping[str, NDArray[np.int64]]

    def order(self, p: Population) -> NDArray[np.int64]:
        """Return the neuron at each position, (n,)."""
        return np.argsort(self.positions[p.name])

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Each population's number: inputs first, then neurons in the order of computation."""
        order = [*self.net.inputs, *self.neurons]
        return {p.name: i for i, p in enumerate(order)}

    @cached_property
    def neurons(self) -> list[Population]:
        """The populations of neurons in the order of computation."""
        return [p for p in self.net.ordered if p.neuron]

    def groups(self, p: Population) -> int:
        """How many neurons of a population each lane has."""
        return -(-p.size // self.lanes)

    @cached_property
    def most_groups(self) -> int:
        """Those of the largest population."""
        return max(self.groups(p) for p in self.neurons)

    @cached_property
    def first_state(self) -> dict[str, int]:
        """Where the states of each population begin in the memory of a lane."""
        return _begins({p.name: self.groups(p) for p in self.neurons})

    @property
    def states(self) -> int:
        """Words of states in each lane."""
        return sum(self.groups(p) for p in self.neurons)

    @cached_property
    def lists(self) -> dict[str, EventList]:
        """The lists of events of inputs, and of populations whose spikes go somewhere."""
        net = self.net
        lengths = {p.name: 1 + max((c.longest_delay for c in net.out_of(p.name)), default=0) for p in net.populations}
        kept = [p for p in net.populations if p.neuron is None or net.out_of(p.name)]
        begins = _begins({p.name: (p.size + 1) * lengths[p.name] for p in kept})
        return {p.name: EventList(begins[p.name], p.size + 1, lengths[p.name]) for p in kept}

    @property
    def event_words(self) -> int:
        """Words of all lists."""
        return max(ring.end for ring in self.lists.values())

    @property
    def longest_delay(self) -> int:
        """Steps that the oldest event is needed for."""
        return max((c.longest_delay for c in self.net.connections), default=0)

    @property
    def message_bits(self) -> int:
        """Bits of a message; 1 where all messages are spikes."""
        return max(1, *(p.message_bits for p in self.net.populations))

    @property
    def index_bits(self) -> int:
        """Bits of a neuron's number in its population, and of how many there are."""
        return unsigned_bits(max(p.size for p in self.net.populations))

    @property
    def event_bits(self) -> int:
        """Bits of an event in a list."""
        return self.index_bits + (self.message_bits if self.message_bits > 1 else 0)


def _begins(sizes: dict[str, int]) -> dict[str, int]:
    total, begins = 0, {}
    for name, size in sizes.items():
        begins[name] = total
        total += size
    return begins
