"""Target `xylo`: the configuration of SynSense's Xylo that Rockpool's tools take, and a program that runs it in xylosim.

configuration.json  arguments of Rockpool's XyloSim.from_specification and config_from_specification, as data
network.json        which hidden and output neurons every population is, and how late it runs
run.py              plays spikes to the configuration in xylosim, the simulator of the chip's maker

Nothing of Rockpool or xylosim is part of snnc.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from snnc.analysis.reachability import Reach
from snnc.errors import MissingDependencyError, UnsupportedError
from snnc.mapping.chip_totals import hidden
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.latency import chip_delays
from snnc.network.model import Network, Population
from snnc.simulation.run import Rasters, Run
from snnc.targets import runner
from snnc.targets.target import Artifact

from .._shared import programs
from .._shared.chip_refusals import operator_problem, range_problems, register_problems, weight_problems
from .layout import CHIPS, OUTPUT, chip, configuration, hops, lags, readout

__all__ = ["NEEDS_MAPPING", "REMARK", "SUMMARY", "VERIFIED_BY", "export", "must_be_ready", "neuron_problem", "operator_problem",
           "problems", "run"]  # fmt: skip

SUMMARY = "configuration of SynSense's Xylo chips as Rockpool's tools take it"
NEEDS_MAPPING = False
PEER = Path(sys.prefix) / "peers" / "xylo"  # where `make peers` puts it
SIMULATOR = runner.Runner("xylosim", "pip install --no-deps xylosim==0.1.3", "SNNC_XYLO_PYTHON", packages=PEER)
COMPARED = ("u", "v")  # the states that the simulator gives; i is u before it decays
VERIFIED_BY = SIMULATOR.name
REMARK = "the maker's simulator of the chip was run; nothing was run on a chip"
NEURONS = ("xylo", OUTPUT)
REGISTERS = {"state_bits": 16, "state_shift": 0, "decay_bits": 15}  # what the chip computes with
AT_MOST = {"threshold_bits": 15, "bias_mantissa_bits": 16, "bias_exponent_max": 0}
MESSAGE_BITS = 4  # up to 15 spikes of an input in a step
LOW, HIGH = -(1 << 15), (1 << 15) - 1  # of a register


def neuron_problem(model: str) -> str:
    """Return why the target cannot compute a neuron model exactly; empty if it can."""
    return "" if model in NEURONS else f"Xylo's neurons are 'xylo' in its hidden layer and {OUTPUT!r} in its readout"


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that cannot be exported, each as a sentence."""
    numeric = net.numeric
    if not isinstance(numeric, Fixed):
        return ["it is a float network; quantise it first (snnc quantise --hw xylo_audio2)"]
    if numeric.profile not in CHIPS:
        return [f"it was quantised for {numeric.profile!r}; quantise it for {', '.join(CHIPS)}"]
    found = [*register_problems(numeric, REGISTERS, AT_MOST, numeric.profile), *_shape_problems(net)]
    for p in net.populations:
        found += _population_problems(p, numeric)
    for c in net.connections:
        found += weight_problems(c, "Xylo", "xylo_audio2")
    return found or [*_late_problems(net)] or [*range_problems(net, partial(_saturates, net))]


def _shape_problems(net: Network) -> Iterator[str]:
    outputs = [p.name for p in net.populations if p.neuron and p.neuron.model() == OUTPUT]
    if len(outputs) != 1:
        yield f"it has {len(outputs)} populations of {OUTPUT!r}, Xylo has one readout; train it with --readout {OUTPUT}"
    elif net.output.name != outputs[0]:
        yield f"population {net.output.name!r} is read out, Xylo reads out {outputs[0]!r}; let {net.output.name!r} feed another"
    if not hidden(net):
        yield "it has no hidden neurons, and inputs reach no others; add a layer of 'xylo'"
    if len(net.inputs) != 1:
        yield f"it has {len(net.inputs)} inputs, Xylo has one; join them"
    for p in net.inputs:
        if p.size > (most := chip(net).totals["inputs_per_chip"]):
            yield f"input {p.name!r} has {p.size} channels, Xylo has {most}; pool them before, or choose {most} of them"
        if p.message_bits > MESSAGE_BITS:
            what = f"sends {p.message_bits}-bit messages, Xylo takes up to 15 spikes a step"
            yield f"input {p.name!r} {what}; use {MESSAGE_BITS} bits"
    pairs = [(c.src, c.dst) for c in net.connections]
    for c in net.connections:
        if c.src in outputs:
            yield f"connection {c.name!r} leaves the readout {c.src!r}, whose spikes only leave the chip; leave it out"
        if c.dst in outputs and net[c.src].neuron is None:
            yield f"connection {c.name!r} leads from an input to the readout, Xylo's inputs reach hidden neurons; add a layer"
        if pairs.count((c.src, c.dst)) > 1:
            yield f"connection {c.name!r} is not the only one from {c.src!r} to {c.dst!r}, Xylo has one weight; add them up"


