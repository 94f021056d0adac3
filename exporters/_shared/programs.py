"""The program of an artifact, run.py: one file that imports nothing of snnc. For all targets that write one in Python."""

import re
from pathlib import Path

from snnc.targets import runner

_SHARED = re.compile(r"^from \.[._a-z]*rasters import .*\n", re.MULTILINE)
_DOCSTRING = re.compile(r'^""".*?"""\n+', re.DOTALL)


def write(source: Path, folder: Path) -> None:
    """Write a target's ``source`` as the program in ``folder``, with `rasters` in the place of its import."""
    shared = _DOCSTRING.sub("", Path(__file__).with_name("rasters.py").read_text())
    text, places = _SHARED.subn(lambda _: shared, source.read_text())
    assert places == 1, source  # noqa: S101 - it was written so
    (folder / runner.PROGRAM).write_bytes(text.encode())
