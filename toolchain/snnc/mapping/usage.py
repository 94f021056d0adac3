"""How much of one resource is used at one place, and the error where it is too much."""

from dataclasses import dataclass
from typing import Any

from snnc.errors import DoesNotFitError


@dataclass(frozen=True)
class Usage:
    """How much of one resource is used at one place. None: not public, so whether it fits is unknown."""

    resource: str  # a key of Profile.limits or Profile.totals, or "cores"
    place: str
    used: int | None
    limit: int | None

    @property
    def share(self) -> float | None:
        """used / limit, or None if one of them is unknown."""
        return None if self.used is None or self.limit is None else self.used / self.limit

    @property
    def status(self) -> str:
        """ "ok", "over" or "unknown"."""
        share = self.share
        return "unknown" if share is None else ("over" if share > 1 else "ok")

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, in percent where the limit is public."""
        percent = None if self.share is None else round(100 * self.share, 2)
        return {
            "resource": self.resource, "place": self.place, "used": self.used, "limit": self.limit,
            "percent": percent, "status": self.status,
        }  # fmt: skip


class OverLimitError(DoesNotFitError):
    """A limit of the chip is exceeded; ``usage`` says which."""

    def __init__(self, usage: Usage, what: str, *, fix: str) -> None:
        super().__init__(what, where=usage.place, fix=fix)
        self.usage = usage


def words_for(resource: str) -> str:
    """Return the name of a resource for people: "input_axons_per_core" -> "input axons"."""
    for place in ("core", "chip", "neuron"):
        resource = resource.removesuffix(f"_per_{place}")
    resource = resource.replace("_per_", " an ")
    return resource.replace("_", " ").replace("rams", "RAMs").replace("luts", "LUTs")
