"""Who is held against whom: an artifact, a torch model or a simulator against the simulator of a network. Part of `verify`."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import snnc.targets as targets
from snnc.base.factory import Factory
from snnc.base.files import must_be_free
from snnc.chips.profile import Profile
from snnc.errors import SnncError, UsageError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.pipeline.arguments import Say
from snnc.simulation.choice import simulator
from snnc.simulation.run import Rasters, Run
from snnc.targets.target import Artifact
from snnc.training.settings import must_have_torch
from snnc.verification import counterexample
from snnc.verification.compare import Divergence
from snnc.verification.prove import Comparison, Source, remarked, running
from snnc.verification.shrink import Case, Differs, samples_that_differ, shrunk

PEERS = ("torch", "reference")  # what a network can be held against instead of another network


def is_module(against: object) -> bool:
    """Whether a network is to be held against FILE.py:NAME."""
    return isinstance(against, str) and ".py:" in against


@dataclass(frozen=True, eq=False)
class Contest:
    """What runs, and what it is held against: the simulator ``by``."""

    net: Network
    run: Callable[[Rasters], Run]
    by: str | None
    peer: str  # "torch", "reference", "module", or "" for an artifact or a network
    of: dict[str, Any]  # what identifies it
    timeout_s: float
    artifact: Artifact | None = None
    altered: tuple[str, ...] = ()  # how the artifact is not what an export writes
    hint: str = ""  # why it is bound to differ, and what to do
    inner: int | None = None  # steps that a module makes of one frame, if it repeats it

    @property
    def record(self) -> bool:
        """Whether states are compared; torch's model has none."""
        return self.peer not in ("torch", "module")

    def remarked(self, comparison: Comparison) -> Comparison:
        """Return the comparison with what is to be said about the artifact, or about a module that differs."""
        if self.artifact:
            return remarked(comparison, self.artifact, self.altered)
        return replace(comparison, notes=(*comparison.notes, self.hint)) if self.hint and not comparison.exact else comparison


def contest(
    candidate: Network | Artifact, against: Network | str, by: str | None, timeout_s: float, *, as_it_is: bool = False,
    chip: Profile | None = None, weights: Path | None = None, netlist: str | None = None,
) -> Contest:  # fmt: skip
    """Return who runs and who judges.

    Raises AlteredError for an artifact that is not what an export writes, unless it is to be run ``as_it_is``, and
    NetworkError, UnsupportedError, UsageError, MissingDependencyError.
    """
    if (as_it_is or chip) and not isinstance(candidate, Artifact):
        where = "as_it_is" if as_it_is else "chip"
        raise UsageError("only an artifact can be altered", where=where, fix="leave it out")
    if weights is not None and not is_module(against):
        raise UsageError("are of a module", where="--weights", fix="add --against FILE.py:NAME, or leave them out")
    if netlist is not None and not isinstance(candidate, Artifact):
        raise UsageError("only a design has a netlist", where="netlist", fix="leave it out, or verify an artifact")
    if isinstance(against, Network):
        if isinstance(candidate, Artifact):
            return _of_artifact(candidate, against, by, timeout_s, as_it_is, chip, netlist)
        return _of_network(candidate, against, by, timeout_s)
    if is_module(against) and isinstance(candidate, Network):
        return _of_module(candidate, against, weights, None, timeout_s)
    if against not in PEERS or not isinstance(candidate, Network):
        what = "is an artifact" if against in PEERS else f"{against!r} is no network"
        raise UsageError(what, where="verify", fix="name the network that was exported, or a network and torch or reference")
    net, of = candidate, {"network": candidate.hash, "candidate": against, "by": by}
    if against == "reference":
        engine = simulator(net, "engine")
        return Contest(net, lambda inputs: engine(net, inputs, True), "reference", against, of, timeout_s)
    must_have_torch()
    from snnc.training.torch_run import torch_runner

    fixed = isinstance(net.numeric, Fixed)
    return Contest(net, torch_runner(net), by if fixed else "reference", against, of, timeout_s)


def _of_module(net: Network, source: str, weights: Path | None, time_axis: str | None, timeout_s: float) -> Contest:
    """A float network against the module in the user's own file, which is executed."""
    must_have_torch()
    from snnc.training.from_snntorch.module_run import module_runner
    from snnc.training.user_module import make

    factory = Factory.parse(source)
    if factory is None:
        raise UsageError("is no FILE.py:NAME", where=source, fix="name the function that makes the module")
    imported: dict[str, Any] = next((s.settings for s in net.done if s.name == "import"), {})
    axis: Any = time_axis or imported.get("time_axis", "none")
    runner = module_runner(make(factory, 0, weights), net, axis, factory.name)
    hint = _without_weights(net, source, runner.other_weights, imported.get("weights")) if weights is None else ""
    of = {"network": net.hash, "candidate": {"module": factory.name, "weights": str(weights)}, "by": "reference"}
    return Contest(net, runner.run, "reference", "module", of, timeout_s, hint=hint, inner=runner.inner)


