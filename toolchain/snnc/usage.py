"""What a slice of a population uses of a core. Used by split to cut, by place to re-check, by check to report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snnc.arith import Fixed
from snnc.configurations import SYNAPSES, Neurons, Synapses, neuron_configurations, synapse_configurations
from snnc.errors import DoesNotFitError, UnsupportedError
from snnc.hw import Profile
from snnc.ir import Connection, Network
from snnc.latency import chip_delays
from snnc.mapping import Slice
from snnc.resets import compartments, with_resets
from snnc.storage import INEXPRESSIBLE, Format, field, words_by_format, words_by_length

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Usage:
    """How much of one resource is used at one place. None: not public, so whether it fits is unknown."""

    resource: str  # a key of Profile.limits or Profile.totals, or "cores"
    place: str
    used: int | None
    limit: int | None

    @property
    def share(self) -> float | None:
        """used / limit, or None if one of them is unknown."""
        return None if self.used is None or self.limit is None else self.used / self.limit

    @property
    def status(self) -> str:
        """ "ok", "over" or "unknown"."""
        share = self.share
        return "unknown" if share is None else ("over" if share > 1 else "ok")

    def to_json(self) -> dict[str, Any]:
        """As JSON values, in percent where the limit is public."""
        percent = None if self.share is None else round(100 * self.share, 2)
        return {
            "resource": self.resource, "place": self.place, "used": self.used, "limit": self.limit,
            "percent": percent, "status": self.status,
        }  # fmt: skip


class OverLimitError(DoesNotFitError):
    """A limit of the chip is exceeded; ``usage`` says which."""

    def __init__(self, usage: Usage, what: str, *, fix: str) -> None:
        super().__init__(what, where=usage.place, fix=fix)
        self.usage = usage


def words_for(resource: str) -> str:
    """The name of a resource for people: "input_axons_per_core" -> "input axons"."""
    for place in ("core", "chip", "neuron"):
        resource = resource.removesuffix(f"_per_{place}")
    return resource.replace("_", " ")


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


Axons = Mapping[str, tuple[Ints, Ints]]  # connection -> `Op.axons`
Words = Mapping[str, Mapping[Format, int]]  # connection -> format -> words; formats that cannot express it are absent


def cheapest(words: Words) -> dict[str, Format]:
    """The format of each connection that takes fewest words; of equals the first, sparse."""
    return {name: min(w, key=lambda f: w[f]) for name, w in words.items() if w}


@dataclass(frozen=True)
class Meter:
    """Measures slices of one network on one chip."""

    net: Network
    profile: Profile
    weight_bits: int
    delays: Mapping[str, int]  # connection -> steps of delay on the chip

    @classmethod
    def of(cls, net: Network, profile: Profile) -> Self:
        """Raises UnsupportedError if the chip cannot hold the weights or the delays in any number of cores."""
        net = with_resets(net, profile)
        return cls(net, profile, stored_weight_bits(net, profile), chip_delays(net))

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

    def axons(self, piece: Slice) -> Axons:
        """The source neurons with a synapse into a slice and how many each has, by connection.

        A connection has one input axon for each: another connection has another exponent, delay or format, so it shares none.
        """
        return {c.name: c.op.axons(piece.start, piece.stop) for c in self.net.into(piece.population)}

    def incoming(self, piece: Slice, axons: Axons | None = None, words: Words | None = None) -> dict[str, int]:
        """What a slice uses of a core for its neurons and the synapses that end in it."""
        axons = self.axons(piece) if axons is None else axons
        words = self.words(piece, axons) if words is None else words
        used = {
            "neurons_per_core": self._takes(piece.population) * (piece.stop - piece.start),
            "input_axons_per_core": sum(len(sources) for sources, _ in axons.values()),
        }
        if self.profile.storage:
            used["synapse_words_per_core"] = sum(min(w.values(), default=INEXPRESSIBLE) for w in words.values())
        synapses = self.synapses(piece)
        counted = {"synapses_per_core": synapses, "weight_bytes_per_core": -(-synapses * self.weight_bits // 8)}
        counted |= self._configurations(piece, axons, words)
        return used | {resource: amount for resource, amount in counted.items() if resource in self.profile.limits}

    def _takes(self, population: str) -> int:
        """The compartments of one neuron."""
        return compartments(self.net[population], self.profile)

    @cached_property
    def _of_neurons(self) -> Neurons:
        return neuron_configurations(self.net)

    @cached_property
    def _of_synapses(self) -> Synapses:
        return synapse_configurations(self.net, self.delays)

    def _configurations(self, piece: Slice, axons: Axons, words: Words) -> dict[str, int]:
        """How many different ones of each kind a slice needs."""
        here = slice(piece.start, piece.stop)
        used = {resource: len(np.unique(numbers[piece.population][here])) for resource, numbers in self._of_neurons.items()}
        formats = cheapest(words)
        wires = {(self._of_synapses[name], formats.get(name)) for name, (sources, _) in axons.items() if len(sources)}
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
        if not {"input_axons_per_core", "synapse_words_per_core", SYNAPSES} & set(limits):
            return length
        axons, words = np.zeros(length, np.int64), np.zeros(length, np.int64)
        for c in self.net.into(piece.population):
            rows, nth = _occurrences(*c.op.rows(piece.start, piece.stop), length)
            axons += np.cumsum(np.bincount(rows[nth == 1], minlength=length))
            if self.profile.storage:
                bits = self.weight_bits, self.delays[c.name].bit_length()
                words = np.minimum(words + words_by_length(self.profile.storage, rows, nth, length, *bits), INEXPRESSIBLE)
        over = axons > limits.get("input_axons_per_core", INEXPRESSIBLE)
        over |= words > limits.get("synapse_words_per_core", INEXPRESSIBLE)
        return self._connected(piece, int(over.argmax()) if over.any() else length)

    def _connected(self, piece: Slice, length: int) -> int:
        """How many of the first ``length`` neurons of a slice a core holds by the configurations of their synapses."""
        wires = self.net.into(piece.population)
        if (most := self.profile.limits.get(SYNAPSES, len(wires))) >= len(wires):
            return length
        longer = (Slice(piece.population, piece.start, piece.start + n) for n in range(1, length + 1))
        return next((n for n, one in enumerate(longer) if self.incoming(one)[SYNAPSES] > most), length)

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

    def words(self, piece: Slice, axons: Axons) -> Words:
        """What each connection into the slice takes of this core's memory, by format; nothing where formats are not public."""
        return {name: self._words(name, counts, piece) for name, (_, counts) in axons.items()}

    def _words(self, connection: str, synapses: Ints, piece: Slice) -> dict[Format, int]:
        if self.profile.storage is None:
            return {}
        delay_bits = self.delays[connection].bit_length()
        return words_by_format(self.profile.storage, synapses, piece.stop - piece.start, self.weight_bits, delay_bits)


def fan_out(c: Connection, targets: Iterable[Slice]) -> Ints:
    """Output axons of each source neuron of a connection: one for each slice in which it has a synapse. Shape (n_src,)."""
    axons = np.zeros(c.op.n_src, np.int64)
    for piece in targets:
        axons[c.op.axons(piece.start, piece.stop)[0]] += 1
    return axons


def _occurrences(rows: Ints, sources: Ints, length: int) -> tuple[Ints, Ints]:
    """Synapses, in another order: their rows, and that each is the nth of its source neuron among the rows up to its own."""
    sources, rows = np.divmod(np.sort(sources * length + rows), length)
    position = np.arange(len(rows))
    first = np.concatenate([[True], sources[1:] != sources[:-1]]) if len(rows) else np.zeros(0, np.bool_)
    return rows, position - np.maximum.accumulate(np.where(first, position, 0)) + 1
