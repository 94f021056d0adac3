"""A torch module with snnTorch's neurons -> the float `Network` that fires the same spikes. Beside training, before quantising.

The module runs once on random spikes (`trace`); from what was seen, the sources of each layer of neurons are worked out
(`import_wires`), layers between neurons are folded into one operator (`import_layers`) and neurons are matched with ours
(`import_neurons`). Spikes are equal to those of the module in float64, up to the order in which sums are rounded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from snnc.errors import ConfigError, refuse
from snnc.network.model import Network
from snnc.training.from_snntorch.build import build
from snnc.training.from_snntorch.neurons import NO_RESET, problems, rule_of
from snnc.training.from_snntorch.trace import trace
from snnc.training.from_snntorch.values import BATCH, Layer, Trace, is_neuron, layers
from snnc.training.from_snntorch.wires import WEIGHTED, Wires, wires

TimeAxis = Literal["none", "first", "second"]
AXES: dict[TimeAxis, int | None] = {"none": None, "first": 0, "second": 1}
RATE = 0.3  # of the random spikes of the trial run


@dataclass(frozen=True, eq=False)
class Converted:
    """A network with the account of what each layer of the module became."""

    network: Network
    parts: tuple[Layer, ...]
    notes: tuple[str, ...] = ()


def convert(
    module: nn.Module,
    *,
    input_shape: tuple[int, ...] | None = None,
    time_axis: TimeAxis = "none",
    dt_s: float | None = None,
    steps: int = 16,
    name: str = "imported",
) -> Converted:
    """Return the network that fires as ``module`` does in evaluation.

    Args:
        module: The module; it is put into evaluation and on the CPU.
        input_shape: Shape of one input frame, channels first; by default that of the first layer, if it is linear.
        time_axis: What ``forward`` takes: "none" is a frame, (batch, ...); "first" is (steps, batch, ...); "second" is
            (batch, steps, ...).
        dt_s: Time step in seconds; by default 1 ms.
        steps: Time steps of the trial run, where ``time_axis`` is not "none".
        name: Name of the network, and of the module in messages.

    Raises:
        UnsupportedError: With everything that cannot be mapped.
        ConfigError: If the module fails on such an input.
    """
    module.eval().cpu()
    shape = input_shape or _input_shape(module, name)
    found = list(_neuron_problems(module))
    try:
        seen = _traced(module, shape, AXES[time_axis], steps, name)
    except ConfigError:
        refuse(found, name)  # a refused layer may be why it fails
        raise
    if not seen.calls:
        refuse([*found, "no snnTorch neurons were called"], name)
    wired = wires(seen, shape)
    network, parts, notes = build(wired, module, dt_s, name) if not found else (None, (), ())
    found += [*_unread(wired), *wired.problems]
    refuse(list(dict.fromkeys(found)), name)
    assert network is not None  # noqa: S101 - for the type checker: without problems it was built
    return Converted(network, parts, notes)


def _neuron_problems(module: nn.Module) -> Iterator[str]:
    for name, layer in layers(module):
        if is_neuron(layer):
            yield from (f"{name} ({type(layer).__name__}): {problem}" for problem in problems(layer))


def _unread(wired: Wires) -> Iterator[str]:
    """What was computed and is lost: layers whose result drives no neurons; neurons without reset whose spikes are used."""
    for name, layer in wired.trace.layers.items():
        if isinstance(layer, WEIGHTED) and name not in wired.used and not wired.problems:
            yield f"{name}: its result drives no neurons; return it of every step, stacked, and it becomes a readout"
        if is_neuron(layer) and problems(layer) == [] and rule_of(layer).reset == "none" and name in wired.sources():
            yield f"{name}: reset_mechanism='none' and spikes that go on: {NO_RESET}"


def _input_shape(module: nn.Module, name: str) -> tuple[int, ...]:
    """That of the first layer, if it is linear; else it must be said."""
    first = next((layer for _, layer in layers(module) if isinstance(layer, WEIGHTED)), None)
    if isinstance(first, nn.Linear):
        return (first.in_features,)
    raise ConfigError("does not say the shape of its input", where=name, fix="add --input-shape, such as 1x28x28")


def _traced(module: nn.Module, shape: tuple[int, ...], axis: int | None, steps: int, name: str) -> Trace:
    given = _sample(module, shape, axis, steps)
    try:
        return trace(module, given, axis)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, KeyError) as error:
        fix = "see --input-shape, --time-axis and --steps; what needs more arguments is to be wrapped in a module that has them"
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"fails on an input of {tuple(given.shape)}: {first}", where=name, fix=fix) from error


def _sample(module: nn.Module, shape: tuple[int, ...], axis: int | None, steps: int) -> Tensor:
    """Random spikes, of the module's own type of numbers."""
    lengths = [BATCH]
    if axis is not None:
        lengths.insert(axis, steps)
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    spikes = np.random.default_rng(0).random((*lengths, prod(shape))) < RATE
    return torch.from_numpy(spikes).to(dtype).reshape(*lengths, *shape)
