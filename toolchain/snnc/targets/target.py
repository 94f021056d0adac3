"""What a target offers: the contract of a file in exporters/, and the targets by name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeGuard, cast

import snnc.neurons as neurons
from snnc import ops
from snnc.base import registry
from snnc.errors import UsageError
from snnc.mapping.model import CoreMap
from snnc.network.model import Network
from snnc.simulation.run import Rasters, Run

EXPORTERS = registry.TARGETS.package


@dataclass(frozen=True)
class Artifact:
    """What was exported: a folder with its manifest.

    Examples:
        >>> import snnc
        >>> import tempfile
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     artifact = snnc.export(net, "npz", f"{folder}/program")
        >>> artifact.target, artifact.numeric, "run.py" in artifact.files
        ('npz', 'float', True)
    """

    target: str
    root: Path
    files: Mapping[str, str]  # path inside the folder -> sha256 when it was exported
    network_hash: str
    latency: Mapping[str, int]  # population, in the order of computation -> steps by which it runs late
    dt_s: float
    numeric: str = "fixed"  # the numbers of the network: "fixed" or "float"
    states: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by population; earlier versions named none
    options: Mapping[str, Any] = field(default_factory=dict)  # of the target, that were given when it was exported

    def __repr__(self) -> str:
        return f"Artifact({self.target}, {str(self.root)!r}, {len(self.files)} files, network {self.network_hash[:12]})"


class Target(Protocol):
    """What a file in exporters/ offers. Its first docstring line says where in the pipeline it stands."""

    SUMMARY: str
    NEEDS_MAPPING: bool

    def neuron_problem(self, model: str) -> str:
        """Why the target cannot compute a neuron model, for any name; empty if it can."""

    def operator_problem(self, kind: str) -> str:
        """Why the target cannot compute a kind of operators, for any name; empty if it can."""

    def problems(self, net: Network, mapping: CoreMap | None) -> list[str]:
        """Everything that cannot be exported, each as a sentence."""

    def export(self, net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int, **options: Any) -> dict[str, int]:
        """Fill an empty folder; returns the latency of every population in steps. ``options``: some of those in OPTIONS, if any.

        Raises DoesNotFitError if shared weights have to be unrolled to more than ``max_synapses`` synapses.
        """


def takes_mapping(target: Target) -> bool:
    """Whether a mapping is written: where the target needs one, or where it says TAKES_MAPPING and a chip is named."""
    return target.NEEDS_MAPPING or getattr(target, "TAKES_MAPPING", False)


def budget_problems(target: Target, name: str, net: Network) -> list[str]:
    """Return which inputs have a budget of spikes that the target's programs do not hold them to; see CHECKS_BUDGETS."""
    if getattr(target, "CHECKS_BUDGETS", False):
        return []
    return [
        f"input {p.name!r} has a budget of {p.max_spikes_per_step:,} messages a step, on which the range proof stands, and what"
        f" {name} writes does not check its inputs; use a target that does (docs/proof.md), or quantise without a budget"
        for p in net.inputs
        if p.max_spikes_per_step is not None
    ]


def reason_not_run(target: Target) -> str:
    """Why artifacts of the target cannot be run here, in its own words: its NOT_RUN."""
    return str(getattr(target, "NOT_RUN", "see snnc targets"))


def remark(target: Target, measured: bool) -> str:
    """What stands beside every verdict of a target, its REMARK: what the verdict does not say; empty if it says all.

    Figures that were ``measured`` by a simulator of chips never stand alone.
    """
    return str(getattr(target, "REMARK", "nothing is known about the error of these figures" if measured else ""))


def use_rtl(name: str, folder: Path) -> None:
    """Name the folder with the RTL that a target simulates, as the environment variable in its RTL does, for this process.

    ``name``: empty where there is no target. Raises UsageError for a target that simulates none.
    """
    setting = getattr(load(name), "RTL", "") if name else ""
    if not setting:
        what = f"target {name!r} simulates no RTL of others" if name else "only an artifact simulates RTL of others"
        raise UsageError(what, where="rtl", fix="leave it out")
    os.environ[setting] = str(folder.resolve())


def must_be_ready(target: Target) -> None:
    """Raise what its `must_be_ready` raises, before long work, if what runs its artifacts is not here."""
    getattr(target, "must_be_ready", lambda: None)()


class RunnableTarget(Target, Protocol):
    """A target whose artifacts can be run here, and so be verified."""

    VERIFIED_BY: str  # what runs them: a simulator, a compiler, a reader

    def run(self, artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
        """Run an artifact on input rasters (samples, steps, n), each sample from a fresh state."""


def names() -> tuple[str, ...]:
    """List the targets that a network can be exported to.

    Returns:
        Their names, sorted.

    Examples:
        >>> import snnc
        >>> "loihi" in snnc.targets()
        True
    """
    return registry.TARGETS.names()


def working() -> tuple[str, ...]:
    """Return the targets that can be loaded."""
    return registry.TARGETS.working()


def load(name: str) -> Target:
    """A target by its name. Raises UsageError for an unknown one, PluginError for one that does not work."""
    return cast(Target, registry.TARGETS.module(name))


def is_runnable(target: Target) -> TypeGuard[RunnableTarget]:
    """Whether artifacts of the target can be run here, and so be verified."""
    return hasattr(target, "run")


def support_matrix() -> dict[str, dict[str, dict[str, str]]]:
    """Say what each target takes.

    Returns:
        target -> neuron model -> kind of operators that feed it -> "" or the reason why it is refused.

    Examples:
        >>> import snnc
        >>> snnc.supported()["npz"]["lif"]["dense"]
        ''
    """
    return {
        name: {
            model: {kind: load(name).neuron_problem(model) or load(name).operator_problem(kind) for kind in ops.working()}
            for model in neurons.working()
        }
        for name in working()
    }


def refusals(net: Network) -> dict[str, str]:
    """Return for each target why it takes no network with these neurons and operators, named once; empty if it does."""
    pairs = [(p, c.op.kind) for p in net.populations if p.neuron for c in net.into(p.name)]
    found = {}
    for name in working():
        target = load(name)
        reasons = (
            (f"population {p.name!r}", why) for p, kind in pairs
            if p.neuron and (why := target.neuron_problem(p.neuron.model()) or target.operator_problem(kind))
        )  # fmt: skip
        found[name] = ": ".join(next(reasons, ("", ""))).removeprefix(": ")
    return found
