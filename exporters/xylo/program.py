"""The program of an artifact of target `xylo`: runs its configuration in xylosim, the simulator of SynSense.

    python run.py INPUTS.npz OUTPUTS.npz

INPUTS holds an integer array (samples, steps, n) for the input population, OUTPUTS the spikes of every population under its
name and the states of its neurons as NAME.u and NAME.v in the same shape. Needs NumPy and xylosim, not snnc.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from xylosim.v2 import XyloLayer, XyloSynapse

from .._shared.rasters import read, save


def synapses(weights: Any) -> list[list[Any]]:
    """The synapses of each source that exist; all are of the first of two kinds of synapses."""
    return [[XyloSynapse(int(j), 0, int(row[j])) for j in np.flatnonzero(row)] for row in np.atleast_2d(weights)]


def layer(given: dict[str, Any]) -> tuple[Any, Any]:
    """(the chip, its synapses, which have to live as long as it: the simulator only points to them)."""
    n = len(given["threshold"])
    unread: list[list[Any]] = [[] for _ in range(n - len(given["weights_out"]))]
    kept = (synapses(given["weights_in"]), synapses(given["weights_rec"]), unread + synapses(given["weights_out"]))
    made = XyloLayer(
        synapses_in=kept[0], synapses_rec=kept[1], synapses_out=kept[2], aliases=[[] for _ in range(n)],
        threshold=given["threshold"], threshold_out=given["threshold_out"],
        has_bias=any(given["bias"]) or any(given["bias_out"]), bias=given["bias"], bias_out=given["bias_out"],
        weight_shift_inp=given["weight_shift_in"], weight_shift_rec=given["weight_shift_rec"],
        weight_shift_out=given["weight_shift_out"], dash_mem=given["dash_mem"], dash_mem_out=given["dash_mem_out"],
        dash_syns=[[dash, 0] for dash in given["dash_syn"]], dash_syns_out=[[dash] for dash in given["dash_syn_out"]],
        name="xylo",
    )  # fmt: skip
    return made, kept


def evolve(chip: Any, raster: Any) -> dict[str, Any]:
    """Return what a sample leaves, from a fresh state: arrays (steps, neurons) of the hidden layer and of the readout."""
    chip.reset_all()
    chip.evolve(raster.tolist())
    hidden = {"spikes": np.array(chip.rec_recurrent_spikes), "u": np.array(chip.rec_i_syn).T, "v": np.array(chip.rec_v_mem).T}
    out = {"spikes": np.array(chip.rec_out_spikes), "u": np.array(chip.rec_i_syn_out).T, "v": np.array(chip.rec_v_mem_out).T}
    return {**hidden, **{f"out.{name}": array for name, array in out.items()}}


def main(inputs_path: str, outputs_path: str) -> None:
    """Run all samples and write what every population did in its own steps."""
    here = Path(__file__).parent
    given, network = (json.loads((here / name).read_text()) for name in ("configuration.json", "network.json"))
    chip, kept = layer(given)  # the synapses are kept until the end
    ((name, raster),) = read(inputs_path, network["inputs"]).items()
    latency, steps = network["latency"], raster.shape[1]
    late = np.zeros((max(latency.values()), raster.shape[2]), raster.dtype)
    runs = [evolve(chip, np.concatenate([sample, late])) for sample in raster]
    del kept
    outputs: dict[str, Any] = {name: raster, "_by": np.array("xylosim 0.1.3")}
    sizes = [size for _, size in network["hidden"]]
    ends = np.cumsum([0, *sizes]).tolist()
    places = {name: ("", slice(a, b)) for (name, _), a, b in zip(network["hidden"], ends[:-1], ends[1:], strict=True)}
    places[network["output"]] = ("out.", slice(None))
    for name, (end, columns) in places.items():
        mine = slice(latency[name], latency[name] + steps)
        for what, key in (("spikes", name), ("u", f"{name}.u"), ("v", f"{name}.v")):
            outputs[key] = np.stack([run[end + what][mine, columns] for run in runs])
    save(outputs_path, outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
