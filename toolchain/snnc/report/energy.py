"""What an inference would cost by the profile's own figures of events, counted and not measured. Part of report."""

from snnc.chips.costs import Costs
from snnc.mapping.census import Census
from snnc.report.blocks import Cell, Section, Table, Text, not_recorded
from snnc.report.facts import number, table
from snnc.report.folder import RunFolder

TITLE = "Energy of an inference, estimated"


def energy(run: RunFolder, census: Census | None, packet_hops: float) -> Section:
    """Show the energy of each kind of event: its count in a sample times what the profile says that one costs."""
    if run.profile is None:
        return Section("energy", TITLE, (not_recorded("the chip that the run is for"),))
    if run.profile.costs is None:
        unknown = f"Unknown: the profile {run.profile.name} has no costs of events, as none are public."
        return Section("energy", TITLE, (Text(unknown, "note"),))
    rows = _rows(run, run.profile.costs, census, packet_hops)
    if not rows:
        return Section("energy", TITLE, (not_recorded("how often neurons fired"),))
    total = sum(picojoules for _, _, picojoules in rows)
    cells: tuple[tuple[Cell, ...], ...] = tuple(
        (what, f"{count:,.1f}", f"{picojoules / 1e3:,.3f} nJ", f"{picojoules / total:.1%}" if total else "-")
        for what, count, picojoules in rows
    )
    sources = sorted({f"{f.source} ({f.confidence})" for key, f in run.profile.facts.items() if key.startswith("costs.")})
    note = (
        f"Estimated, not measured: {total / 1e6:,.3f} uJ an inference, of events alone, without static power. Costs of an event: "
        f"{'; '.join(sources)}."
    )
    without = () if census else (not_recorded("packets, as there is no mapping"),)
    table_of_all = Table("Events of an inference", ("event", "how many", "energy", "share"), cells)
    return Section("energy", TITLE, (Text(note, "note"), *without, table_of_all))


def _rows(run: RunFolder, costs: Costs, census: Census | None, packet_hops: float) -> list[tuple[str, float, float]]:
    fixed = table(run.summary, "activity", "fixed")
    samples, steps = number(fixed, "samples"), number(fixed, "steps")
    if not samples or not steps or run.fixed is None:
        return []
    computed = [p.name for p in run.fixed.populations if p.neuron is not None]
    neurons = sum(number(fixed, "neurons", name) or 0 for name in computed) * steps
    spikes = sum(number(fixed, "spikes", name) or 0 for name in computed) / samples
    operations = sum(number(fixed, "synaptic_operations", c.name) or 0 for c in run.fixed.connections) / samples
    rows = [
        ("neuron looked at and updated, in a step", neurons, neurons * (costs.neuron_access_pj + costs.neuron_update_pj)),
        ("spike made", spikes, spikes * costs.spike_pj),
        ("synapse read", operations, operations * costs.synapse_sparse_pj),
    ]
    if census:
        hop = (costs.hop_vertical_pj + costs.hop_horizontal_pj) / 2
        rows += [
            ("packet sent and received", census.packets, census.packets * (costs.axon_out_pj + costs.axon_in_pj)),
            ("hop of a packet, mean of both directions", packet_hops, packet_hops * hop),
        ]
    return rows
