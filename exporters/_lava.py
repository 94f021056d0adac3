"""What the targets `lava` and `loihi` share: which networks Lava can express, and the folder that is written."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snnc.arith import Fixed
from snnc.bounds import step_input
from snnc.ir import Connection, Network, Population
from snnc.latency import latency
from snnc.scaling import bias_parts

PROGRAM = "run.py"
SCHEMA = "snnc.lava/1"
NEURONS = ("cuba", "lif")
NO_MEMORY = 4095  # the register du whose neuron forgets its current within a step
FORMAT = {"decay_bits": 12, "state_bits": 24, "state_shift": 6}  # fixed in Lava's models, lava/proc/lif/models.py


def neuron_problem(model: str) -> str:
    """Why Lava cannot run a neuron model; empty if it can."""
    return "" if model in NEURONS else f"no fixed-point process of Lava 0.10.0 is known to compute {model!r} exactly"


def problems(net: Network) -> list[str]:
    """Everything in a network that the exported program could not do exactly. Lava's synapses take graded messages."""
    if not isinstance(net.numeric, Fixed):
        return ["it is a float network; quantise it first (snnc quantise)"]
    found = [
        f"its numbers have {name} = {getattr(net.numeric, name)}, Lava's fixed-point neurons have {value}"
        for name, value in FORMAT.items()
        if getattr(net.numeric, name) != value
    ]
    for p in net.populations:
        found += [f"population {p.name!r} {problem}" for problem in _population_problems(p, net.numeric)]
    for c in net.connections:
        found += [f"connection {c.name!r} {problem}" for problem in _connection_problems(c)]
    return found or _path_problems(net) or _overflow_problems(net)


def _population_problems(p: Population, numeric: Fixed) -> Iterator[str]:
    if p.neuron is None:
        return
    if why := neuron_problem(p.neuron.model()):
        yield f"has neurons {p.neuron.model()!r}: {why}"
        return
    if bad := _biases_off_grid(p.neuron, numeric):
        yield (
            f"has a bias of {bad[0]} ({len(bad)} such), which is no 13-bit mantissa times 2**0 .. 2**7; "
            "quantise again, which rounds biases to that grid"
        )


def _of_lava(numeric: Fixed) -> Fixed:
    """With the biases that Lava's neurons take, whatever the chip does."""
    return replace(numeric, bias_mantissa_bits=13, bias_exponent_max=7)


def _biases_off_grid(neuron: Any, numeric: Fixed) -> list[int]:
    bias = np.atleast_1d(neuron.bias)
    _, exponent = bias_parts(bias, _of_lava(numeric))
    return [int(b) for b in bias[exponent < 0]]


def _connection_problems(c: Connection) -> Iterator[str]:
    if c.op.kind != "dense":
        yield f"has operator {c.op.kind!r}, only 'dense' can be exported"
    if c.src == c.dst:
        yield "is recurrent, which cannot be exported yet"
    elif c.delay_steps:
        yield f"has a delay of {c.delay_steps} steps, connections with delays cannot be exported yet"


def _path_problems(net: Network) -> list[str]:
    """Each hop costs one step in Lava, so that all paths into a population must have equally many."""
    hops = latency(net)
    found = []
    for p in net.populations:
        into = {c.src: hops[c.src] for c in net.into(p.name)}
        if len(set(into.values())) > 1:
            found.append(
                f"population {p.name!r} is reached over paths of different length ({into}), which cannot be exported yet"
            )
    return found


def _overflow_problems(net: Network) -> list[str]:
    """Lava wraps the register u once a step, in 32-bit arithmetic: enough only while a step adds less than one turn."""
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses float networks
    turn = 1 << FORMAT["state_bits"]
    found = []
    for p in net.populations:
        low, high = step_input(p, [(c.op, net[c.src].message_bits) for c in net.into(p.name)], net.numeric)
        added = max(int(high.max()), -int(low.min()))
        if added > turn:
            found.append(
                f"population {p.name!r} can get a current of {added} in one step, "
                f"the register u wraps around at most {turn}; use a smaller weight exponent"
            )
    return found


def write(net: Network, folder: Path) -> dict[str, int]:
    """Fill ``folder`` with the program, the processes and the weights; returns the latency of each population in steps."""
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses float networks
    late = latency(net)
    program = Path(__file__).with_name("_lava_program.py").read_bytes()
    (folder / PROGRAM).write_bytes(program)
    network = {
        "schema": SCHEMA,
        "populations": [_population(p, late[p.name], net.numeric) for p in net.ordered],
        "connections": [_connection(c, net) for c in net.connections],
    }
    (folder / "network.json").write_text(json.dumps(network, indent=1) + "\n")
    (folder / "weights.npz").write_bytes(_npz(net))
    return late


def _population(p: Population, late: int, numeric: Fixed) -> dict[str, Any]:
    return {
        "name": p.name,
        "n": p.size,
        "registers": None if p.neuron is None else _registers(p.neuron, numeric),
        # Lava counts steps from 1, and the first input of a sample arrives `late` steps after the sample began.
        "reset_offset": late + 1,
    }


def _registers(neuron: Any, numeric: Fixed) -> dict[str, Any]:
    """The registers of Lava's LIF: numbers where all neurons share one, else lists."""
    decay_u = neuron.parameters().get("decay_u")
    du = neuron.decay_u - decay_u.metadata["offset"] if decay_u else np.array(NO_MEMORY)
    mantissa, exponent = bias_parts(neuron.bias, _of_lava(numeric))
    return {
        "du": du.tolist(),
        "dv": neuron.decay_v.tolist(),
        "vth": neuron.threshold.tolist(),
        "bias_mant": mantissa.tolist(),
        "bias_exp": exponent.tolist(),
    }


def _connection(c: Connection, net: Network) -> dict[str, Any]:
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses float networks
    assert c.op.sign_mode  # noqa: S101 - for the type checker; a fixed network states it
    return {
        "name": c.name,
        "src": c.src,
        "dst": c.dst,
        "shape": list(c.op.synapses.shape),
        "sign_mode": c.op.sign_mode.upper(),
        "num_weight_bits": net.numeric.weight_bits,
        "weight_exp": c.op.exponent,
        "num_message_bits": net[c.src].message_bits,
    }


def _npz(net: Network) -> bytes:
    """All synapses as an .npz file whose bytes depend on nothing else: not compressed, every date 1980-01-01."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as file:
        for c in net.connections:
            s = c.op.synapses
            for part, array, dtype in (("data", s.values, "<i2"), ("indices", s.indices, "<i4"), ("indptr", s.indptr, "<i4")):
                member = io.BytesIO()
                np.save(member, array.astype(dtype), allow_pickle=False)
                file.writestr(zipfile.ZipInfo(f"{c.name}.{part}.npy"), member.getvalue())
    return content.getvalue()
