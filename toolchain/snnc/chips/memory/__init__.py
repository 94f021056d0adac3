"""What synapses cost in a core's memory, by the rule that the chip's profile names. Used by split, place and map.

A rule is a file in this folder; adding one adds a rule. The synapses that one axon has on a core are cut into entries, each with
a header; how entries become memory words, and in which formats synapses can be stored, is the rule's. Every number comes from
the chip's profile. `words_by_core` counts words on any number of cores; `words_by_length` says the same, to the last word, of a
core that takes one neuron after the other, for all numbers of neurons at once.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from snnc.base import registry
from snnc.chips.storage import INEXPRESSIBLE, Axons, Format, Ints, Rule, Storage, Words, field, rule

__all__ = ["INEXPRESSIBLE", "Axons", "Format", "Rule", "Storage", "Words", "field", "names", "rule"]


def names() -> tuple[str, ...]:
    """Return the names of all rules, as profiles write them."""
    return tuple(name.replace("_", "-") for name in registry.STORAGE_RULES.names())


def words_by_core(
    storage: Storage, axons: Axons, n_neurons: Ints, n_targets: Ints, weight_bits: int, delay_bits: int = 0,
    most: int = INEXPRESSIBLE, only_best: bool = True,
) -> dict[Format, Words]:  # fmt: skip
    """Return the words of one connection on each core, by format, (cores,) each; `INEXPRESSIBLE` where it cannot be stored so.

    ``n_neurons``, shape (cores,): all neurons on the core, which an index must tell apart; ``n_targets``, shape (cores,): those
    of the connection's destination. ``most``: words that an axon may have; a format in which one has more is used only if that
    is so in all formats. With ``only_best`` a format that is not the cheapest on a core may have more words there than it could.
    """
    bits = storage.synapse_bits(weight_bits, delay_bits)
    if bits is None:
        return {}
    widths, of_core = np.unique(n_neurons, return_inverse=True)
    index = np.array([-1 if (w := storage.index_bits(int(n))) is None else w for n in widths], np.int64)[of_core]
    model = storage.rule
    ways: list[tuple[Format, Words]] = []
    for stored_as, step, words in model.by_axon(storage, axons, np.maximum(index, 0)[axons.core], n_targets, bits, only_best):
        total = np.bincount(axons.core, words, minlength=len(index)).astype(np.int64)  # exact: no memory has 2**53 words
        total = total if stored_as in model.UNINDEXED else np.where(index < 0, INEXPRESSIBLE, total)
        longest = _longest(axons.core, words, len(index)) if most < INEXPRESSIBLE or not only_best else np.zeros_like(total)
        ways.append((stored_as, Words(total, longest, np.full_like(total, step))))
    if only_best and any((w.longest > most).any() for _, w in ways):
        return words_by_core(storage, axons, n_neurons, n_targets, weight_bits, delay_bits, most, only_best=False)
    return _by_format(ways, most)


def _longest(core: Ints, words: Ints, n_cores: int) -> Ints:
    """Return the words of the axon of each core that has most: shape (cores,)."""
    longest = np.zeros(n_cores, np.int64)
    first = np.flatnonzero(np.diff(core, prepend=-1))
    longest[core[first]] = np.maximum.reduceat(words, first) if len(first) else 0
    return longest


def _by_format(ways: list[tuple[Format, Words]], most: int) -> dict[Format, Words]:
    """Return the cheapest way of each format; a way whose longest axon has more words than ``most`` only where all have."""
    allowed = np.any([w.longest <= most for _, w in ways], axis=0)
    by_format: dict[Format, Words] = {}
    for stored_as, w in ways:
        here = w._replace(total=np.where(allowed & (w.longest > most), INEXPRESSIBLE, w.total))
        known = by_format.get(stored_as, here)
        by_format[stored_as] = Words(*(np.where(here.total < known.total, a, b) for a, b in zip(here, known, strict=True)))
    return by_format


def lengths_by_index(storage: Storage, length: int) -> Iterator[range]:
    """Yield the numbers of neurons 1 .. ``length``, those together that take an index of the same width; the largest first."""
    ends = sorted({0, length, *(min(length, 1 << width) for width in storage.index_field_bits)}, reverse=True)
    yield from (range(low + 1, high + 1) for high, low in pairwise(ends))


def words_by_length(
    storage: Storage, rows: Ints, nth: Ints, lengths: range, weight_bits: int, delay_bits: int, most: int = INEXPRESSIBLE
) -> Ints:
    """Return the words of one connection on a core with its first neurons, as many as ``lengths`` says, in the cheapest format.

    Of each synapse, axon after axon, ``rows``: its neuron, ascending; ``nth``: that it is the nth of its axon, from 1 on.
    ``lengths`` as of `lengths_by_index`. `words_by_core` of every length at once; `INEXPRESSIBLE` where there is no format
    or each has an axon of over ``most`` words.
    """
    bits = storage.synapse_bits(weight_bits, delay_bits)
    if bits is None:
        return np.full(len(lengths), INEXPRESSIBLE, np.int64)
    return storage.rule.by_length(storage, rows, nth, lengths, storage.index_bits(lengths[-1]), bits, most)
