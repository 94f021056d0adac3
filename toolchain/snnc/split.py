"""Cut populations into slices that fit a core. After quantise, before place."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from snnc.hw import Profile
from snnc.ir import Connection, Network, Population
from snnc.mapping import Slice
from snnc.usage import Meter, OverLimitError, Usage, fan_out, words_for

Cuts = dict[str, tuple[Slice, ...]]


class NeuronTooLargeError(OverLimitError):
    """No core holds this neuron, even alone. ``used``: what it uses of one, by resource."""

    def __init__(self, piece: Slice, used: Mapping[str, int], usage: Usage, what: str, *, fix: str) -> None:
        super().__init__(usage, what, fix=fix)
        self.piece, self.used = piece, used


def split(net: Network, profile: Profile, uncut: Collection[str] = ()) -> tuple[Slice, ...]:
    """Contiguous slices of every neuron population (inputs lie off chip), in order of computation; each fits a core.

    Each slice is as long as it can be, so the number of slices of a population is the least for contiguous ones. How many
    cores there are is `place`'s concern. Populations in ``uncut`` stay whole, fit or not, so that the others can be
    measured. Raises NeuronTooLargeError if a single neuron exceeds a limit, UnsupportedError if the chip cannot express
    the network.
    """
    meter = Meter.of(net, profile)
    assumed = {c.dst: 1 for c in _backward(net)}
    while True:
        cuts = _cut_all(meter, assumed, uncut)
        short = {name: len(cuts[name]) for name, slices in assumed.items() if len(cuts[name]) > slices}
        if not short:
            return tuple(piece for p in net.ordered if p.neuron for piece in cuts[p.name])
        assumed |= short


def _backward(net: Network) -> list[Connection]:
    """The connections that end in their own or an earlier population, which is cut after their source or with it."""
    position = {p.name: i for i, p in enumerate(net.ordered)}
    return [c for c in net.connections if position[c.dst] <= position[c.src]]


def _cut_all(meter: Meter, assumed: Mapping[str, int], uncut: Collection[str]) -> Cuts:
    """Cut from the last population to the first, as output axons depend on the slices they lead to.

    ``assumed``: as many slices as the destination of a backward connection may get. A source neuron has then at most so
    many output axons, nor has it more than synapses; if the destination gets more slices, `split` tries again.
    """
    cuts: Cuts = {}
    for p in reversed([p for p in meter.net.ordered if p.neuron]):
        axons = np.zeros(p.size, np.int64)
        for c in meter.net.out_of(p.name):
            axons += fan_out(c, cuts[c.dst]) if c.dst in cuts else _fan_out_bound(c, assumed[c.dst])
        cuts[p.name] = (Slice(p.name, 0, p.size),) if p.name in uncut else _cut(meter, p, axons)
    return cuts


def _fan_out_bound(c: Connection, slices: int) -> NDArray[np.int64]:
    return np.minimum(c.op.fan_out(), slices)


def _cut(meter: Meter, p: Population, axons: NDArray[np.int64]) -> tuple[Slice, ...]:
    """The slices of one population, whose neurons have ``axons`` output axons each, shape (n,)."""
    limits, before = meter.profile.limits, np.concatenate([[0], np.cumsum(axons)])

    def used(start: int, stop: int) -> dict[str, int]:
        incoming = meter.incoming(Slice(p.name, start, stop))
        return {**incoming, "output_axons_per_core": int(before[stop] - before[start])}

    def fits(start: int, stop: int) -> bool:
        return all(amount <= limits.get(resource, amount) for resource, amount in used(start, stop).items())

    slices: list[Slice] = []
    start = 0
    while start < p.size:
        stop = _furthest(fits, start, min(p.size, start + limits.get("neurons_per_core", p.size)))
        if stop == start:
            raise _neuron_too_large(meter, Slice(p.name, start, start + 1), used(start, start + 1))
        slices.append(Slice(p.name, start, stop))
        start = stop
    return tuple(slices)


def _furthest(fits: Callable[[int, int], bool], start: int, end: int) -> int:
    """The largest stop <= end for which start .. stop - 1 fits; ``start`` if none does.

    Doubles, then bisects: the work is in proportion to what fits.
    """
    good, bad, step = start, end + 1, 1
    while good < end:
        probe = min(good + step, end)
        if not fits(start, probe):
            bad = probe
            break
        good, step = probe, 2 * step
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(start, middle) else (good, middle)
    return good


def _neuron_too_large(meter: Meter, piece: Slice, used: Mapping[str, int]) -> NeuronTooLargeError:
    limits = meter.profile.limits
    over = [r for r, amount in used.items() if amount > limits.get(r, amount)]
    resource = max(over, key=lambda r: used[r] / limits[r])
    place = f"population {piece.population!r}, neuron {piece.start}"
    ends: Sequence[Connection] = meter.net.into(piece.population)
    if resource == "output_axons_per_core":
        ends = meter.net.out_of(piece.population)
    amount, limit = used[resource], limits[resource]
    return NeuronTooLargeError(
        piece,
        used,
        Usage(resource, place, amount, limit),
        f"needs {amount} {words_for(resource)}, a core of {meter.profile.name} has {limit}",
        fix=f"prune {' or '.join(repr(c.name) for c in ends)}, or pick a larger chip",
    )
