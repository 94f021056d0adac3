"""What a slice of a population uses of a core. Used by split to cut, by place to re-check."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from snnc.base.bisect import last
from snnc.chips.memory import INEXPRESSIBLE, field, lengths_by_index, words_by_length
from snnc.chips.schema import LONGEST
from snnc.mapping.chip_network import ChipNetwork
from snnc.mapping.configurations import SYNAPSES
from snnc.mapping.core_use import InputAxons, Load, Stored, stored, use
from snnc.mapping.model import Slice
from snnc.network.model import Connection

Ints = NDArray[np.int64]


class CoreMeter(ChipNetwork):
    """Measure slices of one network on one chip, each alone on a core."""

    @cached_property
    def _before(self) -> dict[str, Ints]:
        """Synapses that end in a population before each of its neurons: shape (n + 1,)."""
        return {name: np.concatenate([np.zeros(1, np.int64), np.cumsum(total)]) for name, total in self.fan_in.items()}

    def synapses(self, core_slice: Slice) -> int:
        """Return the number of synapses that end in a slice."""
        before = self._before[core_slice.population]
        return int(before[core_slice.stop] - before[core_slice.start])

    def load(self, core_slice: Slice) -> Load:
        """Return the slice on a core of its own, with its input axons.

        A connection has an axon for each source neuron with a synapse into the slice: another connection has another
        exponent, delay or format, so it shares none.
        """
        start, stop = core_slice.start, core_slice.stop
        neurons = {core_slice.population: (slice(start, stop), np.zeros(stop - start, np.int64))}
        return Load(1, neurons, {c.name: _axons(c, start, stop) for c in self.net.into(core_slice.population)})

    def incoming(self, core_slice: Slice, load: Load | None = None, words: Stored | None = None) -> dict[str, int]:
        """Return what a slice uses of a core for its neurons and the synapses that end in it, by resource.

        ``load`` and ``words`` (`stored`) of the slice are worked out if they are not given.
        """
        load = load or self.load(core_slice)
        used, _ = use(self, load, stored(self, load) if words is None else words)
        return {resource: int(amounts[0]) for resource, amounts in used.items()}

    def longest(self, core_slice: Slice) -> int:
        """Return how many of a slice's neurons, from the first on, a core surely cannot exceed: by neurons and weight bits."""
        population, start, stop = core_slice.population, core_slice.start, core_slice.stop
        before = self._before[population]
        ends = [start + self.profile.limits.get("neurons_per_core", stop) // self.compartments[population], stop]
        if (most := self.synapses_per_core) is not None:
            ends.append(int(np.searchsorted(before, before[start] + most, side="right")) - 1)
        return self._alike(core_slice, min(ends)) - start

    def _alike(self, core_slice: Slice, end: int) -> int:
        """Return where a slice must end, ``end`` at the latest, for the configurations of its neurons."""
        for resource, numbers in self.neuron_configurations.items():
            own = numbers[core_slice.population][core_slice.start : end]
            first = np.sort(np.unique(own, return_index=True)[1])  # where each configuration comes first
            if (most := self.profile.limits.get(resource, len(own))) < len(first):
                end = core_slice.start + int(first[most])
        return end

    def fitting(self, core_slice: Slice) -> int:
        """Return how many of a slice's neurons, from the first on, a core holds by what comes in."""
        start, stop, limits = core_slice.start, core_slice.stop, self.profile.limits
        length = stop - start
        if not {"input_axons_per_core", "synapse_words_per_core", SYNAPSES, LONGEST} & set(limits):
            return length
        synapses = {c.name: _occurrences(*c.op.rows(start, stop), length) for c in self.net.into(core_slice.population)}
        begun = [np.bincount(rows[nth == 1], minlength=length) for rows, nth in synapses.values()]
        over = np.cumsum(np.sum([np.zeros(length), *begun], axis=0)) > limits.get("input_axons_per_core", INEXPRESSIBLE)
        length = self._fitting_words(synapses, int(over.argmax()) if over.any() else length)
        return self._fitting_configurations(core_slice, length)

    def _fitting_words(self, synapses: Mapping[str, tuple[Ints, Ints]], length: int) -> int:
        """Return how many of the first ``length`` neurons a core holds by memory. ``synapses``: `_occurrences` by connection."""
        if not self.profile.storage:
            return length
        most = self.profile.limits.get("synapse_words_per_core", INEXPRESSIBLE - (LONGEST in self.profile.limits))
        for lengths in lengths_by_index(self.profile.storage, length):
            over = self._words(synapses, lengths) > most
            if not over[0]:  # more neurons never take fewer words
                return int(lengths[over.argmax()]) - 1 if over.any() else lengths[-1]
        return 0

    def _words(self, synapses: Mapping[str, tuple[Ints, Ints]], lengths: range) -> Ints:
        """Return `words_by_length` of all connections together: shape (lengths,)."""
        assert self.profile.storage  # noqa: S101 - for the type checker
        words = np.zeros(len(lengths), np.int64)
        for name, (rows, nth) in synapses.items():
            bits, most = self.delays[name].bit_length(), self.profile.limits.get(LONGEST, INEXPRESSIBLE)
            each = words_by_length(self.profile.storage, rows, nth, lengths, self.weight_bits, bits, most)
            words = np.minimum(words + each, INEXPRESSIBLE)
        return words

    def _fitting_configurations(self, core_slice: Slice, length: int) -> int:
        """Return how many of the first ``length`` neurons a core holds by the configurations of their synapses.

        Formats change with the length, so that a longer slice may need fewer: all are tried first, then halves.
        """
        connections = self.net.into(core_slice.population)
        if not length or (most := self.profile.limits.get(SYNAPSES, len(connections))) >= len(connections):
            return length

        def holds(tried: int) -> bool:
            return self.incoming(Slice(core_slice.population, core_slice.start, core_slice.start + tried))[SYNAPSES] <= most

        return length if holds(length) else last(holds, 0, length)

    def cores_at_least(self) -> int:
        """Return the cores that the network cannot do without, by its neurons and the bits of its weights."""
        total = 0
        for name, compartments in self.compartments.items():
            size = self.net[name].size
            needs = [-(-size // max(1, self.profile.limits.get("neurons_per_core", size) // compartments))]
            if most := self.synapses_per_core:
                needs.append(-(-self.synapses(Slice(name, 0, size)) // most))
            total += max(needs)
        return total

    @cached_property
    def synapses_per_core(self) -> int | None:
        """Synapses whose weights alone fill the memory of a core; None if its size is not public."""
        limits, storage = self.profile.limits, self.profile.storage
        width = field(self.weight_bits, storage.weight_field_bits) if storage else None
        held = [limits["synapses_per_core"]] if "synapses_per_core" in limits else []
        if "weight_bytes_per_core" in limits and self.weight_bits:
            held.append(8 * limits["weight_bytes_per_core"] // self.weight_bits)
        if storage and width and "synapse_words_per_core" in limits:
            held.append(limits["synapse_words_per_core"] * storage.word_bits // width)
        return min(held, default=None)


def _axons(c: Connection, start: int, stop: int) -> InputAxons:
    """Return the axons of a connection into the neurons ``start`` .. ``stop - 1``, all on one core."""
    sources, synapses = c.op.axons(start, stop)
    core = np.zeros(len(synapses), np.int64)
    return InputAxons(core, synapses, lambda: _occurrences(*c.op.rows(start, stop), stop - start)[0], sources)


def _occurrences(rows: Ints, sources: Ints, length: int) -> tuple[Ints, Ints]:
    """Return (rows, nth) of synapses, source after source: rows ascending, and that each is the nth of its source."""
    sources, rows = np.divmod(np.sort(sources * length + rows), length)
    position = np.arange(len(rows))
    first = np.concatenate([[True], sources[1:] != sources[:-1]]) if len(rows) else np.zeros(0, np.bool_)
    return rows, position - np.maximum.accumulate(np.where(first, position, 0)) + 1
