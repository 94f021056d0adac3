"""What flows where in a torch module: it is run once, and every layer and torch function on the way is written down.

Nothing is compiled or rewritten: the module runs as it is, so loops over time, dropout and batch norm are as they always are.
Layers of torch.nn and snnTorch are seen through hooks, functions (`flatten`, `+`, `max_pool2d`, ...) through torch's function
mode. A tensor that came from the input has a `Node` that says how. First half of the import from snnTorch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from snnc.training.from_snntorch.functions import follow
from snnc.training.from_snntorch.values import Call, Node, Series, Trace, Value, is_neuron, layers, user_place


def trace(module: nn.Module, given: Tensor, series_axis: int | None) -> Trace:
    """Run ``module`` on ``given`` and return what was seen; neurons start from a fresh state.

    ``series_axis``: the axis of ``given`` that counts steps, None if it is one frame, (batch, ...). A module that steps its
    neurons once a call is called again, so that what it remembers is seen. Raises what the module raises.
    """
    found = Trace()
    tracer = _Tracer(found, series_axis)
    for _, layer in layers(module):
        if is_neuron(layer) and hasattr(layer, "reset_mem"):
            layer.reset_mem()  # type: ignore[operator]
    with torch.no_grad(), tracer.watching(module), tracer:
        for _ in range(3):
            tracer.start(given)
            found.outputs.append(tracer.value(module(given)))
            if series_axis is not None or max(map(len, found.calls.values()), default=0) > len(found.outputs):
                break
    return found


class _Tracer(TorchFunctionMode):
    """Keeps the value of every tensor that came from the input. Tensors are kept alive, so that no identity is used twice."""

    def __init__(self, found: Trace, series_axis: int | None) -> None:
        super().__init__()
        self.found, self.series_axis, self.inside = found, series_axis, 0
        self.known: dict[int, tuple[Tensor, Any]] = {}

    def start(self, given: Tensor) -> None:
        """Write down the input."""
        axis = self.series_axis
        if axis is None:
            self.put(given, Node("input", tuple(given.shape[1:])))
            return
        shape = tuple(given.shape[2:])
        self.put(given, Series(axis, tuple(Node("input", shape, step=t) for t in range(given.shape[axis]))))

    def put(self, tensor: Any, value: Any) -> None:
        """From now on ``tensor`` has this value."""
        self.known[id(tensor)] = (tensor, value)

    def value(self, tensor: Any) -> Any:
        """The value of a tensor, or of the first in a tuple; None if it does not come from the input."""
        first = tensor[0] if isinstance(tensor, tuple | list) and tensor else tensor
        return self.known.get(id(first), (None, None))[1]

    def values(self, arguments: Any) -> list[Value]:
        """The values of all tensors among the arguments that come from the input."""
        found = (self.value(tensor) for tensor in _tensors(arguments))
        return [value for value in found if value is not None]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not self.inside and self.values((args, kwargs)):
            follow(self, func, args, kwargs or {}, out)
        return out

    @contextmanager
    def watching(self, module: nn.Module) -> Iterator[None]:
        """Within, the layers of ``module`` are seen."""
        hooks: list[Any] = []
        for name, layer in layers(module):
            hooks.append(layer.register_forward_pre_hook(self._before, with_kwargs=True))
            hooks.append(layer.register_forward_hook(self._after(name), with_kwargs=True, always_call=True))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _before(self, layer: nn.Module, args: Any, kwargs: Any) -> None:
        self.inside += 1

    def _after(self, name: str) -> Callable[..., None]:
        def after(layer: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            self.inside -= 1
            given = [*args, *kwargs.values()]
            value = self.value(given[0]) if given else None
            if out is None or value is None:
                return
            self.found.layers.setdefault(name, layer)
            if is_neuron(layer):
                self._fired(name, layer, value, given[1:], out)
            else:
                self.put(out, self.applied(name, layer, value, out))

        return after

    def applied(self, name: str, layer: nn.Module, value: Value, out: Tensor) -> Value:
        """The value of a layer's output. Over a series of steps only what treats each row alike is a layer of each step."""
        if isinstance(value, Node):
            return Node("layer", tuple(out.shape[1:]), (value,), name, layer, place=user_place())
        if not isinstance(layer, nn.Linear | nn.Dropout | nn.Identity):
            return self.unknown(name, (value,), out)
        shape = tuple(out.shape[2:])
        return Series(value.axis, tuple(Node("layer", shape, (n,), name, layer, place=user_place()) for n in value.nodes))

    def unknown(self, name: str, values: Any, out: Any) -> Node:
        """What cannot be attributed: it is refused where it enters neurons."""
        nodes = tuple(n for v in values for n in (v.nodes if isinstance(v, Series) else (v,)))
        return Node("unknown", tuple(getattr(out, "shape", (0,))[1:]), nodes, name, place=user_place())

    def _fired(self, name: str, layer: nn.Module, value: Value, states: list[Any], out: Any) -> None:
        calls = self.found.calls.setdefault(name, [])
        node = value if isinstance(value, Node) else self.unknown("a raster of several steps at once", (value,), out)
        passed = tuple(s if self.value(s) is None else self.value(s) for s in states)
        calls.append(Call(node, passed, user_place()))
        spikes, *rest = out if isinstance(out, tuple) else (out,)
        step = len(calls) - 1
        self.put(spikes, Node("spikes", tuple(spikes.shape[1:]), (), name, layer, step))
        for state in rest:
            self.put(state, Node("state", tuple(state.shape[1:]), (), name, layer, step))


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, tuple | list):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, dict):
        yield from _tensors(tuple(values.values()))
