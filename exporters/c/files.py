"""The C99 files of a network: ``snn.h`` (state and step), ``snn.c`` (tables and code), ``run.c`` (a program around it). For `c`.

snn_reset(&state);                          before each sample
snn_step(&state, input);                    once a time step, with one array for each input population
state.POPULATION_spikes, POPULATION_u ..    what each population sent, and its states, after the step
"""

import re
from dataclasses import dataclass, field
from textwrap import indent

import numpy as np

from snnc.base.version import __version__
from snnc.network.arithmetic import Fixed
from snnc.network.delays import Part, parts
from snnc.network.model import Network, Population
from snnc.ops.maxpool2d import MaxPool2d
from snnc.targets.step_writer import Symbol

from .source import CArith, Source
from .sums import message_type, part_function, scratch

SIZES = {"uint8_t": 1, "int32_t": 4, "uint32_t": 4, "int64_t": 8}


@dataclass(frozen=True)
class Member:
    """An array of the state."""

    kind: str  # its type in C
    name: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return SIZES[self.kind] * int(np.prod(self.shape))

    def declared(self) -> str:
        """Return the declaration in C; of shape () it is a number."""
        return f"{self.kind} {self.name}{''.join(f'[{n}]' for n in self.shape)};"


@dataclass(frozen=True)
class Files:
    """The text of all files, and what they need in bytes."""

    texts: dict[str, str] = field(repr=False)
    table_bytes: int
    state_bytes: int


def largest_message(p: Population) -> int:
    """Return the largest message that a population can send in a step."""
    return int(2 ** max(p.sent_bits, 1) - 1)


def largest_sum(net: Network) -> int:
    """Return the largest magnitude that any sum of a step can reach on its way."""
    sums = [0]
    for p in net.populations:
        total = np.zeros(p.size)  # floats, so that it cannot overflow
        for c in net.into(p.name):
            for part in parts(c):
                op = part.op.summing if isinstance(part.op, MaxPool2d) else part.op
                message = largest_message(net[c.src]) * (op.pool.taps if op.pool else 1)
                if isinstance(part.op, MaxPool2d):  # also sums that no place takes, which must not overflow
                    most = op.sums(np.abs(op.synapses.values)).max(initial=0)
                    sums.append(int(most) * message << max(c.op.exponent, 0))
                total += part.sums(np.abs(part.op.synapses.values)) * float(message << max(c.op.exponent, 0))
                sums.append(message)
        sums.append(int(total.max()))
    return max(sums)


