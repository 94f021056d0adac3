"""Is an artifact, byte for byte, what an export of its network writes? Asked before anything of it runs."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import snnc.chips as chips
from snnc.chips.profile import Profile
from snnc.errors import AlteredError, FileError, SnncError
from snnc.mapping.mapping_file import read_mapping
from snnc.mapping.model import CoreMap
from snnc.network.model import Network
from snnc.network.op import MAX_SYNAPSES
from snnc.targets.artifact import MANIFEST, altered_files, digest, export, foreign_files, read_manifest
from snnc.targets.target import Artifact

SYNAPSES_PER_BYTE = 64  # more than any file of an artifact packs
NAMED = 5  # alterations that an error names


def alterations(artifact: Artifact, net: Network, chip: Profile | None = None) -> tuple[str, ...]:
    """Return every way in which an artifact is not what `export` writes of ``net``, each as a sentence; none if it is.

    Nothing of the artifact is run. Hashes and names are compared first; where they hold, the network is exported anew with
    the artifact's mapping, and every byte is compared, the manifest's own included.

    Args:
        chip: the profile that the artifact is mapped to, where it is none of snnc's own.
    """
    unlike = [f"{name} is not what was exported" for name in altered_files(artifact)]
    unlike += [f"{name} is no file of the export" for name in foreign_files(artifact)]
    if artifact.network_hash != net.hash:
        unlike.append(f"the artifact was made from network {artifact.network_hash[:12]}, this one is {net.hash[:12]}")
    return tuple(unlike or _unlike_a_new_export(artifact, net, chip))


def must_be_unaltered(altered: tuple[str, ...], where: Path) -> None:
    """Raise AlteredError that names the first alterations, if there are any."""
    if altered:
        more = f"; and {len(altered) - NAMED} more" if len(altered) > NAMED else ""
        fix = "export again, or run it all the same with --as-it-is"
        raise AlteredError("; ".join(altered[:NAMED]) + more, where=str(where), fix=fix)


def fingerprint(artifact: Artifact) -> str:
    """Return the SHA-256 of all files of an artifact as they are, altered or not."""
    total = hashlib.sha256()
    for name in sorted({MANIFEST, *artifact.files, *foreign_files(artifact)}):
        total.update(name.encode("utf-8", "surrogateescape") + b"\0" + digest(artifact.root / name).encode())
    return total.hexdigest()


def export_like(artifact: Artifact, net: Network, chip: Profile | None, out: Path) -> Artifact:
    """Export a network for the target of an artifact, its neurons on the same cores; the mapping is measured anew.

    Raises FileError, DoesNotFitError or NetworkError if the artifact's mapping is none of the network's, and as `export` does.
    """
    mapping = _mapping(artifact, read_manifest(artifact.root / MANIFEST).get("profile"), net, chip)
    at_most = max(MAX_SYNAPSES, SYNAPSES_PER_BYTE * _bytes(artifact))
    return export(artifact.target, net, mapping, out, max_synapses=at_most, options=artifact.options)


def _unlike_a_new_export(artifact: Artifact, net: Network, chip: Profile | None) -> Iterator[str]:
    theirs = read_manifest(artifact.root / MANIFEST)
    try:
        with tempfile.TemporaryDirectory(prefix="snnc-anew-") as folder:
            anew = Path(folder) / "artifact"
            export_like(artifact, net, chip, anew)
            ours, same = read_manifest(anew / MANIFEST), _equal_bytes(anew, artifact.root)
    except SnncError as error:
        yield f"it cannot be written anew, so nothing says that it is what an export writes: {error}"
        return
    unlike = sorted(key for key in {*ours, *theirs} - {"files"} if ours.get(key, ...) != theirs.get(key, ...))
    if "snnc" in unlike:
        yield f"it was exported by snnc {theirs.get('snnc')}, this is {ours['snnc']}"
    yield from (f"{MANIFEST} says another {key} than an export of the network" for key in unlike if key != "snnc")
    files: dict[str, Any] = theirs["files"]
    yield from (f"{name} is not what an export writes" for name in sorted(files) if ours["files"].get(name) != files[name])
    yield from (f"{name} is missing, an export writes it" for name in sorted({*ours["files"]} - {*files}))
    if not unlike and files == ours["files"] and not same:
        yield f"{MANIFEST} holds what an export writes, but not its bytes"


def _equal_bytes(anew: Path, root: Path) -> bool:
    return (anew / MANIFEST).read_bytes() == (root / MANIFEST).read_bytes()


def _bytes(artifact: Artifact) -> int:
    return sum((artifact.root / name).stat().st_size for name in artifact.files)


def _mapping(artifact: Artifact, profile: Any, net: Network, chip: Profile | None) -> CoreMap | None:
    """Return the mapping that the artifact holds, measured anew. A profile that a manifest names is looked up among snnc's own
    only: no file that it names is opened."""
    if profile is None:
        return None
    if chip is None and profile not in chips.names():
        what = f"is mapped to {json.dumps(profile)[:80]}, which is no profile of snnc's own"
        raise FileError(what, where=str(artifact.root / MANIFEST), fix="name its file with --hw")
    return read_mapping(artifact.root / "mapping.json", net, chip or chips.load(profile))
