"""What every neuron model must say about itself."""

from abc import ABC, abstractmethod
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Arith, Fixed, Numeric
from snnc.network.units import Unit

NeuronState = dict[str, Any]
Parameter = NDArray[Any]  # shape () for one value that all neurons share, (n,) for one value a neuron


FORGETS = "everything"  # as a decay: nothing is left of a current in the next step

Overflow = Literal["wrap", "saturate", "clamp", "none"]
Role = Literal["current", "voltage", "other"]


@dataclass(frozen=True)
class StateVar:
    """A state variable of a neuron."""

    name: str
    overflow: Overflow  # on integers; clamp: saturates in two's complement; none: the step itself keeps it within bounds
    role: Role  # current: holds the input; voltage: is compared with the threshold, or read; other: counters, adaptation
    initial: int = 0  # before the first step


@dataclass(frozen=True)
class SpikeRule:
    """Six of the eight answers without which two "LIF" neurons are two different neurons. None has a default.

    The other two, what overflows do and the first state, are those of each `StateVar`.
    """

    comparator: Literal[">", ">=", "none"]  # none: it never fires, its readout is read
    reset: (
        str  # of the voltage: "zero", "subtract" (its threshold), "subtract adapted", "none", or the parameter of its new value
    )
    reset_step: Literal["same", "next", "none"]
    order: str  # of decay and input
    decay_rounding: Literal["toward zero", "floor", "past zero", "up"]
    """on integers; past zero: a negative one loses one more; up: what is above 0 loses 1 at least"""
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
    """Abstract: a subclass is a final frozen dataclass whose fields are made by `parameter`.

    ``current_decay`` offers a closed form of how far the one state that wraps can go: it decays by that parameter and gains the
    lifted input, and nothing else. A model without it is bounded by its own step (`snnc.analysis.reachability`), or refused.
    """

    rule: ClassVar[SpikeRule]
    states: ClassVar[tuple[StateVar, ...]]  # in the order in which `step` computes them
    readout: ClassVar[str]  # the state that a readout is judged by
    spikes_per_step: ClassVar[int] = 1  # that one neuron sends at most, where it fires
    current_decay: ClassVar[str | None] = None  # the parameter by which its current decays, or FORGETS; None: see below

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
        """A typical instance in floats, for the test matrix and the docs."""

    @classmethod
    def sample(cls, numeric: Numeric, rng: np.random.Generator, *, scale: float = 300.0) -> Self:
        """Return an instance in these numbers near `example`, each parameter off by up to an eighth, for tests.

        ``scale``: the integers of a weight of 1 in a fixed network.
        """
        values = {}
        for name, f in cls.parameters().items():
            value, unit = np.asarray(getattr(cls.example(), name), np.float64), f.metadata["unit"]
            low, high = unit.range(numeric, f.metadata["offset"])
            drawn = value if unit.whole else value * rng.uniform(0.875, 1.125)
            if isinstance(numeric, Fixed):
                drawn = np.rint(drawn * unit.per_float(scale, numeric)).astype(np.int64)
            values[name] = np.clip(drawn, low, high).astype(drawn.dtype)
        return cls(**values)
