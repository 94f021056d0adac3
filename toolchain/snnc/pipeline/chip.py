"""A network on a chip: the stages behind `snnc check`, `map` and `export`, and the functions of the same names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import snnc.chips as chips
import snnc.targets as targets
from snnc.analysis.current_bounds import must_not_wrap
from snnc.base.public import Count, Seed, public
from snnc.budget import fpga
from snnc.budget.check import Budget
from snnc.budget.check import check as measured
from snnc.budget.remedies import Remedy, must_fit
from snnc.budget.remedies import remedies as searched
from snnc.chips.profile import Profile
from snnc.errors import DoesNotFitError, ProfileError, UnsupportedError, UsageError
from snnc.mapping.capabilities import lacking
from snnc.mapping.choose import Mapped, map_by, map_by_all
from snnc.mapping.mapping_file import placed_on, read_mapping
from snnc.mapping.model import CoreMap
from snnc.mapping.place import place
from snnc.mapping.rates import read_rates
from snnc.mapping.split import split
from snnc.mapping.task import Task
from snnc.mapping.tiled import TiledMap, map_tiles
from snnc.mapping.usage import words_for
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.network.op import MAX_SYNAPSES
from snnc.network.tiling import one_tile
from snnc.pipeline.arguments import Chip, path_of, profile_of
from snnc.targets.target import Artifact


@public
def check(net: Network, chip: Chip) -> Budget:
    """Hold a network against a chip: every limit of every core, and every feature that it needs.

    Args:
        net: A network, best a quantised one.
        chip: Name of a chip, path of its profile, or the profile.

    Returns:
        What is used of each limit; ``fits``, what binds, and which numbers are not public.

    Raises:
        ProfileError: There is no such chip, or its profile is damaged.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1), "loihi1")
        >>> snnc.check(fixed, "loihi1")
        Budget(digits on loihi1: fits, 2 of 128 cores)
    """
    return measured(net, profile_of(chip))


@public
def remedies(net: Network, chip: Chip, budget: Budget | None = None) -> tuple[Remedy, ...]:
    """Search for what makes a network fit a chip, or which other chips hold it. Takes long: every remedy is tried.

    Args:
        net: A network.
        chip: Name of a chip, path of its profile, or the profile.
        budget: What `check` measured of it (default: measured anew).

    Returns:
        Remedies, each a sentence (``str``) with the numbers that were tried.

    Raises:
        ProfileError: There is no such chip, or its profile is damaged.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1), "loihi1")
        >>> any(remedy.kind == "chip" for remedy in snnc.remedies(fixed, "truenorth"))
        True
    """
    profile = profile_of(chip)
    return searched(net, profile, measured(net, profile) if budget is None else budget)


@dataclass(frozen=True, eq=False)
class Mappings:
    """What the strategies made of a network, the best first, and why some made nothing."""

    task: Task
    made: tuple[Mapped, ...]
    failed: dict[str, str]  # strategy -> reason
    steps: int | None  # of a recorded inference


def map_with(
    net: Network, chip: Chip, *, strategy: str | None = None, rates: Path | str | None = None, seed: int = 0
) -> Mappings:
    """Return all mappings, with what each costs. Arguments and errors are those of `map`."""
    profile = must_have_cores(profile_of(chip))
    if problems := lacking(net, profile):
        raise UnsupportedError("; ".join(problems), where=f"network {net.name!r} on {profile.name}")
    recorded, steps = read_rates(Path(rates), net) if rates else (None, None)
    task = Task.of(net, profile, recorded, seed)
    made, failed = map_by_all(task) if strategy is None else ([map_by(task, strategy)], {})
    return Mappings(task, tuple(made), failed, steps)


def map_tiles_with(net: Network, chip: Chip, *, strategy: str | None = None, seed: int = 0) -> TiledMap:
    """Return the mapping of a network of equal tiles, by the best strategy for one of them. Raises as `map`."""
    profile = must_have_cores(profile_of(chip))
    if problems := lacking(net, profile):
        raise UnsupportedError("; ".join(problems), where=f"network {net.name!r} on {profile.name}")
    tile = one_tile(net)
    cores = len(split(tile, profile))
    failed: dict[str, str] = {}

    def best(task: Task) -> Mapped:
        if strategy is not None:
            return map_by(task, strategy)
        made, why = map_by_all(task)
        failed.update(why)
        return made[0]

    return replace(map_tiles(net, profile, cores, best, seed), failed=failed)


@public
def map(  # the stage's name; the builtin is not used here
    net: Network, chip: Chip, *, strategy: str | None = None, rates: Path | str | None = None, seed: Seed = 0
) -> CoreMap:
    """Cut a network into cores and place them on a chip, with few packets x hops; every limit is checked once more.

    Args:
        net: A quantised network.
        chip: Name of a chip, path of its profile, or the profile.
        strategy: How to cut it (default: try all and take the best).
        rates: File of spikes that `snnc simulate --out` wrote, for the traffic (default: all neurons fire alike).
        seed: Seed of the strategy.

    Returns:
        Which neurons lie on which core.

    Raises:
        UnsupportedError: The chip cannot express the network.
        DoesNotFitError: A limit is exceeded.
        UsageError: There is no such strategy.
        ProfileError: There is no such chip, or its profile is damaged.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1), "loihi1")
        >>> snnc.map(fixed, "loihi1", strategy="sequential")
        CoreMap(loihi1, 2 cores, strategy 'sequential', seed 0)
    """
    return map_with(net, chip, strategy=strategy, rates=rates, seed=seed).made[0].mapping


@public
def export(
    net: Network,
    target: str,
    out: Path | str,
    *,
    chip: Chip | None = None,
    mapping: CoreMap | Path | str | None = None,
    seed: Seed = 0,
    max_synapses: Count = MAX_SYNAPSES,
    options: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Artifact:
    """Write a network as a program for a target, into a new folder, whole or not at all.

    A target that needs a mapping gets the one given, or slices in order, one a core.

    Args:
        net: A network.
        target: What to write for: one of `targets`.
        out: The folder.
        chip: Chip to map to: name, path or profile (default: the one the network was quantised for). Of an FPGA, target
            verilog takes as many lanes as there is room for, and refuses a network that does not fit.
        mapping: A `CoreMap`, or the file that `snnc map` wrote.
        seed: Seed of the mapping.
        max_synapses: Most synapses to which shared weights of a connection may be unrolled, if the target needs it.
        options: Those of the target, if it has any: `lanes` and `narrow` of verilog.
        force: Replace the artifact that is at ``out``.

    Returns:
        The artifact, which `verify` takes.

    Raises:
        UnsupportedError: The target or the chip cannot express the network.
        DoesNotFitError: The network exceeds a limit, or needs more unrolled synapses.
        FileError: ``out`` exists, or the mapping cannot be read.
        UsageError: The target maps to no chip, but one is given.
        ProfileError: There is no such chip.

    Examples:
        >>> import snnc, tempfile
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1), "loihi1")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     artifact = snnc.export(fixed, "npz", f"{folder}/program")
        >>> artifact.target, artifact.network_hash == fixed.hash
        ('npz', True)
    """
    options = dict(options or {})
    if chip is not None and (profile := profile_of(chip)).fpga and target == fpga.TARGET:
        options, chip = fitting(net, profile, options), None
    core_map = core_map_of(net, target, chip=chip, mapping=mapping, seed=seed)
    return targets.export(target, net, core_map, Path(out), force=force, max_synapses=max_synapses, options=options)


def fitting(net: Network, profile: Profile, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a design that fits an FPGA: ``lanes`` as given, or as many as there is room for.

    Raises DoesNotFitError with remedies if it does not fit, UnsupportedError for what no design can express.
    """
    device = fpga.must_be_fpga(profile)
    if not isinstance(net.numeric, Fixed):
        raise UnsupportedError("is a float network", where=f"network {net.name!r}", fix="quantise it first (snnc quantise)")
    lanes = options.get("lanes")
    must_fit(net, profile, measured(net, profile), f"network {net.name!r} on {profile.name}")
    if lanes is None:
        return {**options, "lanes": fpga.best_design(net, profile).lanes}
    made = fpga.design(net, device, lanes)
    if over := next((usage for usage in made.usages(device) if usage.status != "ok"), None):
        what = f"takes {over.used:,} {words_for(over.resource)} with {over.place}, there are {over.limit:,}"
        most = fpga.best_design(net, profile).lanes
        raise DoesNotFitError(what, where=f"network {net.name!r} on {profile.name}", fix=f"use --lanes {most}, which fits")
    return dict(options)


