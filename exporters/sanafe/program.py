"""The program of an artifact of target `sanafe`: runs the mapped network in SANA-FE and writes what it did and what it cost.

    python run.py INPUTS.npz OUTPUTS.npz

INPUTS holds a binary array (samples, steps, n) for each input population, OUTPUTS the spikes of every population under its
name, the states of its neurons as NAME.u and NAME.v in the same shape, and what SANA-FE counted, all samples together, as
_measured.NAME. Needs NumPy and sanafe, not snnc.
"""

import json
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import sanafe

from .._shared.rasters import must_keep_budgets, read, save

TRACES = {"spike_trace": True, "potential_trace": True, "neuron_trace": True, "message_trace": True}


def simulate(chip: Any, late_biases: dict[str, Any], latency: dict[str, int], steps: int) -> list[dict[str, Any]]:
    """All steps of a sample. A population begins when its first input arrives: until then it has no bias."""
    groups = chip.mapped_neuron_groups
    begins = {latency[name] for name in late_biases}
    for name in late_biases:
        set_biases(groups[name], np.zeros(len(groups[name])))
    found = []
    for start, stop in pairwise(sorted({0, steps, *begins})):
        for name in [name for name in late_biases if latency[name] == start]:
            set_biases(groups[name], late_biases[name])
        found.append(chip.sim(stop - start, processing_threads=1, **TRACES))
    return found


def set_biases(neurons: Any, biases: Any) -> None:
    """Give each neuron its bias, from the next step on."""
    for neuron, bias in zip(neurons, biases, strict=True):
        neuron.set_attributes(model_attributes={"bias": float(bias)})


def joined(runs: list[dict[str, Any]], name: str) -> list[Any]:
    """A trace of all steps."""
    return [step for run in runs for step in run[name]]


def spikes_of(runs: list[dict[str, Any]], sizes: dict[str, int]) -> dict[str, Any]:
    """name -> (steps, n) of every population."""
    trace = joined(runs, "spike_trace")
    found = {name: np.zeros((len(trace), n), np.uint8) for name, n in sizes.items()}
    for step, fired in enumerate(trace):
        for neuron in fired:
            found[neuron.group_name][step, neuron.neuron_offset] = 1
    return found


def states_of(runs: list[dict[str, Any]], groups: dict[str, int], unit: int) -> dict[str, Any]:
    """NAME.u and NAME.v -> (steps, n), in units of the state. ``groups``: those with neurons, in SANA-FE's order.

    Fractions of a unit, which a chip's state has not, are rounded away from zero, so that they show where a chip truncates.
    """
    v = np.array(joined(runs, "potential_trace"))
    u = np.concatenate([np.array(run["neuron_trace"]["u"]) for run in runs])
    ends = np.cumsum(list(groups.values()))[:-1]
    found = {}
    for variable, trace in (("u", u), ("v", v)):
        for name, part in zip(groups, np.split(trace * unit, ends, axis=1), strict=True):
            found[f"{name}.{variable}"] = np.copysign(np.ceil(np.abs(part)), part).astype(np.int64)
    return found


def counted(runs: list[dict[str, Any]], latency: dict[str, int], inputs: Any, steps: int) -> dict[str, int]:
    """Synaptic operations, packets and packets x hops between cores, of the steps that are the sample's in each population."""
    messages = [(step, m) for step, sent in enumerate(joined(runs, "message_trace")) for m in sent if not m["placeholder"]]
    mine = [m for step, m in messages if 0 <= step - latency[m["src_neuron_group_id"]] < steps]
    inside = [m for m in mine if m["src_neuron_group_id"] not in inputs]
    return {
        "synaptic_operations": sum(m["spikes"] for m in mine),
        "packets": len(mine),
        "packet_hops": sum(m["hops"] for m in inside),
    }


def run_sample(chip: Any, network: dict[str, Any], sample: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """(rasters and states, what was counted) of one sample from a fresh state."""
    latency = network["latency"]
    steps = len(next(iter(sample.values())))
    chip.reset()
    for name, raster in sample.items():
        for neuron, train in zip(chip.mapped_neuron_groups[name], raster.T.astype(bool).tolist(), strict=True):
            neuron.set_attributes(model_attributes={"spikes": train})
    runs = simulate(chip, network["late_biases"], latency, steps + max(latency.values()))
    sizes = {name: len(group) for name, group in chip.mapped_neuron_groups.items()}
    groups = {name: n for name, n in sizes.items() if name not in sample}
    found = {**spikes_of(runs, sizes), **states_of(runs, groups, network["state_unit"])}
    rasters = {name: a[latency[name.partition(".")[0]] :][:steps] for name, a in found.items()}
    measured: dict[str, float] = dict(counted(runs, latency, sample, steps))
    if network["costs_known"]:
        measured["energy_j"] = sum(run["energy"]["total"] for run in runs)
        measured["time_s"] = sum(run["sim_time"] for run in runs)
    return rasters, measured


def main() -> None:
    """Read the inputs, run sample by sample, write the outputs."""
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} INPUTS.npz OUTPUTS.npz")
    folder = Path(__file__).resolve().parent
    network = json.loads((folder / "network.json").read_text())
    inputs = read(sys.argv[1], network["inputs"])
    must_keep_budgets(network.get("max_spikes_per_step", {}), inputs)
    architecture = sanafe.load_arch(folder / "architecture.yaml")
    chip = sanafe.SpikingChip(architecture)
    chip.load(sanafe.load_net(folder / "network.yaml", architecture))
    samples = range(len(next(iter(inputs.values()))))
    found = [run_sample(chip, network, {name: raster[i] for name, raster in inputs.items()}) for i in samples]
    outputs = {name: np.stack([rasters[name] for rasters, _ in found]) for name in found[0][0]}
    measured: dict[str, Any] = {f"_measured.{name}": np.array(sum(m[name] for _, m in found)) for name in found[0][1]}
    by = {"_by": np.array(f"sanafe {version('sanafe')}")}
    save(sys.argv[2], {**outputs, **measured, **by})


if __name__ == "__main__":
    main()
