"""The schedule of a step: instruction by instruction, which synapses are walked and which neurons are updated."""

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import indent

from .layout import EventList, Layout, unsigned_bits
from .synapses import Images, Walk
from .units import Unit, offsets

CLOSE, WALK, UPDATE, END = range(4)


@dataclass(frozen=True)
class Instruction:
    """What the schedule says at one place: the fields that differ from 0, as Verilog, and a remark."""

    remark: str
    fields: dict[str, str]


def instructions(layout: Layout, images: Images, units: list[Unit]) -> list[Instruction]:
    """The instructions of a step, in order."""
    found = []
    for p in layout.net.inputs:
        fields = {"operation": f"2'd{CLOSE}", "population": str(layout.numbers[p.name]), "list": _head(layout, p.name)}
        found.append(Instruction(f"{p.name} has got its events", fields))
    for p in layout.neurons:
        found += [_walk(layout, w) for w in images.sums[p.name].walks]
        found.append(_update(layout, units, p.name))
    return [*found, Instruction("the step is over", {"operation": f"2'd{END}"})]


def _walk(layout: Layout, w: Walk) -> Instruction:
    c, delay = w.connection, w.part.delay_steps
    fields = {
        "operation": f"2'd{WALK}",
        "list": _head(layout, c.src, delay),
        "delay": str(delay),
        "first_row": str(w.first_row),
        "graded": str(int(layout.net[c.src].message_bits > 1)),
        "field": str(1 << w.field),
    } | ({"shared": "1'b1"} if w.shared else {})
    return Instruction(f"{c.name}: {c.src} to {c.dst}" + (f", {delay} steps later" if delay else ""), fields)


def _update(layout: Layout, units: list[Unit], population: str) -> Instruction:
    p = layout.net[population]
    unit = next(u for u in units if p in u.populations)
    left = p.size - (layout.groups(p) - 1) * layout.lanes
    fields = {
        "operation": f"2'd{UPDATE}",
        "population": str(layout.numbers[population]),
        "last_group": str(layout.groups(p) - 1),
        "last_lanes": f"{layout.lanes}'d{(1 << left) - 1}",
        "first_state": str(layout.first_state[population]),
    }
    if population in layout.lists:
        fields |= {"list": _head(layout, population), "sends": "1'b1"}
    if len(units) > 1:
        fields["next_select"] = str(unit.number)
    begins = offsets(p.bits for p in unit.constants)
    for parameter, begin in zip(unit.constants, begins, strict=False):
        value = int(unit.of(parameter, p)[0]) & ((1 << parameter.bits) - 1)
        fields[f"next_constants[{begin} +: {parameter.bits}]"] = f"{parameter.bits}'d{value}"
    return Instruction(f"the neurons of {population}", fields)


def _head(layout: Layout, population: str, delay: int = 0) -> str:
    """Where the list of so many steps ago begins."""
    ring = layout.lists[population]
    if ring.length == 1:
        return str(ring.base)
    if not delay:
        return f"head_{population}"
    back, forth = delay * ring.words, (ring.length - delay) * ring.words
    return f"head_{population} >= {ring.base + back} ? head_{population} - {back} : head_{population} + {forth}"


def text(layout: Layout, images: Images, units: list[Unit]) -> str:
    """The body of the module `snn_schedule`."""
    program = instructions(layout, images, units)
    rings = {name: ring for name, ring in layout.lists.items() if ring.length > 1}
    heads = "\n".join(_ring(name, ring, layout) for name, ring in rings.items())
    inputs = "\n".join(f"{layout.numbers[p.name]}: input_list = {_head(layout, p.name)};" for p in layout.net.inputs)
    cases = "\n".join(_case(i, instruction) for i, instruction in enumerate(program))
    return f"""{heads}
    always @*
        case (event_population)
{indent(inputs, " " * 12)}
            default: input_list = 0;
        endcase

    always @* begin
{indent(chr(10).join(_defaults()), " " * 8)}
        case (pc)
{indent(cases, " " * 12)}
            default: ;
        endcase
    end

    always @(posedge clk)
        if (fetch) begin
            select <= next_select;
            constants <= next_constants;
        end"""


_FIELDS = ("population", "list", "delay", "first_row", "graded", "shared", "last_group", "last_lanes", "first_state", "sends",
           "next_select", "next_constants")  # fmt: skip


def _defaults() -> Iterator[str]:
    yield f"operation = 2'd{END};"
    yield "field = 1;"
    yield from (f"{name} = 0;" for name in _FIELDS)


def _case(number: int, instruction: Instruction) -> str:
    sets = "\n".join(f"    {name} = {value};" for name, value in instruction.fields.items())
    return f"{number}: begin // {instruction.remark}\n{sets}\nend"


def _ring(name: str, ring: EventList, layout: Layout) -> str:
    """Where the list of this step begins, for a population whose past lists are kept."""
    bits = unsigned_bits(layout.event_words)
    last = ring.end - ring.words
    return f"""
    reg [{bits - 1}:0] head_{name}; // {ring.length} lists of {ring.words} words
    always @(posedge clk)
        if (reset)
            head_{name} <= {ring.base};
        else if (end_of_step)
            head_{name} <= head_{name} == {last} ? {ring.base} : head_{name} + {ring.words};"""
