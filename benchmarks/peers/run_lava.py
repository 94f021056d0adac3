"""Contestant: Lava 0.10.0 (fixed_pt; Sparse and Conv) by the program that snnc exports, without its recording of states.

Starting Lava's processes is not counted: a first sample runs before the clock starts.
"""

import importlib.util
import json
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from case import read, say

from snnc import store, targets


def program(root: Path) -> Any:
    """The exported program as a module, which keeps spikes only."""
    spec = importlib.util.spec_from_file_location("exported", root / "run.py")
    module = sys.modules["exported"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.RecorderModel.post_guard = lambda self: False
    return module


def main() -> None:
    """One sample to start, then all others in one call."""
    case = read()
    net = store.load(case.folder / "net.snnc")
    root = targets.export("lava", net, None, case.folder / "lava", force=True).root
    lava = program(root)
    lava.show_failures()
    network, weights = json.loads((root / "network.json").read_text()), np.load(root / "weights.npz")
    late = json.loads((root / "manifest.json").read_text())["latency"][net.output.name]
    samples, interval = len(case.inputs), case.steps + network["pause_steps"]
    steps = samples * interval + late
    found, recorders = lava.build(network, weights, {net.inputs[0].name: case.inputs}, interval, steps)
    process, settings = (
        found[net.output.name],
        lava.Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map={lava.Conv: lava.ConvModel}),
    )
    process.run(condition=lava.RunSteps(num_steps=interval), run_cfg=settings)
    start = time.perf_counter()
    process.run(condition=lava.RunSteps(num_steps=steps - interval), run_cfg=settings)
    seconds = (time.perf_counter() - start) * (samples - 1) * interval / (steps - interval)
    process.stop()
    rows = recorders[net.output.name].proc_params["memory"]["s"][late : late + samples * interval]
    spikes = rows.reshape(samples, interval, -1)[:, : case.steps]
    say(f"Lava {metadata.version('lava-nc')}", [{"samples": samples - 1, "seconds": [seconds]}], spikes, case)


if __name__ == "__main__":
    main()
