"""What every neuron model must say about itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Arith

NeuronState = dict[str, Any]
Parameter = NDArray[Any]  # shape () for one value that all neurons share, (n,) for one value a neuron

Unit = Literal["decay", "threshold", "bias", "steps"]
SCALED: tuple[Unit, ...] = ("threshold", "bias")  # what grows with the weights when a network is quantised


@dataclass(frozen=True)
class SpikeRule:
    """The eight answers without which two "LIF" neurons are two different neurons. None has a default."""

    comparator: Literal[">", ">=", "none"]  # none: it never fires, its voltage is read
    reset: Literal["zero", "subtract", "none"]
    reset_step: Literal["same", "next", "none"]
    order: str  # of decay and input
    decay_rounding: Literal["toward zero", "floor", "nearest"]  # on integers
    overflow: Mapping[str, Literal["wrap", "saturate"]]  # on integers, by state variable
    refractory_steps: int | str  # a number, or the parameter that holds it
    initial_state: int

    @property
    def fires(self) -> bool:
        """Whether it sends spikes; else it is a readout, whose voltage is the answer."""
        return self.comparator != "none"


def parameter(unit: Unit, default: float, *, offset: int = 0) -> Any:
    """A field of a neuron model.

    ``decay``: fraction lost per step; an integer network holds it in units of 2**-decay_bits, and a chip's register
    holds that minus ``offset``. ``threshold``: same unit as the weights. ``bias``: added to v in every step; float in the
    unit of the weights, in integers in state units. ``steps``: a whole number of time steps.
    """
    return field(default=default, metadata={"unit": unit, "offset": offset})


@dataclass(frozen=True, eq=False)
class Neuron(ABC):
    """Abstract: a subclass is a final frozen dataclass whose fields are made by `parameter`."""

    rule: ClassVar[SpikeRule]
    state: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        for name in self.parameters():
            value = np.array(getattr(self, name))
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @classmethod
    def parameters(cls) -> dict[str, Field[Any]]:
        """The parameters by name; ``metadata`` holds unit and offset."""
        return {f.name: f for f in fields(cls)}

    @classmethod
    def model(cls) -> str:
        """The name of the model, which is that of its file."""
        return cls.__module__.rpartition(".")[2]

    @abstractmethod
    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        """One time step: (state, summed input in weight units) -> (new state, spikes)."""

    @classmethod
    @abstractmethod
    def example(cls) -> Self:
        """A typical instance, for the test matrix and the docs."""
