"""Runs the program of an artifact, in a process group of its own that leaves nothing behind. For all targets that can run."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnc.base.npz import DAMAGE, packed
from snnc.errors import FileError, MissingDependencyError, RunError, WriteError
from snnc.simulation.run import Rasters, Run
from snnc.targets.target import Artifact

PROGRAM = "run.py"
MEASURED = "_measured."  # begins the names of what a simulator of chips counted
MESSAGE_CHARACTERS = 600
READ_BYTES = 32 << 10  # of what a program says: as much of its beginning, and of its end
MAX_WRITTEN_BYTES = 1 << 30  # by a program, in one file: ten times the outputs of as many samples as are run at once
PYTHON_SETTINGS = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONSAFEPATH": "1",  # as python -P, which Pythons before 3.11 lack: no module is taken from beside the program
}
GRACE_S = 0.5  # for a program to end by itself: an interrupt is to end all within a second


@dataclass(frozen=True)
class Runner:
    """What runs a program: its name, how to install it, and the environment variable that names another command for it."""

    name: str
    install: str
    setting: str
    command: str = sys.executable
    packages: Path | None = None  # a folder with Python packages of its own, which its command finds first

    @property
    def chosen(self) -> str:
        """The command that is used."""
        return os.environ.get(self.setting) or self.command

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the command; another command that the user names has packages of its own."""
        paths = [os.environ.get("PYTHONPATH", "")]
        if self.packages and self.packages.is_dir() and not os.environ.get(self.setting):
            paths.insert(0, str(self.packages))
        return {**os.environ, **PYTHON_SETTINGS, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float, runner: Runner) -> Run:
    """Run the Python program of an artifact on rasters (samples, steps, n); ``record`` keeps the states of all neurons.

    It is called as ``python run.py INPUTS.npz OUTPUTS.npz``. Raises FileError if it is missing, RunError with its own
    message if it fails, takes longer than ``timeout_s`` or leaves a spike or state out, MissingDependencyError if a package
    that it needs is not installed.
    """
    program = artifact.root.resolve() / PROGRAM
    if not program.is_file():
        raise FileError("no such file", where=str(artifact.root / PROGRAM), fix="export again")
    with temporary_folder(runner) as folder:
        _write_inputs(inputs, folder / "inputs.npz", runner)
        call([runner.chosen, str(program), str(folder / "inputs.npz"), str(folder / "outputs.npz")], folder, timeout_s, runner)
        return _result(artifact, inputs, record, folder / "outputs.npz")


@contextmanager
def temporary_folder(runner: Runner) -> Iterator[Path]:
    """Yield a folder for what a program reads and leaves, gone when the block ends. Raises WriteError if there can be none."""
    with write_errors(runner):
        place = tempfile.mkdtemp(prefix="snnc-run-")
    try:
        yield Path(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _write_inputs(inputs: Rasters, path: Path, runner: Runner) -> None:
    rasters: dict[str, Any] = {name: np.asarray(raster, np.int32) for name, raster in inputs.items()}
    with write_errors(runner):
        path.write_bytes(packed(rasters, level=None))


@contextmanager
def write_errors(runner: Runner) -> Iterator[None]:
    """Turn an error of writing into a WriteError that names the folder for temporary files."""
    try:
        yield
    except OSError as error:
        where = os.environ.get("TMPDIR") or tempfile.gettempdir()
        what = f"cannot write what {runner.name} reads: {error.strerror or error}"
        raise WriteError(what, where=where, fix="set TMPDIR to a folder with room") from error


def call(command: list[str], folder: Path, timeout_s: float, runner: Runner) -> None:
    """Run a command in ``folder`` and end every process that it started. Raises RunError or MissingDependencyError."""
    with (folder / "messages.txt").open("wb") as messages:
        try:
            program = subprocess.Popen(  # noqa: S603 - the user asked to run this artifact
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages, start_new_session=True,
                env=runner.environment, preexec_fn=_limit_files,
            )  # fmt: skip
        except OSError as error:
            raise RunError(f"cannot be started: {error.strerror}", where=command[0], fix=f"correct {runner.setting}") from error
        try:
            code: int | None = program.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end_group(program)
    written = _head_and_tail(folder / "messages.txt")
    if code is None:
        raise RunError(f"{runner.name} did not finish within {timeout_s:g} s{_quoted(written)}", fix="allow more with --timeout")
    if code:
        _explain(code, written, runner)


def _limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_WRITTEN_BYTES, MAX_WRITTEN_BYTES))


def _head_and_tail(path: Path) -> str:
    """Return the text of a file, or of a long one its beginning and its end: the cause of a failure and the last words."""
    with path.open("rb") as file:
        head = file.read(READ_BYTES)
        file.seek(max(file.tell(), path.stat().st_size - READ_BYTES))
        return (head + file.read(READ_BYTES)).decode(errors="replace")


