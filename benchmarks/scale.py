"""How time and memory grow with the synapses: quantise, check and map the cortical microcircuit, and a network of 1.15e9 neurons.

The microcircuit (`examples/microcircuit.py`) with as many neurons as make 1e6, 1e7, 1e8 and 2.9e8 synapses, the last at full
density, given by rules on Hala Point; the first three with every synapse stored, too. Then `examples/hala_point.toml`. Each stage
is a process of its own, so that its memory is. Seconds are those of the processor (`cpu_s`) and of the clock. ``base_gb`` is the
peak of the same stage for a network of 1e5 synapses: Python, NumPy, numba and snnc.

    python benchmarks/scale.py [--only rules,stored,tiles,simulate] [--json FILE] [--figure FILE]

A --json file that is there keeps its other rows, so that the parts can be run one after the other.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from peers import machine
from peers.case import peak_bytes

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))

import microcircuit  # noqa: E402 - of the examples

import snnc.chips as chips  # noqa: E402
from snnc import importers, store  # noqa: E402
from snnc.budget.check import check  # noqa: E402
from snnc.mapping.choose import map_by  # noqa: E402
from snnc.mapping.task import Task  # noqa: E402
from snnc.network.model import Network  # noqa: E402
from snnc.passes.quantise import quantise  # noqa: E402
from snnc.pipeline.chip import map_tiles_with  # noqa: E402
from snnc.simulation import engine  # noqa: E402

Row = dict[str, Any]
FULL = 287_862_312  # synapses at full density
SIZES = (10**6, 10**7, 10**8, FULL)
STORED = SIZES[:3]
TINY = 10**5
SYSTEM, STRATEGY, STEPS = "hala_point", "greedy", 100
TILED = "tiles"


def built(kind: str, synapses: int) -> Network:
    """Return a float network: of rules, of stored synapses, or the example of equal tiles."""
    if kind == TILED:
        return importers.read(str(ROOT / "examples" / "hala_point.toml")).network
    net = microcircuit.microcircuit((synapses / FULL) ** 0.5)
    if kind == "rules":
        return net
    ops = (replace(c.op, synapses=c.op.synapses.block(0, c.op.n_dst)) for c in net.connections)
    return replace(net, connections=tuple(replace(c, op=op) for c, op in zip(net.connections, ops, strict=True)))


def quantised(path: Path) -> Row:
    net = quantise(store.load(path), chips.load("loihi2"))
    store.save(net, path.with_suffix(".fixed"), force=True)
    return {}


def checked(path: Path) -> Row:
    budget = check(store.load(path.with_suffix(".fixed")), chips.load(SYSTEM))
    return {"fits": budget.fits, "cores": budget.chip and budget.chip.used}


def mapped(path: Path) -> Row:
    net = store.load(path.with_suffix(".fixed"))
    if net.tiles > 1:
        tiled = map_tiles_with(net, SYSTEM, strategy="sequential")
        further = tiled.seconds_for_each_further_tile
        return {
            "cores": tiled.cores, "packet_hops": tiled.packet_hops, "seconds_for_each_further_tile": further,
            "busiest_link": tiled.busiest_link,
        }  # fmt: skip
    made = map_by(Task.of(net, chips.load(SYSTEM)), STRATEGY)
    return {"cores": made.cores, "packets": made.census.packets, "packet_hops": made.packet_hops}


def simulated(path: Path) -> Row:
    net = store.load(path.with_suffix(".fixed"))
    run = engine.simulate(net, microcircuit.background(net, STEPS), kernel="events", threads=2)
    return {"steps": STEPS, "spikes": {name: int(run.spikes[name].sum()) for name in microcircuit.SIZES}}


STAGES: dict[str, Callable[[Path], Row]] = {"quantise": quantised, "check": checked, "map": mapped, "simulate": simulated}


def stage(name: str, path: Path) -> Row:
    """Return what a stage makes, its time and the peak memory of this process."""
    clock, cpu = perf_counter(), process_time()
    told = STAGES[name](path)
    return {**told, "clock_s": perf_counter() - clock, "cpu_s": process_time() - cpu, "peak_gb": peak_bytes() / 1e9}


def measured(kind: str, synapses: int, stages: tuple[str, ...]) -> Row:
    """Return a row: each stage in a process of its own."""
    net = built(kind, synapses)
    row: Row = {
        "kind": kind, "synapses": sum(c.op.synapse_count for c in net.connections),
        "neurons": sum(p.size for p in net.populations if p.neuron), **machine.circumstances(),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path, tiny = Path(folder) / "network.snnc", Path(folder) / "tiny.snnc"
        store.save(net, path)
        del net
        if kind == "stored":
            store.save(built(kind, TINY), tiny)
        row["file_bytes"] = path.stat().st_size
        for name in stages:
            row[name] = _run(name, path) | ({"base_gb": _run(name, tiny).get("peak_gb")} if kind == "stored" else {})
            print(json.dumps({**{key: row[key] for key in ("kind", "synapses")}, name: row[name]}), file=sys.stderr, flush=True)
        row["fixed_file_bytes"] = path.with_suffix(".fixed").stat().st_size
    return row


def _run(name: str, path: Path) -> Row:
    """Return what a stage tells in a process of its own."""
    command = [sys.executable, __file__, "--stage", name, "--network", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr.strip().splitlines()[-1]}


def rows(only: list[str], most: int) -> Iterator[Row]:
    basic = ("quantise", "check", "map")
    if "rules" in only:
        for synapses in (n for n in SIZES if n <= most):
            yield measured("rules", synapses, (*basic, "simulate") if "simulate" in only else basic)
    if "stored" in only:
        for synapses in (n for n in STORED if n <= most):
            yield measured("stored", synapses, (*basic, "simulate"))
    if "tiles" in only:
        yield measured(TILED, 0, basic)


def slope(made: list[Row], name: str, what: str) -> float:
    """Return the slope of log(amount) over log(n log n), by least squares: 1 where it grows as n log n."""
    n = np.array([row["synapses"] for row in made], float)
    amounts = np.array([row[name][what] for row in made], float)
    return float(np.polyfit(np.log(n * np.log(n)), np.log(amounts), 1)[0])


def table(made: list[Row]) -> str:
    """Return the rows as a table of a document."""
    head = [
        "synapses",
        "neurons",
        "kind",
        "stage",
        "cores",
        "processor, s",
        "clock, s",
        "peak GB",
        "of it base",
        "bytes a synapse",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in made:
        for name in STAGES:
            if (of := row.get(name)) is None:
                continue
            start = f"| {row['synapses']:,} | {row['neurons']:,} | {row['kind']} | {name} |"
            if "failed" in of:
                lines.append(f"{start} {of['failed']} | | | | | |")
                continue
            base = of.get("base_gb")
            each = f"{(of['peak_gb'] - (base or 0)) * 1e9 / row['synapses']:.2g}"
            times = (of.get("cores") or "", f"{of['cpu_s']:.1f}", f"{of['clock_s']:.1f}")
            cells = (*times, f"{of['peak_gb']:.2f}", f"{base:.2f}" if base else "", each)
            lines.append(f"{start} {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def figure(made: list[Row], path: Path) -> None:
    """Draw time and memory over the synapses, both logarithmic, with a line of n log n."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "scale"
    import matplotlib.pyplot as plt

    grown = [row for row in made if row["kind"] == "rules"]
    n = np.array([row["synapses"] for row in grown], float)
    drawn, panels = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for panel, what, label in zip(panels, ("cpu_s", "peak_gb"), ("processor time, s", "peak memory, GB"), strict=True):
        for name in ("quantise", "check", "map"):
            panel.loglog(n, [row[name][what] for row in grown], "o-", label=name)
        line = n * np.log(n) / (n[-1] * np.log(n[-1])) * grown[-1]["map"][what]
        panel.loglog(n, line, "k:", label="n log n")
        panel.set(xlabel="synapses", ylabel=label)
    panels[0].legend(frameon=False)
    drawn.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how the stages grow.")
    parser.add_argument("--only", default="rules,stored,tiles,simulate")
    parser.add_argument("--most", type=int, default=FULL, help="synapses of rules and stored networks, at most")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--network", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the rows here; those of other kinds stay")
    parser.add_argument("--figure", type=Path, help="draw the growth (.svg)")
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(stage(options.stage, options.network)))
        return
    there: Row = json.loads(options.json.read_text()) if options.json and options.json.exists() else {"rows": []}
    made = {(row["kind"], row["synapses"]): row for row in there["rows"]}
    for row in rows(options.only.split(","), options.most):
        made[row["kind"], row["synapses"]] = row
        if options.json:
            here = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
            content = {
                "schema": "snnc.scale/1", "command": "python benchmarks/scale.py --json results/scale.json", "machine": here,
                "rows": sorted(made.values(), key=lambda row: (row["kind"], row["synapses"])),
            }  # fmt: skip
            options.json.write_text(json.dumps(content, indent=1) + "\n")
    ordered = sorted(made.values(), key=lambda row: (row["kind"], row["synapses"]))
    print(table(ordered))
    grown = [row for row in ordered if row["kind"] == "rules"]
    if len(grown) > 1:
        for name in ("quantise", "check", "map"):
            print(f"{name}: slope of time {slope(grown, name, 'cpu_s'):.2f}, of memory {slope(grown, name, 'peak_gb'):.2f}")
    if options.figure:
        figure(ordered, options.figure)


if __name__ == "__main__":
    main()