def _without_weights(net: Network, source: str, others: Sequence[str], file: object) -> str:
    """Return the hint that a module without the weights of a file is not what was imported; nothing if it is."""
    if not others:
        return ""
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    given = f"those it was imported with, {file}" if isinstance(file, str) else "those it was trained to"
    return (
        f"{source} makes other weights than {net.name!r} has in {', '.join(others[:3])}{more}: name {given}, "
        "with --weights (from Python weights=)"
    )


def _of_network(candidate: Network, net: Network, by: str | None, timeout_s: float) -> Contest:
    run, of = simulator(candidate), {"network": net.hash, "by": by, "candidate": candidate.hash}
    return Contest(net, lambda inputs: run(candidate, inputs, True), by, "", of, timeout_s)


def _of_artifact(
    artifact: Artifact, net: Network, by: str | None, timeout_s: float, as_it_is: bool, chip: Profile | None, netlist: str | None
) -> Contest:
    run = running(artifact, net, timeout_s, netlist)
    altered = targets.alterations(artifact, net, chip)
    if not as_it_is:
        targets.must_be_unaltered(altered, artifact.root)
    of = {"network": net.hash, "by": by, "candidate": targets.fingerprint(artifact)} | ({"netlist": netlist} if netlist else {})
    return Contest(net, run, by, "", of, timeout_s, artifact, altered)


def where_to_shrink(candidate: Network | Artifact, against: Network | str, folder: Path | None) -> None:
    """Raises UsageError or FileError, before long work, if no counterexample can be written to ``folder``."""
    if folder and isinstance(candidate, Network) and against != "reference":
        other = "another network" if isinstance(against, Network) else "torch's model"
        fix = "leave it out, or verify an artifact or --against reference"
        raise UsageError(f"a counterexample is not written for {other}", where="--counterexample", fix=fix)
    if folder:
        must_be_free(folder, False, counterexample.is_one, option="--counterexample", replaceable=False)


def shrink(contest: Contest, source: Source, first: Divergence, folder: Path, say: Say) -> Path | None:
    """Write the smallest case in which the runs differ; returns its test, None if the sample alone does not differ."""
    case = Case(contest.net, source(first.sample, 1))
    say(f"sample {first.sample} differs: looking for the smallest case (Ctrl-C takes what was reached)")
    given, anew = _differs(contest), None if contest.artifact is None else _exported(contest)
    if not given(case.net, case.inputs).any():
        say(f"sample {first.sample} differs only among others: no counterexample was written")
        return None
    small = shrunk(case, given, neurons=anew if contest.artifact else given)
    exported = small.net is not case.net
    test = counterexample.write(folder, small, contest.artifact, exported=exported, timeout_s=contest.timeout_s)
    say(f"{', '.join(f'{n} {what}' for what, n in small.size.items())}: pytest {test}")
    return test


def _differs(contest: Contest) -> Differs:
    """Against the engine on any network, or the artifact as it is on its own."""

    def differs(net: Network, inputs: Rasters) -> NDArray[np.bool_]:
        candidate = simulator(net, "engine")(net, inputs, True) if contest.artifact is None else contest.run(inputs)
        return samples_that_differ(simulator(net, contest.by)(net, inputs, True), candidate)

    return differs


def _exported(contest: Contest) -> Differs | None:
    """Against the program that is exported from a network; None for targets that need a mapping."""
    assert contest.artifact is not None  # noqa: S101 - for the type checker; callers have one
    name, options = contest.artifact.target, contest.artifact.options
    if targets.load(name).NEEDS_MAPPING:
        return None

    def differs(net: Network, inputs: Rasters) -> NDArray[np.bool_]:
        samples = len(next(iter(inputs.values())))
        try:
            with tempfile.TemporaryDirectory(prefix="snnc-shrink-") as folder:
                artifact = targets.export(name, net, None, Path(folder) / "artifact", options=options)
                candidate = running(artifact, net, contest.timeout_s)(inputs)
            return samples_that_differ(simulator(net, contest.by)(net, inputs, True), candidate)
        except SnncError:  # a part of the network that cannot be exported is no smaller case
            return np.zeros(samples, np.bool_)

    return differs
