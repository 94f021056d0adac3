"""What a network uses of a chip when small slices share cores, exactly, even where the chip is too small."""

import math
from collections.abc import Mapping

import numpy as np

from snnc.budget import fpga
from snnc.chips.profile import Profile
from snnc.errors import DoesNotFitError
from snnc.mapping.census import Census, census
from snnc.mapping.chip_totals import totals
from snnc.mapping.output_axons import all_off_chip
from snnc.mapping.strategies import greedy
from snnc.mapping.task import Rates, Task, cores_in, of_slices
from snnc.network.model import Network

Uses = Mapping[str, float]  # "cores", "packets" and the keys of Profile.totals -> amount; infinite: no number of cores will do


def measure(net: Network, profile: Profile, rates: Rates | None = None, lanes: int = 1) -> Uses:
    """Measure what a network takes of an FPGA with so many lanes, as `fpga.measure` does, or of a chip with cores.

    Measure the mapping that strategy `greedy` makes; packets are those of one inference by ``rates`` (default: all fire once).

    Where axons to other chips take more slots, all count as such: on which chip a core will lie is not known here.
    ``share``, besides: the cores if they could be filled to the brim, with a fraction. Raises UnsupportedError if the chip
    cannot express the network.
    """
    if profile.fpga:
        return fpga.measure(net, profile, lanes)
    task = Task.of(net, all_off_chip(profile), rates)
    whole = {usage.resource: float(usage.used or 0) for usage in totals(net, profile)}
    try:
        core_of = greedy.cut(task)
        alone = census(task, of_slices(task, tuple((core_slice,) for core_slice in task.slices)))
    except DoesNotFitError:
        return {"cores": math.inf, "share": math.inf, "packets": math.inf, **whole}
    packets = census(task, core_of).packets
    return {"cores": cores_in(core_of), "share": _share(alone, task.profile), "packets": packets, **whole}


def _share(alone: Census, profile: Profile) -> float:
    """Return how full a core with one slice is, by the resource that binds there, summed over all slices."""
    shares = [alone.used[resource] / limit for resource, limit in profile.amounts.items() if resource in alone.used]
    return float(np.max(shares, axis=0).sum()) if shares else 0.0
