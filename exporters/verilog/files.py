"""The files of a network as Verilog: the modules, the memories' images, the testbench and what `run` has to know of them."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.range_proof import prove_ranges
from snnc.base.version import __version__
from snnc.chips.fpga import Memory
from snnc.network.model import Network, Population

from . import flash, schedule, units
from .balance import positions
from .layout import Layout, unsigned_bits
from .synapses import Images, hexadecimal, images
from .units import Unit

RTL = Path(__file__).with_name("rtl")
HOST = "host.py"
CONTROL = 500  # LUTs of the schedule, the control and the serial port
LUTS_PER_BIT = 2  # of a lane's pipeline: registers, and what selects their input
SOURCES = ("snn_ram.v", "snn_synapses.v", "snn_lane.v", "snn_control.v", "snn_uart.v", "snn_flash.v")
MODELS = ("spi_flash.v",)  # of what a board has beside the FPGA, for simulation


@dataclass(frozen=True, eq=False)
class Machine:
    """Everything that the files of a network say."""

    layout: Layout
    images: Images
    units: list[Unit] = field(repr=False)

    @classmethod
    def of(cls, net: Network, lanes: int, max_synapses: int, *, narrow: bool) -> "Machine":
        """The machine of a fixed network. Raises what `images` and `units` raise."""
        proof, layout = prove_ranges(net), Layout(net, lanes, positions(net, lanes, max_synapses))
        memories = images(net, layout, proof, max_synapses, narrow=narrow)
        return cls(layout, memories, units.units(layout, memories, proof, narrow=narrow))

    @property
    def parameters(self) -> dict[str, int]:
        """The parameters of the modules, by name."""
        layout, memories = self.layout, self.images
        group = unsigned_bits(layout.most_groups - 1)
        program = schedule.instructions(layout, memories, self.units)
        return {
            "LANES": layout.lanes,
            "LANE": unsigned_bits(layout.lanes - 1),
            "PC": unsigned_bits(len(program)),
            "POPULATION": unsigned_bits(len(layout.numbers) - 1),
            "INPUTS": len(layout.net.inputs),
            "INDEX": layout.index_bits,
            "MESSAGE": layout.message_bits,
            "WORD": layout.event_bits,
            "EVENTS": layout.event_words,
            "EVENT_ADDRESS": unsigned_bits(layout.event_words),
            "ROWS": len(memories.rows),
            "ROW_ADDRESS": unsigned_bits(len(memories.rows)),
            "ROW": memories.row_bits(group),
            "SHARED": int(memories.shapes > 0),
            "SHAPE": memories.shape_bits,
            "SYNAPSE": group + memories.weight_bits,
            "WEIGHT": memories.weight_bits,
            "SYNAPSES": memories.words,
            "SYNAPSE_ADDRESS": unsigned_bits(memories.words - 1),
            "FIELDS": memories.fields,
            "FIELD": memories.field_bits,
            "SUMS": layout.most_groups,
            "GROUP": group,
            "STATES": layout.states,
            "STATE_ADDRESS": unsigned_bits(layout.states),
            "STATE": units.widest(self.units, "stored"),
            "OWN": units.widest(self.units, "own"),
            "CONSTANTS": units.widest(self.units, "constants"),
            "SELECT": units.select_bits(self.units),
            "TRACE": units.widest(self.units, "traced"),
            "AGE": unsigned_bits(layout.longest_delay),
            "HAS_OWN": int(any(unit.own for unit in self.units)),
        }  # fmt: skip

    def write(self, folder: Path) -> None:
        """Fill a folder."""
        for name in (*SOURCES, *MODELS):
            (folder / name).write_bytes((RTL / name).read_bytes())
        (folder / HOST).write_bytes(Path(__file__).with_name(HOST).read_bytes())
        values = self._values()
        for name in ("snn.v", "testbench.v", "board.v", "board_testbench.v"):
            (folder / name).write_text(_Text((RTL / f"{name}.in").read_text()).substitute(values))
        parts = [units.module(unit, self.images) for unit in self.units]
        select = _Text((RTL / "neurons.v.in").read_text()).substitute(values, units=units.selector(self.units))
        (folder / "neurons.v").write_text("\n".join([*parts, select]))
        for name, bits, words in self._images():
            (folder / name).write_text("".join(hexadecimal(words, bits)))
        (folder / "README.md").write_text(_readme(self))
        (folder / "network.json").write_text(json.dumps(self.description(), indent=1) + "\n")

    def _values(self) -> dict[str, Any]:
        p = self.parameters
        lists = schedule.text(self.layout, self.images, self.units)
        return {
            **p,
            **self._serial(),
            **self._flash(),
            **self._budgets(),
            "name": "".join(c if c.isalnum() or c in " _.,:()+-" else "_" for c in self.layout.net.name if c.isascii()),
            "version": __version__,
            "hash": self.layout.net.hash,
            "localparams": "\n".join(f"    localparam {name} = {value};" for name, value in p.items()),
            "schedule": lists,
            "loads": "\n".join(_LOAD.substitute(lane=lane) for lane in range(self.layout.lanes)),
            "lanes": "\n".join(_LANE.substitute(lane=lane) for lane in range(self.layout.lanes)),
        }

    def _budgets(self) -> dict[str, str]:
        """The lines of the testbench that count the messages of inputs with a budget, and end the run beyond it."""
        inputs = [(self.layout.numbers[q.name], q) for q in self.layout.net.inputs if q.max_spikes_per_step is not None]
        return {
            "budget_counters": "".join(_COUNTER.substitute(number=number) for number, _ in inputs),
            "budget_checks": "".join(
                _BUDGET.substitute(number=number, name=q.name, most=q.max_spikes_per_step) for number, q in inputs
            ),
        }

    def _serial(self) -> dict[str, Any]:
        """Return what the serial port has to know: bytes of its messages, and whose spikes leave through it."""
        p, layout = self.parameters, self.layout
        outputs = [q for q in layout.neurons if q.name not in layout.lists] or layout.neurons[-1:]
        bits = {
            "event_bytes": p["POPULATION"] + p["MESSAGE"] + p["INDEX"],
            "spike_bytes": p["POPULATION"] + p["INDEX"],
            "load_bytes": p["LANE"] + p["SYNAPSE_ADDRESS"] + p["SYNAPSE"],
        }
        readout = self._readout()
        return {
            **{name: -(-count // 8) for name, count in bits.items()},
            "readout": _READOUT.substitute(readout) if readout else _NO_READOUT,
            "readout_note": _READOUT_NOTE.substitute(readout) if readout else "",
            "values_bytes": readout.get("values_bytes", 1),
            "part_bits": max(3, unsigned_bits(readout.get("values_bytes", 0))),
            "outputs": ", ".join(q.name for q in outputs),
            "is_output": " || ".join(f"spike_population == {layout.numbers[q.name]}" for q in outputs),
            "queue_bits": unsigned_bits(sum(q.size for q in outputs)),
        }

    def readouts(self) -> list[tuple[Population, str]]:
        """Return the populations that never fire, and the state by which each is read."""
        judged = [(q, q.neuron) for q in self.layout.neurons if q.neuron and not q.neuron.rule.fires]
        return [(q, neuron.readout) for q, neuron in judged]

    def _readout(self) -> dict[str, Any]:
        """Return what the serial port has to know of the one population that is read by a state; nothing if there is not one."""
        if len(self.readouts()) != 1:
            return {}
        ((q, state),) = self.readouts()
        p, lanes, groups = self.parameters, self.layout.lanes, self.layout.groups(q)
        traced = next(unit.traced for unit in self.units if q in unit.populations)
        first = units.offsets(traced.values())[list(traced).index(state)]
        fields = [f"trace[{lane * p['TRACE'] + first} +: {traced[state]}]" for lane in range(lanes)]
        width = lanes * traced[state]
        return {
            "state": state, "name": q.name, "number": self.layout.numbers[q.name], "groups": groups, "bits": traced[state],
            "address_bits": unsigned_bits(groups - 1), "width": width, "values_bytes": -(-width // 8),
            "fields": ", ".join(reversed(fields)),
        }  # fmt: skip

    def _flash(self) -> dict[str, Any]:
        """Return what the board's flash holds, where the synapses lie there."""
        data = flash.image([self._words(lane).tolist() for lane in range(self.layout.lanes)], self.parameters["SYNAPSE"])
        return {
            "flash_bytes": len(data),
            "flash_crc": f"{flash.checksum(data):08x}",
            "flash_offset": f"{flash.OFFSET:06x}",
        }

    def _words(self, lane: int) -> NDArray[Any]:
        """The words of a lane's synapses, {target, weight}."""
        bits, memories = self.parameters["WEIGHT"], self.images
        words: NDArray[Any] = memories.targets[lane] << bits | memories.weights[lane] & ((1 << bits) - 1)
        return words

    def _images(self) -> list[tuple[str, int, Any]]:
        p = self.parameters
        found: list[tuple[str, int, Any]] = [("rows.hex", p["ROW"], self.images.rows)]
        for lane in range(self.layout.lanes):
            found.append((f"synapses_{lane}.hex", p["SYNAPSE"], self._words(lane)))
            if p["HAS_OWN"]:
                found.append((f"own_{lane}.hex", p["OWN"], self._own(lane)))
        return found

    def _own(self, lane: int) -> NDArray[Any]:
        """The parameters of each neuron of a lane, in the order of their states."""
        layout = self.layout
        words = np.zeros(layout.states, object)
        for unit in self.units:
            begins = units.offsets(parameter.bits for parameter in unit.own)
            for parameter, begin in zip(unit.own, begins, strict=False):
                for p in unit.populations:
                    values = unit.of(parameter, p)[layout.order(p)][lane :: layout.lanes].astype(object) & (
                        (1 << parameter.bits) - 1
                    )
                    first = layout.first_state[p.name]
                    words[first : first + len(values)] |= values << begin
        return words

    def description(self) -> dict[str, Any]:
        """What `run` has to know of the files, and how large everything is."""
        layout, p = self.layout, self.parameters
        traced = {q.name: unit.traced for unit in self.units for q in unit.populations}
        return {
            "inputs": [[q.name, q.size] for q in layout.net.inputs],
            "neurons": [[q.name, q.size, list(traced[q.name].items())] for q in layout.neurons],
            "order": {q.name: order.tolist() for q in layout.neurons if (np.diff(order := layout.order(q)) != 1).any()},
            "synapses": sum(int((w.weights != 0).sum()) for s in self.images.sums.values() for w in s.walks),
            **({"readouts": [[q.name, state, traced[q.name][state]] for q, state in self.readouts()]} if self.readouts() else {}),
            "parameters": p,
            "memories": {m.name: _shape(m) for m in self.memories},
        }

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The memories of the design and of its serial port, as network.json, README.md and every budget count them."""
        p, lanes, readout = self.parameters, self.layout.lanes, self._readout()
        return (
            Memory("events", p["EVENTS"], p["WORD"]),
            Memory("rows", p["ROWS"], p["ROW"], constant=True),
            Memory("synapses", p["SYNAPSES"], p["SYNAPSE"], lanes, constant=True, loadable=True),
            Memory("sums", p["SUMS"], p["FIELDS"] * p["FIELD"], lanes, small=True),
            Memory("states", p["STATES"], p["STATE"], lanes, small=True),
            *([Memory("own", p["STATES"], p["OWN"], lanes, constant=True)] if p["HAS_OWN"] else []),
            Memory("queue", 1 << self._serial()["queue_bits"], p["POPULATION"] + p["INDEX"], small=True),
            *([Memory("readout", readout["groups"], readout["width"], small=True)] if readout else []),
        )

    @property
    def luts(self) -> int:
        """About how many LUTs of 4 inputs the design takes beside its memories, serial port included; synthesis counts them.

        An operator of a neuron's logic takes a LUT for each bit of its result, and a lane some for each bit that its pipeline
        moves. docs/fpga.md holds it against what was synthesised.
        """
        p = self.parameters
        moved = p["SYNAPSE"] + p["FIELDS"] * p["FIELD"] + p["STATE"]
        return CONTROL + p["LANES"] * (sum(unit.logic.luts for unit in self.units) + LUTS_PER_BIT * moved)


def _shape(memory: Memory) -> dict[str, Any]:
    """A memory as network.json says it; what is always so is left out."""
    usual = {f.name: f.default for f in fields(Memory)}
    return {name: value for name, value in asdict(memory).items() if name != "name" and value != usual[name]}


def _budget_note(net: Network) -> str:
    """What a host has to know of inputs with a budget; empty if there are none."""
    budgets = [f"{p.name}: {p.max_spikes_per_step:,}" for p in net.inputs if p.max_spikes_per_step is not None]
    if not budgets:
        return ""
    return f"""
