"""The tables of an inspection, for quantise and inspect."""

from typing import Any

from snnc.report.inspection import Inspection
from snnc.report.terminal import print_table


def print_populations(inspection: Inspection) -> None:
    """Print populations with shape and neuron, and for fixed networks the scale and the range of the current."""
    rows = [
        (
            p.name,
            "x".join(map(str, p.shape)),
            p.neuron or ("input" if p.max_spikes_per_step is None else f"input, {p.max_spikes_per_step:,} a step"),
            "-" if p.hops is None else p.hops,
            _number(p.scale),
            p.limited_by or "-",
            f"{p.current_reach:,} ({100 * p.current_reach / p.current_limit:.0f} %)"
            if p.current_reach and p.current_limit
            else "-",
        )
        for p in inspection.populations
    ]
    columns = ("population", "shape", "neuron", "hops", "scale", "scale limited by", "reach of u (of its register)")
    print_table(f"{inspection.name}: {inspection.numeric}", columns, rows)


def print_connections(inspection: Inspection) -> None:
    """Print connections with their synapses, and for fixed networks how well the integers represent the floats."""
    rows = [(c.name, f"{c.src} -> {c.dst}", c.delay_steps, c.operator) for c in inspection.connections]
    print_table("connections", ("connection", "from -> to", "delay", "operator"), rows)
    counts = [
        (
            c.name,
            c.stored_weights,
            c.synapses,
            f"{100 * c.parameter_connectivity:.2f} %",
            f"{100 * c.synapse_connectivity:.2f} %",
            c.kept_but_zero,
        )
        for c in inspection.connections
    ]
    columns = ("connection", "stored weights", "synapses", "parameter connectivity", "synapse connectivity", "kept but 0")
    print_table("synapses", columns, counts)
    rounded = [
        (
            c.name,
            span(c.weights),
            c.sign_mode or "-",
            "-" if c.exponent is None else c.exponent,
            span(c.decoded),
            _number(c.max_error),
            _number(c.mean_error),
            _number(c.half_step),
        )
        for c in inspection.connections
    ]
    titles = ("connection", "weights", "signs", "exponent", "as float", "largest error", "mean error", "half a step")
    print_table("weights", titles, rounded)


def print_parameters(inspection: Inspection) -> None:
    """Print the neuron parameters: float, integer, float again, error."""
    rows = [
        (f"{p.population}.{p.name}", span(p.before), span(p.value), span(p.decoded), _number(p.max_error), _number(p.half_step))
        for p in inspection.parameters
    ]
    print_table("parameters", ("parameter", "float", "value", "as float", "error", "half a step"), rows)


def span(values: tuple[float, float] | None) -> str:
    """Return a range as text; one number if both ends are equal."""
    if values is None:
        return "-"
    return _number(values[0]) if values[0] == values[1] else f"{_number(values[0])} .. {_number(values[1])}"


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