def write(net: Network) -> Files:
    """Return all files of a fixed network."""
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses float networks
    source = Source(net.numeric)
    members = sorted(_members(net), key=lambda m: -SIZES[m.kind])  # so that nothing is padded between them
    code = _code(net, source)
    widest = max(SIZES[m.kind] for m in members)
    state_bytes = -(-sum(m.bytes for m in members) // widest) * widest
    header = _header(net, members, source.table_bytes, state_bytes)
    body = f'#include "snn.h"\n\n{source.text()}\n\n{code}\n'
    return Files({"snn.h": header, "snn.c": body, "run.c": _program(net)}, source.table_bytes, state_bytes)


def _sum_type(net: Network) -> str:
    return "int32_t" if largest_sum(net) < 1 << 31 else "int64_t"


def _state_type(net: Network) -> str:
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; callers have a fixed network
    return "int32_t" if net.numeric.state_limit < 1 << 31 else "int64_t"


def _longest(net: Network, population: str) -> int:
    return max((c.longest_delay for c in net.out_of(population)), default=0)


def _members(net: Network) -> list[Member]:
    members, sums = [], _sum_type(net)
    for p in net.populations:
        kind = message_type(largest_message(p))
        if p.neuron:
            members += [Member(_state_type(net), f"{p.name}_{v}", (p.size,)) for v in p.neuron.variables()]
            members.append(Member(kind, f"{p.name}_spikes", (p.size,)))
        if longest := _longest(net, p.name):
            members += [Member(kind, f"{p.name}_past", (longest, p.size)), Member("uint32_t", f"{p.name}_at", ())]
    all_parts = [part for c in net.connections for part in parts(c)]
    members.append(Member(sums, "current", (max(p.size for p in net.populations),)))
    return [*members, *(Member(sums, name, (n,)) for name, n in scratch(all_parts).items())]


def _header(net: Network, members: list[Member], table_bytes: int, state_bytes: int) -> str:
    fields = "\n".join(f"    {m.declared()}" for m in members)
    return f"""\
/* {_in_comment(net.name)}: a spiking network in C99, written by snnc {__version__}. Network {net.hash}.

   Call snn_reset before each sample and snn_step once in every time step of {net.dt_s:g} s. It needs no memory but the state,
   which the caller has, and calls nothing. NAME_spikes holds what a population sent in the step, NAME_u and NAME_v its
   states after it; NAME_past, NAME_at and the last arrays are for snn_step alone. */
#ifndef SNN_H
#define SNN_H

#include <stdint.h>

#define SNN_TABLE_BYTES {table_bytes} /* constant tables */
#define SNN_STATE_BYTES {state_bytes} /* sizeof(snn_state) where numbers are aligned to their size */

typedef {_sum_type(net)} snn_sum;

typedef struct {{
{fields}
}} snn_state;

void snn_reset(snn_state *s);
{_step_head(net)};{_step_note(net)}

#endif
"""


def _in_comment(text: str) -> str:
    """Return a user's own text so that no comment ends or begins in it and no preprocessor joins it with the next line."""
    return re.sub(r"[^A-Za-z0-9 _.,:()+-]", "_", text)


def _step_head(net: Network) -> str:
    inputs = ", ".join(f"const {message_type(largest_message(p))} in_{p.name}[{p.size}]" for p in net.inputs)
    return f"{'int32_t' if _budgets(net) else 'void'} snn_step(snn_state *s, {inputs})"


def _budgets(net: Network) -> list[tuple[int, Population, int]]:
    """Return (number from 1 on, input, most messages in a step) of the inputs that have a budget."""
    numbered = enumerate(net.inputs, 1)
    return [(number, p, p.max_spikes_per_step) for number, p in numbered if p.max_spikes_per_step is not None]


def _step_note(net: Network) -> str:
    """Return a comment about what `snn_step` returns."""
    if not (budgets := _budgets(net)):
        return ""
    limits = "; ".join(f"{number}: in_{p.name} sends more than {most} messages" for number, p, most in budgets)
    return (
        "\n/* returns 0, or the number of an input beyond its budget, for which nothing is proved; then nothing was computed."
        f"\n   {limits} */"
    )


def _budget_check(number: int, p: Population, most: int) -> str:
    """Return the lines of `snn_step` that refuse a step in which an input sends more than its budget allows."""
    return f"""\
for (i = 0, sent = 0; i < {p.size}; i++)
    sent += in_{p.name}[i] != 0;
if (sent > {most})
    return {number};"""


def _code(net: Network, source: Source) -> str:
    functions, calls = [], [f"(void)in_{p.name};" for p in net.inputs if not net.out_of(p.name)]
    for p in net.ordered:
        if p.neuron:
            for c in net.into(p.name):
                named_parts = [(f"{c.name}_{number}", part) for number, part in enumerate(parts(c))]
                functions += [part_function(source, name, part, largest_message(net[c.src])) for name, part in named_parts]
            functions.append(_neurons(source, p, _state_type(net)))
            calls += _calls(net, p)
    calls += [_remember(net, p) for p in net.ordered if _longest(net, p.name)]
    budgets = _budgets(net)
    lines = [*(_budget_check(*budget) for budget in budgets), *calls, *(["return 0;"] if budgets else [])]
    counters = "int32_t i, sent;" if budgets else "int32_t i;"
    step = f"{_step_head(net)}\n{{\n    {counters}\n{indent(chr(10).join(lines), '    ')}\n}}"
    return "\n\n".join([*functions, _reset(net), step])


def _calls(net: Network, p: Population) -> list[str]:
    """Return what `snn_step` does for a population."""
    calls = [f"for (i = 0; i < {p.size}; i++)\n    s->current[i] = 0;"]
    for c in net.into(p.name):
        for number, part in enumerate(parts(c)):
            calls.append(f"add_{c.name}_{number}(s, {_messages(net, c.src, part)});")
    return [*calls, f"neurons_{p.name}(s);"]


def _messages(net: Network, src: str, part: Part) -> str:
    if part.delay_steps:
        longest = _longest(net, src)
        return f"s->{src}_past[(s->{src}_at + {longest - part.delay_steps}) % {longest}]"
    return f"s->{src}_spikes" if net[src].neuron else f"in_{src}"


def _remember(net: Network, p: Population) -> str:
    now = f"s->{p.name}_spikes[i]" if p.neuron else f"in_{p.name}[i]"
    return (
        f"for (i = 0; i < {p.size}; i++)\n    s->{p.name}_past[s->{p.name}_at][i] = {now};\n"
        f"s->{p.name}_at = (s->{p.name}_at + 1) % {_longest(net, p.name)};"
    )


def _neurons(source: Source, p: Population, state_type: str) -> str:
    """Write the step of the model itself down, operation by operation."""
    assert p.neuron is not None  # noqa: S101 - for the type checker; callers ask for neurons only
    a = CArith(source, p)
    before = {v: Symbol(f"old_{v}", a) for v in p.neuron.variables()}
    after, spikes = p.neuron.step(before, Symbol("current", a), a)
    lines = ["const int64_t current = s->current[i];"]
    lines += [f"const int64_t old_{v} = s->{p.name}_{v}[i];" for v in _needed(before, a.lines)]
    lines += a.lines
    lines += [f"s->{p.name}_{v}[i] = ({state_type}){after[v].name};" for v in p.neuron.variables()]
    lines.append(f"s->{p.name}_spikes[i] = (uint8_t){spikes.name};")
    body = indent("\n".join(lines), "        ")
    loop = f"    for (i = 0; i < {p.size}; i++) {{\n{body}\n    }}"
    return f"static void neurons_{p.name}(snn_state *s)\n{{\n    int32_t i;\n{loop}\n}}"


def _needed(before: dict[str, Symbol], lines: list[str]) -> list[str]:
    """Return the old states that the step reads; a compiler that is strict refuses the others."""
    return [v for v, symbol in before.items() if any(symbol.name in line for line in lines)]


def _reset(net: Network) -> str:
    loops = []
    for p in net.populations:
        if p.neuron:
            sets = [f"s->{p.name}_{v.name}[i] = {v.initial};" for v in p.neuron.states]
            sets.append(f"s->{p.name}_spikes[i] = 0;")
            loops.append(f"for (i = 0; i < {p.size}; i++) {{\n{indent(chr(10).join(sets), '    ')}\n}}")
        if longest := _longest(net, p.name):
            loops.append(
                f"for (i = 0; i < {longest * p.size}; i++)\n"
                f"    s->{p.name}_past[i / {p.size}][i % {p.size}] = 0;\ns->{p.name}_at = 0;"
            )
    return f"void snn_reset(snn_state *s)\n{{\n    int32_t i;\n{indent(chr(10).join(loops), '    ')}\n}}"


def _program(net: Network) -> str:
    """Return a program that reads int32 messages and writes, as int64, the spikes and states of each step."""
    reads = [f"read_{message_type(largest_message(p))}(in_{p.name}, {p.size}, in);" for p in net.inputs]
    kinds = sorted({message_type(largest_message(p)) for p in net.inputs})
    arrays = [f"static {message_type(largest_message(p))} in_{p.name}[{p.size}];" for p in net.inputs]
    writes = [
        f"WRITE(s.{p.name}_{what}, {p.size});" for p in net.ordered if p.neuron for what in ("spikes", *p.neuron.variables())
    ]
    step = "\n".join([*reads, *_called(net), *writes])
    return PROGRAM.format(
        readers="\n\n".join(READER.format(kind=kind) for kind in kinds),
        arrays="\n".join(arrays),
        step=indent(step, " " * 12),
    )


def _called(net: Network) -> list[str]:
    """Return the call of `snn_step`, and for each budget what ends the program where an input is beyond it."""
    call = f"snn_step(&s, {', '.join(f'in_{p.name}' for p in net.inputs)});"
    if not (budgets := _budgets(net)):
        return [call]
    lines = [f"const int32_t beyond = {call}"]
    for number, p, most in budgets:
        lines.append(
            f"if (beyond == {number}) {{\n"
            f'    fprintf(stderr, "error: input {p.name} sends more messages in step %ld of sample %ld than its budget of {most}'
            ' a step\\n", step, sample);\n    return 4;\n}'
        )
    return lines


READER = """\
static void read_{kind}({kind} *array, long n, FILE *in)
{{
    int32_t message;
    for (long i = 0; i < n; i++) {{
        if (fread(&message, sizeof message, 1, in) != 1)
            exit(2);
        array[i] = ({kind})message;
    }}
}}"""

PROGRAM = """\
/* run INPUTS OUTPUTS SAMPLES STEPS: INPUTS holds int32 messages, step by step and population by population; OUTPUTS gets, as
   int64, what each population of neurons sent and its states after each step. For tests: snn.c does not need it. */
#include <stdio.h>
#include <stdlib.h>

#include "snn.h"

static snn_state s;
{arrays}

{readers}

#define WRITE(array, n)                                      \\
    for (long i = 0; i < (n); i++) {{                         \\
        const int64_t value = (array)[i];                    \\
        if (fwrite(&value, sizeof value, 1, out) != 1)       \\
            return 3;                                        \\
    }}

int main(int argc, char **argv)
{{
    if (argc != 5)
        return 1;
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    if (!in || !out)
        return 1;
    for (long sample = 0; sample < atol(argv[3]); sample++) {{
        snn_reset(&s);
        for (long step = 0; step < atol(argv[4]); step++) {{
{step}
        }}
    }}
    return fclose(in) || fclose(out);
}}
"""
