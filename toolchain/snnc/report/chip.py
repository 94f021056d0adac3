"""What each core holds of what it may, and the chip with its traffic. Part of report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from snnc.budget.check import Budget, CoreBudget
from snnc.budget.remedies import Remedy
from snnc.chips.profile import Profile
from snnc.mapping.arrange import packet_hops
from snnc.mapping.census import census
from snnc.mapping.choose import Mapped
from snnc.mapping.mapping_file import read_mapping
from snnc.mapping.picture import picture
from snnc.mapping.task import Task, of_slices
from snnc.mapping.usage import Usage, words_for
from snnc.network.model import Network
from snnc.report.blocks import Block, Cell, Figure, Section, Share, Table, Text, not_recorded
from snnc.report.folder import RunFolder
from snnc.report.overview import fit

MAX_CORES = 32  # of the table: the fullest
MAX_DRAWN = 4096  # cores of the picture
NO_CHIP = "fixed.snnc, or the chip that it is for (name its profile with --hw)"


def budget_bars(budget: Budget | None, advice: Sequence[Remedy]) -> Section:
    """Return every resource of the fullest cores and of the chip as a whole; ``advice`` is what would make the network fit."""
    title = "Budget by core"
    if budget is None:
        return Section("budget", title, (not_recorded(NO_CHIP),))
    blocks: list[Block] = [Text(*fit(budget)), *(Text(str(remedy), "note") for remedy in advice)]
    if whole := [usage for usage in (budget.chip, *budget.totals) if usage]:
        rows = tuple((words_for(usage.resource), _bar(usage)) for usage in whole)
        blocks.append(Table(f"{budget.profile} as a whole", ("resource", "used of limit"), rows))
    if budget.cores:
        blocks.append(_cores(budget.cores))
    return Section("budget", title, tuple(blocks))


def _cores(cores: tuple[CoreBudget, ...]) -> Table:
    fullest = sorted(cores, key=lambda core: (-max(u.share or 0 for u in core.uses), core.core))[:MAX_CORES]
    rows = tuple(
        (f"core {core.core}", f"{core.population} {core.start:,} to {core.stop - 1:,}", *map(_bar, core.uses)) for core in fullest
    )
    caption = f"Used of limit: the fullest {len(rows)} of {len(cores):,} cores"
    return Table(caption, ("core", "neurons of", *(words_for(u.resource) for u in cores[0].uses)), rows)


def _bar(usage: Usage) -> Cell:
    used, limit = ("unknown" if n is None else f"{n:,}" for n in (usage.used, usage.limit))
    return Share(usage.share, f"{used} of {limit}" if usage.limit is not None else f"{used}, limit not public")


def chip_map(run: RunFolder, mapped: Mapped | None) -> Section:
    """Show where the cores lie, how full they are, and the packets between them by the rates that were recorded."""
    title = "Chip map"
    if mapped is None or run.profile is None:
        return Section("map", title, (not_recorded("a mapping beside the exported program, or the chip that it is for"),))
    rates = run.recording is not None and bool(run.recording.rates)
    measured = "as recorded on all test samples" if rates else "each neuron counted as firing once, as no rates were recorded"
    caption = (
        f"{mapped.cores:,} of {run.profile.cores:,} cores of {run.profile.name}, cut by {mapped.mapping.strategy}. An inference "
        f"sends {mapped.census.packets:,.1f} packets, {mapped.census.input_packets:,.1f} of them from off chip; "
        f"{mapped.packet_hops:,.1f} packets x hops ({measured})."
    )
    if mapped.cores > MAX_DRAWN:
        return Section("map", title, (Text(caption), not_recorded(f"a picture of more than {MAX_DRAWN:,} cores")))
    draw = Figure(lambda: picture(mapped, run.profile), f"Map of the chip. {caption}", caption, wide=True)  # type: ignore[arg-type]
    return Section("map", title, (draw, _links(mapped)))


def mapped_of(run: RunFolder) -> Mapped | None:
    """Return the mapping of the exported program with the packets that the recorded rates make; None if something is missing."""
    if run.mapping is None or run.fixed is None or run.profile is None:
        return None
    return _measured(run, run.mapping, run.fixed, run.profile)


def _measured(run: RunFolder, path: Path, net: Network, profile: Profile) -> Mapped:
    mapping = read_mapping(path, net, profile)
    rates = dict(run.recording.rates) if run.recording and run.recording.rates else None
    task = Task.of(net, profile, rates, mapping.seed)
    measured = census(task, of_slices(task, tuple(core.slices for core in mapping.cores)))
    places = np.array([core.index for core in mapping.cores])
    return Mapped(mapping, measured, places, packet_hops(profile, measured, places), 0.0)


def _links(mapped: Mapped) -> Table:
    src, dst, packets = mapped.census.links
    busiest = np.argsort(-packets, kind="stable")[:MAX_CORES]
    rows = tuple(
        (f"core {mapped.places[src[i]]} to core {mapped.places[dst[i]]}", f"{packets[i]:,.1f}") for i in busiest.tolist()
    )
    return Table("Packets an inference between cores, most first", ("from, to", "packets"), rows)
