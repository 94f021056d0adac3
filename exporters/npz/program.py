"""The program of an artifact of target `npz`: computes the network from network.npz and network.json, and nothing else.

    python run.py INPUTS.npz OUTPUTS.npz

INPUTS holds an integer array (samples, steps, n) for each input population, OUTPUTS the spikes of every population under its
name and the states of its neurons as NAME.u, NAME.v, ... in the same shape. Needs NumPy, not snnc. It is short and slow: read
it to see what the numbers mean.
"""

import json
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .._shared.rasters import must_keep_budgets, read, save


def operations(numeric: dict[str, Any]) -> dict[str, Any]:
    """What each word of a neuron's step does, on arrays (samples, n)."""

    def count(x: Any, y: Any, z: int) -> Any:
        return np.clip(np.floor(x / y) if numeric["kind"] == "float" else x // y, 0, z).astype(np.int64)

    found = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "above": lambda x, y: (x > y).astype(np.int64),
        "at_least": lambda x, y: (x >= y).astype(np.int64),
        "clear": lambda x, y: np.where(y, 0, x),
        "reset_to": lambda x, y, z: np.where(y, z, x),
        "subtract": lambda x, y, z: np.where(y, x - z, x),
        "count": count,
        "remainder": lambda x, y, z: x - y * count(x, y, z),
        "positive": lambda x: (x > 0).astype(np.int64),
        "silent": lambda x: np.zeros(x.shape, np.int64),
    }
    if numeric["kind"] == "float":
        same = {name: lambda x: x for name in ("lift", "wrap", "saturate", "clamp")}
        leaking = {name: lambda x, y: x * (1 - y) for name in ("decay", "floor_decay", "leak")}
        return {**found, **same, **leaking, "multiply": np.multiply}
    one, limit = 1 << numeric["decay_bits"], 1 << (numeric["state_bits"] - 1)
    return {
        **found,
        "lift": lambda x: x << numeric["state_shift"],
        "decay": lambda x, y: np.sign(x) * (np.abs(x) * (one - y) // one),
        "floor_decay": lambda x, y: x * (one - y) // one,
        "leak": lambda x, y: x - np.where(x > 0, np.maximum(x * y // one, 1), x * y // one),
        "multiply": lambda x, y: np.sign(x) * np.sign(y) * (np.abs(x) * np.abs(y) // one),
        "wrap": lambda x: np.where(x > limit, x - 2 * limit, np.where(x <= -limit, x + 2 * limit, x)),
        "saturate": lambda x: np.clip(x, 1 - limit, limit - 1),
        "clamp": lambda x: np.clip(x, -limit, limit - 1),
    }


def step(lines: dict[str, Any], values: dict[str, Any], do: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """One step of neurons: ``values`` has their parameters, their states and ``current``; returns new states and spikes."""
    for result, operation, *operands in lines["do"]:
        values[result] = do[operation](*(int(name) if name.isdigit() else values[name] for name in operands))
    return {name: values[result] for name, result in lines["state"].items()}, values[lines["spikes"]]


def sums(rows: Any, columns: Any, weights: Any, x: Any, n: int) -> Any:
    """(inputs, m) -> (n, m): weighted sums, added up in the order in which the weights are stored."""
    total = np.zeros((n, x.shape[1]), x.dtype)
    np.add.at(total, rows, weights[:, None] * x[columns])
    return total


def met(window: dict[str, Any], axis: int, tap: int) -> Any:
    """Along rows or columns: what position ``tap`` of the kernel meets in every place, -1 outside of the plane."""
    size, kernel = window["src_shape"][1 + axis], window["kernel"][axis]
    stride, padding, dilation = (window[name][axis] for name in ("stride", "padding", "dilation"))
    places = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    at = np.arange(places) * stride + tap * dilation - padding
    return np.where((at >= 0) & (at < size), at, -1)


def slid(window: dict[str, Any], planes: Any, outside: Any = 0) -> Any:
    """(channels, samples, rows, columns) -> for each position of the kernel, row by row, what all places meet."""
    padded = np.pad(planes, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=outside)  # the last row and column: -1
    for y in range(window["kernel"][0]):
        for x in range(window["kernel"][1]):
            yield padded[:, :, met(window, 0, y)[:, None], met(window, 1, x)]


def planes_of(messages: Any, window: dict[str, Any]) -> Any:
    """(samples, n) -> (channels, samples, rows, columns)."""
    return messages.reshape(len(messages), *window["src_shape"]).transpose(1, 0, 2, 3)


def flat(planes: Any) -> Any:
    """(channels, samples, rows, columns) -> (samples, n)."""
    return planes.transpose(1, 0, 2, 3).reshape(planes.shape[1], -1)


def convolved(c: dict[str, Any], rows: Any, columns: Any, weights: Any, planes: Any) -> Any:
    """A convolution: position by position of the kernel, each a sum over channels."""
    per_group, taps = c["shape"][0] // c["groups"], c["window"]["kernel"][0] * c["window"]["kernel"][1]
    channels = rows // per_group * (c["window"]["src_shape"][0] // c["groups"]) + columns // taps
    total: Any = 0
    for tap, seen in enumerate(slid(c["window"], planes)):
        at, shape = columns % taps == tap, (c["shape"][0], *seen.shape[1:])
        total = total + sums(rows[at], channels[at], weights[at], seen.reshape(len(seen), -1), shape[0]).reshape(shape)
    return total


def weighed(c: dict[str, Any], rows: Any, columns: Any, weights: Any, messages: Any) -> Any:
    """(samples, sources) messages of one step -> (samples, destinations) sums, shifted by the connection's exponent."""
    if "pool" in c:
        messages = flat(sum(slid(c["pool"], planes_of(messages, c["pool"]))))
    if c["op"] == "maxpool2d":
        planes = planes_of(weighed({**c, **c["sums_of"]}, rows, columns, weights, messages), c["window"])
        return flat(np.max(list(slid(c["window"], planes, planes.min())), axis=0))
    if c["op"] == "conv2d":
        total = flat(convolved(c, rows, columns, weights, planes_of(messages, c["window"])))
    elif c["op"] == "sumpool2d":
        total = flat(sum(slid(c["window"], planes_of(messages, c["window"])))) * weights.sum()
    else:
        total = sums(rows, columns, weights, messages.T, c["shape"][0]).T
    if total.dtype.kind == "f":
        return total
    return total << c["exponent"] if c["exponent"] >= 0 else total >> -c["exponent"]


def parts(c: dict[str, Any], arrays: dict[str, Any]) -> list[tuple[int, Any, tuple[Any, Any, Any]]]:
    """A connection, taken apart by delay: (steps, which sources send, (rows, columns, weights)).

    What arrives over another delay is summed up and shifted on its own.
    """
    indptr, columns, weights = (arrays[f"{c['name']}.{part}"] for part in ("indptr", "indices", "values"))
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    steps, everything = c["delay_steps"], (rows, columns, weights)
    if (late := arrays.get(f"{c['name']}.axon_delays")) is not None:
        return [(steps + int(d), late == d, everything) for d in np.unique(late)]
    if (late := arrays.get(f"{c['name']}.delays")) is not None:
        return [(steps + int(d), True, (rows[late == d], columns[late == d], weights[late == d])) for d in np.unique(late)]
    return [(steps, True, everything)]


def run_network(said: dict[str, Any], arrays: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """Rasters (samples, steps, n) of the inputs -> spikes and states of all populations."""
    dtype = np.float64 if said["numeric"]["kind"] == "float" else np.int64
    samples, steps = next(iter(inputs.values())).shape[:2]
    into = {p["name"]: [(c, part) for c in said["connections"] if c["dst"] == p["name"] for part in parts(c, arrays)]
            for p in said["populations"]}  # fmt: skip
    models = {p["name"]: said["steps"][p["neuron"]] for p in said["populations"] if p["neuron"]}
    values = {name: start(said, name, arrays, samples, dtype) for name in models}
    found, do = dict(inputs), operations(said["numeric"])
    sizes = {p["name"]: int(np.prod(p["shape"])) for p in said["populations"]}
    for name, model in models.items():
        found[name] = np.zeros((samples, steps, sizes[name]), np.uint8)
        found |= {f"{name}.{variable}": np.zeros(found[name].shape, dtype) for variable in model["state"]}
    for now in range(steps):
        for name in (name for name in said["order"] if name in models):
            arriving = [current(c, *part, found[c["src"]], now, dtype) for c, part in into[name]]
            values[name]["current"] = sum(arriving, np.zeros((samples, sizes[name]), dtype))
            state, found[name][:, now] = step(models[name], values[name], do)
            values[name] |= state
            for variable, array in state.items():
                found[f"{name}.{variable}"][:, now] = array
    return found


def start(said: dict[str, Any], name: str, arrays: dict[str, Any], samples: int, dtype: Any) -> dict[str, Any]:
    """The parameters of a population's neurons, and their states before the first step."""
    size, model = next((int(np.prod(p["shape"])), p["neuron"]) for p in said["populations"] if p["name"] == name)
    held = {key.split(".")[1]: array for key, array in arrays.items() if key.split(".")[0] == name}
    initial = said["rules"][model]["initial_state"]
    first = {v: initial[v] if isinstance(initial, dict) else initial for v in said["steps"][model]["state"]}
    return held | {variable: np.full((samples, size), value, dtype) for variable, value in first.items()}


def current(c: dict[str, Any], delay: int, sends: Any, numbers: tuple[Any, Any, Any], sent: Any, now: int, dtype: Any) -> Any:
    """What one part of a connection adds in step ``now``."""
    return weighed(c, *numbers, (sent[:, now - delay] * sends).astype(dtype)) if now >= delay else 0


def main() -> None:
    """Read the inputs, run, write the outputs."""
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} INPUTS.npz OUTPUTS.npz")
    folder = Path(__file__).resolve().parent
    try:
        with np.load(folder / "network.npz", allow_pickle=False) as file:
            arrays = dict(file)
        said = json.loads((folder / "network.json").read_text())
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):  # what NumPy says of it tells to load it unsafely
        sys.exit("network.npz or network.json is missing or damaged: export again")
    inputs = read(sys.argv[1], {p["name"]: int(np.prod(p["shape"])) for p in said["populations"] if not p["neuron"]})
    must_keep_budgets({p["name"]: p["max_spikes_per_step"] for p in said["populations"] if "max_spikes_per_step" in p}, inputs)
    found = run_network(said, arrays, inputs)
    save(sys.argv[2], {**found, "_by": np.array(f"plain data (NumPy {np.__version__})")})


if __name__ == "__main__":
    main()
