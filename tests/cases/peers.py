"""Packages of others that do not get along with ours, each in a folder of its own, and programs that run in them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(sys.prefix) / "peers"
PROGRAMS = Path(__file__).parents[1] / "peer_programs"

NO_RTL = "the RTL of other chips is not here: set {} to a folder of your own clone"


def rtl(setting, folder):
    """The folder with the RTL of a chip: what the environment variable ``setting`` names, or one that lies beside the project.

    Skips with a printed reason where there is none.
    """
    beside = PROGRAMS.parents[2] / "shared" / "peers" / folder
    there = Path(os.environ[setting]) if setting in os.environ else beside
    if not there.is_dir():
        pytest.skip(NO_RTL.format(setting))
    return there


def needs(name, target="venv"):
    """Marks tests that need the packages in ``name``, which `make TARGET` installs."""
    return pytest.mark.skipif(not (FOLDER / name).is_dir(), reason=f"{FOLDER / name} is not there: make {target}")


def run(name, program, *words, timeout_s=120):
    """Run a program with the packages in ``name`` before all others; returns what it prints."""
    command = [sys.executable, "-W", "ignore", PROGRAMS / program, *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER / name), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
