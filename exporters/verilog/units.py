"""The units of a lane: neurons of one model with the same decays share their logic, whatever populations they are in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from textwrap import indent
from typing import Any

import numpy as np

from snnc.analysis.intervals import Span, step
from snnc.analysis.range_proof import RangeProof
from snnc.errors import UnsupportedError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Population
from snnc.network.neuron import Neuron

from .layout import Layout, signed_bits, unsigned_bits
from .logic import Logic, Parameter, Range, literal
from .synapses import Images, Sums


@dataclass(frozen=True, eq=False)
class Unit:
    """Logic that some populations share."""

    number: int
    populations: tuple[Population, ...]
    logic: Logic
    after: dict[str, str]  # state -> the wire of what it becomes
    spike: str
    stored: dict[str, int]  # states that the step reads, and their bits
    traced: dict[str, int]  # all states

    @property
    def name(self) -> str:
        """Of its module."""
        return f"neuron_{self.number}_{_neuron(self.populations[0]).model()}"

    @cached_property
    def own(self) -> list[Parameter]:
        """Parameters that differ within a population: they lie in memory."""
        return [p for p in self.logic.parameters if not self._uniform(p)]

    @cached_property
    def constants(self) -> list[Parameter]:
        """Parameters that differ between populations only: they come with the instruction."""
        return [p for p in self.logic.parameters if self._uniform(p)]

    def _uniform(self, parameter: Parameter) -> bool:
        return all((v == v[0]).all() for v in (self.of(parameter, p) for p in self.populations))

    def of(self, parameter: Parameter, population: Population) -> Any:
        """A parameter's values in one population, (n,)."""
        first = 0
        for p in self.populations:
            if p is population:
                return parameter.values[first : first + p.size]
            first += p.size
        raise KeyError(population.name)


