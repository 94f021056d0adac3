"""What rounding does to the spikes of a population: the floats and the integers run on the same random input. For `quantise`.

Each population is run alone, fed with the spikes that the float network sends, so that its error is its own. The integers are
computed as the chip does: weights, decays and thresholds rounded, sums shifted, registers wrapped and saturated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Fixed, Numeric
from snnc.network.delays import parts
from snnc.network.model import Connection, Network, Population
from snnc.network.neuron import NeuronState
from snnc.simulation.input_budget import keep_budget
from snnc.simulation.reference import simulate
from snnc.simulation.run import Rasters

RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.9)  # of the inputs
STEPS = 64  # of a sample, where the network has no encoding
MOST_STEPS = 256
MOST_SAMPLES = 32  # of a rate
SLOTS = 1 << 20  # neurons, steps and samples: smaller networks get more samples
MOST_SLOTS = 1 << 24  # larger networks get fewer steps
FEW_STEPS = 16  # networks that would get fewer are rehearsed at two rates only
VOLTAGE = 0.1  # what the error of voltages counts beside that of spikes


class _Answer(NamedTuple):
    """What a population did, (samples, steps, n): its spikes, and the voltage after each step."""

    spikes: NDArray[Any]
    voltage: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """A float network and what its populations sent, (samples, steps, n), in its own random rasters."""

    net: Network
    sent: Rasters  # of all populations, inputs included
    rates: tuple[float, ...] = RATES  # of the samples, as many of each

    @classmethod
    def of(cls, net: Network) -> "Rehearsal":
        """Run a float network on random rasters of many rates, within the budgets of its inputs; equal each time."""
        wanted = min(net.encoding.steps if net.encoding else STEPS, MOST_STEPS)
        neurons = sum(p.size for p in net.populations)
        rates = RATES if MOST_SLOTS // (len(RATES) * neurons) >= min(FEW_STEPS, wanted) else RATES[1::4]
        steps = min(wanted, max(FEW_STEPS, MOST_SLOTS // (len(rates) * neurons)))
        samples = max(1, min(MOST_SAMPLES, SLOTS // (len(rates) * neurons * steps)))
        sent = np.repeat(rates, samples)
        inputs = {p.name: _rasters(p, sent, steps, np.random.default_rng(number)) for number, p in enumerate(net.inputs)}
        return cls(net, simulate(net, inputs).spikes, rates)

    def errors(self, fixed: Population, into: Sequence[Connection], scale: float, numeric: Fixed) -> NDArray[np.float64]:
        """Return how far a population's integers are from its floats.

        Args:
            fixed: The population with integer parameters.
            into: The connections into it, with integer weights.
            scale: Weight units of a float of 1.
            numeric: The numbers of the chip.

        Returns:
            For each of ``rates`` the share of slots with another spike, and a tenth of the error of the voltage, of which each
            slot counts 1 at most, relative to the mean magnitude of the float voltage.
        """
        exact = self._answer(self.net[fixed.name], self.net.into(fixed.name), self.net.numeric)
        rounded = self._answer(fixed, into, numeric)
        differing = self._by_rate(exact.spikes != rounded.spikes)
        unit = float(np.abs(exact.voltage).mean())
        if not unit:
            return differing
        off = np.abs(rounded.voltage / (scale * (1 << numeric.state_shift)) - exact.voltage) / unit
        return differing + VOLTAGE * self._by_rate(np.minimum(off, 1))

    def no_worse(self, fixed: Network, other: Network) -> bool:
        """Return whether the spikes of one fixed network, all of it, are as near to the floats as another's, at each rate."""
        first, second = self._differing(fixed), self._differing(other)
        return bool((first <= second).all())

    def _differing(self, fixed: Network) -> NDArray[np.float64]:
        """Return by rate how many slots of all neurons have another spike than in the float network, on the same inputs."""
        run = simulate(fixed, {p.name: self.sent[p.name] for p in fixed.inputs})
        neurons = [p for p in fixed.populations if p.neuron]
        counts = (p.size * self._by_rate(run.spikes[p.name] != self.sent[p.name]) for p in neurons)
        return sum(counts, np.zeros(len(self.rates)))

    def _by_rate(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the mean of values (samples, steps, n) for each rate."""
        means: NDArray[np.float64] = values.reshape(len(self.rates), -1).mean(axis=1)
        return means

    def _answer(self, p: Population, into: Sequence[Connection], numeric: Numeric) -> _Answer:
        """Run one population on what the float network sent."""
        currents = self._currents(p, into, numeric)
        samples, steps, n = currents.shape
        neuron: Any = p.neuron
        voltage = next(state.name for state in neuron.states if state.role == "voltage")
        state: NeuronState = {s.name: np.full((samples, n), s.initial, numeric.dtype) for s in neuron.states}
        spikes, trace = np.zeros((samples, steps, n), np.uint8), np.zeros((samples, steps, n))
        for step in range(steps):
            state, spikes[:, step] = neuron.step(state, currents[:, step], numeric)
            trace[:, step] = state[voltage]
        return _Answer(spikes, trace)

    def _currents(self, p: Population, into: Sequence[Connection], numeric: Numeric) -> NDArray[Any]:
        """Return what arrives at a population in each step, (samples, steps, n), in weight units."""
        samples, steps = self.sent[p.name].shape[:2]
        total: NDArray[Any] = np.zeros((samples, steps, p.size), numeric.dtype)
        for c in into:
            for part in (part for part in parts(c) if part.delay_steps < steps):
                messages = self.sent[c.src][:, : steps - part.delay_steps]
                arrived = part.current(messages.reshape(-1, messages.shape[2]), numeric)
                total[:, part.delay_steps :] += arrived.reshape(samples, -1, p.size)
        return total


def _rasters(p: Population, rates: NDArray[np.float64], steps: int, rng: np.random.Generator) -> NDArray[np.integer]:
    """Return a raster of each rate for an input: (samples, steps, n)."""
    message = rng.integers(1, 2 ** max(p.message_bits, 1), (len(rates), steps, p.size))
    comes = rng.random(message.shape) < rates[:, None, None]
    return keep_budget(p, np.where(comes, message, 0), rng)
