"""The rule of NxTF (nxsdk_modules_ncl/dnn/src/{data_structures,synapse_compression}.py): the bits of an axon are rounded up.

An axon takes ceil(bits / 64) words, and one more if bits mod 64 is 0 or over 58: what a further 6 bits after its last entry take.
Sparse: an index of each synapse. Run-length: the step from one neuron to the next; a step that its field does not hold opens
an entry, as the index of an entry's first neuron is in its header. Dense: no step, so that a gap opens an entry, or weights of
zero pad it, in entries that span at most as many neurons as an entry has synapses; whichever takes fewer words.

Every connection has one format on a core, with one width of index and step, the best there. NxTF picks the widths entry by
entry, and then merges them until there are seven formats at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from snnc.chips.storage import INEXPRESSIBLE, Axons, Format, Ints, Storage, over_from, totals

FORMATS: tuple[Format, ...] = ("sparse", "run-length", "dense")
UNINDEXED: tuple[Format, ...] = ()
FIELDS: tuple[str, ...] = ("delay_field_bits", "skip_field_bits", "axon_end_bits")


@dataclass(frozen=True, eq=False)
class _Entries:
    """How the synapses of axons fall into entries. Read at the last synapse of each axon, or at ``every`` one on the way."""

    storage: Storage
    axons: Axons
    index: Ints | int  # bits, where they are read
    bits: int  # of a synapse
    every: bool

    @cached_property
    def synapses(self) -> Ints:
        """Of the axon up to here."""
        return self._along(np.ones(len(self.axons.gaps), np.int64)) if self.every else self.axons.synapses

    def words(self, entries: Ints, header: Ints | int, synapses: Ints, bits: Ints | int) -> Ints:
        """Return the words of axons with so many entries and synapses."""
        storage = self.storage
        total_bits = entries * (storage.entry_header_bits + header) + synapses * bits + storage.axon_end_bits
        return -(-total_bits // storage.word_bits)

    def plain(self) -> Iterator[tuple[Format, int, Ints]]:
        """Yield the ways without padding, as of `snnc.chips.memory.Rule`; dense last."""
        storage, formats, count = self.storage, self.storage.formats, self.synapses
        if "sparse" in formats:
            yield "sparse", 0, self.words(-(-count // storage.entry_synapses_max), 0, count, self.bits + self.index)
        for width in storage.skip_field_bits if "run-length" in formats else ():
            yield "run-length", width, self.words(self._runs((1 << width) - 1), self.index, count, self.bits + width)
        if "dense" in formats:
            yield "dense", 0, self.words(self._runs(1), self.index, count, self.bits)

    def padded(self) -> Ints:
        """Return the words of dense entries with gaps of zeros."""
        opens = _windows(self.axons, self.storage.entry_synapses_max)
        neurons = np.where(opens, 1, self.axons.gaps)
        return self.words(self._along(opens), self.index, self._along(neurons), self.bits)

    def dense_at_least(self) -> Ints:
        """Return the words that no way of dense storage can go below: a gap is padded or opens an entry, whichever takes less."""
        header = self.storage.entry_header_bits + self.storage.index_field_bits[0]
        each = np.minimum(self.axons.gaps.astype(np.int64) * self.bits, header + self.bits)
        return -(-(self._along(each) + self.storage.axon_end_bits) // self.storage.word_bits)

    def _runs(self, reach: int) -> Ints:
        """Count entries, where a gap over ``reach`` opens one."""
        opens, most = self.axons.gaps > reach, self.storage.entry_synapses_max
        if self.axons.synapses.max(initial=0) > most:
            place = np.arange(len(opens))
            opens = (place - np.maximum.accumulate(np.where(opens, place, 0))) % most == 0
        return self._along(opens)

    def _along(self, amounts: NDArray[np.int64] | NDArray[np.bool_]) -> Ints:
        """Sum amounts of synapses along each axon, where they are read."""
        starts, synapses = self.axons.starts, self.axons.synapses
        total = np.cumsum(amounts, dtype=np.int64)
        before = total[starts] - amounts[starts]
        return total - np.repeat(before, synapses) if self.every else total[starts + synapses - 1] - before


def _windows(axons: Axons, size: int) -> NDArray[np.bool_]:
    """Return which synapses open an entry that spans ``size`` neurons, the next of an axon being after those."""
    targets, at, ends = axons.targets, axons.starts, axons.starts + axons.synapses
    stride = int(targets.max(initial=0)) + size + 1
    place = np.repeat(np.arange(len(at)) * stride, axons.synapses) + targets
    opens = np.zeros(len(place), np.bool_)
    while len(at):
        opens[at] = True
        at = np.searchsorted(place, place[at] + size)
        at, ends = at[at < ends], ends[at < ends]
    return opens


def by_axon(
    storage: Storage, axons: Axons, index: Ints, n_targets: Ints, bits: int, only_best: bool
) -> Iterator[tuple[Format, int, Ints]]:
    """See `snnc.chips.memory.Rule`. Padding takes long to count: where it cannot be the cheapest, no gap is padded."""
    entries = _Entries(storage, axons, index, bits, every=False)
    plain = list(entries.plain())
    yield from plain
    if "dense" not in storage.formats:
        return
    may = np.ones(len(n_targets), np.bool_)
    if only_best:
        best = np.min([np.bincount(axons.core, words, len(may)) for _, _, words in plain], axis=0)
        may = np.bincount(axons.core, entries.dense_at_least(), len(may)) < best
    some = may[axons.core]
    if some.any():
        words = plain[-1][2].copy()  # dense, no gap padded
        words[some] = _Entries(storage, axons.some(some), index[some], bits, every=False).padded()
        yield "dense", 0, words


def by_length(storage: Storage, rows: Ints, nth: Ints, lengths: range, index: int | None, bits: int, most: int) -> Ints:
    """See `snnc.chips.memory.Rule`."""
    best = np.full(len(lengths), INEXPRESSIBLE, np.int64)
    if index is None:
        return best
    first = nth == 1
    synapses = np.diff(np.flatnonzero(first), append=len(rows))
    axons = Axons(np.zeros(len(synapses), np.int64), synapses, lambda: rows)
    entries = _Entries(storage, axons, index, bits, every=True)

    def collect(after: Ints) -> Ints:
        words = totals(rows, np.where(first, after, np.diff(after, prepend=0)), lengths)
        if after.max(initial=0) > most:
            words[over_from(rows, after > most, lengths) :] = INEXPRESSIBLE
        return words

    for _, _, after in entries.plain():
        best = np.minimum(best, collect(after))
    if "dense" in storage.formats and (collect(entries.dense_at_least()) < best).any():
        best = np.minimum(best, collect(entries.padded()))
    return best
