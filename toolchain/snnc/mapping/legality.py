"""The one rule for what a profile allows a mapping to be. Asked after every strategy, before a mapping leaves place or map."""

from collections.abc import Sequence

from snnc.chips.profile import Profile
from snnc.errors import DoesNotFitError
from snnc.mapping.chip_totals import totals
from snnc.mapping.model import Core
from snnc.mapping.usage import OverLimitError, Usage, words_for
from snnc.network.model import Network


def must_be_legal(net: Network, cores: Sequence[Core], profile: Profile) -> None:
    """Raise DoesNotFitError if the cores run out, or a limit of one of them, of a neuron or of the chip is exceeded."""
    must_have_cores(net, len(cores), profile)
    for usage in totals(net, profile):
        _must_be_within(usage, f"{profile.name} has", "prune it or pick a larger chip")
    for core in cores:
        for resource, limit in profile.limits.items():
            usage = Usage(resource, f"core {core.index}", core.used.get(resource, 0), limit)
            _must_be_within(usage, f"a core of {profile.name} has", "map it anew with `snnc map`")


def must_have_cores(net: Network, cores: int, profile: Profile) -> None:
    """Raise DoesNotFitError if the chip has fewer cores."""
    if cores > profile.cores:
        raise DoesNotFitError(
            f"needs {cores} cores, {profile.name} has {profile.cores}",
            where=f"network {net.name!r}",
            fix="prune it or pick a larger chip; `snnc check` says how far",
        )


def _must_be_within(usage: Usage, whose: str, fix: str) -> None:
    if usage.status == "over":
        raise OverLimitError(usage, f"needs {usage.used} {words_for(usage.resource)}, {whose} {usage.limit}", fix=fix)
