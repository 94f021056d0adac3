"""Search for what would make a network fit a chip, by trying it. Only when it is asked for: it takes long beside `check`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import snnc.chips as chips
from snnc.base.bisect import last
from snnc.budget import fpga
from snnc.budget.check import Budget, LayerBudget
from snnc.budget.goal import Goal
from snnc.budget.plan import plan
from snnc.chips.profile import Profile
from snnc.chips.schema import DISTINCT
from snnc.errors import DoesNotFitError, NetworkError, UnsupportedError, UsageError
from snnc.mapping.capabilities import lacking
from snnc.mapping.chip_network import ChipNetwork
from snnc.mapping.chip_totals import within_totals
from snnc.mapping.choose import map_by
from snnc.mapping.configurations import SYNAPSES
from snnc.mapping.meter import CoreMeter
from snnc.mapping.split import AXONS, COUNTED, counted_up_to, split
from snnc.mapping.task import Task
from snnc.mapping.usage import words_for
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network
from snnc.network.op import weight_grid
from snnc.passes.prune_by_magnitude import Ranks, magnitudes, prune_by_rank, ranked

MANY_SYNAPSES = 1 << 26  # pruning, and chips whose axons must be counted, are not tried on more
PLANNED_SYNAPSES = 1 << 22  # fewer bits, shared cores, and all connections pruned, each by its own part, are not tried on more
WORK = 1 << 26  # synapses that the tries at one connection look at together: a large network gets fewer of them


@dataclass(frozen=True)
class Remedy:
    """A change that makes the network fit, in a sentence with the numbers that were tried; printed as that sentence.

    Examples:
        >>> import snnc
        >>> print(snnc.Remedy("chip", "loihi2 holds it on 2 cores"))
        loihi2 holds it on 2 cores
    """

    kind: Literal["cores", "configurations", "sharing", "weights", "pruning", "chip"]  # what is changed
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def remedies(net: Network, profile: Profile, budget: Budget) -> tuple[Remedy, ...]:
    """Search for what makes the network fit, or which other chips hold it; ``budget`` is what `check` measured of it.

    Takes long beside a check: every remedy is tried. Where no limit is exceeded only other chips are looked at.
    """
    if profile.fpga:
        return tuple(Remedy(kind, sentence) for kind, sentence in _of_fpgas(net, profile, budget))
    searches: list[tuple[Any, Callable[[Network, Profile], Iterable[str]]]] = [("chip", _other_profiles)]
    if not budget.has_room:
        searches[:0] = [
            ("cores", lambda _, profile: _needs(budget, profile)),
            ("configurations", _alike),
            ("sharing", _sharing),
            ("weights", _fewer_bits),
            ("pruning", _pruning),
        ]
    return tuple(Remedy(kind, sentence) for kind, search in searches for sentence in search(net, profile))


def _of_fpgas(net: Network, profile: Profile, budget: Budget) -> Iterator[tuple[Any, str]]:
    """Yield how far to prune, and which other FPGAs hold the network, with their lanes."""
    if budget.problems:
        return
    if not budget.fits:
        pruned = list(_pruning_all(net, profile, ranked(magnitudes(net))))
        yield from (("pruning", sentence) for sentence in pruned)
        if pruned:
            yield "pruning", f"train it to fit: snnc prune --fit {profile.name}"
    for other in chips.every():
        if other.fpga is None or other.name == profile.name:
            continue
        if lanes := fpga.fewest_lanes(fpga.integers(net, other), other.fpga):
            yield "chip", f"{other.name} holds it, with {lanes} lane{'s' if lanes > 1 else ''} or more"


def must_fit(net: Network, profile: Profile, budget: Budget, where: str) -> None:
    """Raise UnsupportedError for what the chip cannot express, DoesNotFitError with the remedies for what it has no room for."""
    if budget.fits:
        return
    b = budget.binding
    if budget.has_room or b is None:
        raise UnsupportedError(f"{budget.profile} lacks what it needs: {'; '.join(budget.problems)}", where=where)
    what = f"needs {b.used:,} {words_for(b.resource)} at {b.place}, {budget.profile} has {b.limit:,}"
    raise DoesNotFitError(what, where=where, fix="; ".join(map(str, remedies(net, profile, budget))))


def _needs(budget: Budget, profile: Profile) -> Iterator[str]:
    """Yield how many cores each population takes, where cores are what is missing."""
    if budget.binding and budget.binding.resource == "cores":
        amounts = ", ".join(f"{layer.population} needs {_cores_of(layer, profile)}" for layer in budget.layers)
        yield f"{amounts}; {profile.name} has {profile.cores}"


def _cores_of(layer: LayerBudget, profile: Profile) -> str:
    if layer.cores is not None:
        return cores_in_words(layer.cores)
    return "a larger core" if layer.is_uncut else f"more than {cores_in_words(counted_up_to(profile))}"


def has_room(net: Network, profile: Profile) -> bool:
    """Tell whether the network can be split and the chip has cores enough, or a design with 1 lane fits the FPGA."""
    if profile.fpga:
        return fpga.design(fpga.integers(net, profile), profile.fpga, 1).fits(profile.fpga)
    return _cores_needed(net, profile) is not None


def _cores_needed(net: Network, profile: Profile) -> int | None:
    try:
        if CoreMeter.of(net, profile).cores_at_least() > profile.cores:
            return None
        cores = len(split(net, profile, most=profile.cores))
    except (DoesNotFitError, UnsupportedError):
        return None
    return cores if cores <= profile.cores and within_totals(net, profile) else None


def cores_in_words(count: int) -> str:
    """Return "1 core", "2 cores"."""
    return f"{count} core{'s' if count != 1 else ''}"


def _alike(net: Network, profile: Profile) -> Iterator[str]:
    """Yield whether it fits if no population needs more configurations than a core holds, and which do; in any formats."""
    formats = len(profile.storage.ways) if profile.storage else 1
    most = {r: profile.limits[r] // (formats if r == SYNAPSES else 1) for r in DISTINCT if r in profile.limits}
    over = [
        f"{name} needs at most {most[resource]} {words_for(resource)}{' in each format' * (resource == SYNAPSES)} (now {n:,})"
        for resource, counts in ChipNetwork(net, profile).needed_by_population().items()
        for name, n in counts.items()
        if n > most.get(resource, n)
    ]
    if over and has_room(net, replace(profile, limits={r: n for r, n in profile.limits.items() if r not in DISTINCT})):
        yield f"fits if {' and '.join(over)}"


def _sharing(net: Network, profile: Profile) -> Iterator[str]:
    """Yield whether it fits if small slices share cores, which `check` does not let them."""
    if cores := _cores_shared(net, profile):
        yield f"fits on {cores_in_words(cores)} if small layers share one: snnc map --hw {profile.name} --strategy greedy"


def _cores_shared(net: Network, profile: Profile) -> int | None:
    """Count the cores of a legal mapping in which small slices share some; None if there is none, or for too many synapses."""
    try:
        return None if _synapses(net) > PLANNED_SYNAPSES else map_by(Task.of(net, profile), "greedy").cores
    except (DoesNotFitError, UnsupportedError):
        return None


def _fewer_bits(net: Network, profile: Profile) -> Iterator[str]:
    """Yield the most bits for a weight, fewer than now, with which it fits."""
    now = _weight_bits(net, profile)
    if now is None or _synapses(net) > PLANNED_SYNAPSES:
        return
    widths = profile.storage.weight_field_bits if profile.storage else range(1, now)
    for bits in sorted((width for width in widths if width < now), reverse=True):
        try:
            fits = has_room(*with_weights_of(bits, net, profile))
        except NetworkError:  # all weights of a connection round to 0
            return
        if fits:
            yield (
                f"fits with weights of {bits} bits, now {now}: quantise it for a profile of your own that extends"
                f" {_extendable(profile)} with weight_bits = {bits}"
            )
            return


def _extendable(profile: Profile) -> str:
    """Return the name of the profile, or of the chip that it is made of, that other profiles may extend."""
    return profile.name if profile.name in chips.names() and "chip.chips" not in profile.facts else profile.family


def _weight_bits(net: Network, profile: Profile) -> int | None:
    try:
        return ChipNetwork(net, profile).weight_bits or None
    except UnsupportedError:
        return None


def with_weights_of(bits: int, net: Network, profile: Profile) -> tuple[Network, Profile]:
    """Return the network, its integer weights rounded to the grid of so few bits, and the profile that a float one is held to.

    Raises NetworkError if all weights of a connection round to 0.
    """
    if not isinstance(net.numeric, Fixed):
        return net, replace(profile, weight_bits=bits)
    numeric = replace(net.numeric, weight_bits=bits)

    def rounded(c: Connection) -> Connection:
        grid = weight_grid(numeric, c.op.sign_mode or "mixed")
        nearest = np.clip(np.rint(c.op.synapses.values / grid.step).astype(np.int64) * grid.step, grid[0], grid[-1])
        return replace(c, op=c.op.with_values(nearest))

    return replace(net, numeric=numeric, connections=tuple(map(rounded, net.connections))), profile


def _synapses(net: Network) -> int:
    return sum(c.op.synapse_count for c in net.connections)


def _pruning(net: Network, profile: Profile) -> Iterator[str]:
    """Yield what pruning must reach. A network too large to try it on is told what its weights alone allow.

    For each connection the largest connectivity at which it alone makes the network fit; then of all, each its own.
    """
    if (synapses := _synapses(net)) > MANY_SYNAPSES:
        yield from _necessary(synapses, net, profile)
        return
    ranks = ranked(magnitudes(net))
    alone = 0
    for c in net.connections:
        count, total = c.op.synapses.count, c.op.parameters

        def fits(kept: int, name: str = c.name) -> bool:
            return has_room(prune_by_rank(net, {name: kept}, ranks), profile)

        if kept := _largest_that_fits(fits, count, tolerance=max(1, total // 2000, count * synapses // WORK)):
            alone += 1
            yield (
                f"fits from {_percent(kept, total)} parameter connectivity of {c.name}"
                f" ({kept:,} of {total:,} parameters), now {_percent(count, total)}"
            )
    each = list(_pruning_each(net, profile))
    yield from each
    if not alone and not each:
        yield from _pruning_all(net, profile, ranks)


def _pruning_each(net: Network, profile: Profile) -> Iterator[str]:
    """Yield the connectivity of each connection that loses least of the weights' squares, and the verb that trains to such."""
    if len(net.connections) < 2 or _synapses(net) > PLANNED_SYNAPSES:
        return
    try:
        planned = plan(net, Goal(profile, {"cores": profile.cores}), _energy(net))
    except (DoesNotFitError, UsageError):
        return
    shared = "" if has_room(planned.net, profile) else ", small layers sharing a core,"
    if not shared or _cores_shared(planned.net, profile):
        parts = ", ".join(f"{c.name} {_percent(c.op.synapses.count, c.op.parameters)}" for c in planned.net.connections)
        yield f"fits{shared} with a parameter connectivity of {parts}: snnc prune --fit {profile.name}:cores={profile.cores}"


