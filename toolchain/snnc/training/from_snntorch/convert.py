"""Conversion of a torch module with snnTorch's neurons to the float `Network` that fires the same spikes.

The module runs once on random spikes (`trace`); from what was seen, the sources of each layer of neurons are worked out
(`import_wires`), layers between neurons are folded into one operator (`import_layers`) and neurons are matched with ours
(`import_neurons`). Spikes are equal to those of the module in float64, up to the order in which sums are rounded.
"""

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from snnc.errors import ConfigError, UnsupportedError, refuse
from snnc.network.model import Network
from snnc.training.from_snntorch.build import Built, build
from snnc.training.from_snntorch.compare import Peer, compare
from snnc.training.from_snntorch.earlier import stepping_as
from snnc.training.from_snntorch.float64 import Kept, in_float64, must_have_numbers
from snnc.training.from_snntorch.neurons import NO_RESET, problems, rule_of
from snnc.training.from_snntorch.others import beside_snntorch, must_not_be_others
from snnc.training.from_snntorch.trace import reset, trace
from snnc.training.from_snntorch.values import BATCH, FOREIGN, Layer, Shape, Trace, is_neuron, is_of, layers, run
from snnc.training.from_snntorch.wires import WEIGHTED, Wires, wires

TimeAxis = Literal["none", "first", "second"]
AXES: dict[TimeAxis, int | None] = {"none": None, "first": 0, "second": 1}
UNCOMPARED = "the network was not compared with the module (--trust)"
MOST_SAID = 300  # characters of an error of torch
RATE = 0.3  # of the random spikes of the trial run


@dataclass(frozen=True, eq=False)
class Converted:
    """A network, with an account of what each layer of the module became."""

    network: Network
    parts: tuple[Layer, ...]
    notes: tuple[str, ...] = ()
    inner: int | None = None  # steps that the module makes of one frame, if it repeats it


def convert(
    module: nn.Module,
    *,
    input_shape: tuple[int, ...] | None = None,
    time_axis: TimeAxis = "none",
    dt_s: float | None = None,
    steps: int = 16,
    message_bits: int = 0,
    pixels: bool = False,
    trust: bool = False,
    writer: str | None = None,
    name: str = "imported",
) -> Converted:
    """Return the network that fires as ``module`` does in evaluation, in float64.

    Args:
        module: The module. It runs in evaluation, on the CPU and in float64, and is left as it was.
        input_shape: Shape of one input frame, channels first; by default that of the first layer, if it is linear.
        time_axis: What ``forward`` takes: "none" is a frame, (batch, ...); "first" is (steps, batch, ...); "second" is
            (batch, steps, ...).
        dt_s: Time step in seconds; by default 1 ms.
        steps: Time steps of the trial run, or calls of a module that makes one step a call.
        message_bits: The input sends integers below 2 ** message_bits; 0: spikes.
        pixels: The network will get pixels where the module gets spikes in the comparison.
        trust: Do not compare the network with the module.
        writer: Version whose rules the neurons follow, `earlier.WRITER` or None for snnTorch 1.0.
        name: Name of the network, and of the module in messages.

    Raises:
        UnsupportedError: With everything that cannot be mapped, or the first difference between module and network.
        ConfigError: If the module fails on such an input.
    """
    must_not_be_others(module, name)
    must_have_numbers(module, name)
    with in_float64(module) as kept, stepping_as(module, writer):
        peer, built = understood(module, input_shape, time_axis, dt_s, steps, message_bits, name, kept, pixels=pixels)
        notes = [UNCOMPARED] if trust else []
        if not trust:
            try:
                notes = compare(peer, built)
            except UnsupportedError as error:
                raise UnsupportedError(error.what, where=name, fix=error.fix) from error
        return Converted(built.network, built.layers, (*built.notes, *notes), peer.inner)


def understood(
    module: nn.Module, input_shape: Shape | None, time_axis: TimeAxis, dt_s: float | None, steps: int, message_bits: int,
    name: str, kept: Kept, *, pixels: bool = False,
) -> tuple[Peer, Built]:  # fmt: skip
    """Return the module and the network that its trial run gives, not yet compared; call it within `in_float64`."""
    shape, trial = _trial(module, input_shape, AXES[time_axis], steps, name, kept)
    found = list(_neuron_problems(module))
    if not trial.calls:
        refuse([*found, *(trial.problems or [_no_neurons(module)])], name)
    wired = wires(trial, shape, graded=pixels or message_bits > 0)
    built = None if found else build(wired, module, dt_s, name, message_bits)
    if lost := [*_unread(wired), *wired.problems]:
        found += list(beside_snntorch(module)) or lost  # the values of such parts are not followed
    refuse(list(dict.fromkeys(found)), name)
    assert built is not None  # noqa: S101 - for the type checker: without problems it was built
    return Peer(module, kept, trial, shape, AXES[time_axis], steps, message_bits), built


