"""Artifacts: export a network into a folder with a manifest, and read such a folder again."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, cast

from snnc.analysis.range_proof import prove_ranges
from snnc.base.files import must_be_free, new_folder, read_json, sha256_of
from snnc.base.version import __version__
from snnc.errors import FileError, UnsupportedError, UsageError
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.network.op import MAX_SYNAPSES
from snnc.targets.target import Artifact, budget_problems, load

SCHEMA = "snnc.artifact/1"
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 16 << 20
MAX_FILE_BYTES = 4 << 30
MAX_LATENCY_STEPS = 10_000


def export(
    target: str,
    net: Network,
    mapping: CoreMap | None,
    out: Path,
    *,
    force: bool = False,
    max_synapses: int = MAX_SYNAPSES,
    options: Mapping[str, Any] | None = None,
) -> Artifact:
    """Write a network for a target into the folder ``out``, whole or not at all; equal input gives equal bytes.

    ``max_synapses``: into how many synapses the shared weights of a connection may be unrolled where the target needs it;
    beyond, DoesNotFitError is raised. ``options``: those that the target names in OPTIONS. Raises UnsupportedError with
    everything that the target cannot express, UsageError for an option that it does not have, FileError if ``out`` exists
    (without ``force``, which replaces artifacts and empty folders only) or cannot be written.
    """
    chosen, options = load(target), dict(options or {})
    if unknown := sorted(options.keys() - set(getattr(chosen, "OPTIONS", ()))):
        raise UsageError(f"target {target!r} has no option {unknown[0]!r}", where="export", fix="leave it out")
    if problems := chosen.problems(net, mapping) or budget_problems(chosen, target, net):
        raise UnsupportedError("; ".join(problems), where=f"network {net.name!r} for target {target!r}")
    with new_folder(out, ours=_is_artifact, force=force) as folder:
        latency = chosen.export(net, mapping, folder, max_synapses, **options)
        files = {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
        manifest = _manifest(target, net, mapping, latency, files, options)
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return Artifact(target, out, files, net.hash, latency, net.dt_s, net.numeric.kind, _states(net), options)


def must_be_exportable(out: Path, force: bool) -> None:
    """Raise FileError if an artifact cannot be written to ``out``, as `export` does. Called before long work, too."""
    must_be_free(out, force, _is_artifact)


def _is_artifact(path: Path) -> bool:
    try:
        read_manifest(path / MANIFEST)
    except FileError:
        return False
    return True


def _manifest(
    target: str, net: Network, mapping: CoreMap | None, latency: Mapping[str, int], files: Mapping[str, str],
    options: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    return {
        "schema": SCHEMA,
        "snnc": __version__,
        "target": target,
        "network": {"name": net.name, "hash": net.hash},
        "dt_s": net.dt_s,
        "numeric": net.numeric.kind,
        "encoding": net.encoding.stated() if net.encoding else None,
        "profile": mapping.profile if mapping else None,
        "latency": dict(latency),
        "states": _states(net),
        "files": dict(files),
        "range_proof": prove_ranges(net).to_json() if isinstance(net.numeric, Fixed) else None,
        "done": [asdict(stage) for stage in net.done],
        **({"options": dict(options)} if options else {}),
    }


def _states(net: Network) -> dict[str, tuple[str, ...]]:
    return {p.name: p.neuron.variables() for p in net.ordered if p.neuron}


def read_artifact(path: Path) -> Artifact:
    """Read the artifact in a folder. Its files are not opened, see `altered_files`.

    Raises FileError if the folder holds no manifest of ours, or one that is damaged or names files outside.
    """
    manifest = read_manifest(path / MANIFEST)
    try:
        artifact = Artifact(
            target=str(manifest["target"]),
            root=path,
            files={str(k): str(v) for k, v in manifest["files"].items()},
            network_hash=str(manifest["network"]["hash"]),
            latency={str(k): int(v) for k, v in manifest["latency"].items()},
            dt_s=float(manifest["dt_s"]),
            numeric=str(manifest["numeric"]),
            states={str(k): tuple(map(str, v)) for k, v in manifest.get("states", {}).items()},
            options=dict(manifest.get("options", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileError(f"is damaged: {error!r}", where=str(path / MANIFEST), fix="export again") from error
    if problems := list(_manifest_problems(artifact)):
        raise FileError(problems[0], where=str(path / MANIFEST), fix="export again")
    return artifact


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the content of a manifest. Raises FileError if there is none, or none of ours."""
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
        if not _leads_inside(artifact.root, name):
            yield f"names the file {name!r}, which leads out of the artifact"
    for population, steps in artifact.latency.items():
        if not 0 <= steps <= MAX_LATENCY_STEPS:
            yield f"gives population {population!r} a latency of {steps} steps"
    if not artifact.latency:
        yield "names no population"
    if not artifact.states.keys() <= artifact.latency.keys():
        yield "gives states to a population that it does not name"
    if artifact.numeric not in ("fixed", "float"):
        yield f"gives numbers of kind {artifact.numeric!r}"


def _leads_inside(root: Path, name: str) -> bool:
    """Return whether a path, its links followed, ends in the folder; one whose links never end does not."""
    try:
        return (root / name).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False


def altered_files(artifact: Artifact) -> list[str]:
    """Return the files that are missing, or no longer what was exported."""
    return [name for name, exported in artifact.files.items() if digest(artifact.root / name) != exported]


def foreign_files(artifact: Artifact) -> list[str]:
    """Return the files in the folder that the manifest does not list: they were added, or taken off the list."""
    here = [
        Path(folder, name)
        for folder, folders, files in os.walk(artifact.root)
        for name in [*files, *(inside for inside in folders if Path(folder, inside).is_symlink())]
    ]
    return sorted({p.relative_to(artifact.root).as_posix() for p in here} - {MANIFEST, *artifact.files})


def digest(path: Path) -> str:
    """Return the sha256 of a regular file; empty if it cannot be read, or is larger than any artifact's."""
    try:
        return sha256_of(path) if path.is_file() and path.stat().st_size <= MAX_FILE_BYTES else ""
    except (OSError, RuntimeError):
        return ""