def units(layout: Layout, images: Images, proof: RangeProof, *, narrow: bool) -> list[Unit]:
    """The units of a network.

    Raises UnsupportedError for a state that no width is proved to hold.
    """
    shared: dict[Any, list[Population]] = {}
    for p in layout.neurons:
        shared.setdefault(_kind(p, images.sums[p.name]), []).append(p)
    numeric = layout.net.numeric
    assert isinstance(numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses float networks
    return [_unit(i, tuple(ps), images, proof, numeric, narrow) for i, ps in enumerate(shared.values())]


def _neuron(p: Population) -> Neuron:
    assert p.neuron is not None  # noqa: S101 - for the type checker; callers have neurons
    return p.neuron


def _kind(p: Population, sums: Sums) -> Any:
    """What has to be equal for two populations to share logic: the model, the decays, and the shifts of the sums."""
    neuron = _neuron(p)
    decays = [name for name, f in neuron.parameters().items() if f.metadata["unit"] == "decay"]
    values = [np.asarray(getattr(neuron, name)) for name in decays]
    return neuron.model(), sums.shifts, *(int(v.flat[0]) if (v == v.flat[0]).all() else None for v in values)


def _unit(number: int, ps: tuple[Population, ...], images: Images, proof: RangeProof, numeric: Fixed, narrow: bool) -> Unit:
    neuron = _together(ps)
    currents = [images.sums[p.name].current for p in ps]
    each = [_registers(p, current, proof, numeric, narrow) for p, current in zip(ps, currents, strict=True)]
    states = {name: (min(r[name][0] for r in each), max(r[name][1] for r in each)) for name in neuron.variables()}
    ranges = {f"old_{name}": ends for name, ends in states.items()}
    ranges["current"] = min(low for low, _ in currents), max(high for _, high in currents)
    together = Population("_and_".join(p.name for p in ps), (sum(p.size for p in ps),), neuron)
    logic = Logic(together, numeric, ranges)
    before = {name: logic.symbol(f"old_{name}") for name in neuron.variables()}
    after, spike = neuron.step(dict(before), logic.symbol("current"), logic)
    for name in neuron.variables():
        logic.operand(after[name])
    logic.operand(spike)
    traced = {name: signed_bits(*states[name]) for name in neuron.variables()}
    stored = {name: bits for name, bits in traced.items() if f"old_{name}" in logic.read}
    return Unit(number, ps, logic, {name: after[name].name for name in neuron.variables()}, spike.name, stored, traced)


def _together(ps: tuple[Population, ...]) -> Neuron:
    """One neuron model with the parameters of all populations."""
    first = _neuron(ps[0])
    merged = {}
    for name in first.parameters():
        values = [np.asarray(getattr(_neuron(p), name)) for p in ps]
        alike = len({int(v.flat[0]) for v in values}) == 1 and all((v == v.flat[0]).all() for v in values)
        each = [np.broadcast_to(v, p.size) for v, p in zip(values, ps, strict=True)]
        merged[name] = np.asarray(values[0].flat[0]) if alike else np.concatenate(each)
    return replace(first, **merged)


def _registers(p: Population, current: Range, proof: RangeProof, numeric: Fixed, narrow: bool) -> dict[str, Range]:
    """What each state's register has to hold: what is proved that it can be, with ``narrow``; else the chip's register, too."""
    box = _box(p, current, proof, numeric)
    ends = {name: [int(span.low.min()), int(span.high.max())] for name, span in box.items()}
    for name in ends if not narrow else ():
        ends[name] += _chip_ends(p, name, numeric)
    return {name: (min(each), max(each)) for name, each in ends.items()}


def _chip_ends(p: Population, name: str, numeric: Fixed) -> Range:
    return 1 - numeric.state_limit, numeric.state_limit - (_overflow(p, name) != "wrap")


def _overflow(p: Population, name: str) -> str:
    return next(state.overflow for state in _neuron(p).states if state.name == name)


def _box(p: Population, current: Range, proof: RangeProof, numeric: Fixed) -> dict[str, Span]:
    """States that no step leaves. Where the range proof knows none, those in which its guess does not hold get all that the
    chip's register can be, until a step stays inside."""
    reach = proof.reaches[p.name]
    box = {name: _hull(s.low, s.high, p.size) for name, s in reach.states.items()}
    chip = {name: _hull(*_chip_ends(p, name, numeric), p.size) for name in box}
    given = _hull(*current, p.size)
    while not bool(np.all(reach.found)):
        after = step(_neuron(p), box, given, numeric).after
        left = [name for name, span in after.items() if not span.within(box[name]).all()]
        if not left:
            break
        if all(box[name] is chip[name] for name in left):
            low, high = int(after[left[0]].low.min()), int(after[left[0]].high.max())
            raise UnsupportedError(
                f"state {left[0]} can reach {low:,} .. {high:,}, its register holds {_chip_ends(p, left[0], numeric)}",
                where=f"population {p.name!r}",
                fix="use a smaller weight exponent",
            )
        box |= {name: chip[name] for name in left}
    return box


def _hull(low: Any, high: Any, n: int) -> Span:
    return Span(np.full(n, np.min(low)), np.full(n, np.max(high)))


def offsets(widths: Iterable[int]) -> list[int]:
    """Where fields begin that lie side by side; the last entry is where they end."""
    ends = [0]
    for width in widths:
        ends.append(ends[-1] + width)
    return ends


def widest(all_units: list[Unit], what: str) -> int:
    """Bits that the widest unit needs of a bus (stored, traced, own, constants), at least 1."""
    return max(1, *(offsets(_widths(unit, what))[-1] for unit in all_units))


def _widths(unit: Unit, what: str) -> list[int]:
    fields = getattr(unit, what)
    return list(fields.values()) if isinstance(fields, dict) else [p.bits for p in fields]


def select_bits(all_units: list[Unit]) -> int:
    """Bits of a unit's number."""
    return unsigned_bits(len(all_units) - 1)


def module(unit: Unit, images: Images) -> str:
    """The unit's Verilog: sums, old states and parameters in; new states, all states and the spike out."""
    sums = images.sums[unit.populations[0].name]
    lines = [_current(images, sums.shifts, unit.logic.ranges["current"])] if "current" in unit.logic.read else []
    lines += _old_states(unit)
    lines += _slices("{}", "own", {p.name: p.bits for p in unit.own})
    lines += _slices("{}", "constants", {p.name: p.bits for p in unit.constants})
    lines += unit.logic.lines
    lines += [f"wire signed [{bits - 1}:0] new_{name} = {unit.after[name]};" for name, bits in unit.traced.items()]
    lines += [f"assign new_state = {_packed(unit.stored)};", f"assign trace = {_packed(unit.traced)};"]
    lines.append(f"assign spike = {unit.spike}[0];")
    names = ", ".join(p.name for p in unit.populations)
    ports = "\n".join(f"    input wire [{name}-1:0] {port}," for name, port in _INPUTS)
    parameters = ", ".join(f"parameter {name} = 1" for name in ("OWN", "CONSTANTS", "SUMS", "STATE", "TRACE"))
    return (
        f"// The step of {_neuron(unit.populations[0]).model()} in: {names}.\n"
        f"module {unit.name} #({parameters}) (\n{ports}\n"
        "    input wire fresh,\n"
        "    output wire [STATE-1:0] new_state,\n    output wire [TRACE-1:0] trace,\n    output wire spike\n);\n"
        f"{indent(chr(10).join(lines), '    ')}\nendmodule\n"
    )


_INPUTS = (("OWN", "own"), ("CONSTANTS", "constants"), ("SUMS", "sums"), ("STATE", "old_state"))


def _current(images: Images, shifts: tuple[int, ...], ends: Range) -> str:
    """The input of a step, in the unit of weights."""
    bits = images.field_bits
    fields = [f"$signed(sums[{f * bits} +: {bits}])" for f in range(1 + len(shifts))]
    terms = [f"({fields[0]} <<< {images.unit})" if images.unit else fields[0]]
    terms += [f"({field} >>> {shift})" for field, shift in zip(fields[1:], shifts, strict=True)]
    return f"wire signed [{signed_bits(*ends) - 1}:0] current = {' + '.join(terms)};"


def _slices(pattern: str, bus: str, fields: dict[str, int]) -> list[str]:
    begins = offsets(fields.values())
    return [
        f"wire signed [{bits - 1}:0] {pattern.format(name)} = {bus}[{begin} +: {bits}];"
        for (name, bits), begin in zip(fields.items(), begins, strict=False)
    ]


def _old_states(unit: Unit) -> list[str]:
    """The states before the step, 0 in the first one; those that start elsewhere say so."""
    initial = {state.name: state.initial for state in _neuron(unit.populations[0]).states}
    begins = offsets(unit.stored.values())
    reads = {
        name: f"$signed(old_state[{begin} +: {bits}])" for (name, bits), begin in zip(unit.stored.items(), begins, strict=False)
    }
    return [
        f"wire signed [{unit.stored[name] - 1}:0] old_{name} = "
        + (f"fresh ? {literal(initial[name])} : {read};" if initial[name] else f"{read};")
        for name, read in reads.items()
    ]


def _packed(fields: dict[str, int]) -> str:
    """Side by side, the first state in the lowest bits."""
    return f"{{{', '.join(f'new_{name}' for name in reversed(fields))}}}" if fields else "1'b0"


def selector(all_units: list[Unit]) -> str:
    """The module `snn_neurons`: every unit, and which of them is heard."""
    widths = {"OWN": "own", "CONSTANTS": "constants", "STATE": "stored", "TRACE": "traced"}
    text = [f"    localparam {name} = {widest(all_units, what)};" for name, what in widths.items()]
    last = len(all_units) - 1
    for i, unit in enumerate(all_units):
        text.append(
            f"    wire [STATE-1:0] new_state_{i};\n    wire [TRACE-1:0] trace_{i};\n    wire spike_{i};\n"
            f"    {unit.name} #(.OWN(OWN), .CONSTANTS(CONSTANTS), .SUMS(SUMS), .STATE(STATE), .TRACE(TRACE)) unit_{i} (\n"
            f"        .own(own), .constants(constants), .sums(sums), .old_state(old_state), .fresh(fresh),\n"
            f"        .new_state(new_state_{i}), .trace(trace_{i}), .spike(spike_{i})\n    );"
        )
    for port in ("new_state", "trace", "spike"):
        choice = "".join(f"select == {i} ? {port}_{i} : " for i in range(last)) + f"{port}_{last}"
        text.append(f"    assign {port} = {choice};")
    return "\n".join(text)
