"""Simulates hardware that others publish as RTL, from a clone of the user's own. For `catalyst_n1` and `syntzulu`.

Nothing of the RTL is part of snnc: a target names the files that it needs, brings a testbench of its own, and a user names the
folder. Icarus Verilog runs it, or Verilator where that is worth its compiling; the environment variable SNNC_VERILOG names one.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from snnc.errors import ConfigError, MissingDependencyError
from snnc.targets import runner

from . import hdl
from .hdl import ICARUS, VERILATOR, CompiledFolder

LONG = 500_000  # clocks of a core for which Icarus Verilog takes longer than Verilator to compile
VERILATOR_OPTIONS = (
    "--binary",
    "--timing",
    "-O3",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "--Mdir",
    "build",
    "-o",
    "simulation",
)


@dataclass(frozen=True)
class Design:
    """RTL of somebody else: the files that are compiled, and the environment variable that names the folder with them."""

    name: str
    setting: str
    origin: str  # where a clone comes from
    files: tuple[str, ...]
    nonblocking: tuple[tuple[str, str], ...] = ()  # file, blocking assignment to a register that synthesis reads as nonblocking

    def folder(self) -> Path:
        """Return the folder with the files, which the environment variable names.

        Raises MissingDependencyError if none is named, ConfigError if a file is missing there.
        """
        if not os.environ.get(self.setting):
            what = f"the RTL of {self.name} is not part of snnc, and no folder of a clone is named"
            raise MissingDependencyError(
                what, fix=f"git clone {self.origin}, and name its folder rtl with --rtl or {self.setting}"
            )
        given = Path(os.environ[self.setting])
        for place in (given, given / "rtl"):
            missing = [name for name in self.files if not (place / name).is_file()]
            if not missing:
                return place.resolve()
        fix = f"name the folder rtl of a clone of {self.origin}"
        raise ConfigError(f"has {len(missing)} of the {len(self.files)} files of {self.name} missing, as {missing[0]}",
                          where=str(given), fix=fix)  # fmt: skip


@dataclass(frozen=True)
class Build:
    """A design that is compiled with a testbench and its parameters."""

    design: Design
    folder: Path
    testbench: Path
    parameters: tuple[tuple[str, int], ...]
    defines: tuple[str, ...] = ()
    included: tuple[tuple[str, str], ...] = ()  # files that the testbench includes, and what is in them

    def simulate(
        self, by: runner.Runner, commands: Mapping[str, str], results: Sequence[str], timeout_s: float, words: Sequence[str] = ()
    ) -> dict[str, str]:
        """Run the testbench beside files of these names and contents; return the text of each file that it leaves.

        ``by``: one of `simulator`. Raises RunError if it fails or takes too long.
        """
        program = _compiled(self, by, self.testbench.read_bytes(), timeout_s)
        with runner.temporary_folder(by) as folder:
            with runner.write_errors(by):
                for name, content in commands.items():
                    (folder / name).write_text(content)
            start = (
                ["vvp", "-n", str(program.path / "simulation")] if by is ICARUS else [str(program.path / "build" / "simulation")]
            )
            runner.call([*start, *words], folder, timeout_s, by)
            return {name: (folder / name).read_text() if (folder / name).is_file() else "" for name in results}


def simulator(work: int) -> runner.Runner:
    """Return what runs the testbenches: what SNNC_VERILOG names, else Verilator for long runs where it is there, else Icarus.

    ``work``: about how many times a clock meets a core. Raises as `hdl.simulator`.
    """
    return hdl.simulator(VERILATOR if work > LONG and shutil.which(VERILATOR.command) else ICARUS)


def _source(build: Build, name: str, by: runner.Runner, place: Path) -> Path:
    """Return a file of the design, as it is for Icarus.

    Verilator takes no register with assignments of both kinds; for it, they are made nonblocking in a copy.
    """
    path = build.folder / name
    wrong = [text for file, text in build.design.nonblocking if file == name]
    if by is ICARUS or not wrong:
        return path
    content = path.read_text()
    for text in wrong:
        content = content.replace(text, text.replace(" = ", " <= "))
    (place / path.name).write_text(content)
    return place / path.name


@lru_cache(maxsize=4)  # for each part of a long verification, the same is compiled
def _compiled(build: Build, by: runner.Runner, content: bytes, timeout_s: float) -> CompiledFolder:
    """Compile a build whose testbench has this content."""
    with runner.write_errors(by):
        program = CompiledFolder()
        (program.path / "testbench.v").write_bytes(content)
        for name, text in build.included:
            (program.path / name).write_text(text)
        sources = ["testbench.v", *(str(_source(build, name, by, program.path)) for name in build.design.files)]
    if by is ICARUS:
        settings = [f"-Ptestbench.{name}={value}" for name, value in build.parameters]
        command = [ICARUS.command, "-g2012", "-s", "testbench", "-o", "simulation", *settings]
        command += [f"-D{name}" for name in build.defines]
    else:
        settings = [f"-G{name}={value}" for name, value in build.parameters]
        command = [VERILATOR.command, *VERILATOR_OPTIONS, "--top-module", "testbench", *settings]
        command += [f"-D{name}" for name in build.defines]
    runner.call([*command, *sources], program.path, timeout_s, by)
    return program
