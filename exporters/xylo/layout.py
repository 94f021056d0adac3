"""Places the neurons of a network on a Xylo: one hidden layer, whose neurons may feed each other, and a readout.

Hidden populations come one after the other in the order of computation. A spike of an input is used in its step, one of a
hidden neuron a step later, by other hidden neurons and by the readout alike, so each hidden layer behind the first runs a step
late. Inputs reach the first hidden neurons only, and the last ones only reach the readout, where a chip says so.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import snnc.chips as chips
from snnc.chips.profile import Profile
from snnc.mapping.chip_totals import hidden
from snnc.mapping.legality import must_be_legal
from snnc.network.arithmetic import Fixed
from snnc.network.latency import latency
from snnc.network.model import Connection, Network, Population

from .._shared.chip_refusals import whole

OUTPUT = "xylo_output"  # neurons of the readout
CHIPS = ("xylo_audio2", "xylo_audio3", "xylo_imu")


def hops(net: Network) -> dict[str, int]:
    """Return the steps that a spike takes over each connection: none from an input, else one."""
    return {c.name: 0 if net[c.src].neuron is None else 1 for c in net.connections}


def lags(net: Network) -> dict[str, int]:
    """Return the steps by which each population runs late."""
    return latency(net, hops(net))


def chip(net: Network) -> Profile:
    """Return the chip that a network was quantised for."""
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses floats
    return chips.load(net.numeric.profile)


def readout(net: Network) -> Population:
    """Return the population of the readout."""
    return next(p for p in net.ordered if p.neuron and p.neuron.model() == OUTPUT)


def _weights(c: Connection, max_synapses: int) -> NDArray[np.int64]:
    """Return the weights of a connection as the chip adds them, (n_src, n_dst)."""
    return whole(c.op.unrolled(max_synapses).to_dense().T, c.op.exponent)


def configuration(net: Network, max_synapses: int) -> dict[str, Any]:
    """Return the arguments of Rockpool's XyloSim.from_specification and config_from_specification, as JSON values.

    Raises DoesNotFitError, with both numbers, for what the chip has no room for.
    """
    profile = chip(net)
    must_be_legal(net, (), profile)
    inner, out, most = hidden(net), readout(net), profile.totals
    first = {p.name: sum(q.size for q in inner[:i]) for i, p in enumerate(inner)}
    n = sum(p.size for p in inner)
    weights = {
        "weights_in": np.zeros((net.inputs[0].size, n), np.int64),
        "weights_rec": np.zeros((n, n), np.int64),
        "weights_out": np.zeros((n, out.size), np.int64),
    }
    for c in net.connections:
        at = first.get(c.src, 0), first.get(c.dst, 0)
        kind = "weights_in" if net[c.src].neuron is None else "weights_out" if c.dst == out.name else "weights_rec"
        mine = _weights(c, max_synapses)
        weights[kind][at[0] : at[0] + mine.shape[0], at[1] : at[1] + mine.shape[1]] = mine
    weights["weights_in"] = weights["weights_in"][:, : most.get("neurons_within_input_reach_per_chip", n)]
    weights["weights_out"] = weights["weights_out"][max(0, n - most.get("neurons_within_readout_reach_per_chip", n)) :]
    bits = net.numeric.decay_bits  # type: ignore[union-attr]
    values: dict[str, Any] = {name: array.tolist() for name, array in weights.items()}
    for end, populations in (("", inner), ("_out", [out])):
        values[f"dash_mem{end}"] = [bits - d.bit_length() + 1 for d in _each(populations, "decay_v")]
        values[f"dash_syn{end}"] = [bits - d.bit_length() + 1 for d in _each(populations, "decay_u")]
        values[f"threshold{end}"] = _each(populations, "threshold")
        values[f"bias{end}"] = _each(populations, "bias")
    return values | {"weight_shift_in": 0, "weight_shift_rec": 0, "weight_shift_out": 0}


def _each(populations: list[Population], name: str) -> list[int]:
    """Return a parameter of every neuron."""
    return [int(x) for p in populations for x in np.broadcast_to(getattr(p.neuron, name), p.size)]
