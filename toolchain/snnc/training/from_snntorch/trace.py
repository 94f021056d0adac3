"""Traces the flow of values in a torch module: the module runs once, and every layer and torch function on the way is recorded.

Nothing is compiled or rewritten: the module runs as it is, so loops over time, dropout and batch norm are as they always are.
Layers of torch.nn and snnTorch are seen through hooks, functions (`flatten`, `+`, `max_pool2d`, ...) through torch's function
mode. A tensor that came from the input has a `Node` that says how. First half of the import from snnTorch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from snnc.training.from_snntorch.float64 import constants, same
from snnc.training.from_snntorch.functions import follow
from snnc.training.from_snntorch.moves import moved, recognised, rows
from snnc.training.from_snntorch.values import (
    RASTER,
    Call,
    Node,
    Series,
    Trace,
    Value,
    View,
    encoder,
    first_of,
    is_neuron,
    layers,
    run,
    user_place,
)

ELEMENTWISE = (nn.Dropout, nn.Identity, nn.ReLU)
_FIXED = "what a network computes with is the same in every step: leave it as it is while the module runs"
_FOLLOWED = "let forward compute them with functions of torch from what it is given"
_UNTOUCHED = "neurons go on from the states that they left: let forward leave them alone between the steps of a sample"


def trace(module: nn.Module, given: Callable[[int], Tensor], series_axis: int | None, calls: int) -> Trace:
    """Run ``module`` on ``given(0)`` and return the trace; neurons start from a fresh state.

    ``series_axis``: the axis of the input that counts steps, None if it is one frame, (batch, ...). A module that steps its
    neurons once a call is called as often as ``calls``, with ``given(1)`` and so on, so that what it remembers is seen.
    Raises what the module raises.
    """
    seen = Trace()
    tracer = _Tracer(seen, series_axis)
    reset(module)
    with torch.no_grad(), tracer.watching(module), tracer:
        for call in range(calls):
            frame = given(call)
            tracer.start(frame, call)
            seen.outputs.append(tracer.value(run(module, frame)))
            if series_axis is not None or max(map(len, seen.calls.values()), default=0) > len(seen.outputs):
                seen.repeats = series_axis is None
                break
    return seen


def reset(module: nn.Module) -> None:
    """Give all neurons a fresh state."""
    for _, layer in layers(module):
        if is_neuron(layer) and hasattr(layer, "reset_mem"):
            layer.reset_mem()  # type: ignore[operator]


class _Tracer(TorchFunctionMode):
    """Keeps the value of every tensor that came from the input. Tensors are kept alive, so that no identity is used twice."""

    def __init__(self, seen: Trace, series_axis: int | None) -> None:
        super().__init__()
        self.seen, self.series_axis, self.inside = seen, series_axis, 0
        self.known: dict[int, tuple[Tensor, Any]] = {}
        self.fixed: dict[str, dict[str, Tensor]] = {}  # of each layer: what must not change
        self.left: dict[str, dict[str, Tensor]] = {}  # of each layer of neurons: the states that its last step left

    def start(self, given: Tensor, call: int) -> None:
        """Record the input of a call."""
        axis = self.series_axis
        if axis is None:
            self.put(given, Node("input", tuple(given.shape[1:]), step=call))
            return
        shape, self.seen.frames = tuple(given.shape[2:]), given.shape[axis]
        self.put(given, Series(axis, tuple(Node("input", shape, step=t) for t in range(given.shape[axis]))))

    def put(self, tensor: Any, value: Any) -> None:
        """Assign this value to ``tensor`` from now on."""
        self.known[id(tensor)] = (tensor, value)

    def value_of(self, tensor: Tensor) -> Any:
        """Return the value of a tensor; None if it does not come from the input."""
        return self.known.get(id(tensor), (None, None))[1]

    def value(self, tensor: Any) -> Any:
        """Return the value of a tensor, or of the first in a tuple or dictionary; None if it does not come from the input."""
        return self.value_of(first_of(tensor))

    def values(self, arguments: Any) -> list[Value]:
        """Return the values of all tensors among the arguments that come from the input."""
        known = (self.value(tensor) for tensor in _tensors(arguments))
        return [value for value in known if value is not None]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not self.inside and self.values((args, kwargs)):
            follow(self, func, args, kwargs or {}, out)
        return out

    @contextmanager
    def watching(self, module: nn.Module) -> Iterator[None]:
        """Record the layers of ``module`` while the context is active."""
        hooks: list[Any] = []
        for name, layer in layers(module):
            self.fixed[name] = {key: value.detach().clone() for key, value in constants(layer).items()}
            hooks.append(layer.register_forward_pre_hook(self._before(name), with_kwargs=True))
            hooks.append(layer.register_forward_hook(self._after(name), with_kwargs=True, always_call=True))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _before(self, name: str) -> Callable[..., None]:
        def before(layer: nn.Module, args: Any, kwargs: Any) -> None:
            self.inside += 1
            for key, value in constants(layer).items():
                if not same(value, self.fixed[name].get(key, value)):
                    self.problem(f"{name} has another {key} than before the run; {_FIXED}")
            if is_neuron(layer):
                self._goes_on(name, layer, [*args, *kwargs.values()][1:], kwargs)

        return before

    def _goes_on(self, name: str, layer: nn.Module, passed: list[Any], kwargs: Any) -> None:
        """Check that states that are not passed are those that the neurons left, or fresh."""
        left = self.left.get(name, {})
        if any(isinstance(state, Tensor) for state in passed):
            return
        for key, now in states(layer).items():
            if key in left and not same(now, left[key]):
                what = "is set back between its steps" if not bool(now.any()) else "is changed between its steps"
                self.problem(f"the state {key} of {name} {what}; {_UNTOUCHED}")
            elif key not in left and bool(now.any()):
                self.problem(f"{name} starts from states other than 0; start from reset_mem()")

    def problem(self, what: str) -> None:
        """Note what cannot be mapped, once, at the line that is running."""
        place = user_place()
        message = f"{place}: {what}" if place else what
        if message not in self.seen.problems:
            self.seen.problems.append(message)

    def _after(self, name: str) -> Callable[..., None]:
        def after(layer: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            self.inside -= 1
            given = [*args, *kwargs.values()]
            value = self.value(given[0]) if given else None
            if is_neuron(layer) and out is not None:
                self.left[name] = {key: state.detach().clone() for key, state in states(layer).items()}
                if value is None and (value := _the_same(given[0])) is None:
                    self.problem(f"{name} gets values that do not come from the input; {_FOLLOWED}")
            if out is None or value is None:
                return
            self.seen.layers.setdefault(name, layer)
            if is_neuron(layer):
                self._fired(name, layer, value, given[1:], out)
            elif not isinstance(out, Tensor):
                for tensor in _tensors(out):
                    self.put(tensor, self.unknown(type(layer).__name__, (value,), tensor))
            elif isinstance(layer, nn.Flatten | nn.Unflatten):
                made = moved(self, layer.forward, given[:1], {})
                self.put(out, made if made is not None else self.unknown(name, (value,), out))
            else:
                self.put(out, self.applied(name, layer, value, out))

        return after

    def applied(self, name: str, layer: nn.Module, value: Value, out: Tensor) -> Value:
        """Return the value of a layer's output: the layer applied to each sample of each step that stands in a row of its own."""
        make = partial(Node, name=name, module=layer, place=user_place())
        if isinstance(layer, ELEMENTWISE) and not isinstance(value, Node):
            nodes = tuple(make("layer", n.shape, (n,)) for n in value.nodes)
            return replace(value, nodes=nodes)
        whole = rows(value, 1 if isinstance(layer, nn.Linear) else out.dim() - 1)
        if isinstance(value, Node) and (whole is None or value.kind == "unknown"):
            return make("layer", tuple(out.shape[1:]), (value,))
        if whole is None:
            return self.unknown(made_by(value, name), (value,), out)
        nodes, first, shape = whole
        sent = tuple(out.shape[first.dim() :])
        made = tuple(make("layer", sent, (n if n.shape == shape else Node("shape", shape, (n,)),)) for n in nodes)
        features = torch.arange(torch.Size(sent).numel()).reshape(sent)
        return recognised(made, first.reshape(*first.shape, *(1 for _ in sent)) + features, made_by(value, name))

    def unknown(self, name: str, values: Any, out: Any) -> Node:
        """Return a value for what cannot be attributed; it is refused where it enters neurons."""
        nodes = tuple(n for v in values for n in ((v,) if isinstance(v, Node) else v.nodes))
        name = f"spikegen.{encoder()}" if encoder() else name
        return Node("unknown", tuple(getattr(out, "shape", (0,))[1:]), nodes, name, place=user_place())

    def _fired(self, name: str, layer: nn.Module, value: Value, passed: list[Any], out: Any) -> None:
        calls = self.seen.calls.setdefault(name, [])
        node = value if isinstance(value, Node) else self.unknown(made_by(value, RASTER), (value,), out)
        calls.append(Call(node, tuple(s if self.value(s) is None else self.value(s) for s in passed), user_place()))
        spikes, *rest = out if isinstance(out, tuple) else (out,)
        step = len(calls) - 1
        for state in states(layer).values():
            self.put(state, Node("state", tuple(state.shape[1:]), (), name, layer, step))
        self.put(spikes, Node("spikes", tuple(spikes.shape[1:]), (), name, layer, step))
        for state in rest:
            self.put(state, Node("state", tuple(state.shape[1:]), (), name, layer, step))


def _the_same(given: Any) -> Node | None:
    """Return the value of a tensor that does not come from the input, such as zeros before there were spikes, if it is the same
    for all samples.
    """
    if not isinstance(given, Tensor) or given.dim() < 2 or not same(given[:1].expand_as(given), given):
        return None
    return Node("sum", tuple(given.shape[1:]), (), constant=given.detach().clone(), place=user_place())


def made_by(value: Value, name: str) -> str:
    """Return the function that combined values of several nodes, or ``name``."""
    return value.made_by if isinstance(value, View) else name


def states(layer: nn.Module) -> dict[str, Tensor]:
    """Return the states that a layer of snnTorch's neurons keeps itself."""
    held = {name: getattr(layer, name, None) for name in ("mem", "syn", "spk")}
    return {name: state for name, state in held.items() if isinstance(state, Tensor)}


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, tuple | list):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, dict):
        yield from _tensors(tuple(values.values()))
