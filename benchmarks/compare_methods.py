"""Which method is better in a sweep, and how surely: paired differences by seed, with their 95 % intervals.

    snnc sweep examples/mnist_gradr.toml --data-dir DIR -o out/mnist_gradr
    python benchmarks/compare_methods.py out/mnist_gradr [--method grad_r] [--json FILE]

For each connectivity: mean and sample standard deviation of the test accuracy of each method, and the mean difference of
``--method`` to it over the seeds that both have, in points, plus and minus half of Student's 95 % interval. A method is "best or
within" where it has the highest mean, or the interval of its difference to the best holds 0.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from peers.intervals import interval
from peers.tables import table
from plot_sweep import read

DENSE = "none"


def accuracies(results: Sequence[Mapping[str, Any]]) -> dict[tuple[float, str], dict[int, float]]:
    """Return test accuracies in percent: (connectivity, variant) -> seed -> accuracy."""
    reached: dict[tuple[float, str], dict[int, float]] = {}
    for result in results:
        key = (result["connectivity"], result["variant"])
        reached.setdefault(key, {})[result["seed"]] = 100 * result["test_accuracy"]
    return reached


def compared(results: Sequence[Mapping[str, Any]], method: str) -> list[dict[str, Any]]:
    """Return a line for each connectivity at which ``method`` was run."""
    table = accuracies(results)
    return [
        _line(table, connectivity, method) for connectivity in sorted({c for c, name in table if name == method}, reverse=True)
    ]


def _line(reached: Mapping[tuple[float, str], Mapping[int, float]], connectivity: float, method: str) -> dict[str, Any]:
    here = {name: seeds for (c, name), seeds in reached.items() if c == connectivity or name == DENSE}
    ours = here[method]
    rows = {}
    for name, theirs in here.items():
        values = np.array(list(theirs.values()))
        rows[name] = {
            "mean": float(values.mean()),
            "std": float(values.std(ddof=1)) if len(values) > 1 else None,
            "seeds": len(values),
        }
        if name != method and (points := [ours[seed] - theirs[seed] for seed in ours if seed in theirs]):
            mean, half = interval(points)
            rows[name]["difference"] = {"mean": mean, "half_of_95_percent_interval": half, "pairs": len(points)}
    best = max((name for name in rows if name != DENSE), key=lambda name: rows[name]["mean"])
    within = best == method or _holds_zero(rows[best]["difference"])
    return {"connectivity": connectivity, "method": method, "best": best, "best_or_within": within, "methods": rows}


def _holds_zero(found: Mapping[str, Any]) -> bool:
    half = found["half_of_95_percent_interval"]
    return half is not None and abs(found["mean"]) <= half


def markdown(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return a table: a row for each connectivity, a column for each method."""
    names = list(dict.fromkeys(name for line in lines for name in line["methods"]))
    rows = []
    for line in lines:
        beside = ", or within" if line["best_or_within"] and line["best"] != line["method"] else ""
        cells = [_cell(line["methods"].get(name)) for name in names]
        rows.append([f"{100 * line['connectivity']:g} %", *cells, line["best"] + beside])
    return table(["connectivity", *names, "best"], rows)


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    spread = f" ± {row['std']:.2f}" if row["std"] is not None else ""
    if "difference" not in row:
        return f"{row['mean']:.2f}{spread}"
    mean, half = row["difference"]["mean"], row["difference"]["half_of_95_percent_interval"]
    return f"{row['mean']:.2f}{spread} ({mean:+.2f} ± {'?' if half is None else f'{half:.2f}'})"


def main() -> int:
    """Print the table; write the numbers, if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--method", default="grad_r")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    lines = compared(read(given.folder), given.method)
    print(markdown(lines), end="")
    if given.json:
        body = {"schema": "snnc.benchmark/1", "benchmark": "compare_methods", "sweep": given.folder.name, "lines": lines}
        given.json.write_text(json.dumps(body, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
