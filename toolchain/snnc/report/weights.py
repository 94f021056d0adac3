"""Weights, delays and parameters of neurons before and after quantising: distributions and errors. Part of report."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from snnc.network.model import Connection, Network, Population
from snnc.passes.quantise import scales
from snnc.passes.scaling import decode_parameter, decode_weights
from snnc.report.blocks import Block, Section, Table, figure, not_recorded
from snnc.report.folder import RunFolder
from snnc.report.inspection import Inspection, ParameterFacts, Range, inspect
from snnc.report.plots import histogram

TITLE = "Weights and thresholds before and after quantising"
MAX_FIGURES = 24  # of connections, from the first; the tables have all


def weights(run: RunFolder) -> Section:
    """Show histograms of every connection and of what differs from neuron to neuron, and tables of all."""
    if not run.fixed or not run.pruned:
        return Section("weights", TITLE, (not_recorded("fixed.snnc and pruned.snnc, which hold them"),))
    before, after, inspection = run.pruned, run.fixed, inspect(run.fixed, run.pruned)
    drawn: list[Block] = [_of_connection(c, before, after) for c in after.connections[:MAX_FIGURES]]
    drawn += [block for c in after.connections[:MAX_FIGURES] for block in _delays(c)]
    drawn += [block for p in after.populations[:MAX_FIGURES] for block in _of_population(p, before, after)]
    return Section("weights", TITLE, (*drawn, _connections(inspection), _parameters(inspection)))


def _of_connection(c: Connection, before: Network, after: Network) -> Block:
    theirs = next(other for other in before.connections if other.name == c.name)
    series = [("before, float", theirs.op.synapses.values)]
    if scale := scales(after).get(c.dst):
        series.append(("after, in the same unit", decode_weights(c.op, scale)))
    spreads = "; ".join(f"{name}: {_spread(values)}" for name, values in series)
    caption = f"{c.name}: weights of the synapses that exist."
    return figure(f"weights-{c.name}", f"Weights of {c.name}, {spreads}.", caption, histogram, "weight", series)


def _of_population(p: Population, before: Network, after: Network) -> Iterator[Block]:
    """Draw the parameters that differ from neuron to neuron; where all neurons share one, the table says it all."""
    scale = scales(after).get(p.name)
    if p.neuron is None or scale is None or after.numeric.kind != "fixed":
        return
    numeric: Any = after.numeric
    for name in p.neuron.parameters():
        value = np.asarray(getattr(p.neuron, name))
        if value.ndim == 0 or np.ptp(value) == 0:
            continue
        decoded = decode_parameter(value, p.neuron.unit(name), scale, numeric)
        series = [("before, float", getattr(before[p.name].neuron, name)), ("after, in the same unit", decoded)]
        spreads = "; ".join(f"{which}: {_spread(values)}" for which, values in series)
        caption, alt = f"{p.name}: {name} of its neurons.", f"{name} of {p.name}, {spreads}."
        yield figure(f"{name}-{p.name}", alt, caption, histogram, name, series)


def _delays(c: Connection) -> Iterator[Block]:
    """Draw the delays of a connection that has some of its own for axons or synapses."""
    if c.delays is not None and len(c.delays):
        values = c.delays + c.delay_steps
        of = "axons" if c.axon_delays is not None else "synapses"
        caption, alt = f"{c.name}: delays of its {of}, in steps.", f"Delays of {c.name}, {_spread(values)}."
        yield figure(f"delays-{c.name}", alt, caption, histogram, "delay in steps", [(of, values)])


def _spread(values: Any) -> str:
    return f"{values.size:,} of {values.min():.4g} to {values.max():.4g}, mean {values.mean():.4g}"


def _connections(inspection: Inspection) -> Table:
    rows = tuple(
        (c.name, c.stored_weights, _span(c.weights), c.exponent, _span(c.decoded), _short(c.max_error), _short(c.mean_error),
         _short(c.half_step), c.kept_but_zero)
        for c in inspection.connections
    )  # fmt: skip
    changes = ("largest change", "mean change", "half a step of the grid")
    columns = ("connection", "weights", "integers", "exponent", "as float", *changes, "kept but 0")
    tuned = any(stage.name == "finetune" for stage in inspection.done)
    return Table("Weights: rounding and fine-tuning" if tuned else "Weights: rounding", columns, rows)


def _parameters(inspection: Inspection) -> Table:
    def row(p: ParameterFacts) -> tuple[str | None, ...]:
        known = _span(p.before), _span(p.value), _span(p.decoded), _short(p.max_error), _short(p.half_step)
        return (f"{p.population}.{p.name}", *known)

    columns = ("parameter", "float", "integer", "as float", "largest change", "half a step of the grid")
    return Table("Thresholds and other parameters of the neurons", columns, tuple(map(row, inspection.parameters)))


def _span(values: Range | None) -> str | None:
    if values is None:
        return None
    return f"{values[0]:.4g}" if values[0] == values[1] else f"{values[0]:.4g} .. {values[1]:.4g}"


def _short(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g}"