def _trial(module: nn.Module, shape: Shape | None, axis: int | None, steps: int, name: str, kept: Kept) -> tuple[Shape, Trace]:
    """Return (shape of a frame, what the trial run recorded), for the first shape on which the module runs."""
    shapes = [shape] if shape else _input_shapes(module, name)
    failures = []
    for one in shapes:
        kept.restore()
        try:
            return one, trace(module, partial(_sample, one, axis, steps), axis, steps)
        except Exception as error:
            failures.append(error)
    refuse(list(_neuron_problems(module)), name)  # a refused layer may be why it fails
    for one, failure in zip(shapes, failures, strict=True):
        if only := _only_batch(module, one, axis, steps, str(failure), kept):
            what = f"takes batches of {only} and no other: {_said(failure)}"
            raise UnsupportedError(what, where=name, fix="take the batch size from the input, as x.shape[0]") from failure
    fix = "see --input-shape, --time-axis and --steps; what needs more arguments is to be wrapped in a module that has them"
    what = f"fails on an input of {_lengths(shapes[0], axis, steps)}: {_said(failures[0])}"
    raise ConfigError(what, where=name, fix=fix) from failures[0]


def _neuron_problems(module: nn.Module) -> Iterator[str]:
    for name, layer in layers(module):
        if is_neuron(layer):
            yield from (f"{name} ({type(layer).__name__}): {problem}" for problem in problems(layer))


def _no_neurons(module: nn.Module) -> str:
    """Return what is wrong with a module in which no neurons stepped, and what snnTorch has in it that does not step."""
    others = sorted({type(part).__name__ for part in module.modules() if is_of(type(part), "snntorch")})
    which = f": {', '.join(others)} does not compute step by step; use Leaky" if others else "; call some, as snntorch.Leaky"
    return f"no snnTorch neurons were called{which}"


def _unread(wired: Wires) -> Iterator[str]:
    """Yield what was computed and is lost: layers whose result drives no neurons; neurons without reset whose spikes are used."""
    for name, layer in wired.trace.layers.items():
        if isinstance(layer, WEIGHTED) and name not in wired.used and not wired.problems:
            yield f"{name}: its result drives no neurons; return it stacked, of every step and first of all, and it is read out"
        if is_neuron(layer) and problems(layer) == [] and rule_of(layer).reset == "none" and name in wired.sources():
            yield f"{name}: reset_mechanism='none' and spikes that go on: {NO_RESET}"


def _input_shapes(module: nn.Module, name: str) -> list[Shape]:
    """Return the possible shapes of the input: those of linear layers, in order of declaration. Others must be given."""
    weighted = [layer for _, layer in layers(module) if isinstance(layer, WEIGHTED)]
    if weighted and (linear := [layer for layer in weighted if isinstance(layer, nn.Linear)]):
        return list(dict.fromkeys((int(layer.in_features),) for layer in linear))
    raise ConfigError("does not say the shape of its input", where=name, fix="add --input-shape, such as 1x28x28")


def _only_batch(module: nn.Module, shape: Shape, axis: int | None, steps: int, what: str, kept: Kept) -> int | None:
    """Return the batch size, among those that an error names, on which the module runs if it fails on a batch of `BATCH`."""
    for size in sorted({int(n) for n in re.findall(r"\b[0-9]{1,5}\b", what)} - {BATCH, 0, *shape}):
        kept.restore()
        reset(module)
        try:
            run(module, _sample(shape, axis, steps, 0, size))
        except Exception:  # noqa: S112 - whatever the user's module raises
            continue
        return size
    return None


def _said(error: BaseException) -> str:
    """Return the first line of an error, and where in the user's file it was raised."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(FOREIGN)]
    place = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{shorten((str(error).splitlines() or [type(error).__name__])[0], MOST_SAID)}{place}"


def _lengths(shape: Shape, axis: int | None, steps: int, batch: int = BATCH) -> tuple[int, ...]:
    lengths = [batch, *shape]
    if axis is not None:
        lengths.insert(axis, steps)
    return tuple(lengths)


def _sample(shape: Shape, axis: int | None, steps: int, call: int, batch: int = BATCH) -> Tensor:
    """Return the random spikes of one call."""
    lengths = _lengths(shape, axis, steps, batch)
    return torch.from_numpy((np.random.default_rng(call).random(lengths) < RATE).astype(np.float64))
