"""Output axons: the slots that neurons take on their core to reach others. Used by split, place and mapper."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snnc.chips.profile import Profile
from snnc.mapping.model import Slice
from snnc.network.model import Connection, Network

Ints = NDArray[np.int64]


def hang_on_chips(profile: Profile) -> bool:
    """Whether an axon takes more slots if it leads to another chip."""
    return profile.chips > 1 and profile.off_chip_axon_slots > 1


def all_off_chip(profile: Profile) -> Profile:
    """The chips as if every axon led to another chip: what they hold, they hold however cores are placed.

    But for an axon that takes more slots than a core has, of which none would do. The same chips where no axon takes more slots.
    """
    if not hang_on_chips(profile):
        return profile
    limits, sent = dict(profile.limits), "output_axons_per_core"
    if sent in limits:
        limits[sent] = max(1, limits[sent] // profile.off_chip_axon_slots)
    return replace(profile, limits=limits, off_chip_axon_slots=1)


def chips(profile: Profile, places: Ints) -> Ints:
    """The chip on which each core lies, by its place."""
    return places // max(1, profile.cores // profile.chips)


def slots(profile: Profile, src: Ints, dst: Ints) -> Ints:
    """Of axons from chip ``src`` to chip ``dst``, elementwise."""
    return np.where(src == dst, 1, profile.off_chip_axon_slots)


def fan_out(c: Connection, targets: Iterable[Slice]) -> Ints:
    """Output axons of each source neuron of a connection: one for each slice in which it has a synapse. Shape (n_src,)."""
    axons = np.zeros(c.op.n_src, np.int64)
    for piece in targets:
        axons[c.op.axons(piece.start, piece.stop)[0]] += 1
    return axons


class Outgoing:
    """The slots of the neurons of slices, slice i on core i. Axons are added slice by slice, where they end."""

    def __init__(self, net: Network, slices: Sequence[Slice], profile: Profile) -> None:
        self._profile = profile
        self._chips = chips(profile, np.arange(len(slices)))
        self._slots = {p.name: np.zeros(p.size, np.int64) for p in net.populations}
        self._chip_of = {p.name: np.zeros(p.size, np.int64) for p in net.populations}
        for chip, piece in zip(self._chips, slices, strict=True):
            self._chip_of[piece.population][piece.start : piece.stop] = chip

    def add(self, c: Connection, sources: Ints, core: int) -> None:
        """The axons of a connection from these neurons to a core."""
        self._slots[c.src][sources] += slots(self._profile, self._chip_of[c.src][sources], self._chips[core])

    def of(self, piece: Slice) -> int:
        """What a slice takes, once all axons are there."""
        return int(self._slots[piece.population][piece.start : piece.stop].sum())
