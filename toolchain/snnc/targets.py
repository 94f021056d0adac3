"""From a network to a program for a target, and back: find targets by name, export, read an artifact, run it, prove it.

A target is one file in exporters/; adding a file adds a target.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeGuard, cast

from snnc import __version__, named, neurons, ops
from snnc.arith import Fixed
from snnc.errors import FileError, UnsupportedError
from snnc.files import must_be_free, new_folder, read_json
from snnc.ir import Network
from snnc.mapping import Mapping as CoreMapping
from snnc.ops._base import MAX_SYNAPSES
from snnc.ranges import prove_ranges
from snnc.run import Rasters, Run

EXPORTERS = "snnc.exporters"  # found by name: nothing imports an exporter
SCHEMA = "snnc.artifact/1"
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 16 << 20
MAX_FILE_BYTES = 4 << 30
MAX_LATENCY_STEPS = 10_000


@dataclass(frozen=True)
class Artifact:
    """What was exported: a folder with its manifest."""

    target: str
    root: Path
    files: Mapping[str, str]  # path inside the folder -> sha256 when it was exported
    network_hash: str
    latency: Mapping[str, int]  # population, in the order of computation -> steps by which it runs late
    dt_s: float
    numeric: str = "fixed"  # the numbers of the network: "fixed" or "float"


class Target(Protocol):
    """What a file in exporters/ offers. Its first docstring line says where in the pipeline it stands."""

    SUMMARY: str
    NEEDS_MAPPING: bool

    def neuron_problem(self, model: str) -> str:
        """Why the target cannot compute a neuron model, for any name; empty if it can."""

    def operator_problem(self, kind: str) -> str:
        """Why the target cannot compute a kind of operators, for any name; empty if it can."""

    def problems(self, net: Network, mapping: CoreMapping | None) -> list[str]:
        """Everything that cannot be exported, each as a sentence."""

    def export(self, net: Network, mapping: CoreMapping | None, folder: Path, max_synapses: int) -> dict[str, int]:
        """Fill an empty folder; returns the latency of every population in steps.

        Raises DoesNotFitError if shared weights have to be unrolled to more than ``max_synapses`` synapses.
        """


def takes_mapping(target: Target) -> bool:
    """Whether a mapping is written: where the target needs one, or where it says TAKES_MAPPING and a chip is named."""
    return target.NEEDS_MAPPING or getattr(target, "TAKES_MAPPING", False)


def reason_not_run(target: Target) -> str:
    """Why artifacts of the target cannot be run here, in its own words: its NOT_RUN."""
    return str(getattr(target, "NOT_RUN", "see snnc targets"))


def remark(target: Target, measured: bool) -> str:
    """What stands beside every verdict of a target, its REMARK: what the verdict does not say; empty if it says all.

    Figures that were ``measured`` by a simulator of chips never stand alone.
    """
    return str(getattr(target, "REMARK", "nothing is known about the error of these figures" if measured else ""))


class RunnableTarget(Target, Protocol):
    """A target whose artifacts can be run here, and so be verified."""

    VERIFIED_BY: str  # what runs them: a simulator, a compiler, a reader

    def run(self, artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
        """Run an artifact on input rasters (samples, steps, n), each sample from a fresh state."""


def names() -> tuple[str, ...]:
    """All targets, by file name."""
    return named.names(EXPORTERS)


def load(name: str) -> Target:
    """A target by its name. Raises UnsupportedError for an unknown one."""
    return cast(Target, named.module(EXPORTERS, name, UnsupportedError, "target"))


def is_runnable(target: Target) -> TypeGuard[RunnableTarget]:
    """Whether artifacts of the target can be run here, and so be verified."""
    return hasattr(target, "run")


def support_matrix() -> dict[str, dict[str, dict[str, str]]]:
    """target -> neuron model -> kind of operators that feed it -> "" or the reason why not."""
    return {
        name: {
            model: {kind: load(name).neuron_problem(model) or load(name).operator_problem(kind) for kind in ops.kinds()}
            for model in neurons.names()
        }
        for name in names()
    }


def export(
    target: str,
    net: Network,
    mapping: CoreMapping | None,
    out: Path,
    *,
    force: bool = False,
    max_synapses: int = MAX_SYNAPSES,
) -> Artifact:
    """Write a network for a target into the folder ``out``, whole or not at all; equal input gives equal bytes.

    ``max_synapses``: into how many synapses the shared weights of a connection may be unrolled where the target needs it;
    beyond, DoesNotFitError is raised. Raises UnsupportedError with everything that the target cannot express, FileError if
    ``out`` exists (without ``force``, which replaces artifacts and empty folders only) or cannot be written.
    """
    chosen = load(target)
    if found := chosen.problems(net, mapping):
        raise UnsupportedError("; ".join(found), where=f"network {net.name!r} for target {target!r}")
    with new_folder(out, ours=_is_artifact, force=force) as folder:
        latency = chosen.export(net, mapping, folder, max_synapses)
        files = {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
        manifest = _manifest(target, net, mapping, latency, files)
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return Artifact(target, out, files, net.hash, latency, net.dt_s, net.numeric.kind)


def must_be_exportable(out: Path, force: bool) -> None:
    """Raises FileError if an artifact cannot be written to ``out``, as `export` does. Called before long work, too."""
    must_be_free(out, force, _is_artifact)


def _is_artifact(path: Path) -> bool:
    try:
        _read_manifest(path / MANIFEST)
    except FileError:
        return False
    return True


def _manifest(
    target: str, net: Network, mapping: CoreMapping | None, latency: Mapping[str, int], files: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "snnc": __version__,
        "target": target,
        "network": {"name": net.name, "hash": net.hash},
        "dt_s": net.dt_s,
        "numeric": net.numeric.kind,
        "encoding": asdict(net.encoding) if net.encoding else None,
        "profile": mapping.profile if mapping else None,
        "latency": dict(latency),
        "files": dict(files),
        "range_proof": prove_ranges(net).to_json() if isinstance(net.numeric, Fixed) else None,
        "done": [asdict(stage) for stage in net.done],
    }


def read_artifact(path: Path) -> Artifact:
    """The artifact in a folder. Its files are not opened, see `altered_files`.

    Raises FileError if the folder holds no manifest of ours, or one that is damaged or names files outside.
    """
    manifest = _read_manifest(path / MANIFEST)
    try:
        artifact = Artifact(
            target=str(manifest["target"]),
            root=path,
            files={str(k): str(v) for k, v in manifest["files"].items()},
            network_hash=str(manifest["network"]["hash"]),
            latency={str(k): int(v) for k, v in manifest["latency"].items()},
            dt_s=float(manifest["dt_s"]),
            numeric=str(manifest["numeric"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileError(f"is damaged: {error!r}", where=str(path / MANIFEST), fix="export again") from error
    if found := list(_manifest_problems(artifact)):
        raise FileError(found[0], where=str(path / MANIFEST), fix="export again")
    return artifact


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileError("no such file", where=str(path), fix="name a folder that snnc export wrote")
    manifest = read_json(path, "manifest", MAX_MANIFEST_BYTES, "export again")
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise FileError(f"has schema {schema!r}, this version reads {SCHEMA!r}", where=str(path), fix="export again")
    return cast(dict[str, Any], manifest)


def _manifest_problems(artifact: Artifact) -> Iterator[str]:
    for name in artifact.files:
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts or "\\" in name or "\0" in name:
            yield f"names the file {name!r}, which is outside of the artifact"
            return
        if not (artifact.root / name).resolve().is_relative_to(artifact.root.resolve()):
            yield f"names the file {name!r}, which leads out of the artifact"
    for population, steps in artifact.latency.items():
        if not 0 <= steps <= MAX_LATENCY_STEPS:
            yield f"gives population {population!r} a latency of {steps} steps"
    if not artifact.latency:
        yield "names no population"
    if artifact.numeric not in ("fixed", "float"):
        yield f"gives numbers of kind {artifact.numeric!r}"


def altered_files(artifact: Artifact) -> list[str]:
    """The files that are missing, or no longer what was exported."""
    return [name for name, digest in artifact.files.items() if _digest(artifact.root / name) != digest]


def foreign_files(artifact: Artifact) -> list[str]:
    """The files in the folder that the manifest does not list: they were added, or taken off the list."""
    here = (Path(folder, name) for folder, _, found in os.walk(artifact.root) for name in found)
    return sorted({p.relative_to(artifact.root).as_posix() for p in here} - {MANIFEST, *artifact.files})


def _digest(path: Path) -> str:
    """The sha256 of a regular file; empty if it cannot be read, or is larger than any artifact's."""
    try:
        return _sha256(path) if path.is_file() and path.stat().st_size <= MAX_FILE_BYTES else ""
    except OSError:
        return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
