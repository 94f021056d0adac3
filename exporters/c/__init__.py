"""Target `c`: a network as dependency-free C99 with constant tables and a state that the caller has, for microcontrollers."""

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnc.analysis.current_bounds import arriving, most_given
from snnc.errors import FileError, MissingDependencyError, RunError
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network, Population
from snnc.simulation.run import Rasters, Run
from snnc.targets import runner, step_writer
from snnc.targets.target import Artifact

from . import files as _c_files
from .source import CArith

__all__ = ["NEEDS_MAPPING", "SUMMARY", "VERIFIED_BY", "export", "neuron_problem", "operator_problem", "problems", "run"]

SUMMARY = "a C99 header, tables and a step function, for microcontrollers"
NEEDS_MAPPING = False
CHECKS_BUDGETS = True
MOST_KEPT = (1 << 31) - 1  # that an int32_t counts
MAX_STORED = 1 << 26  # weights in tables: a source file of some hundred megabytes
OPERATORS = ("dense", "conv2d", "maxpool2d", "sumpool2d")
COMPILER = runner.Runner("the C compiler", "apt-get install gcc, or name another compiler with CC", "CC", "cc")
PROGRAM = runner.Runner("the C program", "", "")
VERIFIED_BY = "a C compiler"
FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic")


def neuron_problem(model: str) -> str:
    """Return why the target cannot compute a neuron model; empty if it can. The code is written by the model's own step."""
    return step_writer.neuron_problem(model, step_writer.operations_of(CArith), "the C source")


def operator_problem(kind: str) -> str:
    """Return why the target cannot compute a kind of operators; empty if it can."""
    return "" if kind in OPERATORS else f"no C code is known to compute {kind!r}"


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that cannot be exported, each as a sentence."""
    if not isinstance(net.numeric, Fixed):
        return ["it is a float network; quantise it first (snnc quantise)"]
    reasons = [
        f"connection {c.name!r} has operator {c.op.kind!r}: {why}"
        for c in net.connections
        if (why := operator_problem(c.op.kind))
    ]
    if (stored := sum(c.op.synapses.count for c in net.connections)) > MAX_STORED:
        reasons.append(f"it has {stored:,} weights, at most {MAX_STORED:,} are written as C tables; prune it")
    reasons += _size_problems(net)
    reasons += [problem for p in net.populations for problem in _overflow_problems(net, p)]
    return reasons


def _size_problems(net: Network) -> list[str]:
    """Return which populations keep more past messages than the program's counters, of 32 bits, count."""
    reasons = []
    for p in net.populations:
        longest = max((c.longest_delay for c in net.out_of(p.name)), default=0)
        if longest and (kept := (longest + 1) * p.size) > MOST_KEPT:
            reasons.append(
                f"population {p.name!r} keeps {kept:,} messages for delays of up to {longest:,} steps, C counts at most"
                f" {MOST_KEPT:,}; shorten the delays"
            )
    return reasons


def _overflow_problems(net: Network, p: Population) -> Iterator[str]:
    """Yield where a step may add a turn or more to a register, which wraps around once a step."""
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; callers have a fixed network
    if p.neuron is None:
        return
    turn = 2 * net.numeric.state_limit
    for state, given in most_given(p, arriving(net, p.name), net.numeric).items():
        if (added := given - net.numeric.state_limit) > turn:
            yield (
                f"population {p.name!r} can get a current of {added:,} in one step, the register {state} wraps around at most"
                f" {turn:,}; use a smaller weight exponent"
            )


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder``; nothing runs late. Kernels stay shared."""
    files = _c_files.write(net)
    for name, text in files.texts.items():
        (folder / name).write_text(text)
    sizes = {"table_bytes": files.table_bytes, "state_bytes": files.state_bytes}
    order = {
        "inputs": [[p.name, p.size] for p in net.inputs],
        "neurons": [[p.name, p.size, list(p.neuron.variables())] for p in net.ordered if p.neuron],
    }
    (folder / "network.json").write_text(json.dumps({**order, **sizes}, indent=1) + "\n")
    return {p.name: 0 for p in net.ordered}


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Compile the artifact with ``cc`` or what CC names, and run it on input rasters (samples, steps, n).

    Raises MissingDependencyError without a compiler, FileError or RunError for what is wrong with the files.
    """
    compiler = shlex.split(COMPILER.chosen)
    if not compiler or not shutil.which(compiler[0]):
        raise MissingDependencyError(f"there is no C compiler {COMPILER.chosen!r}", fix=f"install one: {COMPILER.install}")
    root = artifact.root.resolve()
    sizes = _sizes(artifact)
    samples, steps = next(iter(inputs.values())).shape[:2]
    with runner.temporary_folder(COMPILER) as folder:
        program = str(folder / "run")
        sources = [str(root / name) for name in ("run.c", "snn.c")]
        words = [compiler[0], *FLAGS, *compiler[1:], "-I", str(root), *sources, "-o", program]
        runner.call(words, folder, timeout_s, COMPILER)
        with runner.write_errors(PROGRAM):
            _in_steps(inputs, [name for name, _ in sizes["inputs"]]).tofile(folder / "inputs")
        paths = [str(folder / name) for name in ("inputs", "outputs")]
        runner.call([program, *paths, str(samples), str(steps)], folder, timeout_s, PROGRAM)
        return _result(artifact, sizes, inputs, record, folder / "outputs")


def _sizes(artifact: Artifact) -> dict[str, Any]:
    """Return the order of the populations, checked against the manifest."""
    path = artifact.root / "network.json"
    try:
        sizes = json.loads(path.read_text())
        names = [name for name, _ in sizes["inputs"]] + [name for name, _, _ in sizes["neurons"]]
        sound = sorted(names) == sorted(artifact.latency) and all(int(n) > 0 for _, n, *_ in sizes["neurons"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(f"is damaged: {error!r}", where=str(path), fix="export again") from error
    if not sound:
        raise FileError(f"names populations {sorted(names)}, the manifest {sorted(artifact.latency)}", where=str(path))
    return dict(sizes)


def _in_steps(inputs: Rasters, order: list[str]) -> Any:
    return np.concatenate([np.asarray(inputs[name], np.int32) for name in order], axis=2)


def _result(artifact: Artifact, sizes: dict[str, Any], inputs: Rasters, record: bool, outputs: Path) -> Run:
    samples, steps = next(iter(inputs.values())).shape[:2]
    rows = np.fromfile(outputs, np.int64)
    width = sum(n * (1 + len(variables)) for _, n, variables in sizes["neurons"])
    if rows.size != samples * steps * width:
        raise RunError(f"the program left {rows.size} numbers, not {samples * steps * width}", where=str(artifact.root))
    rows, at = rows.reshape(samples, steps, width), 0
    spikes: dict[str, Any] = dict(inputs)
    states: dict[str, dict[str, Any]] = {}
    for name, n, variables in sizes["neurons"]:
        columns = {what: rows[:, :, at + k * n : at + (k + 1) * n] for k, what in enumerate(("spikes", *variables))}
        spikes[name], at = columns.pop("spikes"), at + n * (1 + len(variables))
        states |= {name: columns} if record else {}
    ordered = {name: spikes[name] for name in artifact.latency}
    return Run("C99", artifact.dt_s, ordered, states, artifact.latency)
