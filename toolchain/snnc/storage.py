"""What synapses cost in a core's memory: the cost rule of a chip. Used by split and place.

The rule is the one of nengo-loihi (nengo_loihi/block.py, Synapse.bits): the synapses that one axon has on a core are cut
into entries; an entry is a header and its synapses, rounded up to whole memory words. Every number of the rule comes from
the chip's profile.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Format = Literal["sparse", "dense"]
FORMATS: tuple[Format, ...] = ("sparse", "dense")
INEXPRESSIBLE = 1 << 62  # words: more than any memory; no format can tell so many neurons apart
MODELS = ("nengo-loihi",)  # the published rules that this module computes


@dataclass(frozen=True)
class Storage:
    """The numbers of the cost rule."""

    model: str  # who published the rule, one of `MODELS`
    word_bits: int
    entry_header_bits: int
    entry_synapses_max: int
    weight_field_bits: tuple[int, ...]  # the widths that a weight can be stored with, ascending
    index_field_bits: tuple[int, ...]  # the widths that a neuron's index can be stored with, ascending
    formats: tuple[Format, ...]  # sparse: weight and index of each synapse that exists; dense: a weight for every neuron

    def entry_words(self, synapses: NDArray[Any], bits_per_synapse: int) -> NDArray[np.int64]:
        """Words for one axon with that many synapses on the core, elementwise. 0 synapses cost nothing."""
        full, rest = np.divmod(np.asarray(synapses, np.int64), self.entry_synapses_max)
        words: NDArray[np.int64] = full * self._words(self.entry_synapses_max * bits_per_synapse)
        return words + np.where(rest > 0, self._words(rest * bits_per_synapse), 0)

    def _words(self, bits: Any) -> Any:
        return -(-(self.entry_header_bits + bits) // self.word_bits)


def field(bits: int, widths: tuple[int, ...]) -> int | None:
    """The narrowest field that holds ``bits``; None if none is wide enough."""
    return next((width for width in widths if width >= bits), None)


def words_by_format(
    storage: Storage, axon_synapses: NDArray[np.int64], n_neurons: int, weight_bits: int, delay_bits: int = 0
) -> dict[Format, int]:
    """Words that one connection takes on one core, in each format that the chip has and that can express it.

    ``axon_synapses``: how many synapses each source neuron has on the core, shape (n_src,); those without one have no axon.
    ``n_neurons``: neurons on the core, which an index must tell apart and a dense axon has a weight for.
    """
    axons, neurons = axon_synapses[axon_synapses > 0], np.array([n_neurons])
    words = words_by_core(storage, np.zeros(len(axons), np.int64), axons, neurons, neurons, weight_bits, delay_bits)
    return {form: int(w[0]) for form, w in words.items() if w[0] < INEXPRESSIBLE}


def words_by_core(
    storage: Storage, core: NDArray[Any], synapses: NDArray[Any], n_neurons: NDArray[Any], n_targets: NDArray[Any],
    weight_bits: int, delay_bits: int = 0,
) -> dict[Format, NDArray[np.int64]]:  # fmt: skip
    """Words that one connection takes on each core, by format, each of shape (cores,); `INEXPRESSIBLE` where it cannot.

    ``core`` and ``synapses``, shape (axons,): where each axon ends and how many synapses it has there. ``n_neurons``, shape
    (cores,): all neurons on the core, which an index must tell apart; ``n_targets``: those of the connection's destination,
    for each of which a dense axon has a weight.
    """
    weight = field(weight_bits, storage.weight_field_bits)
    if weight is None:
        return {}
    words: dict[Format, NDArray[np.int64]] = {}
    if "sparse" in storage.formats:
        widths = [field((max(1, int(n)) - 1).bit_length(), storage.index_field_bits) for n in n_neurons]
        index = np.array([-1 if width is None else width for width in widths])
        each = storage.entry_words(synapses, weight + delay_bits + np.maximum(index, 0)[core])
        words["sparse"] = np.where(index < 0, INEXPRESSIBLE, _sums(core, each, len(index)))
    if "dense" in storage.formats:
        axons = _sums(core, np.asarray(synapses) > 0, len(n_neurons))
        words["dense"] = axons * storage.entry_words(n_targets, weight + delay_bits)
    return words


def _sums(core: NDArray[Any], amounts: NDArray[Any], n_cores: int) -> NDArray[np.int64]:
    """The amounts of each core added up: shape (cores,). Exact, as no memory has 2**53 words."""
    return np.bincount(core, amounts, minlength=n_cores).astype(np.int64)


@cache
def _words_of_next(storage: Storage, bits_per_synapse: int, bits: int) -> NDArray[np.int64]:
    """What the nth synapse of an axon adds to its words, for n = 1 .. 2**bits."""
    words = storage.entry_words(np.arange((1 << bits) + 1), bits_per_synapse)
    return words[1:] - words[:-1]


def words_by_length(
    storage: Storage, rows: NDArray[np.int64], nth: NDArray[np.int64], length: int, weight_bits: int, delay_bits: int
) -> NDArray[np.int64]:
    """Words that one connection takes on a core with its first 1, 2, ... ``length`` neurons, in the cheapest format.

    Of each synapse, ``rows``: its neuron, ``nth``: that it is the nth of its source neuron, from 1 on. Shape (length,).
    `words_by_format` of every length at once; `INEXPRESSIBLE` where there is no format.
    """
    weight = field(weight_bits, storage.weight_field_bits)
    words = np.full(length, INEXPRESSIBLE, np.int64)
    if weight is None:
        return words
    n = np.arange(1, length + 1)
    if "dense" in storage.formats:
        axons = np.cumsum(np.bincount(rows[nth == 1], minlength=length))
        words = axons * storage.entry_words(n, weight + delay_bits)
    if "sparse" not in storage.formats:
        return words
    fields = [field(b, storage.index_field_bits) for b in range(length.bit_length() + 1)]
    bits = np.ceil(np.log2(n)).astype(np.int64)  # that tell n neurons apart
    for index in {width for width in fields if width is not None}:
        each = _words_of_next(storage, weight + delay_bits + index, int(nth.max(initial=1)).bit_length())
        total = np.cumsum(np.bincount(rows, each[nth - 1], length)).astype(np.int64)
        mine = np.array([width == index for width in fields])
        words = np.where(mine[bits], np.minimum(words, total), words)
    return words
