"""Tables of accuracy over connectivity, from the raw results of benchmarks/braille.py or benchmarks/fsdd.py.

The first table has mean and sample standard deviation over the seeds, in percent of all test samples. The second has paired
differences, in points, between networks of the same seed, in floats: the mean and half of its 95 % interval (Student's t).

    python benchmarks/event_table.py --json results/fsdd.json
"""

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from event_data import Row
from peers.intervals import interval

Figures = dict[Row, dict[str, Any]]


def spread(values: Iterable[float]) -> str:
    """Return mean and sample standard deviation of accuracies, in percent, with their number where it is 1."""
    points = [100 * value for value in values]
    return f"{statistics.mean(points):.2f} ± {statistics.stdev(points):.2f}" if len(points) > 1 else f"{points[0]:.2f} (1 seed)"


def difference(points: list[float]) -> str:
    """Return the mean of differences and half of its 95 % interval; the mean alone for one."""
    mean, half = interval(points)
    return f"{mean:+.2f} (1 seed)" if half is None else f"{mean:+.2f} ± {half:.2f}"


def columns(figures: Figures) -> list[float | None]:
    """Return the connectivities that occur, the trained network (None) first."""
    occur = {row.connectivity for row in figures}
    return sorted(occur, key=lambda c: -2.0 if c is None else -c)


def accuracies(figures: Figures) -> list[str]:
    """Return the lines of the first table."""
    wanted = columns(figures)
    lines = [*head(["method", "delays", "", *(title(c) for c in wanted)])]
    for delays in sorted({row.delays for row in figures}):
        for method in dict.fromkeys(["grad_r", *(row.method for row in figures)]):
            for kind, of in KINDS.items():
                cells = []
                for c in wanted:
                    rows = [r for r in figures if (r.delays, r.method, r.connectivity) == (delays, method, c)]
                    values = [value for r in rows if (value := of(figures[r])) is not None]
                    cells.append(spread(values) if values else "")
                if any(cells):
                    lines.append(line([f"`{method}`", "learned" if delays else "none", kind, *cells]))
    return lines


KINDS: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "float": lambda f: f["float"],
    "integers": lambda f: f["fixed"],
    "integers, fine-tuned": lambda f: f["finetuned"]["fixed"] if "finetuned" in f else None,
}


def differences(figures: Figures) -> list[str]:
    """Return the lines of the second table: Grad R against each method, learned delays against none, integers against floats."""
    wanted = columns(figures)
    pairs: dict[str, dict[float | None, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, f in figures.items():
        after = " (learned delays)" if row.delays else ""
        pairs[f"integers − float, `{row.method}`{after}"][row.connectivity].append(100 * (f["fixed"] - f["float"]))
        if "finetuned" in f:
            tuned = f["finetuned"]["fixed"] - f["float"]
            pairs[f"fine-tuned integers − float, `{row.method}`{after}"][row.connectivity].append(100 * tuned)
        for name, other in (
            (f"`grad_r` − `{row.method}`{after}", replace(row, method="grad_r")),
            (f"learned delays − none, `{row.method}`", replace(row, delays=True)),
        ):
            if other != row and other in figures:
                pairs[name][row.connectivity].append(100 * (figures[other]["float"] - f["float"]))
    lines = head(["difference", *(title(c) for c in wanted)])
    return lines + [line([name, *(difference(of[c]) if c in of else "" for c in wanted)]) for name, of in sorted(pairs.items())]


def title(connectivity: float | None) -> str:
    """Return the title of a column."""
    return "trained" if connectivity is None else f"{100 * connectivity:g} %"


def head(cells: list[str]) -> list[str]:
    """Return the first two lines of a table in Markdown."""
    return [line(cells), "|" + "---|" * len(cells)]


def line(cells: list[str]) -> str:
    """Return a line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="raw results")
    networks = json.loads(parser.parse_args().json.read_text())["networks"]
    figures = {Row.named(name): values for name, values in networks.items()}
    print("\n".join([*accuracies(figures), "", *differences(figures)]))
    runs = [(target, run) for values in networks.values() for target, run in values.get("targets", {}).items()]
    for target in dict.fromkeys(target for target, _ in runs):
        of = [run for name, run in runs if name == target]
        samples = sum(run["samples"] for run in of)
        print(f"{target}: {sum(run['exact'] for run in of)} of {len(of)} exports exact, {samples} samples")


if __name__ == "__main__":
    main()
