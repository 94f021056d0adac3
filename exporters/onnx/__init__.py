"""Target `onnx`: two ONNX models of a network, one for a time step and one for all steps, and a program that runs them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snnc.errors import MissingDependencyError, of_memory
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.delays import Part, parts
from snnc.network.model import Connection, Network
from snnc.simulation.run import Rasters, Run
from snnc.targets import runner, step_writer
from snnc.targets.target import Artifact

from .._shared import programs
from . import models as _onnx
from . import sums as _onnx_sums
from .graph import OnnxArith

__all__ = ["NEEDS_MAPPING", "SUMMARY", "VERIFIED_BY", "export", "neuron_problem", "operator_problem", "problems", "run"]

SUMMARY = "ONNX models of one step and of all steps, for onnxruntime and others"
NEEDS_MAPPING = False
CHECKS_BUDGETS = True
MAX_FILE_BYTES = (1 << 31) - (1 << 20)  # of a protobuf message, with room for all but the weights
MAX_DENSE_BYTES = 1 << 32  # of the weights of a connection when a runtime has unpacked them
INSTALL = "pip install onnx onnxruntime"
OPERATORS = ("dense", "conv2d", "maxpool2d", "sumpool2d")
RUNTIME = runner.Runner("onnxruntime", INSTALL, "SNNC_ONNX_PYTHON")
VERIFIED_BY = RUNTIME.name


def neuron_problem(model: str) -> str:
    """Return why the target cannot compute a neuron model; empty if it can. The graph is written by the model's own step."""
    return step_writer.neuron_problem(model, step_writer.operations_of(OnnxArith), "the ONNX graph")


def operator_problem(kind: str) -> str:
    """Return why the target cannot compute a kind of operators; empty if it can."""
    return "" if kind in OPERATORS else f"no ONNX nodes are known to compute {kind!r}"


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that cannot be exported, each as a sentence."""
    reasons = [f"connection {c.name!r} {problem}" for c in net.connections for problem in _connection_problems(c, net)]
    if not reasons and isinstance(net.numeric, Fixed) and (size := sum(weight_bytes(net).values())) > MAX_FILE_BYTES:
        reasons.append(f"its weights need {size:,} bytes, an ONNX file holds at most {MAX_FILE_BYTES:,}; prune it")
    return reasons


def _connection_problems(c: Connection, net: Network) -> Iterator[str]:
    if why := operator_problem(c.op.kind):
        yield f"cannot be exported: {why}"
        return
    for part in parts(c) if isinstance(net.numeric, Fixed) else ():
        yield from _part_problems(part, net, c)


def _part_problems(part: Part, net: Network, c: Connection) -> Iterator[str]:
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; callers ask for fixed networks only
    if (largest := _onnx_sums.most(part, _onnx.largest_message(net[c.src]))) >= 1 << 31:
        yield f"has sums of up to {largest:,}, ONNX's integer products hold 32 bits; prune it"
    if (size := _onnx_sums.weights(part.op, net.numeric).dense_bytes) > MAX_DENSE_BYTES:
        yield f"takes {size:,} bytes when a runtime has unpacked it, at most {MAX_DENSE_BYTES:,} are allowed; split the layer"


def weight_bytes(net: Network) -> dict[str, int]:
    """Return the bytes of the weights of a fixed network in one of the two files, by connection."""
    assert isinstance(net.numeric, Fixed)  # noqa: S101 - for the type checker; callers ask for fixed networks only
    return {c.name: sum(_onnx_sums.weights(part.op, net.numeric).bytes for part in parts(c)) for c in net.connections}


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder``; nothing runs late. Float networks are unrolled.

    Raises MissingDependencyError if the package onnx is not installed, DoesNotFitError if an operator unrolls to more than
    ``max_synapses``.
    """
    try:
        import onnx
    except ImportError as error:
        if of_memory(error):
            raise
        raise MissingDependencyError("target 'onnx' needs the package onnx", fix=f"install it: {INSTALL}") from error
    for name, model in (("step", _onnx.step_model), ("sequence", _onnx.sequence_model)):
        (folder / f"{name}.onnx").write_bytes(model(net, max_synapses).SerializeToString(deterministic=True))
    programs.write(Path(__file__).with_name("program.py"), folder)
    (folder / "sizes.json").write_text(json.dumps(_sizes(net, onnx.__version__), indent=1) + "\n")
    return {p.name: 0 for p in net.ordered}


def _sizes(net: Network, version: str) -> dict[str, Any]:
    fixed = isinstance(net.numeric, Fixed)
    return {"onnx": version, "opset": _onnx.OPSET, "weight_bytes": weight_bytes(net) if fixed else {}}


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Run the artifact on input rasters (samples, steps, n); raises what `runner.run` does."""
    return runner.run(artifact, inputs, record, timeout_s, RUNTIME)
