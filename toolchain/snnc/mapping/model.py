"""A network on a chip: slices of populations on cores, with what they use."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from snnc.chips.profile import Profile
from snnc.network.html import block


@dataclass(frozen=True, order=True)
class Slice:
    """Neurons start .. stop - 1 of a population."""

    population: str
    start: int
    stop: int


@dataclass(frozen=True)
class Core:
    """One core of the chip: what lies on it and what it uses, resource by resource."""

    index: int
    slices: tuple[Slice, ...]
    used: Mapping[str, int]  # resource (a key of Profile.limits) -> amount
    formats: Mapping[str, str] = field(default_factory=dict)  # connection -> how this core stores its synapses
    words: Mapping[str, Mapping[Any, int]] = field(default_factory=dict, compare=False)  # connection -> format -> its words


@dataclass(frozen=True)
class CoreMap:
    """Which neurons lie on which core. Deterministic for network, profile and seed.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1, steps=4), "loihi1")
        >>> core_map = snnc.map(fixed, "loihi1", strategy="sequential")
        >>> [core.slices[0].population for core in core_map.cores]
        ['hidden1', 'output']
    """

    chip: Profile
    seed: int
    cores: tuple[Core, ...]
    strategy: str = "sequential"

    @property
    def profile(self) -> str:
        """The name of the chip."""
        return self.chip.name

    def __repr__(self) -> str:
        cores = f"{len(self.cores)} core{'s' if len(self.cores) != 1 else ''}"
        return f"CoreMap({self.profile}, {cores}, strategy {self.strategy!r}, seed {self.seed})"

    def _repr_html_(self) -> str:
        spans = [", ".join(f"{s.population} {s.start}..{s.stop - 1}" for s in core.slices) for core in self.cores]
        rows = [(core.index, span, *core.used.values()) for core, span in zip(self.cores, spans, strict=True)]
        used = [name.removesuffix("_per_core").replace("_", " ") for core in self.cores[:1] for name in core.used]
        return block(repr(self), None, ("core", "neurons of", *used), rows)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, for mapping.json of an artifact."""
        cores = [{key: value for key, value in asdict(core).items() if key != "words"} for core in self.cores]
        return {"schema": "snnc.mapping/1", "profile": self.profile, "seed": self.seed, "cores": cores, "strategy": self.strategy}
