"""Packets x hops of every mapping strategy: the cortical microcircuit, convolutions, and networks of a published mapper.

The networks of HySMap (https://github.com/amineux/HySMap, results/bench.csv at commit 692a4f8, a library after Ronzani and
Silvano, arXiv 2601.16118, and Khorasanian, arXiv 2608.26223) are made again, neuron by neuron and synapse by synapse, from the
parameters of its generator: `published` refuses one that has another number of synapses than the file says. Its figures are
routed multicast hops: a spike takes each link of the XY routes to all of its cores once. They are counted here for the
mappings of snnc, too, which save packets x hops instead, a packet for each core.

HySMap fills every core of the mesh with n / cores neurons, 15 % more or fewer, rounded up and down. A limit of neurons has no
lower end, so there are two rows: `up to 15 % more` has HySMap's upper limit and may leave cores empty, `even` has the least
limit by which all neurons fit, so that nearly all cores are used.

    python benchmarks/partitioners.py [--only hysmap,microcircuit,convolutions] [--scale 0.05] [--json FILE]

A --json file that is there keeps its rows of the parts that are not run.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from math import ceil, exp, floor, log, nextafter, sqrt
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from mapping import conv6
from numpy.typing import NDArray
from peers import machine
from peers.case import peak_bytes

import snnc
from snnc import chips, neurons
from snnc.chips.profile import Mesh, Profile
from snnc.errors import SnncError
from snnc.mapping import strategies
from snnc.mapping.arrange import tiles
from snnc.mapping.choose import Mapped, map_by
from snnc.mapping.lower_bounds import lower_bounds
from snnc.mapping.task import Task, of_slices
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense

Row = dict[str, Any]
SOURCE = "https://github.com/amineux/HySMap, results/bench.csv at commit 692a4f8"
# (neurons, side of the mesh) -> of each seed: synapses, and routed multicast hops of the mappers of HySMap
PUBLISHED = {
    (80, 4): [
        (611, 4463.6, 4130.8, 3323.2, 3351.6),
        (603, 4357.5, 4257.5, 3440.5, 3440.5),
        (611, 4836.0, 5155.4, 3836.6, 3836.6),
    ],
    (80, 5): [
        (600, 5581.6, 5229.7, 4500.0, 4500.0),
        (605, 5860.0, 5265.2, 4605.5, 4411.5),
        (586, 5738.6, 5314.9, 4831.9, 4538.6),
    ],
    (80, 6): [
        (593, 6148.7, 5780.7, 5420.7, 5363.7),
        (580, 6447.7, 6224.9, 5928.8, 5356.0),
        (597, 6465.8, 5932.0, 5085.1, 5254.7),
    ],
    (108, 4): [
        (972, 6523.8, 6204.7, 5024.7, 5188.4),
        (978, 6389.1, 6101.1, 4944.0, 4937.0),
        (992, 6553.1, 6534.1, 5317.7, 5304.0),
    ],
    (108, 5): [
        (913, 8396.3, 8254.2, 6658.5, 6687.4),
        (996, 9125.4, 8410.1, 7278.4, 7278.4),
        (957, 8528.2, 8057.7, 7343.7, 7100.1),
    ],
    (108, 6): [
        (905, 9867.9, 9423.5, 7430.4, 7418.1),
        (925, 11075.0, 10059.4, 8146.5, 8159.4),
        (962, 10265.9, 9951.4, 7913.5, 7746.9),
    ],
}
MAPPERS = ("edge-qap", "activity-qap", "spectral", "hysmap")
SLACK = 0.15  # of HySMap's cores
LIMITS = ("up to 15 % more", "even")

# Its generator: populations after Potjans and Diesmann (2014), part of all neurons and mean rate of each
POPULATIONS = (
    (0.2681, 5.5), (0.0756, 11.0), (0.2840, 8.5), (0.0710, 14.0), (0.0629, 7.0), (0.0138, 12.0), (0.1865, 3.5), (0.0382, 9.0),
)  # fmt: skip
PROBABILITIES = (  # rows are sources, columns are targets
    (0.101, 0.135, 0.008, 0.069, 0.100, 0.055, 0.016, 0.036),
    (0.169, 0.137, 0.006, 0.003, 0.062, 0.027, 0.007, 0.001),
    (0.088, 0.032, 0.079, 0.100, 0.051, 0.009, 0.003, 0.000),
    (0.082, 0.052, 0.080, 0.130, 0.007, 0.000, 0.000, 0.000),
    (0.032, 0.075, 0.007, 0.006, 0.083, 0.060, 0.004, 0.015),
    (0.000, 0.000, 0.001, 0.000, 0.000, 0.000, 0.000, 0.000),
    (0.008, 0.004, 0.045, 0.000, 0.028, 0.000, 0.016, 0.007),
    (0.000, 0.000, 0.000, 0.000, 0.000, 0.000, 0.000, 0.000),
)
GREATEST, WITHIN, SPREAD = 4, 0.02, 0.35  # population that takes what rounding leaves; more within one; of log rates


class Twister:
    """The 64-bit Mersenne Twister (Nishimura, 2000), and uniform and normal numbers as libstdc++ draws them."""

    SIZE, MIDDLE, WORD = 312, 156, (1 << 64) - 1

    def __init__(self, seed: int) -> None:
        self.state = [seed]
        for i in range(1, self.SIZE):
            last = self.state[-1]
            self.state.append((6364136223846793005 * (last ^ last >> 62) + i) & self.WORD)
        self.at = self.SIZE

    def uniform(self) -> float:
        """Return a number from 0 to below 1."""
        return min(float(self._word()) / 2.0**64, nextafter(1.0, 0.0))

    def normal(self) -> float:
        """Return a number of a standard normal distribution, by Marsaglia's polar method; its second number is thrown away."""
        while True:
            x, y = 2 * self.uniform() - 1, 2 * self.uniform() - 1
            if 0 < (square := x * x + y * y) <= 1:
                return y * sqrt(-2 * log(square) / square)

    def _word(self) -> int:
        if self.at == self.SIZE:
            self._twist()
        word = self.state[self.at]
        self.at += 1
        word ^= word >> 29 & 0x5555555555555555
        word ^= word << 17 & 0x71D67FFFEDA60000
        word ^= word << 37 & 0xFFF7EEE000000000
        return word ^ word >> 43

    def _twist(self) -> None:
        state, upper = self.state, self.WORD << 31 & self.WORD
        for i in range(self.SIZE):
            mixed = state[i] & upper | state[(i + 1) % self.SIZE] & ~upper & self.WORD
            state[i] = state[(i + self.MIDDLE) % self.SIZE] ^ mixed >> 1 ^ (0xB5026F5AA96619E9 if mixed & 1 else 0)
        self.at = 0


