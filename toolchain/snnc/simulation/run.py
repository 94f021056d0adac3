"""What came out of running a network once: by the reference, by an engine, by an exported program."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.model import Network, Population
from snnc.network.neuron import Neuron

Rasters = Mapping[str, NDArray[Any]]  # population -> (samples, steps, n) integers
States = Mapping[str, Mapping[str, NDArray[Any]]]  # population -> variable -> (samples, steps, n), after the reset


@dataclass(frozen=True, eq=False)
class Run:
    """Spikes of every population, and its states at the end of every step if they were recorded.

    Examples:
        >>> import snnc
        >>> import numpy as np
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> run = snnc.simulate(net, np.ones((2, 8, 64), np.uint8), record=True)
        >>> run.by, run.states["output"]["v"].shape
        ('reference', (2, 8, 10))
    """

    by: str  # what ran: "reference", "lava 0.10.0", ...
    dt_s: float
    spikes: Rasters
    states: States  # of readouts, and of all populations if they were recorded
    latency: Mapping[str, int]  # steps by which a population lags behind; its arrays are already moved back by them
    models: Mapping[str, type[Neuron]] = field(default_factory=dict)  # of populations of neurons, where what ran knows them
    measured: Mapping[str, float] = field(default_factory=dict)  # by a simulator of chips, of all samples: energy_j, time_s, ...

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {'x'.join(map(str, raster.shape))}" for name, raster in self.spikes.items())
        return f"Run({self.by}, samples x steps x neurons: {shapes})"

    @property
    def readouts(self) -> Mapping[str, str]:
        """The populations that never fire, and the state that each is judged by."""
        return {name: model.readout for name, model in self.models.items() if not model.rule.fires}

    def of_samples(self, chosen: slice) -> "Run":
        """Return the run of some of its samples; what was measured is of all of them, and stays out."""
        spikes = {name: raster[chosen] for name, raster in self.spikes.items()}
        states = {name: {v: x[chosen] for v, x in of.items()} for name, of in self.states.items()}
        return replace(self, spikes=spikes, states=states, measured={})


def models(net: Network) -> dict[str, type[Neuron]]:
    """Return the model of each population of neurons."""
    return {p.name: type(p.neuron) for p in net.populations if p.neuron}


def answers(run: Run, output: Population) -> NDArray[Any]:
    """Return what an output is judged by, (samples, steps, n): its spikes, or the `readout` of one that never fires."""
    if output.neuron is None or output.neuron.rule.fires:
        return run.spikes[output.name]
    return run.states[output.name][output.neuron.readout]


def classes(run: Run, output: Population) -> NDArray[np.int64]:
    """The class of each sample, (samples,): the output neuron with most spikes, or, of a readout that never fires, with the
    largest sum of its `readout` over all steps; the first of equals.
    """
    answer = answers(run, output)
    votes = answer.sum(axis=1) if answer.dtype.kind == "f" else answer.sum(axis=1, dtype=np.int64)
    return np.asarray(votes.argmax(axis=1), np.int64)
