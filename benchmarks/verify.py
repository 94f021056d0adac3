"""A network verified at scale, and how long that takes: all test images against the module that fine-tuning trains, 1,000 against
the reference, and 1,000 against real Lava 0.10.0.

    python benchmarks/verify.py [--network FILE] [--data-dir DIR] [--kept FILE] [--json results/verify.json]

--kept: where the comparison with Lava, which takes minutes, keeps what it has compared, to go on from there. The exit code is 1
if anything differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from peers import machine

SNNC = [sys.executable, "-m", "snnc"]


def verified(words: list[str]) -> dict[str, Any]:
    """What `snnc verify` said to these arguments, and the seconds that it took, start and reading of data included."""
    start = time.perf_counter()
    done = subprocess.run([*SNNC, "verify", *words, "--json", "-q"], capture_output=True, text=True)
    seconds = round(time.perf_counter() - start, 2)
    said = json.loads(done.stdout) if done.stdout.strip() else done.stderr.strip()
    return {
        "command": machine.command(["snnc", "verify", *words]),
        "seconds": seconds,
        "exit_code": done.returncode,
        "said": said,
    }


def main() -> int:
    """Verify, print what was found, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, default=Path("results/mnist_run/fixed.snnc"))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    data = ["--data", "mnist", *(["--data-dir", str(given.data_dir)] if given.data_dir else [])]
    found = {"schema": "snnc.benchmark-verify/1", "machine": machine.described(), "commit": machine.commit(), "runs": []}
    network = str(given.network)
    with tempfile.TemporaryDirectory() as place:
        program = str(Path(place) / "lava")
        subprocess.run([*SNNC, "export", network, "-t", "lava", "-o", program], check=True, capture_output=True)
        for words in (
            [network, "--against", "torch", "--samples", "all"],
            [network, "--against", "reference", "--samples", "1000"],
            [program, "--against", network, "--samples", "1000", *(["--resume", str(given.kept)] if given.kept else [])],
        ):
            found["runs"].append(verified([*words, *data]))
            print(json.dumps(found["runs"][-1], indent=1))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(any(run["exit_code"] for run in found["runs"]))


if __name__ == "__main__":
    sys.exit(main())
