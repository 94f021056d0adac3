"""Target `syntzulu`: dense layers of LIF neurons for SYNtzulu, an open accelerator on the iCE40UP5K of an iCEbreaker.

weights_1.txt .. weights_4.txt   the weight memories, byte after byte as its flash holds them: even neurons in the first two,
                                 odd ones in the others; the first two of four synapses, and the last two
config.txt                       sizes, decays and thresholds, as its Verilog includes them
constants.h                      the same sizes for its firmware, and where the weights lie in the flash
network.json                     which layer every population is
testbench.v                      plays spikes to the design's own RTL, which is not part of snnc
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from snnc.analysis.reachability import Reach
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network, Population

from .._shared.chip_refusals import operator_problem, range_problems, register_problems, weight_problems
from .._shared.rtl import simulator
from .layers import FORGETS, LARGEST, LAYERS, WORDS, Layer, layers, padded, words
from .simulate import DESIGN, run

__all__ = ["DESIGN", "NEEDS_MAPPING", "REMARK", "RTL", "SUMMARY", "VERIFIED_BY", "export", "must_be_ready", "neuron_problem",
           "operator_problem", "problems", "run"]  # fmt: skip

SUMMARY = "weights, constants and sizes for SYNtzulu, an open accelerator for the iCEbreaker"
NEEDS_MAPPING = False
VERIFIED_BY = "SYNtzulu's RTL in Icarus Verilog or Verilator"
REMARK = "the network of the design's RTL was simulated, without its encoders and RISC-V; nothing was run on an FPGA"
RTL = DESIGN.setting
NEURONS = {"lif": "", "li": ""}
REGISTERS = {"state_bits": 16, "state_shift": 0, "decay_bits": 12}  # what the design computes with
MOST = (1 << 15) - 1  # of a state, and of a threshold
FLASH = 1 << 20  # where the first weights lie


def must_be_ready() -> None:
    """Raise MissingDependencyError or ConfigError if the design's RTL or what simulates it is not here."""
    DESIGN.folder()
    simulator(0)


