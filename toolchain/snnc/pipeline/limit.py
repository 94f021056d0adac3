"""Limit: the stage behind `snnc limit` and `snnc.limit`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from snnc.base.public import Count, public
from snnc.data.dataset import Dataset
from snnc.network.model import Network
from snnc.passes.limit import limited
from snnc.pipeline.arguments import Data, dataset_of
from snnc.simulation.reference import check_inputs
from snnc.simulation.run import Rasters
from snnc.verification.prove import from_samples

SAMPLES_AT_ONCE = 256


@public
def limit(
    net: Network, max_spikes_per_step: Count | None = None, *, data: Data = "digits", folder: Path | str | None = None
) -> Network:
    """Say how many messages each input sends in a step at most: its budget.

    The range proof then holds for such inputs, scales that `quantise` chooses can be larger, and simulators and exported
    programs refuse inputs beyond it, by input and step.

    Args:
        net: A network of any numbers.
        max_spikes_per_step: Messages that each input sends in a step at most; None: as many as are measured on data.
        data: Name of the data set whose training split is measured, or that split.
        folder: Where the files of the data set are (default: the environment variable SNNC_DATA).

    Returns:
        The network with a budget at each input. It has another hash; its neurons and weights are the same.

    Raises:
        NetworkError: The number cannot be.
        DataError: The data does not suit the network.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> snnc.limit(net, 40).inputs[0].max_spikes_per_step
        40
    """
    if max_spikes_per_step is None:
        return limited(net, _measured(net, dataset_of(data, "train", folder)))
    return limited(net, {p.name: max_spikes_per_step for p in net.inputs})


def must_keep_budgets(net: Network, dataset: Dataset) -> None:
    """Raise DataError if a sample is beyond the budget of an input. Called before training in a chip's integers."""
    if any(p.max_spikes_per_step is not None for p in net.inputs):
        for rasters in _rasters(net, dataset):
            check_inputs(net, rasters)


def _measured(net: Network, dataset: Dataset) -> dict[str, int]:
    """Return the most messages that each input sends in a step of the samples, at least 1."""
    most = {p.name: 1 for p in net.inputs}
    for rasters in _rasters(net, dataset):
        for name, raster in rasters.items():
            most[name] = max(most[name], int(np.count_nonzero(raster, axis=2).max()))
    return most


def _rasters(net: Network, dataset: Dataset) -> Iterator[Rasters]:
    """Yield the rasters of a data set, some samples at once."""
    source = from_samples(net, dataset.samples, dataset.shape)
    for start in range(0, len(dataset), SAMPLES_AT_ONCE):
        yield source(start, min(SAMPLES_AT_ONCE, len(dataset) - start))
