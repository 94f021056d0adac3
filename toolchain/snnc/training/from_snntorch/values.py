"""Values of a trace: what the tensors and layers of a torch module stand for."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import snntorch
import torch
from numpy.typing import NDArray
from snntorch import spikegen
from torch import Tensor, nn

BATCH = 2  # samples in the run
RASTER = "a raster of several steps at once"  # name of a value that a layer of neurons gets
FOREIGN = tuple(str(path) for path in (Path(torch.__file__).parent, Path(snntorch.__file__).parent, Path(__file__).parents[2]))


Shape = tuple[int, ...]  # without the batch


@dataclass(frozen=True, eq=False)
class Node:
    """A tensor of one step: what made it (``kind``), from which tensors.

    ``kind``: input, spikes, state (of neurons); layer (``module`` applied), sum, scale (by ``constant``), shape, select (the
    features ``taken``), total (over all steps), or unknown.
    """

    kind: str
    shape: Shape
    args: tuple["Node", ...] = ()
    name: str = ""  # of the layer; of what is unknown, the function
    module: nn.Module | None = None
    step: int | None = None  # of spikes and inputs; None: an input that is the same in all steps
    constant: Tensor | None = None  # of a sum: what is added, and of a scale: the factor; broadcasts to (batch, *shape)
    place: str = ""
    taken: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Series:
    """Tensors of successive steps, stacked along axis 0 (steps, batch, ...) or 1 (batch, steps, ...)."""

    axis: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class View:
    """Values of several nodes in any other arrangement; `moves` defines the identities."""

    nodes: tuple[Node, ...]
    ids: Tensor  # (shape of the tensor) int64
    made_by: str = ""  # the function


Value = Node | Series | View


@dataclass(frozen=True, eq=False)
class Call:
    """One step of a layer of neurons."""

    node: Node  # its input
    states: tuple[Any, ...]  # what else was passed: Nodes, tensors that do not come from the input, None
    place: str


class Layer(NamedTuple):
    """A layer of the module, and what became of it."""

    place: str  # its name in the module
    kind: str  # its type, and the options on which its equations depend
    became: str  # population or connection, or why it left no trace


@dataclass
class Trace:
    """Everything that was recorded. ``calls``: by name of a layer of neurons, in the order of their first calls."""

    calls: dict[str, list[Call]] = field(default_factory=dict)
    layers: dict[str, nn.Module] = field(default_factory=dict)  # that were called, in order; neurons too
    frames: int = 0  # steps of the input; 0 if it is one frame
    functional: dict[str, nn.Module] = field(default_factory=dict)  # of those, functions with weights, as layers
    problems: list[str] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)  # what the module returned, of each of its calls
    repeats: bool = False  # whether each call takes a frame that is the same in all of its steps


def is_neuron(module: nn.Module) -> bool:
    """Return whether a module is one of snnTorch's spiking neurons, of any kind."""
    return isinstance(module, snntorch.SpikingNeuron)


def is_of(kind: type, *packages: str) -> bool:
    """Return whether a class is from one of these packages, and not from one whose name only begins like theirs."""
    return f"{kind.__module__}.".startswith(tuple(f"{package}." for package in packages))


def kind_of(layer: nn.Module) -> str:
    """Return the snnTorch class of a layer of neurons, also if a subclass of the user changes nothing of it."""
    for kind in type(layer).__mro__:
        if is_of(kind, "snntorch"):
            return kind.__name__
    return type(layer).__name__


def layers(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Return the layers of torch.nn and snnTorch in a module, by name; what is inside of neurons belongs to them."""
    own = is_of(type(module), "torch.nn", "snntorch")
    if is_neuron(module) or (own and not list(module.children())):
        yield prefix or type(module).__name__.lower(), module
        return
    for name, child in module.named_children():
        yield from layers(child, f"{prefix}.{name}" if prefix else name)


def run(module: nn.Module, given: Tensor) -> Any:
    """Return what ``module`` answers; `user_place` looks no further up than this."""
    return module(given)


def first_of(answer: Any) -> Any:
    """Return the first of what a module or layer returns, if that is a tuple, a list or a dictionary."""
    values = list(answer.values()) if isinstance(answer, dict) else answer
    return values[0] if isinstance(values, tuple | list) and values else answer


def user_place() -> str:
    """Return the line of the user's own code that is running, as ``file:number``; "" if only torch and snnTorch run."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(FOREIGN):
        if frame.f_code is run.__code__:
            return ""
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def encoder() -> str:
    """Return the function of `snntorch.spikegen` that is running, as the user called it; "" if none is."""
    frame: Any = sys._getframe(1)
    name = ""
    while frame and frame.f_code is not run.__code__:
        if frame.f_code.co_filename == spikegen.__file__:
            name = frame.f_code.co_name
        frame = frame.f_back
    return name
