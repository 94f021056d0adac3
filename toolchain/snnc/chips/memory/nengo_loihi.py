"""The rule of nengo-loihi (nengo_loihi/block.py, Synapse.bits): every entry is rounded up to whole words.

Sparse: weight and index of each synapse that exists; dense: a weight for every neuron of the destination on the core.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.chips.storage import INEXPRESSIBLE, Axons, Format, Ints, Storage, over_from, totals

FORMATS: tuple[Format, ...] = ("sparse", "dense")
UNINDEXED: tuple[Format, ...] = ("dense",)
FIELDS: tuple[str, ...] = ()


def by_axon(
    storage: Storage, axons: Axons, index: Ints, n_targets: Ints, bits: int, only_best: bool
) -> Iterator[tuple[Format, int, Ints]]:
    """See `snnc.chips.memory.Rule`."""
    if "sparse" in storage.formats:
        yield "sparse", 0, entry_words(storage, axons.synapses, bits + index)
    if "dense" in storage.formats:
        yield "dense", 0, entry_words(storage, n_targets, bits)[axons.core]


def by_length(storage: Storage, rows: Ints, nth: Ints, lengths: range, index: int | None, bits: int, most: int) -> Ints:
    """See `snnc.chips.memory.Rule`."""
    words = np.full(len(lengths), INEXPRESSIBLE, np.int64)
    if "dense" in storage.formats:
        each = entry_words(storage, np.array(lengths), bits)
        words = np.where(each > most, INEXPRESSIBLE, totals(rows[nth == 1], None, lengths) * each)
    if "sparse" in storage.formats and index is not None:
        after = _words_after(storage, bits + index, int(nth.max(initial=1)).bit_length())
        sparse = totals(rows, np.diff(after)[nth - 1], lengths)
        if after[-1] > most:
            sparse[over_from(rows, after[nth] > most, lengths) :] = INEXPRESSIBLE
        words = np.minimum(words, sparse)
    return words


def entry_words(storage: Storage, synapses: NDArray[Any], bits_per_synapse: Any) -> NDArray[np.int64]:
    """Return the words of one axon with that many synapses on the core, elementwise. 0 synapses cost nothing."""
    full, rest = np.divmod(np.asarray(synapses, np.int64), storage.entry_synapses_max)
    words: NDArray[np.int64] = full * _rounded(storage, storage.entry_synapses_max * bits_per_synapse)
    return words + np.where(rest > 0, _rounded(storage, rest * bits_per_synapse), 0)


def _rounded(storage: Storage, bits: Any) -> Any:
    return -(-(storage.entry_header_bits + bits) // storage.word_bits)


@cache
def _words_after(storage: Storage, bits_per_synapse: int, bits: int) -> NDArray[np.int64]:
    """Return the words of an axon with n synapses, for n = 0 .. 2**bits."""
    return entry_words(storage, np.arange((1 << bits) + 1), bits_per_synapse)
