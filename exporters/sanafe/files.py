"""A network on the cores of a chip as SANA-FE's YAML: its architecture, its groups, edges and mappings. Used by `sanafe`."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.chips.costs import Costs
from snnc.mapping.arrange import mesh_of, tiles
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.delays import parts
from snnc.network.latency import latency
from snnc.network.model import Connection, Network, Population

NEVER = 1e18  # the threshold of a neuron that does not fire
FORMATS = ("sparse", "dense")
READ_AS = {"run-length": "sparse"}  # a synapse whose cost is not public, as one whose is: its weight and what says its neuron


def write(net: Network, mapping: CoreMap, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder`` with architecture.yaml and network.yaml; returns the latency of each population in steps.

    Raises DoesNotFitError if a connection has to be unrolled to more than ``max_synapses`` synapses.
    """
    lags = latency(net)
    (folder / "architecture.yaml").write_text("\n".join(_architecture(net, mapping)) + "\n")
    with (folder / "network.yaml").open("w") as file:
        for block in _network(net, mapping, lags, max_synapses):
            file.write(block + "\n")
    return lags


def _architecture(net: Network, mapping: CoreMap) -> Iterator[str]:
    """Yield the chip: its mesh as far as it is used, which is what SANA-FE's run time goes by, and a column for the inputs.

    The inputs come from one column of tiles beside the mesh: SANA-FE knows no off-chip sources.
    """
    chip = mapping.chip
    columns, rows = _grid(mapping)
    cost = chip.costs or Costs()
    per_core = chip.limits.get("neurons_per_core", sum(p.size for p in net.populations))
    barrier = ", ".join(f"{n}: {ns:.10g}e-9" for n, ns in zip(cost.barrier_tiles, cost.barrier_ns, strict=True))
    yield "architecture:"
    yield f"  name: {chip.family}"
    yield "  attributes:"
    yield f"    topology: mesh\n    width: {columns + 1}\n    height: {rows}\n    link_buffer_size: {cost.link_buffer_messages}"
    yield f"    sync_model: table\n    latency_sync: {{{barrier}}}"
    yield "  tile:"
    yield from _tile("chip", columns * rows, mesh_of(chip).cores_per_tile, per_core, cost)
    yield from _core(per_core, cost, inputs=0)
    yield from _tile("off_chip", rows, 1, 0, cost)
    yield from _core(_inputs_per_tile(net, rows), cost, inputs=_inputs_per_tile(net, rows))


def _grid(mapping: CoreMap) -> tuple[int, int]:
    """Return the columns and rows of tiles, up to the last that holds a core of the mapping."""
    column, row = tiles(mapping.chip, _places(mapping))
    return int(column.max()) + 1, int(row.max()) + 1


def _places(mapping: CoreMap) -> NDArray[np.int64]:
    return np.array([core.index for core in mapping.cores])


