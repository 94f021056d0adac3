"""The engine of snnc against other simulators, in one run on the same networks and inputs, and against the machine's own limit.

Lava 0.10.0 (fixed_pt), SANA-FE (simple timing), snnTorch with dense and sparse matrices of torch at their best batch sizes,
Brian2 (Cython) and the reference of snnc: each in a process of its own, in rounds that alternate; what is not installed is left
out with its reason. --python names another Python for one of them:

    python benchmarks/simulate.py [--quick] [--data-dir DIR] [--python sanafe=PEERS/bin/python] [--python brian2=...]
                                  [--only first|others|growth] [--json results/simulate.json] [--markdown FILE]

--only runs a part; what other parts left in the file of --json stays there, each with its own command, commit and limits.

The spikes of Lava have to be those of the engine, else the exit code is 1; of the others, which compute in floats, the part
that is equal is told. Rates, everybody's, are those of the best round: what else the machine does can only slow one down.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from peers import machine, networks, shares, tables

from snnc import store
from snnc.simulation import engine

HERE = Path(__file__).resolve().parent / "peers"
TIMEOUT_S = 300


@dataclass(frozen=True)
class Contestant:
    """A program of ``peers/`` with its settings; samples that it runs at most, otherwise and with --quick."""

    name: str
    script: str
    samples: tuple[int, int]
    settings: dict[str, Any]
    exact: bool = False  # whether its spikes have to be the engine's


BATCHES = (16, 64, 256, 1024)
ENGINE = Contestant("engine", "engine", (10_000, 1_024), {}, exact=True)
PEERS = (
    Contestant("reference", "engine", (128, 16), {"simulator": "reference"}, exact=True),
    Contestant("Lava", "lava", (25, 4), {}, exact=True),
    Contestant("SANA-FE", "sanafe", (40, 4), {}),
    Contestant("snnTorch, dense", "torch", (1_024, 256), {"form": "dense", "batches": BATCHES}),
    Contestant("snnTorch, sparse", "torch", (1_024, 256), {"form": "sparse", "batches": BATCHES}),
    Contestant("Brian2", "brian2", (25, 4), {}),
)
ACTIVITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
KERNELS = {
    "auto": {}, "lanes": {"kernel": "lanes"}, "events": {"kernel": "events"}, "auto, one sample": {"samples": 1, "rounds": 300},
}  # fmt: skip
ALONE = 30  # rounds of the engine without contestants: some take few milliseconds, and the best of three of these says little
PARTS = ("first", "others", "growth")
TARGETS = {"Lava": 2_500, "SANA-FE": 500, "snnTorch": 15}


def run(contestant: Contestant, folder: Path, given: argparse.Namespace, **settings: Any) -> dict[str, Any]:
    """What a contestant said; if it did not, the reason."""
    full = {
        "name": contestant.name.replace(" ", ""),
        "samples": contestant.samples[given.quick],
        "threads": given.threads,
        "rounds": 3,
    }
    words = json.dumps({**full, **contestant.settings, **settings})
    python = given.pythons.get(contestant.script, sys.executable)
    threads = {f"{library}_NUM_THREADS": str(given.threads) for library in ("OMP", "MKL", "NUMBA")}
    try:
        done = subprocess.run(
            [python, HERE / f"run_{contestant.script}.py", folder, words], capture_output=True, text=True, timeout=TIMEOUT_S,
            env={**os.environ, **threads},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"reason": str(error)}
    if done.returncode:
        return {"reason": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    said["output"] = np.load(folder / f"{full['name']}.npy")
    for timing in said["timings"]:
        timing["samples_per_s"] = timing["samples"] / min(timing["seconds"])
    return said


def compared(name: str, folder: Path, first: bool, given: argparse.Namespace) -> dict[str, Any]:
    """All contestants on one network; on the first one round after round; on others few samples."""
    rounds = given.rounds if first else 1
    found: dict[str, list[dict[str, Any]]] = {}
    for number in range(rounds):
        for contestant in (ENGINE, *PEERS):
            count = contestant.samples[(contestant is not ENGINE and not first) or given.quick]
            if number and "reason" in found[contestant.name][0]:
                continue
            said = run(contestant, folder, given, samples=count)
            found.setdefault(contestant.name, []).append(said)
            best = max((t["samples_per_s"] for t in said.get("timings", [])), default=0)
            print(f"{name}: {contestant.name}: {said.get('reason') or f'{best:,.1f} samples/s'}", file=sys.stderr)
    return {contestant.name: summed_up(contestant, found) for contestant in (ENGINE, *PEERS)}


def summed_up(contestant: Contestant, found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """A contestant's best batch size, its rate there, its peak of memory and the part of its spikes that are the engine's."""
    said, want = found[contestant.name], found[ENGINE.name][0].get("output")
    if "reason" in said[0] or want is None:
        return {"reason": said[0].get("reason", "there is no engine to compare with")}
    rates = [max(s["timings"][i]["samples_per_s"] for s in said) for i in range(len(said[0]["timings"]))]
    best = int(np.argmax(rates))
    got = said[0]["output"]
    same, fired = got == want[: len(got)], (got | want[: len(got)]) > 0
    return {
        "by": said[0]["by"], "batch": said[0]["timings"][best].get("batch"), "samples": said[0]["timings"][best]["samples"],
        "samples_per_s": rates[best], "rates": rates, "peak_bytes": max(s["peak_bytes"] for s in said),
        "output_spikes": int(got.sum()), "equal_slots": float(same.mean()),
        "equal_where_one_fires": float(same[fired].mean()) if fired.any() else 1.0, "exact": bool(same.all()),
        "must_be_exact": contestant.exact,
    }  # fmt: skip


def work(folder: Path, samples: int) -> dict[str, Any]:
    """Sizes of a network, and of one sample: synapses times steps, and messages that reach a synapse (on the first samples)."""
    net = store.load(folder / "net.snnc")
    raster = np.load(folder / "inputs.npy", mmap_mode="r")[:samples]
    spikes = engine.simulate(net, {net.inputs[0].name: raster}).spikes
    sent = {name: np.count_nonzero(s, axis=(0, 1)) for name, s in spikes.items()}
    synapses = sum(c.op.synapse_count for c in net.connections)
    return {
        "synapses": synapses, "neurons": sum(p.size for p in net.populations if p.neuron),
        "synapse_steps_per_sample": synapses * networks.STEPS,
        "synaptic_operations_per_sample": sum(float(sent[c.src] @ c.op.fan_out()) for c in net.connections) / len(raster),
        "rates": {name: float((s > 0).mean()) for name, s in spikes.items()},
    }  # fmt: skip


def by_activity(scratch: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Samples a second of each kernel, for many samples and for one at a time, as the input's activity grows."""
    rows = []
    for activity in ACTIVITIES:
        folder = scratch / f"activity {activity}"
        networks.write(networks.mlp(0.05), networks.noise(ENGINE.samples[1], activity), folder)
        row: dict[str, Any] = {"activity": activity}
        for name, settings in KERNELS.items():
            said = run(ENGINE, folder, given, **{"samples": ENGINE.samples[1], "rounds": ALONE, **settings})
            row[name] = said["timings"][0]["samples_per_s"] if "timings" in said else None
        print(f"activity {activity:.0%}: {row}", file=sys.stderr)
        rows.append(row)
    return rows


