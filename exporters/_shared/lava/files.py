"""The folder of the targets `lava` and `loihi`: the program, its processes and their weights. After the refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from snnc.network.arithmetic import Fixed, bias_parts
from snnc.network.latency import latency
from snnc.network.model import Connection, Network, Population
from snnc.network.neuron import Neuron
from snnc.network.op import MAX_SYNAPSES

from .. import programs
from ..arrays import write_npz
from . import own_neurons
from .processes import Process, hops, processes, reason_to_unroll
from .refusals import of_lava

SCHEMA = "snnc.lava/2"
NO_MEMORY = 4095  # the register du whose neuron forgets its current within a step
NEVER = np.array(131072)  # the register vth that no voltage exceeds: v saturates at 2**23 - 1, this is 2**23


def write(net: Network, folder: Path, max_synapses: int = MAX_SYNAPSES) -> dict[str, int]:
    """Fill ``folder`` with the program, the processes and the weights; returns the latency of each population in steps.

    Raises DoesNotFitError if a connection has to be unrolled to more than ``max_synapses`` synapses.
    """
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses float networks
    needed = {c.name: hops(c) for c in net.connections}
    lags = latency(net, needed)
    made = {}
    for c in net.connections:
        wait = lags[c.dst] - lags[c.src] - needed[c.name]
        made[c.name] = processes(c, net[c.src].message_bits, net.numeric, wait, max_synapses)
    programs.write(Path(__file__).with_name("program.py"), folder)
    if models := own_neurons.own({p.neuron.model() for p in net.populations if p.neuron}):
        (folder / own_neurons.FILE).write_text(own_neurons.text(models, net.numeric))
    network = {
        "schema": SCHEMA,
        "pause_steps": pause_steps(net, lags),
        "populations": [_population(p, lags[p.name], net.numeric) for p in net.ordered],
        "connections": [_connection(c, made[c.name], lags) for c in net.connections],
    }
    (folder / "network.json").write_text(json.dumps(network, indent=1) + "\n")
    made_of = {f"{p.name}.{part}": array for chain in made.values() for p in chain for part, array in p.arrays.items()}
    write_npz(folder / "weights.npz", made_of.items())
    return lags


def pause_steps(net: Network, lags: dict[str, int]) -> int:
    """Return the silent steps after each sample: as many as a population lags behind one from which a delay leads to it.

    So it has finished a sample before what that connection still carries is dropped, see `_forget`.
    """
    return max([0, *(lags[c.dst] - lags[c.src] for c in net.connections if c.longest_delay)])


def _forget(src_late: int, dst_late: int) -> dict[str, int]:
    """Return when a connection with delay is emptied, so that no spike of one sample arrives in the next (steps, from 1).

    From the step before its destination begins a sample (or before its source does, if that is earlier) until the step
    before its source begins it: up to then it carries spikes of samples before only. Without delay none can arrive too late.
    """
    first = min(src_late, dst_late)
    return {"first": first, "count": src_late - first + 1}


def _population(p: Population, lag: int, numeric: Fixed) -> dict[str, Any]:
    neuron = p.neuron
    ours = neuron is not None and neuron.model() not in own_neurons.LAVAS
    return {
        "name": p.name,
        "n": p.size,
        "process": None if neuron is None else own_neurons.process_name(neuron.model()) if ours else "LIFReset",
        "registers": None if neuron is None else _parameters(neuron) if ours else _registers(neuron, numeric),
        "states": [] if neuron is None else list(neuron.variables()),
        # Lava counts steps from 1, and the first input of a sample arrives `lag` steps after the sample began.
        "reset_offset": lag + 1,
        **({} if p.max_spikes_per_step is None else {"max_spikes_per_step": p.max_spikes_per_step}),
    }


def _parameters(neuron: Neuron) -> dict[str, Any]:
    """Return the parameters of neurons for a process of ours: numbers where all neurons share one, else lists."""
    return {name: getattr(neuron, name).tolist() for name in neuron.parameters()}


def _registers(neuron: Any, numeric: Fixed) -> dict[str, Any]:
    """Return the registers of Lava's LIF: numbers where all neurons share one, else lists."""
    decay_u = neuron.parameters().get("decay_u")
    du = neuron.decay_u - decay_u.metadata["offset"] if decay_u else np.array(NO_MEMORY)
    mantissa, exponent = bias_parts(neuron.bias, of_lava(numeric))
    return {
        "du": du.tolist(),
        "dv": neuron.decay_v.tolist(),
        "vth": getattr(neuron, "threshold", NEVER).tolist(),
        "bias_mant": mantissa.tolist(),
        "bias_exp": exponent.tolist(),
    }


def _connection(c: Connection, chain: list[Process], lags: dict[str, int]) -> dict[str, Any]:
    return {
        "name": c.name,
        "src": c.src,
        "dst": c.dst,
        "operator": c.op.kind,
        "unrolled": reason_to_unroll(c) or None,
        # Only with a delay can a spike of one sample arrive in the next.
        "forget": _forget(lags[c.src], lags[c.dst]) if c.longest_delay else None,
        "processes": [{"name": process.name, **process.settings} for process in chain],
    }
