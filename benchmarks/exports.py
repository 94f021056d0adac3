"""The MNIST network of the report in every target, run and compared with the network spike for spike and state for state; the
float network, too, in the targets of plain numbers.

    python benchmarks/exports.py [--data-dir DIR] [--samples 100] [--json results/exports.json]

The exit code is 1 if anything differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from peers import machine
from verify import SNNC, verified

FOLDER = Path("results/mnist_run")
TARGETS = {"fixed.snnc": ("c", "lava", "loihi", "netx", "nir", "npz", "onnx", "sanafe"), "pruned.snnc": ("nir", "npz")}


def exported(model: str, target: str, words: list[str]) -> dict[str, Any]:
    """A network in a target, and what `snnc verify` said of it."""
    with tempfile.TemporaryDirectory() as place:
        artifact = str(Path(place) / target)
        subprocess.run([*SNNC, "export", model, "-t", target, "-o", artifact], check=True, capture_output=True)
        return {"target": target, "network": model, **verified([artifact, "--against", model, *words])}


def counts(said: dict[str, Any]) -> tuple[int, int]:
    """Spike slots and states that were compared."""
    spikes, states = (sum(pair["compared"] for pair in said[kind].values()) for kind in ("spikes", "states"))
    return spikes, states


def main() -> int:
    """Export, verify, print what was found, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--samples", default="100")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    words = ["--data", "mnist", "--samples", given.samples, *(["--data-dir", str(given.data_dir)] if given.data_dir else [])]
    runs = [exported(str(FOLDER / net), target, words) for net, targets in TARGETS.items() for target in targets]
    for run in runs:
        verdict = "exact" if run["exit_code"] == 0 else "NOT EXACT"
        print(f"{run['network']} in {run['target']}: {verdict}, {run['seconds']} s, (slots, states) = {counts(run['said'])}")
    if given.json:
        about = {"schema": "snnc.benchmark/1", "benchmark": "exports", "machine": machine.described(), "commit": machine.commit()}
        body = {**about, "command": machine.command(["python", "benchmarks/exports.py", *sys.argv[1:]]), "runs": runs}
        given.json.write_text(json.dumps(body, indent=1) + "\n")
    return int(any(run["exit_code"] for run in runs))


if __name__ == "__main__":
    sys.exit(main())
