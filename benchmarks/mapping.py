"""What each mapping strategy needs: cores, packets x hops, busiest core, run time, beside lower bounds that hold for all.

Networks with random masks of the sizes that the docs speak of (the 6Conv2FC network of Grad R's experiments at two widths, with
its max pools as neurons; a large MLP), and any trained .snnc files that are named. Every neuron counts as firing once an
inference. Each network lies on Loihi 1, on Loihi 2 and on a Loihi 1 whose cores hold 256 neurons; where one chip is too small, on
the smallest published system of it. After that, how run time and memory grow with the synapses of 6Conv2FC, up to 10 million.

    python benchmarks/mapping.py [--only mlp,narrow,full,scaling] [--json results/mapping.json] [MODEL.snnc ...]
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from snnc import hw, neurons, store
from snnc.errors import SnncError
from snnc.hw import Profile
from snnc.ir import Connection, Network, Population
from snnc.mapper import strategies
from snnc.mapper.choose import map_by
from snnc.mapper.lower_bounds import lower_bounds
from snnc.mapper.task import Task
from snnc.ops._base import Op
from snnc.ops._window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d
from snnc.synapses import Synapses

LIF = neurons.get("lif")
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
    found = sorted((p for p in map(hw.load, hw.names()) if p.family == base), key=lambda p: (p.cores, p.name))
    if neurons_per_core is None:
        return found
    limits = {**found[0].limits, "neurons_per_core": neurons_per_core}
    return [replace(p, name=f"{p.name}, {neurons_per_core} neurons a core", limits=limits) for p in found]


def measured(net: Network, chips: list[Profile]) -> Iterator[dict[str, object]]:
    """A row for each strategy, on the first system that all of them fit."""
    slices = len(Task.of(net, chips[0]).slices)
    profile = next((p for p in chips if p.cores >= 1.05 * slices), chips[-1])
    for name in strategies.names():
        task, start = Task.of(net, profile), process_time()
        try:
            mapped = map_by(task, name)
        except SnncError as error:
            yield {"network": net.name, "profile": profile.name, "strategy": name, "failed": str(error)}
            continue
        yield {
            "network": net.name, "profile": profile.name, "strategy": name, "cores": mapped.cores,
            "packets": mapped.found.packets, "packet_hops": mapped.packet_hops, "busiest_operations": mapped.busiest_operations,
            "cpu_s": process_time() - start, "synapses": sum(c.op.synapse_count for c in net.connections),
            "lower_bounds": asdict(lower_bounds(task)),
        }  # fmt: skip


def scaling(width: int) -> dict[str, object]:
    """CPU and clock seconds and the peak memory of this process for all strategies, with making and cutting the network."""
    net = conv6("scaling", width, 256, 0.01)
    clock, cpu = perf_counter(), process_time()
    rows = list(measured(net, systems("loihi1")))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    told = {row["strategy"]: {key: row.get(key) for key in ("cores", "packet_hops", "cpu_s", "failed")} for row in rows}
    synapses = sum(c.op.synapse_count for c in net.connections)
    return {
        "width": width, "synapses": synapses, "profile": rows[0]["profile"], "cpu_s": process_time() - cpu,
        "clock_s": perf_counter() - clock, "peak_memory_gb": peak, "strategies": told,
    }  # fmt: skip


def in_a_process(width: int) -> dict[str, object]:
    """`scaling` in a process of its own, so that its memory is."""
    done = subprocess.run([sys.executable, __file__, "--width", str(width)], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def scaling_table(rows: list[dict[str, object]]) -> str:
    """The rows of `scaling` as a table of a document."""
    lines = [
        "| synapses | chip | CPU s, all strategies | CPU s / (n log n), relative | clock s | peak GB |",
        "|---|---|---|---|---|---|",
    ]
    each = [r["cpu_s"] / (r["synapses"] * np.log(r["synapses"])) for r in rows]  # type: ignore[operator,call-overload]
    for r, unit in zip(rows, each, strict=True):
        lines.append(
            f"| {r['synapses']:,} | {r['profile']} | {r['cpu_s']:.1f} | {unit / each[0]:.2f} | {r['clock_s']:.0f}"
            f" | {r['peak_memory_gb']:.2f} |"
        )
    return "\n".join(lines)


def table(rows: list[dict[str, object]]) -> str:
    """The rows as a table of a document."""
    lines = ["| network | chip | strategy | cores (bound) | packets x hops | busiest core, operations | CPU s |"]
    lines.append("|---|---|---|---|---|---|---|")
    for r in rows:
        head = f"| {r['network']} | {r['profile']} | {r['strategy']} |"
        if "failed" in r:
            lines.append(f"{head} {r['failed']} | | | |")
            continue
        cores = f"{r['cores']} ({r['lower_bounds']['cores']})"  # type: ignore[index]
        lines.append(f"{head} {cores} | {r['packet_hops']:,.0f} | {r['busiest_operations']:,.0f} | {r['cpu_s']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the mapping strategies.")
    parser.add_argument("models", nargs="*", type=Path, help=".snnc files")
    parser.add_argument("--only", default="mlp,narrow,full,scaling", help="which of the random networks, or none")
    parser.add_argument("--width", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    if options.width:
        print(json.dumps(scaling(options.width)))
        return
    load = os.getloadavg()[0]
    rows = []
    for net in networks(options.only.split(","), options.models):
        for chips in (systems("loihi1"), systems("loihi2"), systems("loihi1", neurons_per_core=256)):
            for row in measured(net, chips):
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    grown = [in_a_process(width) for width in WIDTHS] if "scaling" in options.only else []
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(table(rows))
    if grown:
        print(scaling_table(grown))
    if options.json:
        loads = {"load_before": load, "load_after": os.getloadavg()[0]}
        body = {"commit": commit, "machine": machine | loads, "peak_memory_gb": memory, "rows": rows, "scaling": grown}
        options.json.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
