"""A network as a chip has to hold it. Whatever counts what a network uses of a chip starts here, and so forgets nothing."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snnc.base import units
from snnc.chips.memory import field
from snnc.chips.profile import Profile
from snnc.errors import UnsupportedError
from snnc.mapping.configurations import (
    SYNAPSES,
    NeuronConfigurations,
    SynapseConfigurations,
    neuron_configurations,
    synapse_configurations,
)
from snnc.mapping.soft_reset import compartments, with_resets
from snnc.network.arithmetic import Fixed
from snnc.network.latency import chip_delays
from snnc.network.model import Network


@dataclass(frozen=True, eq=False)
class ChipNetwork:
    """A network and the chip that is to hold it, with what the chip adds and how it stores weights and delays.

    ``net`` gets the synapses by which the chip builds soft resets, unless it has them: there is no way around them.
    """

    net: Network
    profile: Profile

    def __post_init__(self) -> None:
        object.__setattr__(self, "net", with_resets(self.net, self.profile))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to a worker: nothing that was worked out."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def of(cls, net: Network, profile: Profile) -> Self:
        """Return the network on the chip.

        Raises UnsupportedError if the chip cannot hold the weights or the delays in any number of cores.
        """
        made = cls(net, profile)
        made.must_be_storable()
        return made

    def must_be_storable(self) -> None:
        """Raise UnsupportedError if the chip cannot hold the weights or the delays in any number of cores."""
        _ = self.weight_bits, self.delays

    @cached_property
    def is_sent(self) -> bool:
        """Whether workers can get it: synapses that are drawn, and few others."""
        return sum(c.op.synapses.count for c in self.net.connections if not c.op.synapses.are_drawn) <= units.SYNAPSES

    @cached_property
    def fan_in(self) -> Mapping[str, NDArray[np.int64]]:
        """The synapses that end in each neuron of a population, (n,)."""
        total = {p.name: np.zeros(p.size, np.int64) for p in self.net.populations}
        for c in self.net.connections:
            total[c.dst] += c.op.fan_in()
        return total

    @cached_property
    def weight_bits(self) -> int:
        """The bits of a stored weight: those the network was quantised to, the profile's for a float network.

        Raises UnsupportedError if the chip has no field that is wide enough.
        """
        numeric, storage = self.net.numeric, self.profile.storage
        bits = numeric.weight_bits if isinstance(numeric, Fixed) else self.profile.weight_bits or 0  # 0: nothing needs it
        if storage and field(bits, storage.weight_field_bits) is None:
            raise UnsupportedError(
                f"weights have {bits} bits, {self.profile.name} stores at most {max(storage.weight_field_bits)}",
                where=f"network {self.net.name!r}",
                fix=f"quantise it for {self.profile.name}",
            )
        return bits

    @cached_property
    def ends(self) -> Mapping[str, str]:
        """The population in which each connection ends, by name."""
        return {c.name: c.dst for c in self.net.connections}

    @cached_property
    def delays(self) -> Mapping[str, int]:
        """The steps of delay of each connection on the chip.

        Raises UnsupportedError as `chip_delays`, and if the chip has no field that is wide enough for one of them.
        """
        delays = chip_delays(self.net)
        widths = self.profile.storage.delay_field_bits if self.profile.storage else ()
        for name, steps in delays.items():
            if widths and field(steps.bit_length(), widths) is None:
                raise UnsupportedError(
                    f"delays of {steps} steps take {steps.bit_length()} bits, {self.profile.name} stores at most {widths[-1]}",
                    where=f"connection {name!r}",
                    fix="shorten its delay, or pick another chip",
                )
        return delays

    @cached_property
    def compartments(self) -> Mapping[str, int]:
        """The compartments of one neuron of each population that lies on cores."""
        return {p.name: compartments(p, self.profile) for p in self.net.populations if p.neuron}

    @cached_property
    def neuron_configurations(self) -> NeuronConfigurations:
        """Which neurons need the same parameters of a core."""
        return neuron_configurations(self.net)

    @cached_property
    def synapse_configurations(self) -> SynapseConfigurations:
        """Which connections need the same parameters of a core."""
        return synapse_configurations(self.net, self.delays)

    def needed_by_population(self) -> dict[str, dict[str, int]]:
        """Return resource -> population -> how many configurations it needs, each of its connections in one format.

        Those of synapses are left out if the chip cannot hold the delays.
        """
        needed = {
            resource: {name: len(np.unique(numbers)) for name, numbers in by_population.items()}
            for resource, by_population in self.neuron_configurations.items()
        }
        with suppress(UnsupportedError):
            of = self.synapse_configurations
            needed[SYNAPSES] = {p.name: len({of[c.name] for c in self.net.into(p.name)}) for p in self.net.populations}
        return needed
