"""Who is held against whom: an artifact, a torch model or the engine against a simulator. Part of `snnc verify`."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import snnc.targets as targets
from snnc import store
from snnc.base.files import must_be_free
from snnc.cli._common import say
from snnc.errors import SnncError, UsageError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.simulation.choice import simulator
from snnc.simulation.run import Rasters, Run
from snnc.targets.target import Artifact
from snnc.training.settings import must_have_torch
from snnc.verification import counterexample
from snnc.verification.compare import Divergence
from snnc.verification.prove import Comparison, Source, notes, running
from snnc.verification.shrink import Case, Differs, samples_that_differ, shrunk


@dataclass(frozen=True, eq=False)
class Contest:
    """What runs, and what it is held against: the simulator ``by``."""

    net: Network
    run: Callable[[Rasters], Run]
    by: str | None
    peer: str  # "torch", "reference", or "" for an artifact
    of: dict[str, Any]  # what identifies it
    timeout_s: float
    artifact: Artifact | None = None

    @property
    def record(self) -> bool:
        """Whether states are compared; torch's model has none."""
        return self.peer != "torch"

    def remarked(self, proof: Comparison) -> Comparison:
        """The proof with what is to be said about the artifact."""
        return replace(proof, notes=notes(self.artifact, self.net, proof)) if self.artifact else proof


def contest(artifact: Path, model: Path, by: str | None, timeout_s: float) -> Contest:
    """From the words of the command line. Raises FileError, NetworkError, UnsupportedError, MissingDependencyError."""
    peer = str(model) if str(model) in ("torch", "reference") else ""
    net = store.load(artifact if peer else model)
    of = {"network": net.hash, "candidate": peer, "by": by}
    if peer == "reference":
        engine = simulator(net, "engine")
        return Contest(net, lambda inputs: engine(net, inputs, True), "reference", peer, of, timeout_s)
    if peer == "torch":
        must_have_torch()
        from snnc.training.torch_run import torch_runner

        fixed = isinstance(net.numeric, Fixed)
        return Contest(net, torch_runner(net), by if fixed else "reference", peer, of, timeout_s)
    exported = targets.read_artifact(artifact)
    return Contest(net, running(exported, net, timeout_s), by, peer, {**of, "candidate": _hash(exported)}, timeout_s, exported)


def _hash(artifact: Artifact) -> str:
    """Of all files as they are, altered or not."""
    digest = sha256()
    for path in sorted(p for p in artifact.root.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(path.relative_to(artifact.root).as_posix().encode() + b"\0" + sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def where_to_shrink(model: Path, folder: Path | None) -> None:
    """Raises UsageError or FileError, before long work, if no counterexample can be written to ``folder``."""
    if folder and str(model) == "torch":
        fix = "leave it out, or verify an artifact or --against reference"
        raise UsageError("a counterexample is not written for torch's model", where="--counterexample", fix=fix)
    if folder:
        must_be_free(folder, False)


def shrink(found: Contest, source: Source, first: Divergence, folder: Path, quiet: bool) -> Path | None:
    """Write the smallest case in which the runs differ; returns its test, None if the sample alone does not differ."""
    case = Case(found.net, source(first.sample, 1))
    say(f"sample {first.sample} differs: looking for the smallest case (Ctrl-C takes what was reached)", quiet)
    given, anew = _differs(found), None if found.artifact is None else _exported(found)
    if not given(case.net, case.inputs).any():
        say(f"sample {first.sample} differs only among others: no counterexample was written", quiet)
        return None
    small = shrunk(case, given, neurons=anew if found.artifact else given)
    exported = small.net is not case.net
    test = counterexample.write(folder, small, found.artifact, exported=exported, timeout_s=found.timeout_s)
    say(f"{', '.join(f'{n} {what}' for what, n in small.size.items())}: pytest {test}", quiet)
    return test


def _differs(found: Contest) -> Differs:
    """Against the engine on any network, or the artifact as it is on its own."""

    def differs(net: Network, inputs: Rasters) -> NDArray[np.bool_]:
        candidate = simulator(net, "engine")(net, inputs, True) if found.artifact is None else found.run(inputs)
        return samples_that_differ(simulator(net, found.by)(net, inputs, True), candidate)

    return differs


def _exported(found: Contest) -> Differs | None:
    """Against the program that is exported from a network; None for targets that need a mapping."""
    assert found.artifact is not None  # noqa: S101 - for the type checker; callers have one
    name = found.artifact.target
    if targets.load(name).NEEDS_MAPPING:
        return None

    def differs(net: Network, inputs: Rasters) -> NDArray[np.bool_]:
        samples = len(next(iter(inputs.values())))
        try:
            with tempfile.TemporaryDirectory(prefix="snnc-shrink-") as folder:
                artifact = targets.export(name, net, None, Path(folder) / "artifact")
                candidate = running(artifact, net, found.timeout_s)(inputs)
            return samples_that_differ(simulator(net, found.by)(net, inputs, True), candidate)
        except SnncError:  # a part of the network that cannot be exported is no smaller case
            return np.zeros(samples, np.bool_)

    return differs