def neuron_problem(model: str) -> str:
    """Return why the target cannot compute a neuron model exactly; empty if it can."""
    return NEURONS.get(
        model, "SYNtzulu's neuron is 'lif', and 'li' in its last layer: no current lasts, and spikes reset to zero"
    )


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that cannot be exported, each as a sentence."""
    numeric = net.numeric
    if not isinstance(numeric, Fixed):
        return ["it is a float network; quantise it first (snnc quantise --hw syntzulu)"]
    found = [*register_problems(numeric, REGISTERS, {}, "syntzulu"), *_chain_problems(net)]
    for p in net.populations:
        found += _population_problems(p)
    for c in net.connections:
        found += _connection_problems(c)
    return found or [*range_problems(net, _wraps)]


def _chain_problems(net: Network) -> Iterator[str]:
    order = net.ordered
    ends = [(c.src, c.dst) for c in net.connections]
    if len(net.inputs) != 1 or sorted(ends) != sorted((a.name, b.name) for a, b in pairwise(order)):
        yield "it is no chain, in which each layer has one connection, to the next; the design computes nothing else"
    if (firing := sum(p.neuron is not None and p.neuron.rule.fires for p in order)) > LAYERS - 1:
        yield (
            f"it has {firing} layers of neurons that fire, the design has {LAYERS - 1} and a readout;"
            " leave one out, or train it with --readout li"
        )
    for p in order:
        if p.size > LARGEST:
            yield f"population {p.name!r} has {p.size} neurons, a layer has at most {LARGEST}; make it narrower"
    for a, b in pairwise(order):
        if (needed := padded(a.size) * padded(b.size) // 8) > WORDS // LAYERS:
            yield (
                f"from {a.name!r} to {b.name!r} the weights take {needed:,} words of each memory, in powers of two, a layer has"
                f" {WORDS // LAYERS:,}; make one of them narrower"
            )


def _population_problems(p: Population) -> Iterator[str]:
    if p.message_bits:
        encodings = "use the rate or the latency encoding"
        yield f"population {p.name!r} sends {p.message_bits}-bit messages, the design takes spikes; {encodings}"
    if p.neuron is None:
        return
    if why := neuron_problem(p.neuron.model()):
        yield f"population {p.name!r} has neurons {p.neuron.model()!r}: {why}"
        return
    neuron: Any = p.neuron
    if np.any(neuron.bias):
        yield f"population {p.name!r} has biases, the design has none; train it without --bias"
    for name in sorted({*neuron.parameters()} & {"threshold", "decay_v"}):
        if len(unlike := np.unique(getattr(neuron, name))) > 1:
            yield f"population {p.name!r} has {len(unlike)} values of {name}, a layer has one; give all its neurons the same"
    if p.neuron.rule.fires and (threshold := int(np.max(neuron.threshold))) >= MOST - 1:
        yield f"population {p.name!r} has the threshold {threshold}, at most {MOST - 2} can be written; quantise it for syntzulu"
    if not p.neuron.rule.fires and np.any(neuron.decay_u != FORGETS):
        yield f"population {p.name!r} has currents that last, the design's do not; train its readout with decay_u = 1"


def _connection_problems(c: Connection) -> Iterator[str]:
    yield from weight_problems(c, "the design", "syntzulu")
    if c.longest_delay:
        yield f"connection {c.name!r} has a delay of {c.longest_delay} steps, the design has none; train it without delays"


def _wraps(name: str, reach: Reach) -> Iterator[str]:
    """Yield where a voltage could wrap around: the design's registers do, where a network's saturate."""
    low, high = int(np.min(reach.held["v"].low)), int(np.max(reach.held["v"].high))
    if max(-low, high) >= MOST:
        yield (
            f"population {name!r} can get a voltage of {low if -low > high else high:,}, the design's registers wrap around"
            f" beyond {MOST:,}; prune it, or let it decay faster"
        )


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder``; all layers are computed in the step of their input, so nothing runs late."""
    chain = layers(net, max_synapses)
    for number, text in enumerate(words(chain), 1):
        (folder / f"weights_{number}.txt").write_text(text)
    (folder / "config.txt").write_text(_config(chain))
    (folder / "constants.h").write_text(_constants(chain))
    facts = {
        "inputs": chain[0].sources,
        "layers": [{"population": x.population, "neurons": x.neurons, "used": x.used} for x in chain],
    }
    (folder / "network.json").write_text(json.dumps({**facts, "input": net.inputs[0].name}, indent=1) + "\n")
    (folder / "testbench.v").write_bytes(Path(__file__).with_name("testbench.v").read_bytes())
    return {p.name: 0 for p in net.ordered}


def _config(chain: list[Layer]) -> str:
    lines = [("DW", 5), ("INPUT_CHANNELS", chain[0].sources), ("INPUT_SPIKE_1", chain[0].sources)]
    values: list[tuple[str, Any]] = [*lines, *((f"NEURON_{i}", x.neurons) for i, x in enumerate(chain, 1))]
    values += [(f"CURRENT_DECAY_{i}", "4096-4096") for i, _ in enumerate(chain, 1)]
    values += [(f"VOLTAGE_DECAY_{i}", f"4096-{x.decay}") for i, x in enumerate(chain, 1)]
    values += [(f"THRESHOLD_{i}", x.fires_at) for i, x in enumerate(chain, 1)]
    return "".join(f"`define {name} {value}\n" for name, value in values)


def _constants(chain: list[Layer]) -> str:
    depth = LAYERS * max(x.words for x in chain) * 2  # bytes
    values: list[tuple[str, Any]] = [
        ("WEIGHT_DEPTH", depth),
        ("CHANNELS", chain[0].sources),
        ("INPUT_CHANNELS", chain[0].sources),
    ]
    values += [(f"NEURON_{i}", x.neurons) for i, x in enumerate(chain, 1)]
    values += [("WEIGHT_1_ADDR", FLASH), *((f"WEIGHT_{i}_ADDR", FLASH + (i - 1) * depth) for i in range(2, LAYERS + 1))]
    values.append(("SAMPLE_ADDR", FLASH + LAYERS * depth))
    return "".join(f"#define {name} {value}\n" for name, value in values)
