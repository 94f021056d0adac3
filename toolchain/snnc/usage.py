"""What a slice of a population uses of a core. Used by split to cut, by place to re-check, by check to report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snnc.arith import Fixed
from snnc.errors import DoesNotFitError, UnsupportedError
from snnc.hw import Profile
from snnc.ir import Connection, Network
from snnc.latency import chip_delays
from snnc.mapping import Slice
from snnc.storage import INEXPRESSIBLE, Format, field, words_by_format


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
        return cls(net, profile, stored_weight_bits(net, profile), chip_delays(net))

    def incoming(self, piece: Slice) -> dict[str, int]:
        """What a slice uses of a core for its neurons and the synapses that end in it.

        A connection has one input axon for each source neuron with a synapse into the slice: another connection has another
        exponent, delay or format, so it shares none.
        """
        counts = {c.name: _axon_synapses(c, piece) for c in self.net.into(piece.population)}
        used = {
            "neurons_per_core": piece.stop - piece.start,
            "input_axons_per_core": sum(int(np.count_nonzero(n)) for n in counts.values()),
        }
        if self.profile.storage:
            words = (self._words(name, n, piece) for name, n in counts.items())
            used["synapse_words_per_core"] = sum(min(w.values(), default=INEXPRESSIBLE) for w in words)
        synapses = sum(int(n.sum()) for n in counts.values())
        counted = {"synapses_per_core": synapses, "weight_bytes_per_core": -(-synapses * self.weight_bits // 8)}
        used |= {resource: amount for resource, amount in counted.items() if resource in self.profile.limits}
        return used

    def formats(self, piece: Slice) -> dict[str, Format]:
        """The format that is cheapest on this core, for each connection into the slice; of equals the first, sparse."""
        words = {c.name: self._words(c.name, _axon_synapses(c, piece), piece) for c in self.net.into(piece.population)}
        return {name: min(w, key=lambda f: w[f]) for name, w in words.items() if w}

    def _words(self, connection: str, synapses: NDArray[np.int64], piece: Slice) -> dict[Format, int]:
        if self.profile.storage is None:
            return {}
        delay_bits = self.delays[connection].bit_length()
        return words_by_format(self.profile.storage, synapses, piece.stop - piece.start, self.weight_bits, delay_bits)


def _axon_synapses(c: Connection, piece: Slice) -> NDArray[np.int64]:
    """Synapses of each source neuron into the slice, shape (n_src,)."""
    counts = np.zeros(c.op.n_src, np.int64)
    sources, synapses = c.op.axons(piece.start, piece.stop)
    counts[sources] = synapses
    return counts


def fan_out(c: Connection, targets: Sequence[Slice]) -> NDArray[np.int64]:
    """Output axons of each source neuron of a connection: one for each slice in which it has a synapse. Shape (n_src,)."""
    axons = np.zeros(c.op.n_src, np.int64)
    for piece in targets:
        axons += _axon_synapses(c, piece) > 0
    return axons
