"""Measure what a network uses of a chip, and whether that fits. Before export; nothing is changed, nothing is tried.

What `check` accepts, `split` and `place` map: it asks them. What would make a network fit is searched in `budget.remedies`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from snnc.budget import fpga
from snnc.budget.fpga import Design
from snnc.chips.profile import Profile
from snnc.chips.schema import DISTINCT, RESOURCES
from snnc.errors import UnsupportedError
from snnc.mapping.capabilities import lacking
from snnc.mapping.chip_network import ChipNetwork
from snnc.mapping.chip_totals import totals
from snnc.mapping.model import Core
from snnc.mapping.place import fill
from snnc.mapping.shared_lists import Saved, saved
from snnc.mapping.soft_reset import is_built
from snnc.mapping.split import TooLargeError, split
from snnc.mapping.task import Task, of_slices
from snnc.mapping.tiled import chips_for, goes_by_tiles
from snnc.mapping.usage import Usage, words_for
from snnc.network.arithmetic import Fixed
from snnc.network.connectivity import parameter_connectivity, synapse_connectivity
from snnc.network.html import block
from snnc.network.latency import chip_delays
from snnc.network.model import Connection, Network
from snnc.network.tiling import one_tile

LISTED_SYNAPSES = 1 << 22  # the lists that axons could share are not counted on more


@dataclass(frozen=True)
class ConnectionBudget:
    """How much of a connection exists."""

    connection: str
    operator: str
    weights: int  # that exist, each stored once
    synapses: int  # that exist when every shared weight is unrolled
    parameter_connectivity: float  # kept parameters / all parameters
    synapse_connectivity: float  # synapses / those of the unpruned connection


@dataclass(frozen=True)
class LayerBudget:
    """One population: the cores it takes and its worst core, resource by resource, or the neuron that no core holds."""

    population: str
    neurons: int
    cores: int | None  # None: no core holds one of its neurons, it needs too many, or the chip cannot express the network
    uses: tuple[Usage, ...]
    connections: tuple[ConnectionBudget, ...]  # those that end in it

    @property
    def is_uncut(self) -> bool:
        """Whether a single one of its neurons exceeds a limit of a core."""
        return self.cores is None and any(usage.status == "over" for usage in self.uses)


@dataclass(frozen=True)
class CoreBudget:
    """One core: what lies on it, and every resource."""

    core: int
    population: str
    start: int
    stop: int
    uses: tuple[Usage, ...]
    formats: dict[str, str]  # connection -> how the core stores its synapses


@dataclass(frozen=True)
class StorageBudget:
    """The memory words that a connection takes on all cores, and those it would in one format everywhere."""

    connection: str
    words: int  # in the format that is cheapest on each core
    by_format: dict[str, int]  # only those that every core can have
    shared: int | None  # if axons shared equal lists; None: the profile does not say how, or not counted on so many synapses


@dataclass(frozen=True)
class Budget:
    """The answer of `check`. ``fits`` holds for every limit that is public; ``unknown`` lists the checks that are not.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1, steps=4), "loihi1")
        >>> budget = snnc.check(fixed, "loihi1")
        >>> budget.fits, budget.chip.used
        (True, 2)
    """

    network: str
    profile: str
    fits: bool
    binding: Usage | None  # the resource that is exceeded most, or nearest to its limit
    chip: Usage | None  # cores used and available
    layers: tuple[LayerBudget, ...]
    cores: tuple[CoreBudget, ...]
    storage: tuple[StorageBudget, ...]  # of chips whose formats are public
    totals: tuple[Usage, ...]  # of the chip as a whole, and of its worst neuron
    problems: tuple[str, ...]  # what the chip cannot express, whatever its room
    unknown: tuple[str, ...]
    assumptions: tuple[str, ...]
    designs: tuple[Design, ...] = ()  # of an FPGA: those that fit, with 1, 2, 4 ... lanes, or one that does not

    @property
    def has_room(self) -> bool:
        """Whether no public limit is exceeded, whatever the problems."""
        return self.binding is None or self.binding.status != "over"

    def __repr__(self) -> str:
        answer = "fits" if self.fits else "needs what is missing" if self.has_room else "does not fit"
        cores = f", {self.chip.used} of {self.chip.limit} cores" if self.chip else ""
        return f"Budget({self.network} on {self.profile}: {answer}{cores})"

    def _repr_html_(self) -> str:
        uses = [(core.core, f"{core.population} {core.start}..{core.stop - 1}", u) for core in self.cores for u in core.uses]
        rows = [(core, of, words_for(u.resource), u.used, u.limit, u.share) for core, of, u in uses]
        notes = [*self.problems, *(f"unknown: {text}" for text in self.unknown)]
        columns = ("core", "neurons of", "resource", "used", "limit", "share")
        binding = f"{words_for(self.binding.resource)} at {self.binding.place}" if self.binding else None
        return block(repr(self), {"binding": binding}, columns, rows, notes)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            **asdict(self),
            "binding": self.binding and self.binding.to_json(),
            "chip": self.chip and self.chip.to_json(),
            "layers": [{**asdict(layer), "uses": [u.to_json() for u in layer.uses]} for layer in self.layers],
            "totals": [usage.to_json() for usage in self.totals],
            "cores": [{**asdict(core), "uses": [u.to_json() for u in core.uses]} for core in self.cores],
            "designs": [design.to_json() for design in self.designs],
        }


def check(net: Network, profile: Profile) -> Budget:
    """Hold a network against a chip: every limit, per layer and per core, and every feature it needs, in one pass."""
    if profile.fpga:
        return _on_fpga(net, profile)
    if goes_by_tiles(net, profile):
        return _of_tiles(check(one_tile(net), profile), net.tiles, profile)
    filled, too_large = _measure(net, profile)
    cores = tuple(_core(core, profile) for core in filled if core.slices[0].population not in too_large)
    chip = Usage("cores", f"network {net.name!r}", len(cores), profile.cores) if cores and not too_large else None
    problems = lacking(net, profile)
    whole = totals(net, profile)
    large = [error.usage for error in too_large.values()]
    uses = [*whole, *large, *([chip] if chip else []), *(u for core in cores for u in core.uses)]
    binding = max(filter(_can_bind, uses), key=lambda u: u.share or 0, default=None)
    return Budget(
        network=net.name,
        profile=profile.name,
        fits=not problems and binding is not None and binding.status == "ok",
        binding=binding,
        chip=chip,
        layers=_layers(net, cores, too_large, profile),
        cores=() if too_large else cores,
        storage=() if too_large else _storage(net, profile, filled),
        totals=whole,
        problems=problems,
        unknown=_unknown(net, profile),
        assumptions=_assumptions(net, profile),
    )


def _of_tiles(tile: Budget, tiles: int, profile: Profile) -> Budget:
    """Return the budget of as many equal tiles, each on chips of its own; ``cores`` and ``layers`` stay those of one."""
    place = f"network {tile.network!r}"
    chips = [Usage("chips", place, tiles * chips_for(profile, tile.chip.used or 0), profile.chips)] if tile.chip else []
    chip = tile.chip and replace(tile.chip, used=(tile.chip.used or 0) * tiles)
    whole = tuple(replace(u, used=u.used and u.used * tiles) if u.resource.endswith("_per_chip") else u for u in tile.totals)
    uses = [*whole, *chips, *([chip] if chip else []), *([tile.binding] if tile.binding else [])]
    binding = max(filter(_can_bind, uses), key=lambda u: u.share or 0, default=None)
    fits = not tile.problems and chip is not None and binding is not None and binding.status == "ok"
    each = f"{tiles:,} equal tiles, each on chips of its own; layers and cores are those of one tile"
    assumptions = (*tile.assumptions, each)
    return replace(tile, fits=fits, binding=binding, chip=chip, totals=whole, assumptions=assumptions)


def _on_fpga(net: Network, profile: Profile) -> Budget:
    """Hold a network against an FPGA: the design with the most lanes that fits, else the one with 1 lane."""
    device = fpga.must_be_fpga(profile)
    problems = fpga.problems(net, profile)
    designs = () if problems else fpga.designs(fpga.integers(net, profile), device)
    totals = designs[-1].usages(device) if designs else ()
    binding = max(totals, key=lambda usage: usage.share or 0, default=None)
    is_float = () if isinstance(net.numeric, Fixed) else (f"the network is float: counted as quantised for {profile.name}",)
    return Budget(
        network=net.name,
        profile=profile.name,
        fits=bool(designs) and designs[-1].fits(device),
        binding=binding,
        chip=None,
        layers=tuple(
            LayerBudget(p.name, p.size, None, (), tuple(map(_connection, net.into(p.name)))) for p in net.ordered if p.neuron
        ),
        cores=(),
        storage=(),
        totals=totals,
        problems=problems,
        unknown=(),
        assumptions=(*is_float, "LUTs are estimated; synthesis counts them"),
        designs=designs,
    )


def _can_bind(usage: Usage) -> bool:
    """Tell whether a resource can bind: configurations, which do not grow with a network, only without room for one more."""
    return usage.share is not None and (usage.resource not in DISTINCT or usage.share >= 1)


def _measure(net: Network, profile: Profile) -> tuple[tuple[Core, ...], dict[str, TooLargeError]]:
    """Return the filled cores, and the populations that cannot be cut, each on one core.

    No cores if the chip cannot express the network.
    """
    too_large: dict[str, TooLargeError] = {}
    try:
        return fill(net, split(net, profile, too_large), profile), too_large
    except UnsupportedError:  # one of the `lacking` features, which says it
        return (), {}


def _core(core: Core, profile: Profile) -> CoreBudget:
    core_slice = core.slices[0]
    place = f"core {core.index} ({core_slice.population} {core_slice.start} .. {core_slice.stop - 1})"
    return CoreBudget(
        core.index, core_slice.population, core_slice.start, core_slice.stop, _uses(core.used, place, profile), dict(core.formats)
    )


def _uses(used: Mapping[str, int], place: str, profile: Profile) -> tuple[Usage, ...]:
    return tuple(Usage(r, place, used.get(r), profile.limits.get(r)) for r in profile.resources)


def _layers(
    net: Network, cores: tuple[CoreBudget, ...], too_large: Mapping[str, TooLargeError], profile: Profile
) -> tuple[LayerBudget, ...]:
    cores_of: dict[str, list[CoreBudget]] = {}
    for core in cores:
        cores_of.setdefault(core.population, []).append(core)
    computed = [p.name for p in net.ordered if p.neuron]
    return tuple(_layer(net, name, cores_of.get(name, []), too_large.get(name), profile) for name in computed)


def _layer(net: Network, name: str, mine: Sequence[CoreBudget], too_large: TooLargeError | None, profile: Profile) -> LayerBudget:
    connections = tuple(map(_connection, net.into(name)))
    if too_large:
        return LayerBudget(name, net[name].size, None, _uses(too_large.used, too_large.where, profile), connections)
    by_resource = zip(*(core.uses for core in mine), strict=True)
    worst = tuple(max(uses, key=lambda u: u.used or 0) for uses in by_resource)
    return LayerBudget(name, net[name].size, len(mine) or None, worst, connections)


def _storage(net: Network, profile: Profile, cores: tuple[Core, ...]) -> tuple[StorageBudget, ...]:
    budgets, lists = [], _shared(net, profile, cores)
    words_of: dict[str, list[Mapping[Any, int]]] = {}
    for name, words in ((name, words) for core in cores for name, words in core.words.items()):
        words_of.setdefault(name, []).extend([words] if words else [])
    for name, by_core in words_of.items():
        everywhere = [stored_as for stored_as in (by_core[0] if by_core else ()) if all(stored_as in words for words in by_core)]
        totals = {stored_as: sum(words[stored_as] for words in by_core) for stored_as in everywhere}
        if by_core:
            least = sum(min(words.values()) for words in by_core)
            budgets.append(StorageBudget(name, least, totals, lists[name].shared if name in lists else None))
    return tuple(budgets)


def _shared(net: Network, profile: Profile, cores: tuple[Core, ...]) -> dict[str, Saved]:
    if not cores or sum(c.op.synapse_count for c in net.connections) > LISTED_SYNAPSES:
        return {}
    task = Task.of(net, profile)
    return saved(task, of_slices(task, tuple(core.slices for core in cores)))


def _connection(c: Connection) -> ConnectionBudget:
    counts = c.op.synapses.count, c.op.synapse_count
    return ConnectionBudget(c.name, c.op.kind, *counts, parameter_connectivity(c), synapse_connectivity(c))


def _unknown(net: Network, profile: Profile) -> tuple[str, ...]:
    """Return the checks that cannot be made, as their numbers are not public."""
    unknown = [f"{words_for(r)}: the limit of {profile.name} is not public" for r in RESOURCES if r not in profile.limits]
    if profile.storage is None:
        unknown.append(
            f"synapse words: how {profile.name} stores synapses is not public; only the bits of the weights are checked"
        )
    unknown += _unlimited(ChipNetwork(net, profile))
    unknown += [
        f"neurons: what a neuron with soft reset, as in population {p.name!r}, takes of {profile.name} is not public"
        for p in net.populations
        if is_built(p, profile) and profile.soft_reset_compartments is None
    ]
    unknown += [
        f"neurons: what neurons {model!r}, which {profile.name} has to be programmed for, take of a core is not public"
        for model in sorted({p.neuron.model() for p in net.populations if p.neuron} & {*profile.programmable_neurons})
    ]
    try:
        longest = max(chip_delays(net).values(), default=0)
    except UnsupportedError:
        return tuple(unknown)
    if profile.delay_steps_max is None and longest:
        unknown.append(f"delays: how long they can be on {profile.name} (here {longest} steps) is not public")
    full = profile.full_core_delay_steps_max
    if full is not None and longest > full:
        unknown.append(
            f"neurons: how many a core of {profile.name} holds with delays over {full} steps (here {longest}) is not public"
        )
    return tuple(unknown)


def _unlimited(on_chip: ChipNetwork) -> Iterator[str]:
    """Yield the populations that need several configurations of a kind that the profile gives no limit for."""
    profile = on_chip.profile
    for resource, counts in on_chip.needed_by_population().items():
        for name, n in counts.items() if resource not in profile.limits else ():
            if n > 1:
                yield (
                    f"{words_for(resource)}: population {name!r} needs {n:,} different ones;"
                    f" how many a core of {profile.name} holds is not in its profile"
                )


def _assumptions(net: Network, profile: Profile) -> tuple[str, ...]:
    if isinstance(net.numeric, Fixed) or profile.weight_bits is None:
        return ()
    assumption = f"the network is float: its weights are taken to be stored with the {profile.weight_bits} bits of {profile.name}"
    if not {*DISTINCT} & set(profile.limits):
        return (assumption,)
    return (assumption, "each connection counts for a configuration of its own, as do the thresholds of each population")
