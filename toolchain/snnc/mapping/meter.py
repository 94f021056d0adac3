"""What a slice of a population uses of a core. Used by split to cut, by place to re-check, by check to report."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from snnc.chips.memory import INEXPRESSIBLE, Axons, Format, Words, field, lengths_by_index, words_by_format, words_by_length
from snnc.chips.profile import Profile
from snnc.chips.schema import DISTINCT, LONGEST
from snnc.errors import UnsupportedError
from snnc.mapping.configurations import (
    SYNAPSES,
    NeuronConfigurations,
    SynapseConfigurations,
    neuron_configurations,
    synapse_configurations,
)
from snnc.mapping.model import Slice
from snnc.mapping.soft_reset import compartments, with_resets
from snnc.network.arithmetic import Fixed
from snnc.network.latency import chip_delays
from snnc.network.model import Connection, Network

Ints = NDArray[np.int64]


def stored_weight_bits(net: Network, profile: Profile) -> int:
    """The bits of a stored weight: those the network was quantised to, the profile's for a float network.

    Raises UnsupportedError if the chip has no field that is wide enough.
    """
    bits = net.numeric.weight_bits if isinstance(net.numeric, Fixed) else profile.weight_bits or 0  # 0: nothing needs it
    if profile.storage and field(bits, profile.storage.weight_field_bits) is None:
        raise UnsupportedError(
            f"weights have {bits} bits, {profile.name} stores at most {max(profile.storage.weight_field_bits)}",
            where=f"network {net.name!r}",
            fix=f"quantise it for {profile.name}",
        )
    return bits


def stored_delays(net: Network, profile: Profile) -> dict[str, int]:
    """`chip_delays`. Raises UnsupportedError, too, if the chip has no field that is wide enough for one of them."""
    delays = chip_delays(net)
    widths = profile.storage.delay_field_bits if profile.storage else ()
    for name, steps in delays.items():
        if widths and field(steps.bit_length(), widths) is None:
            raise UnsupportedError(
                f"delays of {steps} steps take {steps.bit_length()} bits, {profile.name} stores at most {widths[-1]}",
                where=f"connection {name!r}",
                fix="shorten its delay, or pick another chip",
            )
    return delays


Ends = Mapping[str, tuple[Ints, Ints]]  # connection -> `Op.axons`
Stored = Mapping[str, Mapping[Format, Words]]  # connection -> format -> words; formats that cannot express it are absent


def cheapest(stored: Stored) -> dict[str, Format]:
    """The format of each connection that takes fewest words; of equals the first, sparse."""
    return {name: min(w, key=lambda f: w[f].total) for name, w in stored.items() if w}


@dataclass(frozen=True)
class CoreMeter:
    """Measures slices of one network on one chip."""

    net: Network
    profile: Profile
    weight_bits: int
    delays: Mapping[str, int]  # connection -> steps of delay on the chip

    @classmethod
    def of(cls, net: Network, profile: Profile) -> Self:
        """Raises UnsupportedError if the chip cannot hold the weights or the delays in any number of cores."""
        net = with_resets(net, profile)
        return cls(net, profile, stored_weight_bits(net, profile), stored_delays(net, profile))

    @cached_property
    def _before(self) -> dict[str, Ints]:
        """Synapses that end in a population before each of its neurons: shape (n + 1,)."""
        found = {p.name: np.zeros(p.size + 1, np.int64) for p in self.net.populations}
        for c in self.net.connections:
            found[c.dst][1:] += np.cumsum(c.op.fan_in())
        return found

    def synapses(self, piece: Slice) -> int:
        """Synapses that end in a slice."""
        before = self._before[piece.population]
        return int(before[piece.stop] - before[piece.start])

    def axons(self, piece: Slice) -> Ends:
        """The source neurons with a synapse into a slice and how many each has, by connection.

        A connection has one input axon for each: another connection has another exponent, delay or format, so it shares none.
        """
        return {c.name: c.op.axons(piece.start, piece.stop) for c in self.net.into(piece.population)}

    def incoming(self, piece: Slice, axons: Ends | None = None, stored: Stored | None = None) -> dict[str, int]:
        """What a slice uses of a core for its neurons and the synapses that end in it."""
        axons = self.axons(piece) if axons is None else axons
        stored = self.stored(piece, axons) if stored is None else stored
        used = {
            "neurons_per_core": self._takes(piece.population) * (piece.stop - piece.start),
            "input_axons_per_core": sum(len(sources) for sources, _ in axons.values()),
        }
        taken = [min(w.values(), key=lambda x: x.total, default=Words(INEXPRESSIBLE, 0, 0)) for w in stored.values()]
        if self.profile.storage:
            used["synapse_words_per_core"] = sum(w.total for w in taken)
        synapses = self.synapses(piece)
        counted = {
            "synapses_per_core": synapses,
            "weight_bytes_per_core": -(-synapses * self.weight_bits // 8),
            LONGEST: max((w.longest for w in taken), default=0),
            **self._configurations(piece, axons, stored),
        }
        return used | {resource: amount for resource, amount in counted.items() if resource in self.profile.limits}

    def _takes(self, population: str) -> int:
        """The compartments of one neuron."""
        return compartments(self.net[population], self.profile)

    @cached_property
    def _of_neurons(self) -> NeuronConfigurations:
        return neuron_configurations(self.net)

    @cached_property
    def _of_synapses(self) -> SynapseConfigurations:
        return synapse_configurations(self.net, self.delays)

    def _configurations(self, piece: Slice, axons: Ends, stored: Stored) -> dict[str, int]:
        """How many different ones of each kind a slice needs, if the chip limits any."""
        if not {*DISTINCT} & set(self.profile.limits):
            return {}
        here = slice(piece.start, piece.stop)
        used = {resource: len(np.unique(numbers[piece.population][here])) for resource, numbers in self._of_neurons.items()}
        ways = {name: (form, stored[name][form].step) for name, form in cheapest(stored).items()}
        wires = {(self._of_synapses[name], ways.get(name)) for name, (sources, _) in axons.items() if len(sources)}
        return {**used, SYNAPSES: len(wires)}

    def longest(self, piece: Slice) -> int:
        """How many of a slice's neurons, from the first on, a core surely cannot exceed: by neurons and the bits of weights."""
        limits, before = self.profile.limits, self._before[piece.population]
        here = before[piece.start]
        ends = [piece.start + limits.get("neurons_per_core", piece.stop) // self._takes(piece.population), piece.stop]
        if (most := self.synapses_per_core) is not None:
            ends.append(int(np.searchsorted(before, here + most, side="right")) - 1)
        return self._alike(piece, min(ends)) - piece.start

    def _alike(self, piece: Slice, end: int) -> int:
        """Where a slice must end, ``end`` at the latest, for the configurations of its neurons."""
        for resource, numbers in self._of_neurons.items():
            mine = numbers[piece.population][piece.start : end]
            first = np.sort(np.unique(mine, return_index=True)[1])  # where each configuration comes first
            if (most := self.profile.limits.get(resource, len(mine))) < len(first):
                end = piece.start + int(first[most])
        return end

    def fitting(self, piece: Slice) -> int:
        """How many of a slice's neurons, from the first on, a core holds by what comes in."""
        limits, length = self.profile.limits, piece.stop - piece.start
        if not {"input_axons_per_core", "synapse_words_per_core", SYNAPSES, LONGEST} & set(limits):
            return length
        wires = {c.name: _occurrences(*c.op.rows(piece.start, piece.stop), length) for c in self.net.into(piece.population)}
        axons = sum((np.cumsum(np.bincount(rows[nth == 1], minlength=length)) for rows, nth in wires.values()), np.zeros(length))
        over = axons > limits.get("input_axons_per_core", INEXPRESSIBLE)
        length = self._stored_of(wires, int(over.argmax()) if over.any() else length)
        return self._connected(piece, length)

    def _stored_of(self, wires: Mapping[str, tuple[Ints, Ints]], length: int) -> int:
        """How many of the first ``length`` neurons a core holds by synapse memory. ``wires``: `_occurrences` by connection."""
        if not self.profile.storage:
            return length
        most = self.profile.limits.get("synapse_words_per_core", INEXPRESSIBLE - (LONGEST in self.profile.limits))
        for lengths in lengths_by_index(self.profile.storage, length):
            over = self._words(wires, lengths) > most
            if not over[0]:  # more neurons never take fewer words
                return int(lengths[over.argmax()]) - 1 if over.any() else lengths[-1]
        return 0

    def _words(self, wires: Mapping[str, tuple[Ints, Ints]], lengths: range) -> Ints:
        """`words_by_length` of all connections together."""
        assert self.profile.storage  # noqa: S101 - for the type checker
        words = np.zeros(len(lengths), np.int64)
        for name, (rows, nth) in wires.items():
            bits, most = self.delays[name].bit_length(), self.profile.limits.get(LONGEST, INEXPRESSIBLE)
            each = words_by_length(self.profile.storage, rows, nth, lengths, self.weight_bits, bits, most)
            words = np.minimum(words + each, INEXPRESSIBLE)
        return words

    def _connected(self, piece: Slice, length: int) -> int:
        """How many of the first ``length`` neurons of a slice a core holds by the configurations of their synapses; not one more.

        Formats change with the length, so that a longer slice may need fewer: all are tried first, then halves.
        """
        wires = self.net.into(piece.population)
        if (most := self.profile.limits.get(SYNAPSES, len(wires))) >= len(wires):
            return length
        low, high, tried = 0, length + 1, length
        while high - low > 1:
            used = self.incoming(Slice(piece.population, piece.start, piece.start + tried))
            low, high = (tried, high) if used[SYNAPSES] <= most else (low, tried)
            tried = (low + high) // 2
        return low

    def cores_at_least(self) -> int:
        """Cores that the network cannot do without, by its neurons and the bits of its weights."""
        total = 0
        for p in self.net.populations:
            held = self.profile.limits.get("neurons_per_core", p.size) // self._takes(p.name)
            needs = [-(-p.size // max(1, held))]
            if most := self.synapses_per_core:
                needs.append(-(-self.synapses(Slice(p.name, 0, p.size)) // most))
            total += max(needs) if p.neuron else 0
        return total

    @cached_property
    def synapses_per_core(self) -> int | None:
        """Synapses whose weights alone fill the memory of a core; None if its size is not public."""
        limits, storage = self.profile.limits, self.profile.storage
        width = field(self.weight_bits, storage.weight_field_bits) if storage else None
        found = [limits[r] for r in ("synapses_per_core",) if r in limits]
        if "weight_bytes_per_core" in limits and self.weight_bits:
            found.append(8 * limits["weight_bytes_per_core"] // self.weight_bits)
        if storage and width and "synapse_words_per_core" in limits:
            found.append(limits["synapse_words_per_core"] * storage.word_bits // width)
        return min(found, default=None)

    def stored(self, piece: Slice, axons: Ends) -> Stored:
        """What each connection into the slice takes of this core's memory, by format; nothing where formats are not public."""
        return {c.name: self._stored(c, axons[c.name][1], piece) for c in self.net.into(piece.population)}

    def _stored(self, c: Connection, synapses: Ints, piece: Slice) -> dict[Format, Words]:
        if self.profile.storage is None:
            return {}
        length, delay_bits = piece.stop - piece.start, self.delays[c.name].bit_length()
        axons = Axons(
            np.zeros(len(synapses), np.int64), synapses, lambda: _occurrences(*c.op.rows(piece.start, piece.stop), length)[0]
        )
        most = self.profile.limits.get(LONGEST, INEXPRESSIBLE)
        return words_by_format(self.profile.storage, axons, length, self.weight_bits, delay_bits, most)


def _occurrences(rows: Ints, sources: Ints, length: int) -> tuple[Ints, Ints]:
    """Synapses, source after source: their rows, ascending, and that each is the nth of its source."""
    sources, rows = np.divmod(np.sort(sources * length + rows), length)
    position = np.arange(len(rows))
    first = np.concatenate([[True], sources[1:] != sources[:-1]]) if len(rows) else np.zeros(0, np.bool_)
    return rows, position - np.maximum.accumulate(np.where(first, position, 0)) + 1