def core_map_of(
    net: Network, target: str, *, chip: Chip | None = None, mapping: CoreMap | Path | str | None = None, seed: int = 0
) -> CoreMap | None:
    """Return the mapping that is exported, None where the target maps to no chip. Arguments and errors are those of `export`."""
    chosen = targets.load(target)
    for option, value in (("chip", chip), ("mapping", mapping)):
        if value is not None and not targets.takes_mapping(chosen):
            raise UsageError(f"target {target!r} maps to no chip", where=option, fix=f"leave {option} out, or see snnc targets")
    if chosen.NEEDS_MAPPING or chip is not None or mapping is not None:
        return _core_map(net, chip, mapping, seed)
    if isinstance(net.numeric, Fixed):  # of a chip, `_core_map` asks this too
        must_not_wrap(net)
    return None


def _core_map(net: Network, chip: Chip | None, mapping: CoreMap | Path | str | None, seed: int) -> CoreMap:
    """Return the mapping to export, on a chip that can express the network."""
    if not isinstance(net.numeric, Fixed):
        raise UnsupportedError("is a float network", where=f"network {net.name!r}", fix="quantise it first (snnc quantise)")
    named = chip if chip is not None or not isinstance(mapping, CoreMap) else mapping.chip
    profile = must_have_cores(_profile(net, net.numeric.profile, named))
    if problems := lacking(net, profile):
        raise UnsupportedError("; ".join(problems), where=f"network {net.name!r} on {profile.name}")
    if isinstance(mapping, CoreMap):
        if mapping.chip.name != profile.name:
            raise UsageError(f"is for {mapping.chip.name!r}, not for {profile.name!r}", where="mapping", fix="map to that chip")
        return placed_on(profile, net, {core.index: core.slices for core in mapping.cores}, mapping.seed, mapping.strategy)
    file = path_of(mapping)
    return read_mapping(file, net, profile) if file else place(net, split(net, profile), profile, seed)


def must_have_cores(profile: Profile) -> Profile:
    """Return a chip. Raises UnsupportedError for an FPGA."""
    if profile.fpga:
        fix = f"name a chip with --hw, or export with --target {fpga.TARGET}"
        raise UnsupportedError("is an FPGA: it has no cores to map to", where=profile.name, fix=fix)
    return profile


def _profile(net: Network, quantised_for: str, chip: Chip | None) -> Profile:
    if chip is None and quantised_for not in chips.names():
        raise ProfileError(
            f"was quantised for {quantised_for!r}, which is no profile of snnc's own",
            where=f"network {net.name!r}",
            fix="name its file with --hw",
        )
    return profile_of(quantised_for if chip is None else chip)