def by_size(scratch: Path, raster: Any, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Samples a second and peak of memory of the engine, as the number of samples grows and as the hidden layer grows."""
    few = ENGINE.samples[1]
    cases = [(800, n) for n in (1, 16, 128, 512, few, 4 * few)[: 5 if given.quick else None]]
    cases += [(hidden, few) for hidden in ((400, 1600) if given.quick else (400, 1600, 3200, 6400))]
    rows = []
    for hidden, samples in cases:
        folder = scratch / f"size {hidden} {samples}"
        net = networks.mlp(0.05, hidden)
        networks.write(net, raster[:samples], folder)
        said = run(ENGINE, folder, given, samples=samples, rounds=ALONE)
        synapses = sum(c.op.synapse_count for c in net.connections)
        rate = said["timings"][0]["samples_per_s"]
        rows.append({"hidden": hidden, "synapses": synapses, "samples": samples, "samples_per_s": rate,
                     "synapse_steps_per_s": rate * synapses * networks.STEPS, "input_bytes": int(raster[:samples].nbytes),
                     "peak_bytes": said["peak_bytes"]})  # fmt: skip
        print(f"size: {rows[-1]}", file=sys.stderr)
    return rows


def ratios(found: dict[str, dict[str, Any]]) -> dict[str, float]:
    """By how much the engine is faster than each of the others, snnTorch at its better form."""
    rates = {name: said["samples_per_s"] for name, said in found.items() if "samples_per_s" in said}
    better = max((rate for name, rate in rates.items() if name.startswith("snnTorch")), default=None)
    others = {name: rate for name, rate in rates.items() if name != ENGINE.name and not name.startswith("snnTorch")}
    return {name: rates[ENGINE.name] / rate for name, rate in {**others, **({"snnTorch": better} if better else {})}.items()}


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few samples: to see that it works")
    parser.add_argument("--only", choices=PARTS, help="a part of it: the first network, the other networks, or growth")
    parser.add_argument("--threads", type=int, default=engine_threads())
    parser.add_argument("--rounds", type=int, default=3, help="of the first network; the others run once")
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ["SNNC_DATA"]) if "SNNC_DATA" in os.environ else None)
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help="a contestant's own Python")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    given.pythons = dict(pair.split("=", 1) for pair in given.python)
    return given


def engine_threads() -> int:
    """As many as there are processors for this program."""
    return len(os.sched_getaffinity(0))


def before(given: argparse.Namespace) -> dict[str, Any]:
    """What the parts that this run leaves out have measured, if --only asks for a part; else nothing."""
    if given.only and given.json and given.json.exists():
        kept: dict[str, Any] = json.loads(given.json.read_text())
        return kept
    return {"schema": "snnc.simulate/2", "steps": networks.STEPS, "targets": TARGETS, "runs": {}, "networks": {}}


def measure(part: str, scratch: Path, raster: Any, given: argparse.Namespace, result: dict[str, Any]) -> None:
    """One part, into ``result``."""
    if part == "growth":
        result["activity"], result["sizes"] = by_activity(scratch, given), by_size(scratch, raster, given)
        return
    first = part == "first"
    for number, (name, make) in enumerate(list(networks.NETWORKS.items())[slice(1) if first else slice(1, None)]):
        folder = scratch / str(number)
        networks.write(make(), raster, folder)
        found = compared(name, folder, first, given)
        result["networks"][name] = {"part": part, "work": work(folder, 64), "contestants": found, "ratios": ratios(found)}
    if first:
        result["shares"] = shares.measured(networks.mlp(0.05), raster[: ENGINE.samples[1]])


def main() -> int:
    """Measure, print the tables, and write them. Exit code 1 if spikes differ that have to be equal."""
    given = arguments()
    pictures, source = networks.images(given.data_dir)
    raster = networks.rasters(pictures[: ENGINE.samples[given.quick]])
    result = before(given)
    for part in (given.only,) if given.only else PARTS:
        result["runs"][part] = {
            "machine": machine.described(), "limits": machine.limits(given.threads), "threads": given.threads, "input": source,
            "command": machine.command(["python", "benchmarks/simulate.py", *sys.argv[1:]]), "commit": machine.commit(),
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as place:
            measure(part, Path(place), raster, given, result)
    text = tables.markdown(result)
    print(text)
    for path, content in ((given.json, json.dumps(result, indent=1) + "\n"), (given.markdown, text)):
        if path:
            path.write_text(content)
    return 1 if tables.broken(result) else 0


if __name__ == "__main__":
    sys.exit(main())
