"""A run folder as it lies on disk: what is there is read and checked, what is missing is None. Part of report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import snnc.chips as chips
import snnc.targets as targets
from snnc import store
from snnc.base.files import read_json
from snnc.chips.profile import Profile
from snnc.errors import FileError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.pipeline.recording import RECORDING, Recording, read_recording
from snnc.report.facts import at, text

MAX_BYTES = 32 << 20  # of a JSON file
MAX_EPOCHS = 100_000
STAGES = ("trained", "pruned", "fixed")
AGAIN = "run snnc run again"

Lines = tuple[dict[str, Any], ...]


@dataclass(frozen=True, eq=False)
class RunFolder:
    """What `snnc run` left, or files of a chain that were made by hand."""

    path: Path
    config: Any  # chain.json
    summary: Any  # summary.json
    epochs: Mapping[str, Lines]  # "trained", "pruned": a line of metrics an epoch
    trained: Network | None
    pruned: Network | None
    fixed: Network | None
    profile: Profile | None
    recording: Recording | None
    mapping: Path | None  # of the exported program

    @property
    def name(self) -> str:
        return text(self.config, "goal", "name") or (self.fixed.name if self.fixed else self.path.name)


def is_run(path: Path) -> bool:
    """Tell whether `snnc run` wrote the folder, or networks lie in it."""
    return any((path / name).is_file() for name in ("chain.json", "summary.json")) or any(path.glob("*.snnc"))


def read_run(path: Path, chip: str | None = None) -> RunFolder:
    """Read the folder of a run; ``chip``: the hardware profile, for a run on one that snnc does not bring along.

    Raises FileError if a file in it is damaged or far too large, ProfileError for an unknown ``chip``.
    """
    config, summary = (_json(path / name) for name in ("chain.json", "summary.json"))
    nets = {stage: _network(path / f"{stage}.snnc") for stage in STAGES}
    names = {stage: stage for stage in STAGES}
    if config is None and summary is None:
        names |= _by_hand(path)
        nets = {stage: _network(path / f"{name}.snnc") for stage, name in names.items()}
    fixed, recorded = nets["fixed"], path / RECORDING
    chip_of_net = fixed.numeric.profile if fixed and isinstance(fixed.numeric, Fixed) else None
    return RunFolder(
        path, config, summary,
        epochs={stage: _lines(path / f"{names[stage]}.metrics.jsonl") for stage in ("trained", "pruned")},
        trained=nets["trained"], pruned=nets["pruned"],
        fixed=fixed,
        profile=_profile(chip, text(summary, "profile") or text(config, "goal", "hw") or chip_of_net),
        recording=read_recording(recorded, fixed) if fixed and recorded.is_file() else None,
        mapping=_mapping(path, at(config, "goal", "target")),
    )  # fmt: skip


def _by_hand(path: Path) -> dict[str, str]:
    """Return which network of a folder is which stage: of integers; pruned; neither. The names do not matter.

    Raises FileError where two could be the same stage, as the page would be about one of them only.
    """
    names: dict[str, str] = {}
    for file in sorted(path.glob("*.snnc"))[: len(STAGES) + 1]:
        net = store.load(file)
        stages = {stage.name for stage in net.done}
        kind = "fixed" if isinstance(net.numeric, Fixed) else "pruned" if "prune" in stages else "trained"
        if kind in names:
            raise FileError(
                f"has two networks that could be {kind}: {names[kind]}.snnc and {file.name}", where=str(path),
                fix="give each chain a folder of its own",
            )  # fmt: skip
        names[kind] = file.name.removesuffix(".snnc")
    return names


def _json(path: Path) -> Any:
    if not path.is_file():
        return None
    content = read_json(path, "file of a run", MAX_BYTES, AGAIN)
    if not isinstance(content, dict):
        raise FileError("is no JSON object", where=str(path), fix=AGAIN)
    return content


def _network(path: Path) -> Network | None:
    return store.load(path) if path.is_file() else None


def _lines(path: Path) -> Lines:
    if not path.is_file():
        return ()
    if (size := path.stat().st_size) > MAX_BYTES:
        raise FileError(f"has {size:,} bytes, metrics have at most {MAX_BYTES:,}", where=str(path))
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:MAX_EPOCHS]]
    except (OSError, ValueError, RecursionError) as error:
        raise FileError(f"is no file of metrics ({error})", where=str(path), fix="delete it, or train again") from error
    return tuple(line for line in lines if isinstance(line, dict))


def _profile(chip: str | None, named: str | None) -> Profile | None:
    """Load the profile. A file that a run folder names is not opened: only the user says which files are read."""
    if chip:
        return chips.load(chip)
    return chips.load(named) if named in chips.names() else None


def _mapping(path: Path, target: Any) -> Path | None:
    """Return the mapping of the exported program; without a configuration, the only one in the folder or in one below."""
    if target in targets.names():
        file = path / target / "mapping.json"
        return file if file.is_file() else None
    files = sorted({*path.glob("mapping.json"), *path.glob("*/mapping.json")}) if target is None else []
    return files[0] if len(files) == 1 else None
