"""What snnc can do on this machine: which optional packages are there, and does Lava run. Behind `snnc doctor`."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

import snnc.chips as chips
import snnc.targets as targets
from snnc.base import registry
from snnc.errors import SnncError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense
from snnc.verification.prove import from_noise, verify_artifact

CORE = "core"
LAVA = "lava-nc==0.10.0"
_GROUPED = ("all", "dev")  # extras that only name others


@dataclass(frozen=True)
class Package:
    """A package that a feature needs. ``version`` is None if it is not installed."""

    name: str
    requirement: str  # as pip takes it
    version: str | None


@dataclass(frozen=True)
class Feature:
    """What an extra of snnc adds: its packages, and the line that installs those that are missing."""

    name: str
    packages: tuple[Package, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.packages if p.version is None)

    @property
    def install(self) -> str:
        """The command that installs what is missing; empty if nothing is."""
        wanted = [p.requirement for p in self.packages if p.version is None]
        plain = " ".join(f'"{r}"' for r in wanted if r != LAVA)
        lines = [f"pip install {plain}"] if plain else []
        if LAVA in wanted:  # its metadata refuse current versions of Python and of its own dependencies
            lines.append(f"pip install --no-deps --ignore-requires-python {LAVA}")
        return " && ".join(lines)


def features() -> Mapping[str, Feature]:
    """Return every feature by name, read from snnc's own metadata. Lava itself is not in them, as pip would refuse it."""
    packages: dict[str, list[Package]] = {CORE: []}
    for line in metadata.requires("snnc") or ():
        requirement, _, condition = (part.strip() for part in line.partition(";"))
        extra = re.search(r"""extra\s*==\s*["']([\w-]+)""", condition)
        name = extra[1] if extra else CORE
        if name not in _GROUPED:
            packages.setdefault(name, []).append(_package(requirement))
    packages.setdefault("lava", []).append(_package(LAVA))
    return {name: Feature(name, tuple(needed)) for name, needed in packages.items()}


@dataclass(frozen=True)
class PlugIn:
    """What another distribution adds to snnc. ``problem`` is empty if it works."""

    kind: str
    name: str
    brought_by: str
    problem: str


def plug_ins() -> tuple[PlugIn, ...]:
    """Every plug-in of other distributions; each is imported, to see whether it works."""
    kinds = {kind.group: (kind.kind, kind.broken()) for kind in registry.OPEN}
    broken: dict[str, tuple[str, Mapping[str, SnncError]]] = {**kinds, registry.CHIPS: ("chip", chips.broken())}
    return tuple(
        PlugIn(kind, name, " and ".join(map(registry.brought_by, points)), str(problems.get(name, "")))
        for group, (kind, problems) in broken.items()
        for name, points in registry.offered(group).items()
    )


def _package(requirement: str) -> Package:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    try:
        return Package(name, requirement, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Package(name, requirement, None)


def try_lava(timeout_s: float = 60) -> str:
    """Export a network of one neuron, run it in Lava and compare. Returns the version that ran.

    Raises MissingDependencyError if Lava is not installed, RunError if it fails, SnncError if it computes other spikes.
    """
    net = _one_neuron()
    with tempfile.TemporaryDirectory(prefix="snnc-doctor-") as folder:
        artifact = targets.export("lava", net, None, Path(folder) / "trial")
        verdict = verify_artifact(artifact, net, from_noise(net, 20, 0.5, 0), 1, timeout_s=timeout_s).verdict
    if not verdict.exact:
        raise SnncError("Lava runs, but computes other spikes than the reference", where=verdict.candidate)
    return verdict.candidate


def _one_neuron() -> Network:
    numeric = Fixed(
        "trial", weight_bits=8, weight_exponent_min=-8, weight_exponent_max=7, decay_bits=12, threshold_bits=17,
        bias_mantissa_bits=13, bias_exponent_max=7, state_bits=24, state_shift=6,
    )  # fmt: skip
    weight = Dense(Synapses.from_dense(np.array([[100]])), 0, "excitatory")
    neuron = LIF(threshold=np.array(150), decay_v=np.array(512), bias=np.array(0))
    populations = (Population("input", (1,), None), Population("neuron", (1,), neuron))
    return Network("trial", populations, (Connection("synapse", "input", "neuron", weight),), 1e-3, numeric)
