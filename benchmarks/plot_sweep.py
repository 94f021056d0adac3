"""The figure of a sweep, from its results: accuracy over connectivity, and what came and went over the epochs.

    snnc sweep examples/mnist_gradr.toml --data-dir DIR -o out/mnist_gradr
    python benchmarks/plot_sweep.py out/mnist_gradr -o docs/mnist_gradr.png

Needs matplotlib: pip install '.[report]'. Line: mean over the seeds; band: lowest to highest.
"""

import argparse
import json
import sys
from pathlib import Path

from snnc.training.sweep.grid import SCHEMA
from snnc.training.sweep.table import summarise

ERRORS = (0.5, 1, 1.5, 2, 3, 5, 10, 20, 30, 50, 70)  # in percent: where the axis of accuracy has its ticks


def read(folder):
    """All results of a sweep's folder."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*-*-*.json"))]
    return [result for result in found if result.get("schema") == SCHEMA]


def draw_accuracy(axes, results):
    """Accuracy over connectivity, a line for each method; dense as a horizontal one. The axis spreads what is near 100 %."""
    lines = summarise(results)
    for variant in dict.fromkeys(line["variant"] for line in lines):
        own = sorted((line for line in lines if line["variant"] == variant), key=lambda line: line["connectivity"])
        mean, low, high = ([100 - 100 * line[key] for line in own] for key in ("accuracy", "accuracy_min", "accuracy_max"))
        if len(own) == 1 and own[0]["connectivity"] == 1:
            axes.axhline(mean[0], color="black", linestyle="--", label="dense")
            axes.axhspan(low[0], high[0], color="black", alpha=0.1)
            continue
        asked = [100 * line["connectivity"] for line in own]
        (drawn,) = axes.plot(asked, mean, marker="o", label=variant)
        axes.fill_between(asked, low, high, color=drawn.get_color(), alpha=0.2)
    axes.set(xscale="log", yscale="log", xlabel="parameter connectivity, %", ylabel="test accuracy, %")
    label(axes.xaxis, sorted({100 * line["connectivity"] for line in lines if line["connectivity"] < 1}), lambda x: x)
    label(axes.yaxis, [error for error in ERRORS if axes.get_ylim()[0] < error < axes.get_ylim()[1]], lambda error: 100 - error)
    axes.invert_yaxis()
    axes.grid(alpha=0.3)
    axes.legend()


def label(axis, places, text):
    """Ticks at these places of a logarithmic axis and nowhere else."""
    axis.set_ticks(places, labels=[f"{text(place):g}" for place in places])
    axis.set_ticks([], minor=True)


def draw_rewiring(axes, results, connectivity):
    """Synapses pruned and regrown in each epoch, seen every few steps, for the methods that rewire; first seed."""
    seed = min(result["seed"] for result in results)
    chosen = [r for r in results if r["seed"] == seed and r["connectivity"] == connectivity and r["method"] != "none"]
    for i, result in enumerate(chosen):
        epochs = [line["epoch"] for line in result["epochs"]]
        for key, style in (("pruned_cumulated", "-"), ("regrown_cumulated", ":")):
            counts = [line[key] or float("nan") for line in result["epochs"]]
            name = f"{result['variant']} {key.removesuffix('_cumulated')}"
            axes.plot(epochs, counts, style, color=f"C{i}", label=name)
    axes.set(yscale="log", xlabel="epoch", ylabel="synapses", title=f"connectivity {100 * connectivity:g} %, seed {seed}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def main():
    """Read a sweep's folder, write one picture."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="what snnc sweep wrote")
    options.add_argument("-o", "--out", type=Path, required=True, help="picture to write: .png, .svg or .pdf")
    options.add_argument("--at", type=float, help="connectivity of the right half (default: the lowest)")
    chosen = options.parse_args()
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit("needs matplotlib: pip install '.[report]'")
    results = read(chosen.folder)
    if not results:
        sys.exit(f"{chosen.folder}: no results of a sweep")
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_accuracy(left, results)
    draw_rewiring(right, results, chosen.at or min(result["connectivity"] for result in results))
    figure.savefig(chosen.out, dpi=150)
    print(chosen.out)


if __name__ == "__main__":
    main()