That no register wraps is proved only for inputs within a budget of messages a step ({", ".join(budgets)}). The testbench
ends at a step beyond it. The machine itself does not count: on an FPGA, the host has to keep to the budget.
"""


def _readme(machine: Machine) -> str:
    """What is in an artifact, how large it is, and how it is simulated and driven."""
    net, p = machine.layout.net, machine.parameters
    rows = "\n".join(f"| {m.name} | {m.words:,} | {m.bits} | {m.copies} |" for m in machine.memories)
    numbers = "\n".join(f"| {number} | {name} | {net[name].size:,} |" for name, number in machine.layout.numbers.items())
    sources = " ".join(("snn.v", "neurons.v", *SOURCES))
    return f"""\
# {net.name.replace("`", "_")} as Verilog

An event-driven machine that computes one step of the network at a time, with {p["LANES"]} lane(s) side by side. Nothing runs
late: the spikes of a step are those of the same step of the network.

Simulate it with Icarus Verilog (`snnc verify` does this and compares every spike and every state):

    iverilog -g2005 -o simulation testbench.v {sources}
    vvp simulation

The ports are described at the top of snn.v. Populations have these numbers:

| number | population | neurons |
|---|---|---|
{numbers}
{_budget_note(net)}
| memory | words | bits | copies |
|---|---|---|---|
{rows}