def _population_problems(p: Population, numeric: Fixed) -> Iterator[str]:
    if p.neuron is None:
        return
    if why := neuron_problem(p.neuron.model()):
        yield f"population {p.name!r} has neurons {p.neuron.model()!r}: {why}"
        return
    neuron: Any = p.neuron
    for name in ("decay_u", "decay_v"):
        decays = np.atleast_1d(getattr(neuron, name))
        if (odd := decays & (decays - 1)).any():
            decay = decays[odd != 0][0] / (1 << numeric.decay_bits)
            what = "Xylo shifts by whole bits, so it is a power of 2"
            yield f"population {p.name!r} has the {name} {decay:.4g}, {what}; quantise it for {numeric.profile}"


def _late_problems(net: Network) -> Iterator[str]:
    """Yield what is not in time: spikes of hidden neurons are used a step later, and biases from the first step on."""
    try:
        late, delays = lags(net), chip_delays(net, hops(net))
    except UnsupportedError as error:
        yield str(error)
        return
    for c in net.connections:
        uneven = c.longest_delay - c.shortest_delay
        if steps := max(delays[c.name], uneven):
            yield f"connection {c.name!r} would need a delay of {steps} steps, Xylo has none; even out the paths into {c.dst!r}"
    for p in net.populations:
        neuron: Any = p.neuron
        if neuron and late[p.name] and np.any(neuron.bias):
            yield (
                f"population {p.name!r} has biases and runs {late[p.name]} steps late, in which Xylo adds them already;"
                " train it without --bias"
            )


def _saturates(net: Network, name: str, reach: Reach) -> Iterator[str]:
    """Yield where what is added to v could saturate on the way; that i cannot, spike by spike, is proved before."""
    u, v, neuron = reach.states["u"], reach.states["v"], net[name].neuron
    decay = np.broadcast_to(neuron.decay_v, u.low.shape)  # type: ignore[union-attr]
    lost = [np.asarray(end * decay >> REGISTERS["decay_bits"], np.int64) for end in (v.low, v.high)]
    most, least = int((u.high - lost[0]).max()), int((u.low - lost[1]).min())
    if least < LOW or most > HIGH:
        yield (
            f"population {name!r} can add {most if most > HIGH else least:,} to its voltage in a step, Xylo adds {LOW:,} .."
            f" {HIGH:,}; prune it, or let its currents decay faster"
        )


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder``; returns the latency of each population in steps. Raises DoesNotFitError, with both numbers."""
    late, most = lags(net), chip(net).totals
    (folder / "configuration.json").write_text(json.dumps(configuration(net, max_synapses)) + "\n")
    facts = {
        "chip": net.numeric.profile,  # type: ignore[union-attr]
        "inputs": {p.name: p.size for p in net.inputs},
        "hidden": [[p.name, p.size] for p in hidden(net)],
        "output": readout(net).name,
        "outputs_reach": most.get("neurons_within_readout_reach_per_chip", most["hidden_neurons_per_chip"]),
        "latency": late,
    }
    (folder / "network.json").write_text(json.dumps(facts, indent=1) + "\n")
    programs.write(Path(__file__).with_name("program.py"), folder)
    return late


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Run the artifact on input rasters (samples, steps, n); raises what `runner.run` does."""
    given = replace(artifact, states=dict.fromkeys(artifact.states, COMPARED))
    return runner.run(given, inputs, record, timeout_s, SIMULATOR)


def must_be_ready() -> None:
    """Raise MissingDependencyError if xylosim is not here; what another Python has is not looked at."""
    if not os.environ.get(SIMULATOR.setting) and not PEER.is_dir() and find_spec("xylosim") is None:
        raise MissingDependencyError("xylosim is not installed", fix=f"install it: {SIMULATOR.install}")
