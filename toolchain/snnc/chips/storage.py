"""The numbers of a cost rule, and the axons that it is asked about. Shared by all rules."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from snnc.base import registry

Ints = NDArray[np.int64]
Format = Literal["sparse", "dense", "run-length"]
INEXPRESSIBLE = 1 << 61  # words: more than any memory, and two of them still a number; no format can tell so many neurons apart
FIRST = 1 << 14  # gap before the first synapse of an axon: no field holds it


class Rule(Protocol):
    """What a file  of chips/memory/ offers."""

    FORMATS: tuple[Format, ...]
    UNINDEXED: tuple[Format, ...]  # the formats that need no index
    FIELDS: tuple[str, ...]  # of `Storage`, those that only this rule reads

    def by_axon(
        self, storage: "Storage", axons: "Axons", index: Ints, n_targets: Ints, bits: int, only_best: bool
    ) -> Iterator[tuple[Format, int, Ints]]:
        """Yield (format, bits of a step, words of each axon, (axons,)) of each way to store a connection; some of equal formats.

        ``index``, shape (axons,): bits of an index; ``n_targets``, shape (cores,); ``bits``: of a synapse without it. With
        ``only_best`` ways may be missing that are nowhere the cheapest.
        """

    def by_length(
        self, storage: "Storage", rows: Ints, nth: Ints, lengths: range, index: int | None, bits: int, most: int
    ) -> Ints:
        """Return `words_by_length` with an index of so many bits."""


def rule(name: str) -> Rule:
    """Load a rule by its name. Raises ProfileError for an unknown one."""
    return cast(Rule, registry.STORAGE_RULES.module(name.replace("-", "_")))


@dataclass(frozen=True)
class Storage:
    """The numbers of the cost rule."""

    model: str  # who published the rule, one of `names`
    word_bits: int
    entry_header_bits: int
    entry_synapses_max: int
    weight_field_bits: tuple[int, ...]  # the widths that a weight can be stored with, ascending
    index_field_bits: tuple[int, ...]  # the widths that a neuron's index can be stored with, ascending
    formats: tuple[Format, ...]
    delay_field_bits: tuple[int, ...] = ()  # the widths of a delay, ascending; none: any number of bits
    skip_field_bits: tuple[int, ...] = ()  # the widths of the step to the next neuron, ascending
    axon_end_bits: int = 0  # after the last entry of an axon

    @property
    def rule(self) -> Rule:
        """The cost rule."""
        return rule(self.model)

    @property
    def ways(self) -> tuple[tuple[Format, int], ...]:
        """The formats, those with a field for the step to the next neuron once for each of its widths."""
        return tuple(
            (stored_as, width)
            for stored_as in self.formats
            for width in (self.skip_field_bits if stored_as == "run-length" else (0,))
        )

    def synapse_bits(self, weight_bits: int, delay_bits: int) -> int | None:
        """Return the bits of a synapse without those that name its neuron; None if no field is wide enough."""
        weight = field(weight_bits, self.weight_field_bits)
        delay = field(delay_bits, self.delay_field_bits) if self.delay_field_bits else delay_bits
        return None if weight is None or delay is None else weight + delay

    def index_bits(self, neurons: int) -> int | None:
        """Return the width of an index that tells so many neurons apart; None if no field is wide enough."""
        return field((max(1, neurons) - 1).bit_length(), self.index_field_bits)


def field(bits: int, widths: tuple[int, ...]) -> int | None:
    """Return the narrowest field that holds ``bits``; None if none is wide enough."""
    return next((width for width in widths if width >= bits), None)


@dataclass(frozen=True, eq=False)
class Axons:
    """The axons of one connection on one core or several, in ascending order of the core."""

    core: Ints  # (axons,)
    synapses: Ints  # (axons,) that each has on its core, at least 1
    locate: Callable[[], Ints]  # makes `targets`, for rules to which it matters which neurons these are

    @classmethod
    def alone(cls, synapses: NDArray[Any]) -> "Axons":
        """Return axons on one core with so many ``synapses`` each, to the first neurons there; 0 synapses are no axon."""
        counts = np.asarray(synapses, np.int64)
        counts = counts[counts > 0]
        before = np.cumsum(counts) - counts
        return cls(np.zeros(len(counts), np.int64), counts, lambda: np.arange(counts.sum()) - np.repeat(before, counts))

    def some(self, which: NDArray[np.bool_]) -> "Axons":
        """Return some of the axons: ``which`` has shape (axons,)."""
        return Axons(self.core[which], self.synapses[which], lambda: self.targets[np.repeat(which, self.synapses)])

    @cached_property
    def targets(self) -> Ints:
        """The place of each synapse's neuron among those of its population on the core, from any number on: (synapses,).

        Axon after axon, ascending.
        """
        return self.locate()

    @cached_property
    def starts(self) -> Ints:
        """The first synapse of each axon: shape (axons,)."""
        return np.cumsum(self.synapses) - self.synapses

    @cached_property
    def gaps(self) -> NDArray[np.int16]:
        """From the neuron of each synapse back to that of the one before it, `FIRST` for the first of an axon: (synapses,)."""
        gaps = np.minimum(np.diff(self.targets, prepend=0), FIRST).astype(np.int16)
        gaps[self.starts] = FIRST
        return gaps


class Words(NamedTuple):
    """What a connection takes of a core's memory."""

    total: Any  # of all axons
    longest: Any  # of the axon that takes most
    step: Any  # bits of the field that it is stored with for the step to the next neuron, 0 without


def totals(rows: Ints, amounts: NDArray[Any] | None, lengths: range) -> Ints:
    """Sum the amounts of the synapses (None: 1 each) that end in the first neurons, as many as ``lengths`` says.

    ``rows``: the neuron of each synapse. Exact, as no memory has 2**53 words.
    """
    each = np.bincount(rows, amounts, minlength=lengths.stop - 1)
    return np.cumsum(each)[lengths.start - 1 : lengths.stop - 1].astype(np.int64)


def over_from(rows: Ints, over: NDArray[np.bool_], lengths: range) -> int:
    """Return from which of the lengths on there is a synapse that is ``over``."""
    return max(0, int(rows[over].min(initial=lengths.stop)) + 1 - lengths.start)
