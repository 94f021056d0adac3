"""What a network takes of an FPGA, counted from the memories that target `verilog` lays out; nothing is synthesised."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from snnc.base import registry
from snnc.chips.fpga import Fpga, Memory, Placed, uses
from snnc.chips.profile import Profile
from snnc.errors import DoesNotFitError, NetworkError, UnsupportedError
from snnc.mapping.usage import Usage
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.network.op import MAX_SYNAPSES
from snnc.passes.quantise import quantise

TARGET = "verilog"
LANES = tuple(1 << i for i in range(7))
MOST_LOGIC = 0.85  # of the LUTs: fuller devices are slow to route, and slow


class Machine(Protocol):
    """What a target offers whose artifacts are designs for FPGAs."""

    def problems(self, net: Network, mapping: None) -> list[str]:
        """Return everything that cannot be exported, each as a sentence."""

    def memories(self, net: Network, lanes: int, max_synapses: int) -> tuple[Memory, ...]:
        """Return the memories of the design of an integer network."""

    def luts(self, net: Network, lanes: int, max_synapses: int) -> int:
        """Return about how many LUTs of 4 inputs the design takes beside its memories."""


@dataclass(frozen=True)
class Design:
    """A network on a device with so many lanes: where each memory lies, and about how many LUTs it takes."""

    lanes: int
    placed: tuple[Placed, ...]
    luts: int

    def amounts(self, kinds: Iterable[str]) -> dict[str, int]:
        """Return what it takes of some kinds of cells: block_rams, large_rams, luts."""
        taken = {**uses(self.placed), "luts": self.luts}
        return {kind: taken[kind] for kind in kinds}

    def usages(self, fpga: Fpga) -> tuple[Usage, ...]:
        """Return what it takes of each kind of cells, the estimate of LUTs last."""
        place = f"{self.lanes} lane{'s' if self.lanes > 1 else ''}"
        limits = {**fpga.limits, "luts": fpga.luts}
        return tuple(Usage(kind, place, amount, limits[kind]) for kind, amount in self.amounts(limits).items())

    def fits(self, fpga: Fpga) -> bool:
        """Tell whether the memories fit and there are clearly enough LUTs."""
        return all(usage.status == "ok" for usage in self.usages(fpga)) and self.luts <= MOST_LOGIC * fpga.luts

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        placed = [
            {"memory": p.memory.name, "words": p.memory.words, "bits": p.memory.bits, "copies": p.memory.copies,
             "where": p.where, "rams": p.rams}
            for p in self.placed
        ]  # fmt: skip
        return {"lanes": self.lanes, "memories": placed, **uses(self.placed), "luts_estimated": self.luts}


def machine() -> Machine:
    """Return the target that writes designs for FPGAs."""
    return cast(Machine, registry.TARGETS.module(TARGET))


def integers(net: Network, profile: Profile) -> Network:
    """Return the network in integers: as it is, or a float one quantised for the device. Raises what `quantise` raises."""
    return net if isinstance(net.numeric, Fixed) else quantise(net, profile)


def problems(net: Network, profile: Profile) -> tuple[str, ...]:
    """Return everything that no design can express, each as a sentence."""
    try:
        return tuple(machine().problems(integers(net, profile), None))
    except (NetworkError, UnsupportedError) as error:
        return (str(error),)


def design(net: Network, fpga: Fpga, lanes: int) -> Design:
    """Lay an integer network into a device. Raises what the target raises for a network that it cannot write."""
    written = machine()
    memories = written.memories(net, lanes, MAX_SYNAPSES)
    placed = fpga.place(memories)
    return Design(lanes, placed, written.luts(net, lanes, MAX_SYNAPSES) + sum(map(fpga.luts_of, placed)))


def designs(net: Network, fpga: Fpga) -> tuple[Design, ...]:
    """Return the designs with 1, 2, 4 ... lanes that fit; with 1 lane alone if none does."""
    tried = tuple(_while_they_fit(net, fpga))
    return tuple(d for d in tried if d.fits(fpga)) or tried[:1]


def _while_they_fit(net: Network, fpga: Fpga) -> Iterator[Design]:
    """Yield designs with more and more lanes up to one that takes too many LUTs: memories may fit with more lanes again."""
    largest = max(p.size for p in net.populations if p.neuron)
    for lanes in LANES:
        made = design(net, fpga, lanes)
        yield made
        if made.luts > MOST_LOGIC * fpga.luts or lanes >= largest:
            return


def fewest_lanes(net: Network, fpga: Fpga) -> int | None:
    """Return the fewest lanes with which an integer network fits; None if it does not."""
    return next((made.lanes for made in _while_they_fit(net, fpga) if made.fits(fpga)), None)


def best_design(net: Network, profile: Profile) -> Design:
    """Return the design with the most lanes that fits, or with 1 lane. Raises UnsupportedError for what is no FPGA."""
    return designs(net, must_be_fpga(profile))[-1]


def must_be_fpga(profile: Profile) -> Fpga:
    """Return the cells of an FPGA. Raises UnsupportedError for another chip."""
    if profile.fpga is None:
        raise UnsupportedError("is no FPGA", where=profile.name, fix="name one: snnc profiles lists them")
    return profile.fpga


def measure(net: Network, profile: Profile, lanes: int) -> Mapping[str, float]:
    """Return the RAMs that a network takes with so many lanes, and as "share" the part of all memory's bits.

    A network of which no design can be made takes infinitely much.
    """
    fpga = must_be_fpga(profile)
    try:
        memories = machine().memories(integers(net, profile), lanes, MAX_SYNAPSES)
    except DoesNotFitError:
        return dict.fromkeys((*fpga.limits, "share"), float("inf"))
    taken = uses(fpga.place(memories))
    bits = sum(m.words * m.bits * m.copies for m in memories)
    room = fpga.block_rams * fpga.block_ram_bits + fpga.large_rams * fpga.large_ram_words * fpga.large_ram_bits
    return {**{kind: float(taken[kind]) for kind in fpga.limits}, "share": bits / room}
