"""Target `catalyst_n1`: a network as commands to the host interface of Catalyst N1, an open chip for FPGAs.

program.hex     what is sent once: synapses, routes, parameters
hold.hex        what stops every neuron; two steps later all states are 0
release_L.hex   what starts the populations that run L steps late, sent before step L of a sample
network.json    how large a chip it needs, and where every neuron and the relays of every input lie
testbench.v     plays commands to the chip's own RTL, which is not part of snnc
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnc.analysis.current_bounds import wrap_problems
from snnc.errors import UnsupportedError
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed, bias_parts
from snnc.network.latency import chip_delays, latency
from snnc.network.model import Network, Population

from .._shared.chip_refusals import operator_problem, register_problems
from .._shared.rtl import simulator
from .commands import Program
from .placement import BOARDS, FULL, Core, place
from .simulate import DESIGN, run

__all__ = [
    "DESIGN",
    "NEEDS_MAPPING",
    "REMARK",
    "RTL",
    "SUMMARY",
    "VERIFIED_BY",
    "export",
    "must_be_ready",
    "neuron_problem",
    "operator_problem",
    "problems",
    "run",
]

SUMMARY = "commands that program Catalyst N1, an open chip for FPGAs, on cores with relays"
NEEDS_MAPPING = False
VERIFIED_BY = "Catalyst N1's RTL in Icarus Verilog or Verilator"
REMARK = "the chip's RTL was simulated; nothing was run on an FPGA"
RTL = DESIGN.setting
NEURON = "catalyst"
REGISTERS = {"state_bits": 16, "state_shift": 0, "decay_bits": 12}  # what the chip computes with
AT_MOST = {"threshold_bits": 15, "bias_mantissa_bits": 13, "bias_exponent_max": 7}
WEIGHT_LIMIT = 1 << 15


def must_be_ready() -> None:
    """Raise MissingDependencyError or ConfigError if the chip's RTL or what simulates it is not here."""
    DESIGN.folder()
    simulator(0)


def neuron_problem(model: str) -> str:
    """Return why the target cannot compute a neuron model exactly; empty if it can."""
    return (
        ""
        if model == NEURON
        else f"Catalyst N1 rounds decays past zero and uses a current a step later, which only {NEURON!r} does"
    )


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that cannot be exported, each as a sentence."""
    numeric = net.numeric
    if not isinstance(numeric, Fixed):
        return ["it is a float network; quantise it first (snnc quantise --hw catalyst_n1)"]
    found = [*register_problems(numeric, REGISTERS, AT_MOST, "catalyst_n1")]
    for p in net.populations:
        found += _population_problems(p, numeric)
    for c in net.connections:
        if why := operator_problem(c.op.kind):
            found.append(f"connection {c.name!r} has operator {c.op.kind!r}: {why}")
        elif c.op.exponent < 0:
            found.append(f"connection {c.name!r} has the weight exponent {c.op.exponent}, the chip has none below 0;"
                         " quantise it without --negative-exponents")  # fmt: skip
        elif (largest := int(np.abs(c.op.synapses.values).max(initial=0)) << c.op.exponent) > WEIGHT_LIMIT:
            found.append(
                f"connection {c.name!r} has a weight of {largest}, the chip's end at {WEIGHT_LIMIT}; quantise it for catalyst_n1"
            )
    return (found + _delay_problems(net)) or [*wrap_problems(net)]  # the chip's register is wider, and would not


def _population_problems(p: Population, numeric: Fixed) -> Iterator[str]:
    if p.message_bits:
        encodings = "use the rate or the latency encoding"
        yield f"population {p.name!r} sends {p.message_bits}-bit messages, relays take spikes; {encodings}"
    if p.neuron is None:
        return
    if why := neuron_problem(p.neuron.model()):
        yield f"population {p.name!r} has neurons {p.neuron.model()!r}: {why}"
        return
    neuron: Any = p.neuron
    if not np.all((neuron.decay_v != 0) | (neuron.decay_u != 0) | (neuron.bias != 0)):
        what = "which the chip computes in another way; let them decay"
        yield f"population {p.name!r} has neurons without any decay and bias, {what}"
    if off := int((bias_parts(np.atleast_1d(neuron.bias), numeric)[1] < 0).sum()):
        yield f"population {p.name!r} has {off} biases that are no 13-bit number times 2**0 .. 2**7; quantise it for catalyst_n1"


def _hops(net: Network) -> dict[str, int]:
    """Return the steps that a spike takes over each connection: through a relay, and to the relay of another neuron."""
    return {c.name: 1 if net[c.src].neuron is None else 2 for c in net.connections}


def _delay_problems(net: Network) -> list[str]:
    try:
        delays = chip_delays(net, _hops(net))
    except UnsupportedError as error:
        return [str(error)]
    lags = latency(net, _hops(net))
    uneven = {c.name: c.longest_delay - c.shortest_delay for c in net.connections}
    return [
        f"connection {c.name!r} would need a delay of {max(delays[c.name], uneven[c.name])} steps besides its relays, none is"
        f" written; even out the paths into {c.dst!r}, which runs {lags[c.dst]} steps late"
        for c in net.connections
        if delays[c.name] or uneven[c.name]
    ]


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder``; returns the latency of each population in steps. Raises DoesNotFitError, with both numbers."""
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses floats
    board = BOARDS.get(net.numeric.profile, FULL)
    cores = place(net, board, max_synapses)
    lags = latency(net, _hops(net))
    program = Program(net, cores, max_synapses)
    (folder / "program.hex").write_text(program.once())
    (folder / "hold.hex").write_text(program.hold())
    for lag in sorted({lags[p.name] for p in net.populations if p.neuron}):
        (folder / f"release_{lag}.hex").write_text(program.release(lag, lags))
    (folder / "network.json").write_text(json.dumps(_facts(net, cores), indent=1) + "\n")
    (folder / "testbench.v").write_bytes(Path(__file__).with_name("testbench.v").read_bytes())
    return lags


def _facts(net: Network, cores: list[Core]) -> dict[str, Any]:
    relays: dict[str, list[list[list[int]]]] = {p.name: [[] for _ in range(p.size)] for p in net.inputs}
    neurons: dict[str, list[list[int]]] = {p.name: [[]] * p.size for p in net.populations if p.neuron}
    for c, core in enumerate(cores):
        for n, (name, i) in enumerate(core.relays):
            if name in relays:
                relays[name][i].append([c, n])
        for (name, i), n in core.places().items():
            neurons[name][i] = [c, n]
    size = {
        "cores": len(cores),
        "neurons": max(len(core.relays) + len(core.senders) + len(core.silent) for core in cores),
        "pool": max(core.synapses for core in cores),
        "per_source": max((n for core in cores for n in core.relays.values()), default=0),
    }
    return {"chip": size, "relays": relays, "neurons": neurons}