{_orders(machine)}`snnc build` puts the design behind a serial port (board.v); `host.py` streams rasters to it.

A host that sends a neuron twice in a step, or a message wider than the population's, breaks what the
registers' widths were proved for.
"""


def _orders(machine: Machine) -> str:
    """Which populations are not in their own order."""
    moved = [name for name, order in machine.description()["order"].items()]
    if not moved:
        return ""
    return (
        "The neurons of these populations are shared out among the lanes such that rows are short; `spike_index` is a\nneuron's "
        f'position, and network.json lists the neuron at each position under "order": {", ".join(moved)}.\n\n'
    )


class _Text(Template):
    """A file with places for what differs between networks: @name or @{name}."""

    delimiter = "@@"


_READOUT = _Text((RTL / "readout.v.in").read_text())
_READOUT_NOTE = _Text(
    "then by 0x03 and @@{values_bytes} bytes for the @@{state} of each LANES neurons of @@{name},\n//" + " " * 24
)
_NO_READOUT = "    localparam VALUES_BYTES = 1;\n    wire measured = 1'b0, told = 1'b0;\n    wire [7:0] values = 8'h00;\n"
_LANE = _Text((RTL / "lane.v.in").read_text())
_LOAD = _Text('            $readmemh("synapses_@@{lane}.hex", image);\n            load(@@{lane});')
_COUNTER = _Text("\n    integer refused_@@{number}, sent_@@{number} = 0; // messages of input @@{number} in this step")
_BUDGET = _Text("""
            if (operation == 0 && event_population == @@{number})
                sent_@@{number} = sent_@@{number} + 1;
            if (operation != 0)
                sent_@@{number} = 0;
            if (sent_@@{number} > @@{most}) begin
                refused_@@{number} = $fopen("refused.txt", "w");
                $fwrite(refused_@@{number}, "input @@{name} sends more messages in step %0d than its budget of @@{most}", steps);
                $fclose(refused_@@{number});
                $finish;
            end""")
