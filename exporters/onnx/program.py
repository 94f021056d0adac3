"""The program of an artifact of target `onnx`: runs both models in onnxruntime and holds them against each other.

    python run.py INPUTS.npz OUTPUTS.npz

INPUTS holds an integer array (samples, steps, n) for each input population, OUTPUTS the spikes of every population under its
name and the states of its neurons as NAME.u, NAME.v, ... in the same shape. Needs NumPy and onnxruntime, not snnc.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from .._shared.rasters import must_keep_budgets, read, save

TYPES = {"tensor(uint8)": np.uint8, "tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(double)": np.float64}


def start_states(session: Any, samples: int) -> dict[str, Any]:
    """Every state before the first step; what was sent before is nothing."""
    initial = json.loads(session.get_modelmeta().custom_metadata_map["snnc.initial_states"])
    found = {}
    for i in session.get_inputs():
        population, _, variable = i.name.partition(".")
        if variable:
            value = 0 if variable == "past" else initial[population]
            value = value[variable] if isinstance(value, dict) else value
            found[i.name] = np.full((samples, *i.shape[1:]), value, TYPES[i.type])
    return found


def run_steps(session: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The step model, step by step: spikes and states of every step, (steps, samples, n)."""
    steps, samples = next(iter(inputs.values())).shape[:2]
    states, kept = start_states(session, samples), []
    names = [o.name for o in session.get_outputs()]
    for step in range(steps):
        found = dict(zip(names, session.run(names, {**states, **{n: a[step] for n, a in inputs.items()}}), strict=True))
        states = {name: found[f"{name}.next"] for name in states}
        kept.append({n.removesuffix(".next"): a for n, a in found.items() if not n.endswith(".past.next")})
    return {name: np.stack([step[name] for step in kept]) for name in kept[0]}


def run_sequence(session: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The sequence model: spikes of every step, and the states after the last one."""
    samples = next(iter(inputs.values())).shape[1]
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, {**start_states(session, samples), **inputs}), strict=True))


def expected(by_steps: dict[str, Any], output: str, readouts: dict[str, str]) -> Any:
    """What the sequence model has to say, out of what the step model said; ``readouts``: the state that each traces."""
    name, _, kind = output.rpartition(".")
    if kind == "next":
        return by_steps[name][-1]
    return by_steps[f"{name}.{readouts[name]}" if kind == "trace" else output]


def must_agree(by_steps: dict[str, Any], by_sequence: dict[str, Any], readouts: dict[str, str]) -> None:
    """Ends the program if the two models differ in a spike or in a last state."""
    for output, array in by_sequence.items():
        if not output.endswith(".past.next") and not np.array_equal(expected(by_steps, output, readouts), array):
            sys.exit(f"step.onnx and sequence.onnx differ in {output}")


def models(folder: Path) -> list[Any]:
    """The sessions of both models in ``folder``: the step's, and the sequence's."""
    files = (folder / f"{name}.onnx" for name in ("step", "sequence"))
    return [onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in files]


def run_network(step: Any, sequence: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Run both models on rasters (samples, steps, n); ends the program if they differ."""
    must_keep_budgets(json.loads(step.get_modelmeta().custom_metadata_map.get("snnc.max_spikes_per_step", "{}")), inputs)
    types = {i.name: TYPES[i.type] for i in step.get_inputs()}
    sent = {name: np.moveaxis(raster, 1, 0).astype(types[name]) for name, raster in inputs.items()}
    for name, raster in inputs.items():
        if (np.moveaxis(raster, 1, 0) != sent[name]).any():
            sys.exit(f"error: input {name} has {raster.min()} .. {raster.max()}, its messages are {types[name].__name__}")
    by_steps = run_steps(step, sent)
    readouts = json.loads(step.get_modelmeta().custom_metadata_map["snnc.readouts"])
    must_agree(by_steps, run_sequence(sequence, sent), readouts)
    outputs = {name: np.moveaxis(array, 0, 1) for name, array in {**sent, **by_steps}.items()}
    return {**outputs, "_by": np.array(f"onnxruntime {onnxruntime.__version__}")}


def main() -> None:
    """Read the inputs, run, write the outputs."""
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} INPUTS.npz OUTPUTS.npz")
    step, sequence = models(Path(__file__).resolve().parent)
    inputs = read(sys.argv[1], {i.name: int(np.prod(i.shape[1:])) for i in step.get_inputs() if "." not in i.name})
    save(sys.argv[2], run_network(step, sequence, inputs))


if __name__ == "__main__":
    main()
