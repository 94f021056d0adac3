"""Which networks Lava can express exactly: what the targets `lava` and `loihi` refuse before they write, and why."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from snnc.analysis.current_bounds import arriving, step_input
from snnc.errors import UnsupportedError
from snnc.network.arithmetic import Fixed, bias_parts
from snnc.network.latency import chip_delays
from snnc.network.model import Network, Population

from .own_neurons import LAVAS
from .processes import hops

Answer = Callable[[str], str]

OPERATORS = ("conv2d", "dense", "maxpool2d", "sumpool2d")
MAX_DELAY_STEPS = 62  # 6 bits in Lava's delay processes, of which its files and Loihi take one value less
FORMAT = {"decay_bits": 12, "state_bits": 24, "state_shift": 6}  # fixed in Lava's models, lava/proc/lif/models.py


def operator_problem(kind: str) -> str:
    """Return why Lava cannot run a kind of operators; empty if it can."""
    return "" if kind in OPERATORS else f"no fixed-point process of Lava 0.10.0 is known to compute {kind!r} exactly"


def problems(net: Network, neuron_problem: Answer, operator_problem: Answer) -> list[str]:
    """Return everything in a network that the exported program could not do exactly.

    ``neuron_problem`` and ``operator_problem`` are a target's answers to models and operators. Lava's synapses take graded
    messages.
    """
    if not isinstance(net.numeric, Fixed):
        return ["it is a float network; quantise it first (snnc quantise)"]
    reasons = [
        f"its numbers have {name} = {getattr(net.numeric, name)}, Lava's fixed-point neurons have {value}"
        for name, value in FORMAT.items()
        if getattr(net.numeric, name) != value
    ]
    for p in net.populations:
        why = neuron_problem(p.neuron.model()) if p.neuron else ""
        reasons += [f"population {p.name!r} has neurons {p.neuron.model()!r}: {why}"] if p.neuron and why else []
        reasons += [f"population {p.name!r} {problem}" for problem in _bias_problems(p, net.numeric)]
    for c in net.connections:
        if why := operator_problem(c.op.kind):
            reasons.append(f"connection {c.name!r} has operator {c.op.kind!r}: {why}")
    reasons += _delay_problems(net)
    return reasons or _overflow_problems(net)


def _bias_problems(p: Population, numeric: Fixed) -> Iterator[str]:
    if p.neuron and p.neuron.model() in LAVAS and (bad := _biases_off_grid(p.neuron, numeric)):
        yield (
            f"has a bias of {bad[0]} ({len(bad)} such), which is no 13-bit mantissa times 2**0 .. 2**7; "
            "quantise again, which rounds biases to that grid"
        )


def of_lava(numeric: Fixed) -> Fixed:
    """Return the numbers with the biases that Lava's neurons take, whatever the chip does."""
    return replace(numeric, bias_mantissa_bits=13, bias_exponent_max=7)


def _biases_off_grid(neuron: Any, numeric: Fixed) -> list[int]:
    bias = np.atleast_1d(getattr(neuron, "bias", np.int64(0)))
    _, exponent = bias_parts(bias, of_lava(numeric))
    return [int(b) for b in bias[exponent < 0]]


def _delay_problems(net: Network) -> list[str]:
    """Return the delays that Lava cannot express.

    Each hop costs one step in Lava; what a connection has to wait beyond that is written as delays of its synapses.
    """
    try:
        delays = chip_delays(net, {c.name: hops(c) for c in net.connections})
    except UnsupportedError as error:
        return [str(error)]
    return [
        f"connection {name!r} needs a delay of {steps} steps, Lava's synapses have at most {MAX_DELAY_STEPS};"
        " shorten it, or even out the lengths of the paths"
        for name, steps in delays.items()
        if steps > MAX_DELAY_STEPS
    ]


def _overflow_problems(net: Network) -> list[str]:
    """Return where a step may add a turn or more to Lava's register u, which wraps once a step, in 32-bit arithmetic."""
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses float networks
    turn = 1 << FORMAT["state_bits"]
    reasons = []
    for p in net.populations:
        low, high = step_input(p, arriving(net, p.name), net.numeric)
        added = max(int(high.max()), -int(low.min()))
        if added > turn:
            reasons.append(
                f"population {p.name!r} can get a current of {added} in one step, "
                f"the register u wraps around at most {turn}; use a smaller weight exponent"
            )
    return reasons
