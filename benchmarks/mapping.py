"""What each mapping strategy needs: cores, packets x hops, busiest core, run time, beside lower bounds that hold for all.

Networks with random masks of the sizes that the docs speak of (the 6Conv2FC network of Grad R's experiments at two widths, with
its max pools as neurons; a large MLP), and any trained .snnc files that are named. Every neuron counts as firing once an
inference. Each network lies on Loihi 1, on Loihi 2 and on a Loihi 1 whose cores hold 256 neurons; where one chip is too small, on
the smallest published system of it. After that, how run time and memory grow with the synapses of 6Conv2FC, up to 10 million.
Beside the lower bound that holds for all, one of `random_masks.py` stands for chains of random dense layers.

    python benchmarks/mapping.py [--only mlp,narrow,full,scaling] [--rule loihi1_nxtf] [--json FILE] [MODEL.snnc ...]

A --json file that is there keeps its rows of other networks, so that the parts can be run one after the other.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from peers import machine
from peers.case import peak_bytes
from random_masks import RISK, Layer, cores

from snnc import chips, neurons, store
from snnc.chips.profile import Profile
from snnc.errors import SnncError
from snnc.mapping import strategies
from snnc.mapping.choose import map_by
from snnc.mapping.lower_bounds import lower_bounds
from snnc.mapping.task import Task
from snnc.network.model import Connection, Network, Population
from snnc.network.op import Op
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d

LIF = neurons.get("lif")
Row = dict[str, Any]
WIDTHS = (64, 112, 200)  # of 6Conv2FC at 1 %: 1, 3 and 10 million synapses


def network(name: str, shape: tuple[int, ...], layers: list[Callable[[tuple[int, ...]], Op]]) -> Network:
    """A chain of operators, each with LIF neurons behind it."""
    populations, connections = [Population("input", shape, None)], []
    for i, layer in enumerate(layers, 1):
        op = layer(populations[-1].shape)
        populations.append(Population(f"layer{i}", op.dst_shape, LIF.example()))
        connections.append(Connection(f"c{i}", populations[-2].name, populations[-1].name, op))
    return Network(name, tuple(populations), tuple(connections), 1e-3)


def conv(channels: int, density: float, rng: np.random.Generator) -> Callable[[tuple[int, ...]], Op]:
    def made(shape: tuple[int, ...]) -> Op:
        kernel = rng.normal(0, 1, (channels, shape[0], 3, 3))
        mask = rng.random(kernel.shape) < density
        return Conv2d.from_kernel(kernel, shape, padding=1, mask=mask)

    return made


def pool(shape: tuple[int, ...]) -> Op:
    return SumPool2d.of_weight(1.0, Window((shape[0], shape[1], shape[2]), (2, 2), (2, 2)))


def full(outputs: int, density: float, rng: np.random.Generator) -> Callable[[tuple[int, ...]], Op]:
    def made(shape: tuple[int, ...]) -> Op:
        n_src, each = int(np.prod(shape)), max(1, round(density * int(np.prod(shape))))
        columns = np.sort(np.stack([rng.choice(n_src, each, replace=False) for _ in range(outputs)]), axis=1)
        indptr = np.arange(outputs + 1, dtype=np.int64) * each
        return Dense(Synapses((outputs, n_src), indptr, columns.astype(np.int32).ravel(), rng.normal(0, 1, columns.size)))

    return made


def conv6(name: str, width: int, hidden: int, density: float) -> Network:
    """6Conv2FC on 32 x 32 images."""
    rng = np.random.default_rng(0)
    block = [*(conv(width, density, rng) for _ in range(3)), pool]
    return network(name, (3, 32, 32), [*block, *block, full(hidden, density, rng), full(100, density, rng)])


def networks(only: list[str], models: list[Path]) -> Iterator[Network]:
    for model in models:
        net = store.load(model)
        kept = sum(c.op.synapse_count for c in net.connections) / sum(c.op.possible_synapses for c in net.connections)
        yield replace(net, name=f"{net.name} at {100 * kept:.2g} %")
    rng = np.random.default_rng(0)
    if "mlp" in only:
        yield network("mlp 784-4096-4096-10 at 2 %", (784,), [full(n, 0.02, rng) for n in (4096, 4096, 10)])
    if "narrow" in only:
        yield conv6("6Conv2FC, width 32, at 1 %", 32, 256, 0.01)
    if "full" in only:
        yield conv6("6Conv2FC, width 256, at 1 %", 256, 2048, 0.01)


def systems(base: str, neurons_per_core: int | None = None) -> list[Profile]:
    """A chip and its systems, the smallest first."""
    found = sorted((p for p in map(chips.load, chips.names()) if p.family == base), key=lambda p: (p.cores, p.name))
    if neurons_per_core is None:
        return found
    limits = {**found[0].limits, "neurons_per_core": neurons_per_core}
    return [replace(p, name=f"{p.name}, {neurons_per_core} neurons a core", limits=limits) for p in found]


def measured(net: Network, chips: list[Profile]) -> Iterator[Row]:
    """A row for each strategy, on the first system that all of them fit."""
    slices = len(Task.of(net, chips[-1]).slices)
    profile = next((p for p in chips if p.cores >= 1.05 * slices), chips[-1])
    random = cores_of_random(net, profile)
    for name in strategies.names():
        clock, cpu, task = perf_counter(), process_time(), Task.of(net, profile)
        try:
            mapped = map_by(task, name)
        except SnncError as error:
            yield {"network": net.name, "profile": profile.name, "strategy": name, "failed": str(error)}
            continue
        yield {
            "network": net.name, "profile": profile.name, "strategy": name, "cores": mapped.cores,
            "packets": mapped.census.packets, "packet_hops": mapped.packet_hops, "busiest_operations": mapped.busiest_operations,
            "clock_s": perf_counter() - clock, "cpu_s": process_time() - cpu,
            "synapses": sum(c.op.synapse_count for c in net.connections), "lower_bounds": asdict(lower_bounds(task)),
            "random_masks_cores": random,
        }  # fmt: skip


def cores_of_random(net: Network, profile: Profile) -> int | None:
    """By `random_masks.py`, of the two layers after each other that need most; None if they are not all random and dense.

    Nor by another rule for synapse memory than nengo-loihi's."""
    layers = [c.op for c in net.connections]
    if not profile.storage or profile.storage.model != "nengo-loihi":
        return None
    if any(op.kind != "dense" or len(set(op.fan_in().tolist())) > 1 for op in layers) or net.done:
        return None
    risk = RISK / len(layers)
    drawn = [Layer.random(op.n_dst, op.n_src, int(op.fan_in()[0]), profile.storage, risk) for op in layers]
    return max(cores(a, b, profile, profile.weight_bits or 0) for a, b in pairwise(drawn))


