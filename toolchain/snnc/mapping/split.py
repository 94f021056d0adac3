"""Cut populations into slices that fit a core. After quantise, before place."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from snnc.chips.profile import Profile
from snnc.mapping.configurations import SYNAPSES
from snnc.mapping.meter import CoreMeter
from snnc.mapping.model import Slice
from snnc.mapping.output_axons import Outgoing, fan_out, hang_on_chips
from snnc.mapping.usage import OverLimitError, Usage, words_for
from snnc.network.model import Connection, Network, Population

Cuts = dict[str, tuple[Slice, ...]]

AXONS = ("input_axons_per_core", "output_axons_per_core")
COUNTED = 256  # slices of a population are counted at least, and twice the cores of the chip


def counted_up_to(profile: Profile) -> int:
    """Return after how many slices of a population the rest is not counted, unless more are asked for."""
    return max(COUNTED, 2 * profile.cores)


class TooLargeError(OverLimitError):
    """A population that cannot be cut. ``core_slice``: what exceeds a limit, ``used``: what it uses of one core, by resource."""

    def __init__(self, core_slice: Slice, used: Mapping[str, int], usage: Usage, what: str, *, fix: str) -> None:
        super().__init__(usage, what, fix=fix)
        self.core_slice, self.used = core_slice, used


class NeuronTooLargeError(TooLargeError):
    """No core holds this neuron, even alone."""


class PopulationTooLargeError(TooLargeError):
    """A population needs far more cores than the chip has; how many was not counted to the end."""


def split(
    net: Network, profile: Profile, too_large: dict[str, TooLargeError] | None = None, most: int | None = None
) -> tuple[Slice, ...]:
    """Cut every neuron population (inputs lie off chip) into contiguous slices that fit a core each, in order of computation.

    Each slice is as long as it can be (shorter, as if all axons went to other chips, where those take more slots than there
    are with the slices on the chips in order), so the number of slices of a population is the least for contiguous ones. How many
    cores there are is `place`'s concern, but a population that needs more than ``most`` (default: `COUNTED`, and twice the
    cores of the chip) is not cut to the end. Raises NeuronTooLargeError if a single neuron exceeds a limit,
    PopulationTooLargeError for too many slices, UnsupportedError if the chip cannot express the network. With
    ``too_large``, such populations are noted there, by name, and stay whole, so that the others can be measured.
    """
    meter = CoreMeter.of(net, profile)
    slices = _slices(meter, too_large, most, slots=1)
    if not hang_on_chips(profile) or (len(slices) <= profile.cores and not _sends_too_much(meter, slices)):
        return slices
    return _slices(meter, too_large, most, slots=profile.off_chip_axon_slots)


def _sends_too_much(meter: CoreMeter, slices: Sequence[Slice]) -> bool:
    """Tell whether a slice has too many output axons, slice i on core i."""
    outgoing = Outgoing(meter.net, slices, meter.profile)
    for i, core_slice in enumerate(slices):
        for c in meter.net.into(core_slice.population):
            outgoing.add(c, c.op.axons(core_slice.start, core_slice.stop)[0], i)
    most = meter.profile.limits.get("output_axons_per_core")
    return most is not None and any(outgoing.of(core_slice) > most for core_slice in slices)


def _slices(meter: CoreMeter, too_large: dict[str, TooLargeError] | None, most: int | None, slots: int) -> tuple[Slice, ...]:
    """Return the slices of `split`, where each output axon takes so many slots."""
    assumed = {c.dst: 1 for c in _backward(meter.net)}
    while True:
        cuts = _cut_all(meter, assumed, too_large, most, slots)
        short = {name: len(cuts[name]) for name, slices in assumed.items() if len(cuts[name]) > slices}
        if not short:
            return tuple(core_slice for p in meter.net.ordered if p.neuron for core_slice in cuts[p.name])
        assumed |= short


def _backward(net: Network) -> list[Connection]:
    """Return the connections that end in their own or an earlier population, which is cut after their source or with it."""
    position = {p.name: i for i, p in enumerate(net.ordered)}
    return [c for c in net.connections if position[c.dst] <= position[c.src]]


def _cut_all(
    meter: CoreMeter, assumed: Mapping[str, int], too_large: dict[str, TooLargeError] | None, most: int | None, slots: int
) -> Cuts:
    """Cut from the last population to the first, as output axons depend on the slices they lead to.

    ``assumed``: as many slices as the destination of a backward connection may get. A source neuron has then at most so
    many output axons, nor has it more than synapses; if the destination gets more slices, `split` tries again.
    """
    cuts: Cuts = {}
    for p in reversed([p for p in meter.net.ordered if p.neuron]):
        axons = np.zeros(p.size, np.int64)
        for c in meter.net.out_of(p.name) if "output_axons_per_core" in meter.profile.limits else ():
            axons += fan_out(c, cuts[c.dst]) if c.dst in cuts else _fan_out_bound(c, assumed[c.dst])
        try:
            cuts[p.name] = _cut(meter, p, slots * axons, most or counted_up_to(meter.profile))
        except TooLargeError as error:
            if too_large is None:
                raise
            too_large[p.name] = error
            cuts[p.name] = (Slice(p.name, 0, p.size),)
    return cuts


def _fan_out_bound(c: Connection, slices: int) -> NDArray[np.int64]:
    return np.minimum(c.op.fan_out(), slices)


def _cut(meter: CoreMeter, p: Population, axons: NDArray[np.int64], most: int) -> tuple[Slice, ...]:
    """Return the slices of one population, whose neurons have ``axons`` output axons each, shape (n,)."""
    before = np.concatenate([[0], np.cumsum(axons)])

    def used(core_slice: Slice) -> dict[str, int]:
        sent = {"output_axons_per_core": int(before[core_slice.stop] - before[core_slice.start])}
        return meter.incoming(core_slice) | (sent if "output_axons_per_core" in meter.profile.limits else {})

    slices: list[Slice] = []
    start, length = 0, 1
    while start < p.size:
        end = _last_sent(meter, before, start)
        length = _furthest(meter, Slice(p.name, start, end), length)
        if not length:
            core_slice = Slice(p.name, start, start + 1)
            raise _neuron_too_large(meter, core_slice, used(core_slice))
        slices.append(Slice(p.name, start, start + length))
        if len(slices) > most:
            raise _population_too_large(meter, slices, used(slices[0]))
        start += length
    return tuple(slices)


def _last_sent(meter: CoreMeter, before: NDArray[np.int64], start: int) -> int:
    """Return where a slice must end, at the latest, for its output axons. ``before``: those of all neurons before each."""
    limit = meter.profile.limits.get("output_axons_per_core")
    return len(before) - 1 if limit is None else int(np.searchsorted(before, before[start] + limit, side="right")) - 1


def _furthest(meter: CoreMeter, core_slice: Slice, guess: int) -> int:
    """Return how many of a slice's neurons, from the first on, fit a core: ``guess`` are tried, then twice that, and so on."""
    end = meter.longest(core_slice)
    tried = min(end, guess + guess // 4 + 1)
    while True:
        fit = meter.fitting(Slice(core_slice.population, core_slice.start, core_slice.start + tried))
        if fit < tried or tried == end:
            return fit
        tried = min(end, 2 * tried)


def _population_too_large(meter: CoreMeter, slices: Sequence[Slice], used: Mapping[str, int]) -> PopulationTooLargeError:
    name, cores = slices[0].population, meter.profile.cores
    return PopulationTooLargeError(
        slices[0],
        used,
        Usage("cores", f"population {name!r}, counted no further", len(slices), cores),
        f"needs more than {len(slices) - 1:,} cores, {meter.profile.name} has {cores:,}",
        fix="prune it, make it narrower, or pick a larger chip",
    )


def _neuron_too_large(meter: CoreMeter, core_slice: Slice, used: Mapping[str, int]) -> NeuronTooLargeError:
    limits = meter.profile.limits
    over = [r for r, amount in used.items() if amount > limits.get(r, amount)]
    resource = max(over, key=lambda r: used[r] / limits[r])
    place = f"population {core_slice.population!r}, neuron {core_slice.start}"
    ends: Sequence[Connection] = meter.net.into(core_slice.population)
    if resource == "output_axons_per_core":
        ends = meter.net.out_of(core_slice.population)
    amount, limit = used[resource], limits[resource]
    change = "give one weight exponent, sign mode and delay to" if resource == SYNAPSES else "prune"
    return NeuronTooLargeError(
        core_slice,
        used,
        Usage(resource, place, amount, limit),
        f"needs {amount} {words_for(resource)}, a core of {meter.profile.name} has {limit}",
        fix=f"{change} {' or '.join(repr(c.name) for c in ends)}, or pick a larger chip",
    )
