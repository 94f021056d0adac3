"""Output axons: the slots that neurons take on their core to reach others. Used by split, place and census."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snnc.chips.profile import Profile
from snnc.mapping.model import Slice
from snnc.network.model import Connection, Network

Ints = NDArray[np.int64]


def hang_on_chips(profile: Profile) -> bool:
    """Tell whether an axon takes more slots if it leads to another chip."""
    return profile.chips > 1 and profile.off_chip_axon_slots > 1


def all_off_chip(profile: Profile) -> Profile:
    """Return the chips as if every axon led to another chip: what they hold, they hold however cores are placed.

    The exception is an axon that takes more slots than a core has, of which no placement would hold any. Where no axon takes
    more slots, the same chips are returned.
    """
    if not hang_on_chips(profile):
        return profile
    limits, sent = dict(profile.limits), "output_axons_per_core"
    if sent in limits:
        limits[sent] = max(1, limits[sent] // profile.off_chip_axon_slots)
    return replace(profile, limits=limits, off_chip_axon_slots=1)


def chips(profile: Profile, places: Ints) -> Ints:
    """Return the chip on which each core lies, by its place."""
    return places // max(1, profile.cores_per_chip)


def slots(profile: Profile, src: Ints, dst: Ints) -> Ints:
    """Return the slots of axons from chip ``src`` to chip ``dst``, elementwise."""
    return np.where(src == dst, 1, profile.off_chip_axon_slots)


def fan_out(c: Connection, targets: Iterable[Slice]) -> Ints:
    """Return the output axons of each source neuron: one for each slice in which it has a synapse. Shape (n_src,)."""
    axons = np.zeros(c.op.n_src, np.int64)
    for core_slice in targets:
        axons[c.op.axons(core_slice.start, core_slice.stop)[0]] += 1
    return axons


class Outgoing:
    """The slots of the neurons of slices, slice i on core i. Axons are added slice by slice, where they end."""

    def __init__(self, net: Network, slices: Sequence[Slice], profile: Profile) -> None:
        self._profile = profile
        self._chips = chips(profile, np.arange(len(slices)))
        self._slots = {p.name: np.zeros(p.size, np.int64) for p in net.populations}
        self._chip_of = {p.name: np.zeros(p.size, np.int64) for p in net.populations}
        for chip, core_slice in zip(self._chips, slices, strict=True):
            self._chip_of[core_slice.population][core_slice.start : core_slice.stop] = chip

    def add(self, c: Connection, sources: Ints, core: int) -> None:
        """Add the axons of a connection from these neurons to a core."""
        self._slots[c.src][sources] += slots(self._profile, self._chip_of[c.src][sources], self._chips[core])

    def of(self, core_slice: Slice) -> int:
        """Return the slots that a slice takes, once all axons are added."""
        return int(self._slots[core_slice.population][core_slice.start : core_slice.stop].sum())