def by_rule(chip: Profile, name: str) -> Profile:
    """The chip with limits, synapse memory and output axons as in another profile."""
    rule = chips.load(name)
    return replace(chip, limits=rule.limits, storage=rule.storage, off_chip_axon_slots=rule.off_chip_axon_slots)


def scaling(width: int, rule: str) -> Row:
    """Seconds for each strategy, cutting included, and the peak memory of this process."""
    net = conv6("scaling", width, 256, 0.01)
    rows = list(measured(net, [by_rule(chip, rule) for chip in systems("loihi1")]))
    kept = ("cores", "packet_hops", "clock_s", "cpu_s", "failed")
    return {
        "width": width, "synapses": rows[0]["synapses"], "neurons": sum(p.size for p in net.populations if p.neuron),
        "profile": rows[0]["profile"], "peak_memory_gb": peak_bytes() / 1e9,
        "strategies": {row["strategy"]: {key: row[key] for key in kept if key in row} for row in rows}, **machine.circumstances(),
    }  # fmt: skip


def in_a_process(width: int, rule: str) -> Row:
    """`scaling` in a process of its own, so that its memory is."""
    command = [sys.executable, __file__, "--width", str(width), "--rule", rule]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def scaling_table(rows: list[Row]) -> str:
    """The rows of `scaling` as a table of a document."""
    names = list(rows[0]["strategies"])
    head = ["synapses", "neurons", "chip", *(f"{name}, s" for name in names), "all, s", "s / (n log n), relative", "peak GB"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    first = 0.0
    for r in rows:
        seconds = [r["strategies"][name]["clock_s"] for name in names]
        unit = sum(seconds) / (r["synapses"] * np.log(r["synapses"]))
        first = first or unit
        cells = [f"{r['synapses']:,}", f"{r['neurons']:,}", r["profile"], *(f"{s:.1f}" for s in (*seconds, sum(seconds)))]
        lines.append("| " + " | ".join([*cells, f"{unit / first:.2f}", f"{r['peak_memory_gb']:.2f}"]) + " |")
    return "\n".join(lines)


def table(rows: list[Row]) -> str:
    """The rows as a table of a document."""
    head = ("network", "chip", "strategy", "cores (bound)", "packets x hops", "busiest core, operations", "s")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in rows:
        start = f"| {r['network']} | {r['profile']} | {r['strategy']} |"
        if "failed" in r:
            lines.append(f"{start} {r['failed']} | | | |")
            continue
        random = f"; random masks: {r['random_masks_cores']}" if r["random_masks_cores"] else ""
        cores = f"{r['cores']} ({r['lower_bounds']['cores']}{random})"
        lines.append(f"{start} {cores} | {r['packet_hops']:,.0f} | {r['busiest_operations']:,.0f} | {r['clock_s']:.1f} |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the mapping strategies.")
    parser.add_argument("models", nargs="*", type=Path, help=".snnc files")
    parser.add_argument("--only", default="mlp,narrow,full,scaling", help="which of the random networks, or none")
    parser.add_argument("--width", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rule", default="loihi1", help="with scaling: by whose limits and rule for synapse memory")
    parser.add_argument("--json", type=Path, help="write the rows here; those of other networks stay")
    return parser.parse_args()


def written(path: Path | None) -> dict[str, Any]:
    """What is in the file already."""
    there: dict[str, Any] = json.loads(path.read_text()) if path and path.exists() else {"rows": [], "scaling": []}
    return there


def main() -> None:
    options = arguments()
    if options.width:
        print(json.dumps(scaling(options.width, options.rule)))
        return
    rows: list[Row] = []
    for net in networks(options.only.split(","), options.models):
        for chip_systems in (systems("loihi1"), systems("loihi2"), systems("loihi1", neurons_per_core=256)):
            for row in measured(net, chip_systems):
                rows.append({**row, **machine.circumstances()})
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    grown = [in_a_process(width, options.rule) for width in WIDTHS] if "scaling" in options.only else []
    before, again = written(options.json), {row["network"] for row in rows}
    rows = [row for row in before["rows"] if row["network"] not in again] + rows
    grown = grown or before["scaling"]
    print(table(rows), scaling_table(grown) if grown else "", sep="\n\n")
    if options.json:
        here = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
        options.json.write_text(json.dumps({**before, "machine": here, "rows": rows, "scaling": grown}, indent=1) + "\n")


if __name__ == "__main__":
    main()