def _energy(net: Network) -> dict[str, NDArray[np.float64]]:
    """Return the part that each synapse has of the squared weights of its connection."""
    squares = {c.name: np.square(c.op.synapses.values, dtype=np.float64) for c in net.connections}
    return {name: values / (values.sum() or 1.0) for name, values in squares.items()}


def _necessary(synapses: int, net: Network, profile: Profile) -> Iterator[str]:
    most = profile.cores * (CoreMeter.of(net, profile).synapses_per_core or synapses)
    if most < synapses:
        yield (
            f"{profile.name} holds the weights of at most {most:,} synapses ({_percent(most, synapses)} of the {synapses:,} now);"
            " what else they need was not tried on so many"
        )


def _pruning_all(net: Network, profile: Profile, ranks: Ranks) -> Iterator[str]:
    counts = {c.name: c.op.synapses.count for c in net.connections}
    total, parameters = sum(counts.values()), sum(c.op.parameters for c in net.connections)
    largest = max(counts.values())

    def shares(kept: int) -> dict[str, int]:
        return {name: max(1, count * kept // largest) for name, count in counts.items()}

    def fits(kept: int) -> bool:
        return has_room(prune_by_rank(net, shares(kept), ranks), profile)

    if kept := _largest_that_fits(fits, largest, tolerance=max(1, largest // 1000)):
        left = sum(shares(kept).values())
        yield (
            f"fits from {_percent(left, parameters)} parameter connectivity of the network, every connection pruned in"
            f" proportion ({left:,} of {parameters:,} parameters), now {_percent(total, parameters)}"
        )


def _largest_that_fits(fits: Callable[[int], bool], count: int, tolerance: int) -> int:
    """Return the largest number of kept synapses that fits, by bisection up to ``tolerance``; 0 if not even 1 does."""
    return last(fits, 1, count, tolerance) if fits(1) else 0


def _percent(part: int, whole: int) -> str:
    """Format a share rounded down, so that what is printed still fits: 3.1 %, 0.042 %."""
    digits = 1
    while digits < 6 and part * 1000 < whole * 10 ** (1 - digits):
        digits += 1
    scaled = part * 100 * 10**digits // whole
    return f"{scaled / 10**digits:.{digits}f} %"


def _other_profiles(net: Network, profile: Profile) -> Iterator[str]:
    """Yield the chips that hold it, and of the systems of a chip the smallest that does."""
    needed: dict[str, int | None] = {}  # chip -> cores; its systems have its limits
    known = {other.name: other for other in chips.every() if other.fpga is None}
    for other in sorted(known.values(), key=lambda p: (p.cores, p.name)):
        family = known.get(other.family, other)
        another_rule = family.storage != other.storage  # the same chip, its memory counted in another way
        if other.name == profile.name or not other.neurons or another_rule or _by_another_rule(other, profile, known):
            continue
        chip = family.name if _is_of(family, other) else other.name
        if chip not in needed:
            needed[chip] = None if lacking(net, other) else _cores_of_family(net, other)
        cores = needed[chip]
        if cores is not None and cores <= other.cores and within_totals(net, other):
            needed[chip] = None  # the larger systems need not be named
            public = ", by the limits that are public" if other.not_public else ""
            yield f"{other.name} holds it on {cores_in_words(cores)}{public}"


def _is_of(chip: Profile, system: Profile) -> bool:
    """Whether a system has the cores of a chip, and computes what it does."""
    features = ("neurons", "programmable_neurons", "graded_spikes", "message_bits_max", "delay_steps_max")
    alike = ("limits", *features, "soft_reset_compartments")
    return all(getattr(chip, name) == getattr(system, name) for name in alike)


def _by_another_rule(other: Profile, profile: Profile, known: Mapping[str, Profile]) -> bool:
    """Tell whether it is the same chip, or made of it, its memory counted by another rule: no remedy."""
    rules = {p.storage.model for p in (other, profile) if p.storage}
    return len(rules) > 1 and _chip(other, known) == _chip(profile, known)


def _chip(profile: Profile, known: Mapping[str, Profile]) -> str:
    """Return the name of the chip that a profile describes or is made of, at the end of all that it extends."""
    while profile.family != profile.name and profile.family in known:
        profile = known[profile.family]
    return profile.name


def _cores_of_family(net: Network, profile: Profile) -> int | None:
    """Return the cores needed, however many the chip has; not counted far, or at all, where every slice's axons must be."""
    slow = {*AXONS, "synapse_words_per_core"} & set(profile.limits)
    if slow and sum(c.op.synapse_count for c in net.connections) > MANY_SYNAPSES:
        return None
    try:
        return len(split(net, profile, most=COUNTED if slow else 1 << 40))
    except (DoesNotFitError, UnsupportedError):
        return None
