"""Whether a network fits a chip, what binds, and what would help. Before export; nothing is changed.

What `check` accepts, `split` and `place` map: it asks them.
"""

from dataclasses import asdict, dataclass
from typing import Any

from snnc.arith import Fixed
from snnc.errors import UnsupportedError
from snnc.features import missing
from snnc.hw import Profile
from snnc.hw_keys import RESOURCES
from snnc.ir import Connection, Network
from snnc.latency import chip_delays
from snnc.mapping import Core
from snnc.place import fill
from snnc.remedies import remedies
from snnc.split import split
from snnc.usage import OverLimitError, Usage, words_for


@dataclass(frozen=True)
class ConnectionBudget:
    """How much of a connection exists."""

    connection: str
    synapses: int
    parameter_connectivity: float  # kept parameters / all parameters
    synapse_connectivity: float  # synapses / those of the unpruned connection


@dataclass(frozen=True)
class LayerBudget:
    """One population: the cores it takes and its worst core, resource by resource."""

    population: str
    neurons: int
    cores: int | None  # None: one of its neurons is too large for any core, or the chip cannot express the network
    uses: tuple[Usage, ...]
    connections: tuple[ConnectionBudget, ...]  # those that end in it


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
class Budget:
    """The answer of `check`. ``fits`` holds for every limit that is public; ``unknown`` lists the checks that are not."""

    network: str
    profile: str
    fits: bool
    binding: Usage | None  # the resource that is exceeded most, or nearest to its limit
    chip: Usage | None  # cores used and available
    layers: tuple[LayerBudget, ...]
    cores: tuple[CoreBudget, ...]
    problems: tuple[str, ...]  # what the chip cannot express, whatever its room
    unknown: tuple[str, ...]
    assumptions: tuple[str, ...]
    remedies: tuple[str, ...]

    @property
    def has_room(self) -> bool:
        """Whether no public limit is exceeded, whatever the problems."""
        return self.binding is None or self.binding.status != "over"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **asdict(self),
            "binding": self.binding and self.binding.to_json(),
            "chip": self.chip and self.chip.to_json(),
            "layers": [{**asdict(layer), "uses": [u.to_json() for u in layer.uses]} for layer in self.layers],
            "cores": [{**asdict(core), "uses": [u.to_json() for u in core.uses]} for core in self.cores],
        }


def check(net: Network, profile: Profile) -> Budget:
    """Hold a network against a chip: every limit, per layer and per core, and every feature it needs, in one pass."""
    filled, excess = _measure(net, profile)
    cores = tuple(_core(core, profile) for core in filled)
    chip = Usage("cores", f"network {net.name!r}", len(cores), profile.cores) if cores else None
    problems = missing(net, profile)
    uses = [u for u in (excess, chip, *(u for core in cores for u in core.uses)) if u is not None and u.share is not None]
    binding = max(uses, key=lambda u: u.share or 0, default=None)
    fits = not problems and binding is not None and binding.status == "ok"
    return Budget(
        network=net.name,
        profile=profile.name,
        fits=fits,
        binding=binding,
        chip=chip,
        layers=tuple(_layer(net, name, cores) for name in (p.name for p in net.ordered if p.neuron)),
        cores=cores,
        problems=problems,
        unknown=_unknown(net, profile),
        assumptions=_assumptions(net, profile),
        remedies=() if fits else remedies(net, profile, binding),
    )


def _measure(net: Network, profile: Profile) -> tuple[tuple[Core, ...], Usage | None]:
    """The filled cores, or the limit that a single neuron exceeds, or neither if the chip cannot express the network."""
    try:
        return fill(net, split(net, profile), profile), None
    except OverLimitError as error:
        return (), error.usage
    except UnsupportedError:  # one of the `missing` features, which says it
        return (), None


def _core(core: Core, profile: Profile) -> CoreBudget:
    piece = core.slices[0]
    place = f"core {core.index} ({piece.population} {piece.start} .. {piece.stop - 1})"
    uses = tuple(Usage(r, place, core.used.get(r), profile.limits.get(r)) for r in profile.resources)
    return CoreBudget(core.index, piece.population, piece.start, piece.stop, uses, dict(core.formats))


def _layer(net: Network, name: str, cores: tuple[CoreBudget, ...]) -> LayerBudget:
    mine = [core for core in cores if core.population == name]
    by_resource = zip(*(core.uses for core in mine), strict=True)
    worst = tuple(max(uses, key=lambda u: u.used or 0) for uses in by_resource)
    wires = tuple(map(_connection, net.into(name)))
    return LayerBudget(name, net[name].size, len(mine) or None, worst, wires)


def _connection(c: Connection) -> ConnectionBudget:
    count = c.op.synapses.count
    return ConnectionBudget(c.name, count, count / c.op.parameters, count / c.op.possible_synapses)


def _unknown(net: Network, profile: Profile) -> tuple[str, ...]:
    """The checks that cannot be made, as their numbers are not public."""
    found = [f"{words_for(r)}: the limit of {profile.name} is not public" for r in RESOURCES if r not in profile.limits]
    if profile.storage is None:
        found.append(f"synapse words: how {profile.name} stores synapses is not public; only the bits of the weights are checked")
    try:
        longest = max(chip_delays(net).values(), default=0)
    except UnsupportedError:
        return tuple(found)
    full = profile.full_core_delay_steps_max
    if full is not None and longest > full:
        found.append(
            f"neurons: how many a core of {profile.name} holds with delays over {full} steps (here {longest}) is not public"
        )
    return tuple(found)


def _assumptions(net: Network, profile: Profile) -> tuple[str, ...]:
    if isinstance(net.numeric, Fixed):
        return ()
    return (
        f"the network is float: its weights are taken to be stored with the {profile.numeric.weight_bits} bits of {profile.name}",
    )
