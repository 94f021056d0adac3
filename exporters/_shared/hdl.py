"""Simulators of Verilog, and what a run in one reads and leaves. For `verilog`, and by `rtl` for designs of others."""

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snnc.errors import ConfigError, FileError, MissingDependencyError
from snnc.targets import runner
from snnc.targets.target import Artifact

SETTING = "SNNC_VERILOG"
ICARUS = runner.Runner("Icarus Verilog", "apt-get install iverilog", SETTING, "iverilog")
VERILATOR = runner.Runner("Verilator", "apt-get install verilator g++ make", SETTING, "verilator")


def simulator(default: runner.Runner = ICARUS) -> runner.Runner:
    """Return the simulator that SNNC_VERILOG names, else ``default``.

    Raises ConfigError for an unknown name, MissingDependencyError if it is not there.
    """
    by_command = {one.command: one for one in (ICARUS, VERILATOR)}
    name = os.environ.get(SETTING) or default.command
    if name not in by_command:
        raise ConfigError(f"is {name!r}, expected {' or '.join(by_command)}", where=SETTING)
    chosen = by_command[name]
    if not shutil.which(chosen.command):
        raise MissingDependencyError(f"{chosen.name} is not installed", fix=f"install it: {chosen.install}")
    return chosen


class CompiledFolder:
    """A compiled simulation in a folder that goes when nobody needs it any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="snnc-rtl-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def description(artifact: Artifact, unsound: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    """Return what network.json of an artifact says.

    ``unsound`` returns what is wrong with it as against the manifest, empty if nothing is; what it does not find there may be
    a KeyError or another plain error. Raises FileError for a file that is damaged, or that is wrong.
    """
    path = artifact.root / "network.json"
    try:
        network = json.loads(path.read_text())
        wrong = unsound(network)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(f"is damaged: {error!r}", where=str(path), fix="export again") from error
    if wrong:
        raise FileError(wrong, where=str(path), fix="export again")
    return dict(network)
