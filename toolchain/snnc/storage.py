"""What synapses cost in a core's memory: the cost rule of a chip. Used by split and place.

The rule is the one of nengo-loihi (nengo_loihi/block.py, Synapse.bits): the synapses that one axon has on a core are cut
into entries; an entry is a header and its synapses, rounded up to whole memory words. Every number of the rule comes from
the chip's profile.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Format = Literal["sparse", "dense"]
FORMATS: tuple[Format, ...] = ("sparse", "dense")
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
    weight = field(weight_bits, storage.weight_field_bits)
    if weight is None:
        return {}
    words: dict[Format, int] = {}
    index = field((n_neurons - 1).bit_length(), storage.index_field_bits)
    if "sparse" in storage.formats and index is not None:
        words["sparse"] = int(storage.entry_words(axon_synapses, weight + delay_bits + index).sum())
    if "dense" in storage.formats:
        axons = np.count_nonzero(axon_synapses)
        words["dense"] = int(axons * storage.entry_words(np.asarray(n_neurons), weight + delay_bits))
    return words
