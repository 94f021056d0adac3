"""Target `sanafe`: a network on the cores of a chip as SANA-FE's YAML, and a program that runs it there for energy and time.

SANA-FE computes in floats and rounds potentials to 1/64, as Loihi's state does, so a LIF is exact as long as nothing saturates.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnc import ops
from snnc.errors import UnsupportedError
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.latency import latency
from snnc.network.model import Connection, Network
from snnc.simulation.run import Rasters, Run
from snnc.targets import runner
from snnc.targets.target import Artifact

from .._shared import programs
from . import files

__all__ = ["NEEDS_MAPPING", "REMARK", "SUMMARY", "VERIFIED_BY", "export", "neuron_problem", "operator_problem", "problems", "run"]

SUMMARY = "architecture and mapped network for SANA-FE, which estimates energy and time"
REMARK = (
    "SANA-FE's published error is 12 % of energy and 25 % of time, on Loihi 1 (Boyle et al., IEEE TCAD 44(8), 2025, doi"
    " 10.1109/TCAD.2025.3537971); where the profile's costs are from, snnc profiles show says"
)
NEEDS_MAPPING = True
CHECKS_BUDGETS = True
NEURONS = {  # model -> why SANA-FE 2.2.9 cannot compute it exactly, "" where it can
    "lif": "",
    "cuba": "SANA-FE lets the current decay in floats, the chip rounds it in every step",
    "li": "SANA-FE lets the current decay in floats, the chip rounds it in every step",
    "cuba_refractory": "SANA-FE lets the current decay in floats, the chip rounds it in every step",
    "cuba_subtract": "SANA-FE lets the current decay in floats, the chip rounds it in every step",
}
OPERATORS = ("conv2d", "dense", "sumpool2d")
STATE_SHIFT = 6  # SANA-FE rounds potentials to 1/64
SIMULATOR = runner.Runner("SANA-FE", "pip install sanafe", "SNNC_SANAFE_PYTHON")
VERIFIED_BY = SIMULATOR.name


def neuron_problem(model: str) -> str:
    """Return why the target cannot compute a neuron model exactly; empty if it can."""
    return NEURONS.get(model, f"no soma of SANA-FE 2.2.9 is known to compute {model!r} exactly")


def operator_problem(kind: str) -> str:
    """Return why the target cannot run a kind of operators; empty if it can: every one is unrolled to edges."""
    return "" if kind in OPERATORS else f"no edges are known to compute {kind!r}{ops.remedy(kind)}"


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that cannot be exported, each as a sentence."""
    if mapping is None:
        return ["it has no mapping to cores"]
    if not isinstance(net.numeric, Fixed):
        return ["it is a float network; quantise it first (snnc quantise)"]
    reasons = [
        f"population {p.name!r} has neurons {p.neuron.model()!r}: {why}"
        for p in net.populations
        if p.neuron and (why := neuron_problem(p.neuron.model()))
    ]
    reasons += [f"population {p.name!r} sends numbers, SANA-FE's spikes carry none" for p in net.populations if p.message_bits]
    reasons += [f"connection {c.name!r} {problem}" for c in net.connections for problem in _connection_problems(c)]
    if net.numeric.state_shift != STATE_SHIFT:
        reasons.append(f"its states have {net.numeric.state_shift} bits below a weight's, SANA-FE's {STATE_SHIFT}")
    return reasons + _loop_problems(net)


def _connection_problems(c: Connection) -> Iterator[str]:
    if why := operator_problem(c.op.kind):
        yield f"cannot be exported: {why}"
    if c.op.exponent < 0 and np.any(c.op.synapses.values % (1 << -c.op.exponent)):
        yield (
            f"has the weight exponent {c.op.exponent}: the chip rounds each sum down, SANA-FE adds fractions;"
            " quantise without --negative-exponents"
        )


def _loop_problems(net: Network) -> list[str]:
    try:
        latency(net)
    except UnsupportedError as error:
        return [str(error)]
    return []


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder``; returns the latency of each population in steps.

    Raises DoesNotFitError if an operator unrolls to more than ``max_synapses``.
    """
    assert mapping is not None  # noqa: S101 - for the type checker; `problems` refuses it
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - likewise
    lags = files.write(net, mapping, folder, max_synapses)
    unit = 1 << net.numeric.state_shift
    facts = {
        "inputs": {p.name: p.size for p in net.inputs},
        "latency": lags,
        "late_biases": _late_biases(net, lags, unit),
        "state_unit": unit,
        "costs_known": mapping.chip.costs is not None,
    }
    if budgets := {p.name: p.max_spikes_per_step for p in net.inputs if p.max_spikes_per_step is not None}:
        facts["max_spikes_per_step"] = budgets
    (folder / "network.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "mapping.json").write_text(json.dumps(mapping.to_json(), indent=1, sort_keys=True) + "\n")
    programs.write(Path(__file__).with_name("program.py"), folder)
    return lags


def _late_biases(net: Network, lags: dict[str, int], unit: int) -> dict[str, Any]:
    """Return the biases, in weight units, of the populations that have any and lag: they begin with their first input."""
    biases = {}
    for p in net.populations:
        neuron: Any = p.neuron
        if neuron and lags[p.name] and np.any(neuron.bias):
            biases[p.name] = np.broadcast_to(neuron.bias / unit, p.size).tolist()
    return biases


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Run the artifact on input rasters (samples, steps, n); raises what `runner.run` does."""
    return runner.run(artifact, inputs, record, timeout_s, SIMULATOR)
