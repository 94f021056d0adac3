"""Run a network: the stages behind `snnc simulate`, and `snnc.simulate`, `snnc.evaluate` and `snnc.contrast`."""

from pathlib import Path

from snnc.base.public import public
from snnc.data.dataset import Split
from snnc.network.model import Network
from snnc.pipeline.arguments import Data, Inputs, dataset_of, rasters_of, simulator_name
from snnc.simulation.choice import simulator
from snnc.simulation.run import Run
from snnc.verification.evaluate import Contrast, Evaluation, Recorded, Watch
from snnc.verification.evaluate import contrast as contrasted
from snnc.verification.evaluate import evaluate as evaluated


@public
def simulate(net: Network, inputs: Inputs, *, by: str = "auto", record: bool = False) -> Run:
    """Run a network on rasters; every sample starts from a fresh state.

    Args:
        net: A network, float or fixed.
        inputs: Rasters (samples, steps, n) of integers by input population, or one array where there is one input.
        by: "engine", "lanes", "events", "reference", or "auto": the engine where it suits, else the reference.
        record: Whether the states of all neurons are kept, (samples, steps, n) after the reset.

    Returns:
        Spikes of all populations, and their states if they were recorded.

    Raises:
        DataError: The rasters do not suit the inputs.
        UsageError: There is no such simulator, or it does not suit the network.

    Examples:
        >>> import numpy as np, snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1)
        >>> run = snnc.simulate(net, np.ones((2, 8, 64), np.uint8))
        >>> {name: spikes.shape for name, spikes in run.spikes.items()}[net.output.name]
        (2, 8, 10)
    """
    return simulator(net, simulator_name(by))(net, rasters_of(net, inputs), record)


@public
def evaluate(
    net: Network,
    data: Data | Recorded = "digits",
    *,
    split: Split = "test",
    folder: Path | str | None = None,
    samples: int | None = None,
    by: str = "auto",
    watch: Watch | None = None,
) -> Evaluation:
    """Run a network on a data set and count: samples classified rightly, spikes, synaptic operations.

    Args:
        net: A network that says how samples are encoded.
        data: Name of a data set, a split, or recorded rasters.
        split: "train" or "test", of a data set given by its name.
        folder: Where the files of the data set are (default: the environment variable SNNC_DATA).
        samples: The first so many samples (default: all).
        by: Simulator, as in `simulate`.
        watch: Called with the number of the first sample and the runs, some samples at a time.

    Returns:
        Accuracy, classes, spikes by population, operations by connection.

    Raises:
        DataError: The data does not suit the network.
        UsageError: There is no such simulator.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1)
        >>> snnc.evaluate(net, "digits", samples=50).samples
        50
    """
    images = data if isinstance(data, Recorded) else dataset_of(data, split, folder)
    return evaluated(net, images, samples, watch=watch, by=simulator_name(by))


@public
def contrast(
    reference: Network,
    candidate: Network,
    data: Data | Recorded = "digits",
    *,
    split: Split = "test",
    folder: Path | str | None = None,
    samples: int | None = None,
    by: str = "auto",
    watch: Watch | None = None,
) -> Contrast:
    """Run two networks on the same samples and count how their spikes and classes differ: what rounding cost, say.

    Args:
        reference: The one network (float, say).
        candidate: The other (fixed, say).
        data: Name of a data set, a split, or recorded rasters.
        split: "train" or "test", of a data set given by its name.
        folder: Where the files of the data set are (default: the environment variable SNNC_DATA).
        samples: The first so many samples (default: all).
        by: Simulator of ``candidate``, as in `simulate`.
        watch: Called with the number of the first sample and the runs, some samples at a time.

    Returns:
        Evaluations of both, and their differences by population.

    Raises:
        NetworkError: They differ in populations or encoding.
        DataError: The data does not suit the networks.
        UsageError: There is no such simulator.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1)
        >>> snnc.contrast(net, net, samples=20).classes_differing
        0
    """
    images = data if isinstance(data, Recorded) else dataset_of(data, split, folder)
    return contrasted(reference, candidate, images, samples, watch=watch, by=simulator_name(by))