def _end_group(program: subprocess.Popen[bytes]) -> None:
    """End what is left of a program and its children: politely, so that shared memory is given back, then for good."""
    done = program.poll() == 0  # then nothing computes any more, and what tidies up shared memory ends by itself
    gone = False
    try:
        gone = _send(program, signal.SIGTERM, 0 if done else GRACE_S)
    finally:  # of an impatient user, too
        if not done and not gone:
            _send(program, signal.SIGKILL, GRACE_S)
        program.wait()


def _send(program: subprocess.Popen[bytes], number: signal.Signals, grace_s: float) -> bool:
    """Send a signal to a program and its children; whether all had ended ``grace_s`` later."""
    give_up = time.monotonic() + grace_s
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, number)
        while time.monotonic() < give_up and _is_running(program.pid):
            program.poll()
            time.sleep(0.02)
        return not _is_running(program.pid)
    return True


def _is_running(group: int) -> bool:
    """Tell whether any process of a group computes.

    Those that have ended stay in it until who inherited them takes note, which may take seconds; only Linux says which they
    are. Raises ProcessLookupError if the group is gone.
    """
    os.killpg(group, 0)
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group, *_ = path.read_text().rpartition(")")[2].split()
            states += [state] if int(its_group) == group else []
    return not states or states.count("Z") < len(states)


def _explain(code: int, written: str, runner: Runner) -> None:
    if missing := re.search(r"^ModuleNotFoundError: (No module named '(\w+)[^\n]*)", written, re.MULTILINE):
        what = f"{runner.chosen} cannot run {runner.name}: {missing[1]}"
        raise MissingDependencyError(what, fix=f"install it: {runner.install}")
    if code == -signal.SIGXFSZ:
        raise RunError(f"the program wrote more than {MAX_WRITTEN_BYTES} bytes{_quoted(written)}", fix="export again")
    raise RunError(f"{runner.name} failed with exit code {code}{_quoted(written)}", fix="snnc doctor says what is installed")


def _quoted(written: str) -> str:
    """Quote the first error that was printed, which is the cause: those that follow are consequences. Else the last line."""
    errors = re.findall(r"^(?:(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b|.*\berror: ).*$", written, re.MULTILINE)
    lines = errors or written.strip().splitlines()[-1:]
    return f"; it says: {lines[0][:MESSAGE_CHARACTERS]}" if lines else ""


def _result(artifact: Artifact, inputs: Rasters, record: bool, outputs: Path) -> Run:
    where = str(artifact.root)
    try:
        if not zipfile.is_zipfile(outputs):
            raise RunError("the program left no usable outputs: no .npz file", where=where, fix="export again")
        with np.load(outputs, allow_pickle=False) as file:
            if (total := sum(part.file_size for part in file.zip.infolist())) > MAX_WRITTEN_BYTES:
                raise ValueError(f"{total} bytes")
            spikes = {name: file[name] for name in artifact.latency}
            neurons = [name for name in artifact.latency if record and name not in inputs]
            states = {name: {v: file[f"{name}.{v}"] for v in _states(artifact, name, file.files)} for name in neurons}
            by = str(file["_by"])
            measured = {name.removeprefix(MEASURED): float(file[name]) for name in file.files if name.startswith(MEASURED)}
    except (OSError, *DAMAGE) as error:
        raise RunError(f"the program left no usable outputs: {error}", where=where, fix="export again") from error
    samples_and_steps = next(iter(inputs.values())).shape[:2]
    for name, raster in spikes.items():
        _must_be_numbers({"spikes": raster, **states.get(name, {})}, name, samples_and_steps, artifact.numeric)
    return Run(by, artifact.dt_s, spikes, states, artifact.latency, measured=measured)


def _states(artifact: Artifact, population: str, names: list[str]) -> list[str]:
    """Return the state variables in the outputs: those of the manifest, which must be there, and any other."""
    there = {name.partition(".")[2] for name in names if name.startswith(f"{population}.")}
    return sorted({*artifact.states.get(population, ()), *there} or {"state"})


def _must_be_numbers(arrays: dict[str, Any], population: str, samples_and_steps: tuple[int, ...], numeric: str) -> None:
    """Check for integers (of a float network also floats), for these samples and steps, and of one shape."""
    shape, kinds = (*samples_and_steps, *arrays["spikes"].shape[2:3]), "iuf" if numeric == "float" else "iu"
    for what, array in arrays.items():
        if array.shape != shape or array.dtype.kind not in kinds:
            raise RunError(
                f"gave {what} of shape {array.shape} and type {array.dtype}, not integers of shape {shape}",
                where=f"population {population!r}",
                fix="export again",
            )
