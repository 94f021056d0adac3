"""Pruning until a network fits so many cores of a chip: spread over layers as the planner does, and uniformly, beside each other.

A 784-800-10 network is trained on MNIST for each seed; dense it needs so many cores. It is then pruned to half and to a quarter
of them, once with the connectivity of each layer from `snnc.budget.plan.plan` (what `snnc prune --fit` does) and once with the
same connectivity for every layer, the largest that fits (`uniform`). All else is equal: method, seeds, chip, and epochs, as the
one that fits in fewer rounds is trained on as a further round would be. Accuracies are those on all test samples; the fixed
network is simulated in the chip's integers.

    python benchmarks/prune_to_fit.py --data-dir DIR [--seeds 3] --out results/prune_to_fit.json

Rows that are in --out already, of the same settings, are not run again.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from peers import machine

from snnc import chips, data, store
from snnc.budget.goal import Goal
from snnc.budget.measure import measure
from snnc.budget.plan import plan, uniform
from snnc.data.dataset import Dataset
from snnc.mapping.choose import map_by
from snnc.mapping.task import Task
from snnc.network.model import Network
from snnc.passes.quantise import quantise
from snnc.training.loop.record import Record
from snnc.training.loop.source import source
from snnc.training.pruning.prune import prune
from snnc.training.pruning.prune_to_fit import Round, further, prune_to_fit
from snnc.training.settings import PruneConfig, TrainConfig
from snnc.training.train import train
from snnc.verification.evaluate import evaluate

CHIP = "loihi1"
SPREADS = {"planned": plan, "uniform": uniform}
Row = dict[str, Any]


def row(kind: str, seed: int, asked: int | None, net: Network, fixed: Network, test: Dataset, accuracy: float) -> Row:
    """One line of the table; mapped anew, every limit held against the chip."""
    mapped = map_by(Task.of(fixed, chips.load(CHIP)), "greedy")
    return {
        "network": kind, "seed": seed, "cores_asked": asked, "cores": mapped.cores,
        "connectivity": {c.name: c.op.synapses.count / c.op.parameters for c in net.connections},
        "test_accuracy_float": accuracy, "test_accuracy_fixed": evaluate(fixed, test).accuracy, "hash": fixed.hash,
    }  # fmt: skip


def dense(config: TrainConfig, images: Dataset, test: Dataset, out: Path | None) -> Network:
    """Trained, or taken from where it was kept."""
    path = out and out / f"dense-{config.seed}.snnc"
    if path and path.exists():
        return store.load(path)
    net = train(images, test, config, Record(quiet=True))
    if path:
        store.save(net, path)
    return net


def rows(options: argparse.Namespace, images: Dataset, test: Dataset, there: list[Row]) -> Iterator[Row]:
    """Those that are not there yet."""
    have = {(r["network"], r["seed"], r["cores_asked"]) for r in there}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        net = dense(training(options, seed), images, test, options.keep)
        reached = net.done[0].settings["reached"]["test_accuracy"]
        if ("dense", seed, None) not in have:
            yield row("dense", seed, None, net, quantise(net, chips.load(CHIP)), test, reached)
        cores = int(measure(net, chips.load(CHIP))["cores"])
        for asked in sorted({cores // 4, cores // 2}):
            if any((kind, seed, asked) not in have for kind in SPREADS):
                yield from pair(options, net, images, test, seed, asked)


def pair(options: argparse.Namespace, net: Network, images: Dataset, test: Dataset, seed: int, asked: int) -> Iterator[Row]:
    """To so many cores, planned and uniformly, in equally many epochs."""
    config, goal = pruning(options, seed), Goal.parse(f"{CHIP}:cores={asked}")
    made: dict[str, tuple[Round, ...]] = {}
    took: dict[str, float] = {}
    for kind, spread in SPREADS.items():
        started = time.perf_counter()
        made[kind] = prune_to_fit(net, images, config, goal, test=test, spread=spread, say=told)
        took[kind] = round(time.perf_counter() - started, 1)
    most = max(map(len, made.values()))
    for kind, rounds in made.items():
        last = rounds[-1].net
        for _ in range(most - len(rounds)):
            last = prune(last, images, further(config), test, Record(quiet=True))
        accuracy = [stage.settings["reached"]["test_accuracy"] for stage in last.done if "reached" in stage.settings][-1]
        planned = [r.net.done[-1].settings["planned"] for r in rounds]
        how = {"rounds": len(rounds), "trained_on": most - len(rounds), "planned": planned, "seconds": took[kind]}
        yield {**row(kind, seed, asked, last, quantise(last, goal.profile), test, accuracy), **how}


def training(options: argparse.Namespace, seed: int) -> TrainConfig:
    return TrainConfig(hidden=(800,), steps=options.steps, epochs=options.train_epochs, lr=2e-3, seed=seed)


def pruning(options: argparse.Namespace, seed: int) -> PruneConfig:
    return PruneConfig(connectivity=1.0, epochs=options.epochs, lr=3e-3, seed=seed)


def told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def table(found: list[Row]) -> str:
    """The means over seeds as a table of a document."""
    lines = [
        "| network | cores asked | cores got | rounds | fc1 | fc2 | accuracy, float | accuracy, fixed | by seed |",
        "|" + "---|" * 9,
    ]
    for kind, asked in sorted({(r["network"], r["cores_asked"]) for r in found}, key=lambda k: (-(k[1] or 1000), k[0])):
        same = [r for r in found if (r["network"], r["cores_asked"]) == (kind, asked)]
        shares = [mean(r["connectivity"][name] for r in same) for name in ("fc1", "fc2")]
        accuracies = [mean(r[key] for r in same) for key in ("test_accuracy_float", "test_accuracy_fixed")]
        cells = [kind, asked or "", *(", ".join(sorted({str(r.get(key, "")) for r in same})) for key in ("cores", "rounds"))]
        cells += [f"{share:.1%}" for share in shares] + [f"{a:.2%}" for a in accuracies]
        cells += [", ".join(f"{r['test_accuracy_fixed']:.2%}" for r in same)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Prune to a number of cores, planned and uniformly.")
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with the four files of MNIST")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=8, help="time steps a sample")
    parser.add_argument("--train-epochs", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=8, help="of pruning")
    parser.add_argument("--keep", type=Path, help="folder in which the dense networks are kept, and taken from")
    parser.add_argument("--out", type=Path, required=True, help="the rows, written after each")
    options = parser.parse_args()
    images, test = (data.load("mnist", split, options.data_dir) for split in ("train", "test"))
    settings = {"chip": CHIP, "train": fields(training(options, 0)), "prune": fields(pruning(options, 0))}
    found = there(options.out, settings)
    for line in rows(options, images, test, found):
        found.append(line)
        told(json.dumps(line))
        options.out.write_text(json.dumps(body(settings, found), indent=1) + "\n")
    print(table(found))


def fields(config: Any) -> dict[str, Any]:
    """As JSON values; the seed is that of the row."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items() if k != "seed"}


def there(out: Path, settings: dict[str, Any]) -> list[Row]:
    """The rows of an earlier run with these settings."""
    if not out.exists():
        return []
    earlier = json.loads(out.read_text())
    if earlier["settings"] != settings:
        sys.exit(f"{out} holds rows of other settings")
    return list(earlier["rows"])


def body(settings: dict[str, Any], found: list[Row]) -> dict[str, Any]:
    """What is written."""
    return {
        "schema": "snnc.benchmark/1", "benchmark": "prune_to_fit",
        "command": machine.command(["python", "benchmarks/prune_to_fit.py", *sys.argv[1:]]), **source(),
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine()}, "settings": settings, "rows": found,
    }  # fmt: skip


if __name__ == "__main__":
    main()
