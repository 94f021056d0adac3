"""The code that made a result: commit and versions. For the files that a sweep leaves."""

import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("snnc", "torch", "snntorch", "numpy")


def source() -> dict[str, Any]:
    """Return the versions, and the commit if snnc runs from a git checkout; ``-dirty`` if files differ from it."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {"commit": _commit(), "versions": {**versions, "python": platform.python_version()}}


def _commit() -> str | None:
    """Return the commit. A package installed below another project's checkout is not tracked by it."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return _git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")


def _git(*words: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run([git, "-C", str(Path(__file__).parent), *words], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else None
