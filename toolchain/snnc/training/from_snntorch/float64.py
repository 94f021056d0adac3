"""Runs a module in float64, whatever numbers it makes, and restores it afterwards.

The network computes in float64, and a comparison with it is exact only where the module does, too: float32 made inside of
``forward`` (snnTorch's own surrogates hand on float32 spikes) is made float64 where it arises.
"""

import sys
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import snntorch
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from snnc.errors import UnsupportedError
from snnc.training.from_snntorch.values import layers

NARROW = (torch.float32, torch.float16, torch.bfloat16)
CONSTANTS = (
    "threshold",
    "graded_spikes_factor",
    "reset_mechanism_val",
    "beta",
    "alpha",
    "V",
    "R",
    "C",
    "time_step",
    "bias",
    "weight",
)  # buffers of snnTorch's neurons; others are states
_TO_NARROW = {"float", "half", "bfloat16"}  # methods of tensors
_TABLES = ("_parameters", "_buffers", "_modules")  # of a module's own attributes, kept apart


class _Float64(TorchFunctionMode):
    """Makes everything that torch's functions take and return float64 where it would be narrower."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in _TO_NARROW and args and isinstance(args[0], Tensor):
            return args[0].double()
        in_place = (name.endswith("_") and not name.endswith("__")) or name in ("__setitem__", "__set__")
        kwargs = {key: _wide(value, not in_place) for key, value in (kwargs or {}).items()}
        return _wide(func(*_wide(tuple(args), not in_place), **kwargs), not in_place)


def _wide(value: Any, tensors: bool) -> Any:
    """Return the same in float64; ``tensors``: convert tensors too, not only types of numbers."""
    if isinstance(value, Tensor):
        return value.double() if tensors and value.dtype in NARROW else value
    if isinstance(value, torch.dtype):
        return torch.float64 if value in NARROW else value
    if type(value) in (tuple, list):
        return type(value)(_wide(one, tensors) for one in value)
    return value


def must_have_numbers(module: nn.Module, name: str) -> None:
    """Raise UnsupportedError for a module that cannot be run in float64, or whose layers cannot be seen."""
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule):
            what, fix = "is TorchScript, whose layers cannot be seen", "pass the module that it was made from"
            raise UnsupportedError(what, where=name, fix=fix)
    for key, value in module.named_parameters():
        if nn.parameter.is_lazy(value):
            what, fix = f"has a {key} without a shape as yet", "run the module once on an input before you return it"
            raise UnsupportedError(what, where=name, fix=fix)
        if value.is_meta:
            raise UnsupportedError(f"has a {key} without numbers (on the device meta)", where=name, fix="make it on the CPU")


class Kept:
    """A snapshot of a module: parameters, buffers, and the attributes of its own that a run may change."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.parameters = [(p, p.data.clone()) for p in module.parameters()]
        self.buffers = [(m, _copied(dict(m._buffers))) for m in module.modules()]
        self.others = [(m, _copied(_own(m))) for m in module.modules()]
        self.fixed = _fixed(module)

    def restore(self) -> None:
        """Restore the module to the snapshot."""
        for parameter, data in self.parameters:
            parameter.data = data.clone()
        for owner, held in self.buffers:
            owner._buffers.clear()
            owner._buffers.update(_copied(held))
        for owner, held in self.others:
            for name in set(_own(owner)) - set(held):
                del owner.__dict__[name]
            owner.__dict__.update(_copied(held))

    def changed(self) -> list[str]:
        """Return by name the parameters and constants of layers that differ from the snapshot."""
        now = _fixed(self.module)
        return [name for name, value in self.fixed.items() if name not in now or not same(value, now[name])]


def same(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors hold the same numbers, NaN among them, in the same shape."""
    return one.shape == other.shape and bool(torch.isclose(one.double(), other.double(), 0, 0, equal_nan=True).all())


def constants(layer: nn.Module) -> dict[str, Tensor]:
    """Return what a layer computes with and must not change: its parameters, and its buffers without the states of neurons."""
    neuron = isinstance(layer, snntorch.SpikingNeuron)
    buffers = {name: b for name, b in layer.named_buffers() if not neuron or name.rpartition(".")[2] in CONSTANTS}
    return {**dict(layer.named_parameters()), **buffers}


def _fixed(module: nn.Module) -> dict[str, Tensor]:
    """Return all parameters, and the constants of torch's and snnTorch's layers; the user's own buffers may be states."""
    held: dict[str, Tensor] = dict(module.named_parameters())
    for name, layer in layers(module):
        held |= {f"{name}.{key}": value for key, value in constants(layer).items()}
    return {name: value.detach().clone() for name, value in held.items()}


def _own(module: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name not in _TABLES and not name.endswith("_hooks")}


def _copied(value: Any) -> Any:
    """Return a copy of tensors and plain containers that later changes do not reach."""
    if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
        return value.detach().clone()
    if type(value) in (list, tuple, set):
        return type(value)(_copied(one) for one in value)
    if type(value) in (dict, OrderedDict):
        return type(value)((key, _copied(one)) for key, one in value.items())
    return deque(map(_copied, value), value.maxlen) if type(value) is deque else value


def _as_written() -> AbstractContextManager[Any]:
    """Let what torch.compile made run uncompiled within the context, as it would compile the trace with it."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and to load the compiler takes seconds
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


@contextmanager
def in_float64(module: nn.Module) -> Iterator[Kept]:
    """Put the module into evaluation mode, on the CPU and in float64, without gradients; yield its snapshot."""
    before, default = Kept(module), torch.get_default_dtype()
    try:
        module.eval().cpu().double()
        for part in module.modules():
            vars(part).update({n: v.double() for n, v in _own(part).items() if isinstance(v, Tensor) and v.dtype in NARROW})
        torch.set_default_dtype(torch.float64)
        with torch.no_grad(), _as_written(), _Float64():
            yield Kept(module)
    finally:
        torch.set_default_dtype(default)
        before.restore()