def _inputs_per_tile(net: Network, rows: int) -> int:
    return -(-sum(p.size for p in net.inputs) // rows)


def _tile(name: str, count: int, cores: int, neurons: int, cost: Costs) -> Iterator[str]:
    up, along = f"{cost.hop_vertical_pj:.10g}e-12", f"{cost.hop_horizontal_pj:.10g}e-12"
    up_s, along_s = f"{cost.hop_vertical_ns:.10g}e-9", f"{cost.hop_horizontal_ns:.10g}e-9"
    sides = (("north", up, up_s), ("south", up, up_s), ("east", along, along_s), ("west", along, along_s))
    yield f"    - name: {name}[0..{count - 1}]"
    yield "      attributes:"
    for side, energy, time in sides:
        yield f"        energy_{side}_hop: {energy}\n        latency_{side}_hop: {time}"
    yield f"      core:\n        - name: {name}_core[0..{cores - 1}]"


def _core(neurons: int, cost: Costs, inputs: int) -> Iterator[str]:
    """Yield a core that holds neurons, or input neurons, which lie off chip and cost nothing."""
    free = Costs() if inputs else cost

    def unit(kind: str, name: str, **attributes: Any) -> str:
        listed = ", ".join(f"{key}: {value}" for key, value in attributes.items())
        return f"          {kind}:\n" * bool(kind) + f"            - name: {name}\n              attributes: {{{listed}}}"

    yield "          attributes:"
    yield "            buffer_position: dendrite\n            buffer_inside_unit: true"
    yield f"            max_neurons_supported: {neurons}"
    yield unit("axon_in", "axon_in", **_cost("message_in", cost.axon_in_pj, cost.axon_in_ns))
    for kind, name in zip(("synapse", ""), FORMATS, strict=True):
        energy, time = getattr(cost, f"synapse_{name}_pj"), getattr(cost, f"synapse_{name}_ns")
        yield unit(kind, name, model="current_based", **_cost("process_spike", energy, time))
    yield unit("dendrite", "delays", model="accumulator_with_delay", **_cost("update", 0, 0))
    soma = (
        _cost("access_neuron", free.neuron_access_pj, free.neuron_access_ns)
        | _cost("update_neuron", free.neuron_update_pj, free.neuron_update_ns)
        | _cost("spike_out", free.spike_pj, free.spike_ns)
    )
    name, model = (f"input[0..{inputs - 1}]", "input") if inputs else ("neurons", "leaky_integrate_fire")
    yield unit("soma", name, model=model, **soma)
    yield unit("axon_out", "axon_out", **_cost("message_out", free.axon_out_pj, free.axon_out_ns))


def _cost(event: str, picojoules: float, nanoseconds: float) -> dict[str, str]:
    return {f"energy_{event}": f"{picojoules:.10g}e-12", f"latency_{event}": f"{nanoseconds:.10g}e-9"}


def _network(net: Network, mapping: CoreMap, lags: dict[str, int], max_synapses: int) -> Iterator[str]:
    yield "network:\n  name: snnc\n  groups:"
    for p in net.populations:
        yield from _group(p, net.numeric)
    yield "  edges:"
    cores = _cores(net, mapping)
    for c in net.connections:
        yield from _edges(c, lags, cores[c.dst], mapping, max_synapses)
    yield "mappings:"
    yield from _mappings(net, mapping)


def _group(p: Population, numeric: Any) -> Iterator[str]:
    yield f"    - name: {p.name}"
    if p.neuron is None:
        yield f"      attributes: {{log_spikes: true}}\n      neurons:\n        - 0..{p.size - 1}: {{}}"
        return
    yield "      attributes: {log_spikes: true, log_potential: true, soma_hw_name: neurons, dendrite_hw_name: delays}"
    yield "      neurons:"
    soma = _soma(p, numeric)
    for start, stop in _runs(np.stack([soma[name] for name in sorted(soma)])):
        listed = ", ".join(f"{name}: {values[start]:.17g}" for name, values in soma.items())
        yield f"        - {start}..{stop - 1}: {{soma: {{{listed}, reset_mode: {_reset_mode(p)}, log_u: true}}}}"


def _soma(p: Population, numeric: Fixed) -> dict[str, NDArray[np.float64]]:
    """Return the parameters of each neuron in weight units: SANA-FE rounds potentials to 1/64 of them, as the chip does."""
    neuron: Any = p.neuron
    whole = 1 << numeric.decay_bits
    values_of = {
        "threshold": getattr(neuron, "threshold", NEVER),
        "leak_decay": (whole - neuron.decay_v) / whole,
        "input_decay": (whole - getattr(neuron, "decay_u", whole)) / whole,
        "bias": neuron.bias / (1 << numeric.state_shift),
        "refractory_delay": getattr(neuron, "period", 0),
    }
    return {name: np.broadcast_to(np.asarray(value, np.float64), p.size).copy() for name, value in values_of.items()}


def _reset_mode(p: Population) -> str:
    assert p.neuron  # noqa: S101 - for the type checker
    return {"zero": "hard", "subtract": "soft"}.get(p.neuron.rule.reset, "none")


def _runs(columns: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of each stretch of equal columns."""
    changed = np.flatnonzero((np.diff(columns, axis=1) != 0).any(axis=0)) + 1
    yield from pairwise([0, *changed.tolist(), columns.shape[1]])


def _cores(net: Network, mapping: CoreMap) -> dict[str, NDArray[np.int64]]:
    """Return the position of each neuron's core in the mapping."""
    core_of = {p.name: np.zeros(p.size, np.int64) for p in net.populations if p.neuron}
    for i, core in enumerate(mapping.cores):
        for core_slice in core.slices:
            core_of[core_slice.population][core_slice.start : core_slice.stop] = i
    return core_of


def _edges(c: Connection, lags: dict[str, int], core_of: NDArray[np.int64], mapping: CoreMap, max_synapses: int) -> Iterator[str]:
    formats = [core.formats.get(c.name, FORMATS[0]) for core in mapping.cores]
    units = [READ_AS.get(stored_as, stored_as) for stored_as in formats]
    wait = lags[c.dst] - lags[c.src] - 1
    for part in parts(c):
        s = part.op.unrolled(max_synapses)
        kept = np.ones(s.count, bool) if part.sources is None else part.sources[s.indices]
        weights = s.values * 2.0**c.op.exponent
        delay = f", delay: {part.delay_steps + wait}" if part.delay_steps + wait else ""
        for row, column, weight in zip(s.rows[kept], s.indices[kept], weights[kept], strict=True):
            unit = units[core_of[row]]
            yield f"    - {c.src}.{column} -> {c.dst}.{row}: {{weight: {weight:.10g}{delay}, synapse_hw_name: {unit}}}"


def _mappings(net: Network, mapping: CoreMap) -> Iterator[str]:
    chip, places = mapping.chip, _places(mapping)
    columns, rows = _grid(mapping)
    (column, row), inside = tiles(chip, places), places % chip.cores_per_chip % mesh_of(chip).cores_per_tile
    for i, core in enumerate(mapping.cores):
        address = f"{column[i] * rows + row[i]}.{inside[i]}"
        yield from (f"  - {s.population}.{s.start}..{s.stop - 1}: {{core: {address}}}" for s in core.slices)
    sources = [(p.name, i) for p in net.inputs for i in range(p.size)]
    for n, (name, i) in enumerate(sources):
        tile, unit = divmod(n, _inputs_per_tile(net, rows))
        yield f"  - {name}.{i}: {{core: {columns * rows + tile}.0, soma: 'input[{unit}]'}}"
