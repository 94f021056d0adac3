"""Writes a case in which two runs of a network differ, as a folder with a self-contained test. After
`snnc.verification.shrink`.
"""

import json
import shutil
from pathlib import Path

from snnc import store
from snnc.base.files import new_folder
from snnc.base.npz import packed
from snnc.targets.artifact import export
from snnc.targets.target import Artifact
from snnc.verification.shrink import Case

ABOUT = "counterexample.json"
_TEST = '''"""{claim}: pytest {name}

{size}. Made by snnc verify --counterexample; fails as long as the runs differ.
"""

from pathlib import Path

import numpy as np

{imports}
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

HERE = Path(__file__).resolve().parent


def test_the_runs_are_equal():
    net = store.load(HERE / "network.snnc")
    with np.load(HERE / "inputs.npz", allow_pickle=False) as file:
        inputs = dict(file)
    verdict = compare(simulate(net, inputs, record=True), {run})
    assert verdict.first is None, verdict.first
'''
_ENGINE = "engine.simulate(net, inputs, record=True)"
_PROGRAM = "targets.load({target!r}).run(targets.read_artifact(HERE / 'artifact'), inputs, True, {timeout:g})"


def is_one(folder: Path) -> bool:
    """Return whether a folder holds a counterexample."""
    return (folder / ABOUT).is_file()


def write(folder: Path, case: Case, artifact: Artifact | None = None, *, exported: bool = False, timeout_s: float = 600) -> Path:
    """Write a case in which the engine, or the program of an artifact, differs from the reference; return the test's file.

    ``exported``: whether the artifact is exported again from the network of the case; else it is copied as it is, altered or
    not. Raises FileError if ``folder`` exists and WriteError if it cannot be written.
    """
    name = f"test_{'engine' if artifact is None else artifact.target}.py"
    with new_folder(folder, ours=is_one) as place:
        store.save(case.net, place / "network.snnc")
        (place / "inputs.npz").write_bytes(packed(case.inputs))
        if artifact and exported:
            export(artifact.target, case.net, None, place / "artifact")
        elif artifact:
            shutil.copytree(artifact.root, place / "artifact", ignore=shutil.ignore_patterns("__pycache__"))
        (place / name).write_text(_test(case, artifact, name, timeout_s))
        (place / ABOUT).write_text(json.dumps({"schema": "snnc.counterexample/1", **case.size}) + "\n")
    return folder / name


def _test(case: Case, artifact: Artifact | None, name: str, timeout_s: float) -> str:
    size = ", ".join(f"{count} {what}" for what, count in case.size.items())
    if artifact is None:
        claim, run = "The engine computes what the reference computes", _ENGINE
        imports = "from snnc import store\nfrom snnc.simulation import engine"
    else:
        claim = f"The program of target {artifact.target} computes what the reference computes"
        imports = "from snnc import store, targets"
        run = _PROGRAM.format(target=artifact.target, timeout=timeout_s)
    return _TEST.format(claim=claim, name=name, size=size, imports=imports, run=run)