def generated(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (rate of each neuron, (n,); synapses, (targets, sources), 1 where there is one)."""
    drawn = Twister(seed)
    sizes = [max(1, floor(part * n + 0.5)) for part, _ in POPULATIONS]
    sizes[2] += n - sum(sizes)
    rates = [
        max(0.05, exp(SPREAD * drawn.normal() + log(mean)))
        for size, (_, mean) in zip(sizes, POPULATIONS, strict=True)
        for _ in range(size)
    ]
    inflated = min(8.0, max(1.0, 18 / sqrt(n)))
    ends = np.cumsum([0, *sizes]).tolist()
    mask = np.zeros((n, n))
    for a, row in enumerate(PROBABILITIES):
        for b, probability in enumerate(row):
            p = min(1.0, probability * inflated + (WITHIN if a == b else 0.0))
            for source in range(ends[a], ends[a + 1]) if p else ():
                for target in range(ends[b], ends[b + 1]):
                    if source != target and drawn.uniform() < p:
                        mask[target, source] = 1.0
    return np.array(rates), mask


def published(n: int, side: int, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `generated` for a row of `PUBLISHED`. Raises ValueError if it has not as many synapses."""
    rates, mask = generated(n, n + side + 17 * (number + 1))
    wanted = PUBLISHED[n, side][number][0]
    if mask.sum() != wanted:
        raise ValueError(f"the network of {n} neurons has {int(mask.sum())} synapses, {wanted} were published")
    return rates, mask


def on_a_mesh(n: int, side: int, number: int) -> Iterator[Row]:
    """Yield rows of every strategy on a network of HySMap."""
    rates, mask = published(n, side, number)
    populations = (Population("input", (1,), None), Population("cells", (n,), neurons.get("lif").example()))
    within = Connection("within", "cells", "cells", Dense(Synapses.from_dense(mask)), 1)
    first = Connection("first", "input", "cells", Dense(Synapses.from_dense(np.ones((n, 1)))))
    net = Network("hysmap", populations, (first, within), 1e-3)
    _, *figures = PUBLISHED[n, side][number]
    for limit, most in zip(LIMITS, (ceil((1 + SLACK) * n / side**2), ceil(n / side**2)), strict=True):
        mesh = replace(
            chips.load("loihi2"), name=f"mesh {side} x {side}", cores=side**2, mesh=Mesh(side, side, 1), totals={},
            limits={"neurons_per_core": most},
        )  # fmt: skip
        task = Task.of(net, mesh, {"input": np.zeros(1), "cells": rates})
        for row, mapped in each(task):
            extra = {"multicast_hops": multicast(task, mapped, mask, rates)} if mapped else {}
            yield {
                "part": "hysmap", "network": f"{n} neurons", "mesh": side, "number": number + 1, "limit": limit,
                "neurons_per_core": most, "published": dict(zip(MAPPERS, figures, strict=True)), "source": SOURCE, **row, **extra,
            }  # fmt: skip


def multicast(task: Task, mapped: Mapped, mask: NDArray[np.float64], rates: NDArray[np.float64]) -> float:
    """Return rate x links that the XY routes from each neuron to its cores take together."""
    core = of_slices(task, tuple(core.slices for core in mapped.mapping.cores))["cells"]
    column, row = tiles(task.profile, mapped.places[core])
    total = 0.0
    for source, rate in enumerate(rates.tolist()):
        x, y, links = int(column[source]), int(row[source]), set[tuple[int, int, int, int]]()
        for target in np.flatnonzero(mask[:, source]).tolist():
            links |= _route(x, y, int(column[target]), int(row[target]))
        total += rate * len(links)
    return total


def _route(x: int, y: int, to_x: int, to_y: int) -> set[tuple[int, int, int, int]]:
    """Return the directed links of a route along the row, then the column."""
    right, down = (1 if to_x > x else -1), (1 if to_y > y else -1)
    across = {(at, y, at + right, y) for at in range(x, to_x, right)}
    return across | {(to_x, at, to_x, at + down) for at in range(y, to_y, down)}


def each(task: Task) -> Iterator[tuple[Row, Mapped | None]]:
    """Yield what each strategy costs, beside the lower bounds, and its mapping."""
    bounds = asdict(lower_bounds(task))
    for name in strategies.names():
        start, anew = process_time(), Task.of(task.net, task.profile, task.rates, task.seed)
        row: Row = {"strategy": name, "lower_bounds": bounds, **machine.circumstances()}
        try:
            mapped = map_by(anew, name)
        except SnncError as error:
            yield {**row, "failed": str(error)}, None
            continue
        yield {
            **row, "cores": mapped.cores, "packets": mapped.census.packets, "packet_hops": mapped.packet_hops,
            "busiest_link": mapped.busiest_link, "cpu_s": process_time() - start, "peak_gb": peak_bytes() / 1e9,
        }, mapped  # fmt: skip


def microcircuit(scale: float) -> Iterator[Row]:
    """Yield rows of every strategy on the microcircuit with a part of its neurons, on one chip and on one with small cores."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
    from microcircuit import microcircuit as built

    net = snnc.quantise(built(scale), "loihi2")
    for profile in (chips.load("loihi2"), _small(chips.load("kapoho_point"))):
        for row, _ in each(Task.of(net, profile)):
            yield {
                "part": "microcircuit", "network": f"microcircuit, {100 * scale:g} %", "chip": profile.name,
                "synapses": sum(c.op.synapse_count for c in net.connections), **row,
            }  # fmt: skip


def convolutions() -> Iterator[Row]:
    """Yield rows of every strategy on 6Conv2FC of width 32 at 1 %, on a chip of Loihi 2 and on two of Loihi 1."""
    net = conv6("6Conv2FC, width 32, at 1 %", 32, 256, 0.01)
    for profile in map(chips.load, ("loihi2", "kapoho_bay")):
        for row, _ in each(Task.of(net, profile)):
            yield {"part": "convolutions", "network": net.name, "chip": profile.name, **row}


def _small(system: Profile) -> Profile:
    """Return a system of chips of 16 cores, each of which holds an eighth of the weights, so that several chips are needed."""
    limits = {**system.limits, "weight_bytes_per_core": system.limits["weight_bytes_per_core"] // 8}
    return replace(
        system, name="8 chips of 16 small cores", cores=16 * system.chips, limits=limits, mesh=Mesh(4, 4, 1), totals={}
    )


def hysmap_table(rows: list[Row], key: str) -> str:
    """Return means over the seeds of multicast hops or packets x hops as a table of a document; cores in brackets."""
    theirs, ours = (MAPPERS if key == "multicast_hops" else ()), strategies.names()
    head = ["neurons", "mesh", *(f"{mapper}, published" for mapper in theirs), "neurons on a core", *ours]
    head += [] if theirs else ["lower bound"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for n, side in PUBLISHED:
        published = [f"{np.mean([figures[1 + i] for figures in PUBLISHED[n, side]]):,.0f}" for i in range(len(theirs))]
        for limit in LIMITS if ceil((1 + SLACK) * n / side**2) > ceil(n / side**2) else LIMITS[:1]:
            own = [r for r in rows if (r["network"], r["mesh"], r["limit"]) == (f"{n} neurons", side, limit)]
            cells = [_mean([r for r in own if r["strategy"] == name], key) for name in ours]
            bound = [] if theirs else [f"{np.mean([r['lower_bounds'][key] for r in own]):,.0f}"]
            most = f"at most {own[0]['neurons_per_core']}"
            lines.append("| " + " | ".join([str(n), f"{side} x {side}", *published, most, *cells, *bound]) + " |")
    return "\n".join(lines)


def _mean(rows: list[Row], key: str) -> str:
    if any("failed" in r for r in rows):
        return "too few cores"
    return f"{np.mean([r[key] for r in rows]):,.0f} ({np.mean([r['cores'] for r in rows]):.3g})"


def table(rows: list[Row]) -> str:
    """Return the rows of networks on chips as a table of a document."""
    lines = [
        "| network | chip | strategy | cores (bound) | packets (bound) | packets x hops (bound) | busiest link | processor, s |"
    ]
    lines.append("|" + "---|" * 8)
    for r in rows:
        start, least = f"| {r['network']} | {r['chip']} | {r['strategy']} |", r["lower_bounds"]
        if "failed" in r:
            lines.append(f"{start} {r['failed']} | | | | |")
            continue
        lines.append(
            f"{start} {r['cores']} ({least['cores']}) | {r['packets']:,.0f} ({least['packets']:,.0f}) | {r['packet_hops']:,.0f} "
            f"({least['packet_hops']:,.0f}) | {r['busiest_link']:,.0f} | {r['cpu_s']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare mapping strategies, and with published mappers.")
    parser.add_argument("--only", default="hysmap,microcircuit,convolutions", help="which parts")
    parser.add_argument("--scale", type=float, default=0.05, help="part of the microcircuit's neurons")
    parser.add_argument("--json", type=Path, help="write the rows here; those of other parts stay")
    options = parser.parse_args()
    parts, rows = options.only.split(","), list[Row]()
    for n, side in PUBLISHED if "hysmap" in parts else ():
        for number in range(len(PUBLISHED[n, side])):
            rows += on_a_mesh(n, side, number)
    if "microcircuit" in parts:
        rows += microcircuit(options.scale)
    if "convolutions" in parts:
        rows += convolutions()
    if options.json and options.json.exists():
        again = {(row["part"], row["network"]) for row in rows}
        before = json.loads(options.json.read_text())["rows"]
        rows = [row for row in before if (row["part"], row["network"]) not in again] + rows
    if options.json:
        options.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    of_hysmap = [row for row in rows if row["part"] == "hysmap"]
    tables = [hysmap_table(of_hysmap, key) for key in ("multicast_hops", "packet_hops")] if of_hysmap else []
    print(*tables, table([row for row in rows if "chip" in row]), sep="\n\n")


if __name__ == "__main__":
    main()
