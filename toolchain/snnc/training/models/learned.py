"""What trains besides weights and biases: decays and thresholds of neurons, and delays of axons."""

from dataclasses import dataclass

import torch
from torch import Tensor

from snnc.network.neuron import Neuron
from snnc.network.units import DECAY, THRESHOLD, Unit
from snnc.training.arithmetic import straight
from snnc.training.models.feedforward import DECAY_STEPS
from snnc.training.settings import Learned

UNITS: dict[Unit, Learned] = {DECAY: "decays", THRESHOLD: "thresholds"}


@dataclass(frozen=True)
class Learning:
    """What is to train, and for delays: the longest, in steps of time; the steps of the optimizer to come; a seed."""

    what: tuple[Learned, ...] = ()
    max_delay: int = 1
    steps: int = 1
    seed: int = 0


def learnable(neuron: Neuron, learning: Learning) -> tuple[str, ...]:
    """Return the parameters of a neuron that are to train: decays between 0 and 1, thresholds above 0.

    A decay of 0 or 1 says that a neuron forgets nothing or all, which is another neuron, and stays.
    """
    names = []
    for name in neuron.parameters():
        value, unit = getattr(neuron, name), neuron.unit(name)
        inside = (value > 0).all() and (unit is THRESHOLD or (value < 1).all())
        if UNITS.get(unit) in learning.what and inside:
            names.append(name)
    return tuple(names)


def raw_of(value: Tensor, unit: Unit) -> Tensor:
    """Return the number of any size that trains in the place of a parameter."""
    return torch.logit(value.clamp(1 / DECAY_STEPS, 1 - 1 / DECAY_STEPS)) if unit is DECAY else value.log()


def value_of(raw: Tensor, unit: Unit) -> Tensor:
    """Return the parameter: a decay on the grid of 12 bits, with the gradient of what it is rounded from; a threshold above 0."""
    if unit is not DECAY:
        return raw.exp()
    return straight(torch.sigmoid(raw) * DECAY_STEPS, torch.round).clamp(1, DECAY_STEPS - 1) / DECAY_STEPS
