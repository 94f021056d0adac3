"""What every neuron model must say about itself."""

from abc import ABC, abstractmethod
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Arith
from snnc.network.units import Unit

NeuronState = dict[str, Any]
Parameter = NDArray[Any]  # shape () for one value that all neurons share, (n,) for one value a neuron


Overflow = Literal["wrap", "saturate", "none"]
Role = Literal["current", "voltage", "other"]


@dataclass(frozen=True)
class StateVar:
    """A state variable of a neuron."""

    name: str
    overflow: Overflow  # on integers; none: the step itself keeps it within bounds
    role: Role  # current: holds the input; voltage: is compared with the threshold, or read; other: counters, adaptation
    initial: int = 0  # before the first step


@dataclass(frozen=True)
class SpikeRule:
    """Six of the eight answers without which two "LIF" neurons are two different neurons. None has a default.

    The other two, what overflows do and the first state, are those of each `StateVar`.
    """

    comparator: Literal[">", ">=", "none"]  # none: it never fires, its readout is read
    reset: str  # of the voltage: "zero", "subtract" (the threshold), "none", or the parameter that holds what it is set to
    reset_step: Literal["same", "next", "none"]
    order: str  # of decay and input
    decay_rounding: Literal["toward zero", "floor"]  # on integers
    refractory_steps: int | str  # a number, or the parameter that holds it

    @property
    def fires(self) -> bool:
        """Whether it sends spikes; else it is a readout, whose voltage is the answer."""
        return self.comparator != "none"


def parameter(unit: Unit, default: float, *, offset: int = 0) -> Any:
    """Return a field of a neuron model, in a `snnc.network.units.Unit`; a chip's register holds its integer minus ``offset``."""
    return field(default=default, metadata={"unit": unit, "offset": offset})


@dataclass(frozen=True, eq=False)
class Neuron(ABC):
    """Abstract: a subclass is a final frozen dataclass whose fields are made by `parameter`."""

    rule: ClassVar[SpikeRule]
    states: ClassVar[tuple[StateVar, ...]]  # in the order in which `step` computes them
    readout: ClassVar[str]  # the state that a readout is judged by

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
    def unit(cls, parameter: str) -> Unit:
        """Return the unit of a parameter."""
        unit: Unit = cls.parameters()[parameter].metadata["unit"]
        return unit

    @classmethod
    def model(cls) -> str:
        """The name of the model, which is that of its file."""
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def variables(cls) -> tuple[str, ...]:
        """The names of the states, in their order."""
        return tuple(state.name for state in cls.states)

    @classmethod
    def answers(cls) -> dict[str, Any]:
        """The eight answers as files and reports hold them; ``initial_state`` is one number where all states start alike."""
        answers = asdict(cls.rule)
        refractory_steps = answers.pop("refractory_steps")
        initial = {state.name: state.initial for state in cls.states}
        one = len(set(initial.values())) == 1
        return {
            **answers,
            "overflow": {state.name: state.overflow for state in cls.states},
            "refractory_steps": refractory_steps,
            "initial_state": next(iter(initial.values())) if one else initial,
        }

    @abstractmethod
    def step(self, state: NeuronState, current: Any, a: Arith) -> tuple[NeuronState, Any]:
        """One time step: (state, summed input in weight units) -> (new state, spikes)."""

    @classmethod
    @abstractmethod
    def example(cls) -> Self:
        """A typical instance, for the test matrix and the docs."""
