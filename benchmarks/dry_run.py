"""Some steps of a sweep over a torch module, on random images: that it would run here, how long, with how much memory.

Each method of the grid prunes the module, from its untrained weights, to the lowest connectivity that is asked for, in two epochs
of ``--steps`` steps, by the code and the settings of `snnc sweep`. What is learned is thrown away. No data set is needed.

    python benchmarks/dry_run.py GRID.toml [--device cuda] [--steps 5] [--batch-size N] [--methods none grad_r] [--json FILE]
"""

import argparse
import json
import math
import resource
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers import machine

from snnc.data.dataset import Dataset, Split
from snnc.errors import ConfigError, SnncError
from snnc.training.pruning.own import prune_own
from snnc.training.sweep.grid import Grid, Row, read_grid
from snnc.training.user_module import make

EPOCHS = 2  # the first has what happens once, compiling and choosing of kernels; the second is measured
IMAGES = {"cifar10": ((3, 32, 32), 50_000), "mnist": ((28, 28), 60_000), "fashion": ((28, 28), 60_000), "digits": ((8, 8), 1_437)}


def images(shape: tuple[int, ...], count: int, split: Split) -> Dataset:
    """Return random images of ten classes."""
    drawn = np.random.default_rng(0)
    classes = np.arange(count) % 10
    return Dataset(
        "random", split, drawn.integers(0, 256, (count, math.prod(shape)), np.uint8), shape, classes, tuple("0123456789")
    )


def figures(grid: Grid, row: Row, options: argparse.Namespace) -> dict[str, Any]:
    """Return what some steps of a row took. Raises what would stop the row."""
    if grid.goal.data not in IMAGES or not grid.goal.factory:
        raise ConfigError(f"is no sweep of a module over {', '.join(IMAGES)}", where=str(grid.path))
    shape, samples = IMAGES[grid.goal.data]
    config = replace(row.prune, epochs=EPOCHS, batch_size=options.batch_size or row.prune.batch_size)
    config = replace(config, device=options.device or config.device)
    training = images(shape, options.steps * config.batch_size, "train")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    pruned = prune_own(make(grid.goal.factory, row.seed), training, config, test=images(shape, config.batch_size, "test"))
    seconds = pruned.metrics[-1]["seconds"] / (options.steps + 1)  # the test is a step, too
    epochs = grid.train.epochs + row.prune.epochs
    return {
        "device": next(pruned.module.parameters()).device.type,
        "batch_size": config.batch_size,
        "weights": sum(mask.numel() for mask in pruned.masks.values()),
        "parameter_connectivity": pruned.report["parameter_connectivity"],
        "loss": pruned.metrics[-1]["loss"],
        "seconds_a_step": seconds,
        "hours_of_training_and_row": epochs * math.ceil(samples / config.batch_size) * seconds / 3600,
        "peak_megabytes": _peak() / 2**20,
    }


def _peak() -> int:
    """Return the most bytes that were in use: on the GPU, if there is one."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Run some steps of each method, and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", type=Path, help="TOML file of a sweep over a module")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="instead of the grid's")
    parser.add_argument("--steps", type=int, default=5, help="training steps of an epoch")
    parser.add_argument("--batch-size", type=int, help="instead of the grid's")
    parser.add_argument("--methods", nargs="*", help="only these")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    try:
        grid = read_grid(options.grid)
        lowest = {row.variant: row for row in sorted(grid.rows, key=lambda row: -row.connectivity)}
        rows = [row for name, row in lowest.items() if not options.methods or name in options.methods]
        reached = {row.label: figures(grid, row, options) for row in rows}
    except SnncError as error:
        sys.exit(f"error: {error}")
    for label, f in reached.items():
        print(
            f"{label}: {f['seconds_a_step']:.3f} s a step of {f['batch_size']} on {f['device']}, {f['peak_megabytes']:,.0f} MB, "
            f"{f['weights']:,} weights pruned to {f['parameter_connectivity']:.3%}, loss {f['loss']:.3f}; "
            f"training and this row would take {f['hours_of_training_and_row']:.1f} h"
        )
    if options.json:
        body = {"command": machine.command(["python", "benchmarks/dry_run.py", *sys.argv[1:]]), "commit": machine.commit()}
        options.json.write_text(json.dumps(body | {"machine": machine.described(), "rows": reached}, indent=1) + "\n")


if __name__ == "__main__":
    main()
