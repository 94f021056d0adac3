"""Effects of torch's functions on the values of a trace: sums, factors, shapes, pools, series of steps. Part of `trace`.

A function that is not listed here makes its result unknown, which is refused where it enters neurons.
"""

from collections.abc import Callable
from itertools import chain, count
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from snnc.training.from_snntorch.moves import MOVES, moved
from snnc.training.from_snntorch.values import Node, Series, Shape, Trace, Value, View, encoder, user_place

SAME = {"contiguous", "clone", "detach", "detach_", "to", "float", "double", "half", "bfloat16", "cpu", "cuda"}
SAME |= {"requires_grad_", "alias", "type", "type_as", "positive", "__pos__", "dropout", "dropout1d", "dropout2d"}
SAME |= {"feature_dropout"}
SUMS = {"add": 1, "__add__": 1, "__radd__": 1, "add_": 1, "__iadd__": 1, "sub": -1, "__sub__": -1, "sub_": -1, "__isub__": -1}
FACTORS = {"mul": 1, "__mul__": 1, "__rmul__": 1, "mul_": 1, "__imul__": 1}
FACTORS |= {"div": -1, "__truediv__": -1, "div_": -1, "true_divide": -1, "__itruediv__": -1}
READS = {"item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__"}
QUIET = {"zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones", "new_tensor"}


def follow(tracer: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
    """Record what ``func`` made; ``tracer``: the tracer of `trace`."""
    name = getattr(func, "__name__", str(func))
    if name in READS and not encoder():  # what an encoder makes is refused as such
        what = f"reads numbers out of a tensor ({name}), on which the run may depend"
        tracer.problem(f"{what}; leave it out, or keep them in tensors")
    if name in QUIET or (name == "__get__" and not isinstance(out, Tensor)):
        return
    if name == "__setitem__":
        tracer.put(args[0], tracer.unknown("assigning into a tensor", tracer.values(args), args[0]))
        return
    made = _made(tracer, func, name, args, kwargs, out)
    outs = out if isinstance(out, tuple | list) else (out,)
    values = made if isinstance(made, tuple | list) else (made,) * len(outs)
    for tensor, value in zip(outs, values, strict=True):
        if isinstance(tensor, Tensor):
            tracer.put(tensor, value if value is not None else tracer.unknown(name, tracer.values((args, kwargs)), tensor))


def _made(tracer: Any, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
    """Return the value, or the values, that a function made; None if the function is not known."""
    if name in MOVES:
        return moved(tracer, func, args, kwargs)
    value = tracer.value(args[0]) if args and isinstance(args[0], Tensor) else None
    if name in SUMS or name in ("rsub", "__rsub__"):
        return _sum(tracer, name, args, kwargs, out)
    if name in FACTORS or name in ("neg", "__neg__"):
        return _scaled(tracer, name, args, kwargs, out)
    if value is None:
        return None
    if name in SAME:
        training = kwargs.get("training", args[2] if len(args) > 2 else True)
        return None if "dropout" in name and training else value  # a dropout that is off makes no copy
    other = _OTHERS.get(name)
    return other and other(tracer, value, args, kwargs, out)


def _each(value: Value, change: Callable[[Node], Node]) -> Value:
    if isinstance(value, Node):
        return change(value)
    nodes = tuple(map(change, value.nodes))
    return Series(value.axis, nodes) if isinstance(value, Series) else View(nodes, value.ids, value.made_by)


def _sum(tracer: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Value | None:
    left, right = args[:2] if len(args) > 1 else (args[0], kwargs["other"])
    if name in ("rsub", "__rsub__"):
        left, right, name = right, left, "sub"
    signs = (1.0, SUMS[name] * float(kwargs.get("alpha", 1)))
    if left is out and tracer.value(left) is None:
        left = out - signs[1] * right  # what stood there before the addition in place
    operands = list(zip((left, right), signs, strict=True))
    values = [(tracer.value(operand), operand, sign) for operand, sign in operands]
    known = [(value, operand, sign) for value, operand, sign in values if value is not None]
    if any(tuple(operand.shape) != tuple(out.shape) for _, operand, _ in known):
        return None  # a broadcast over features
    numbers = [torch.as_tensor(operand, dtype=out.dtype) * sign for value, operand, sign in values if value is None]
    constant = sum(numbers, torch.zeros((), dtype=out.dtype))
    if all(isinstance(value, Node) for value, _, _ in known):
        return _added(tuple((value, sign) for value, _, sign in known), constant, tuple(out.shape[1:]))
    return _added_series(known, constant, tuple(out.shape))


def _added(terms: tuple[tuple[Node, float], ...], constant: Tensor, shape: Shape) -> Node:
    nodes = tuple(n if sign == 1 else Node("scale", n.shape, (n,), constant=torch.tensor(sign)) for n, sign in terms)
    return Node("sum", shape, nodes, constant=constant, place=user_place())


def _added_series(known: list[tuple[Any, Any, float]], constant: Tensor, shape: Shape) -> Value | None:
    """Return the sums of the steps of series along the same axis, plus what is the same in all steps and samples."""
    values = [value for value, _, _ in known]
    if not all(isinstance(v, Series) and v.axis == values[0].axis for v in values):
        return None
    lead, features = constant.shape[: max(0, constant.dim() - len(shape) + 2)], shape[2:]
    if any(n != 1 for n in lead):
        return None
    constant = constant.reshape(constant.shape[len(lead) :])
    steps = zip(*(v.nodes for v in values), strict=True)
    signs = [sign for _, _, sign in known]
    return Series(values[0].axis, tuple(_added(tuple(zip(nodes, signs, strict=True)), constant, features) for nodes in steps))


def _scaled(tracer: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Value | None:
    """Return a value times or divided by a constant; the product of two tensors that come from the input is unknown."""
    operands = [args[0], args[1] if len(args) > 1 else kwargs.get("other", -1.0)]
    if name in ("neg", "__neg__"):
        operands, name = [args[0], -1.0], "mul"
    values = [tracer.value(operand) for operand in operands]
    if None not in values or (FACTORS[name] < 0 and values[0] is None) or kwargs.get("rounding_mode"):
        return None
    value, tensor, other = (values[0], *operands) if values[0] is not None else (values[1], *reversed(operands))
    factor = torch.as_tensor(other, dtype=out.dtype)
    if tuple(tensor.shape) != tuple(out.shape) or (not isinstance(value, Node) and factor.dim()):
        return None
    factor = 1 / factor if FACTORS[name] < 0 else factor
    return _each(value, lambda node: Node("scale", node.shape, (node,), constant=factor, place=user_place()))


def _total(name: str) -> Callable[..., Value | None]:
    """Record a sum or a mean over the steps of a series, or over all places of each channel; over other axes it is unknown."""

    def total(tracer: Any, value: Value, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Value | None:
        axes = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis"))
        axis = axes[0] if isinstance(axes, tuple | list) and len(axes) == 1 else axes
        if (planes := _of_planes(name, value, axes, args, kwargs, out)) is not None:
            return planes
        whole = isinstance(value, Series) and isinstance(axis, int) and axis % args[0].dim() == value.axis
        if not whole or out.dim() != args[0].dim() - 1 or kwargs.get("dtype"):
            return None
        nodes = value.nodes  # type: ignore[union-attr] # it is a series
        return Node("total", tuple(out.shape[1:]), nodes, name, place=user_place())

    return total


def _of_planes(name: str, value: Value, axes: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Value | None:
    """Return a sum or a mean over all axes behind that of the channels, as the pool that it is; None if it is none."""
    lead = 1 if isinstance(value, Node) else 2
    dims = (axes,) if isinstance(axes, int) else axes
    if isinstance(value, View) or not isinstance(dims, tuple | list) or kwargs.get("dtype"):
        return None
    channels, *sizes = (value if isinstance(value, Node) else value.nodes[0]).shape or (0,)
    if len(sizes) not in (1, 2) or {axis % args[0].dim() for axis in dims} != set(range(lead + 1, args[0].dim())):
        return None
    pool = nn.AvgPool1d(sizes[0]) if len(sizes) == 1 else nn.AvgPool2d((sizes[0], sizes[1]))
    factor, place = torch.tensor(1.0 if name == "mean" else float(prod(sizes))), user_place()

    def each(node: Node) -> Node:
        mean = Node("layer", (channels, *(1 for _ in sizes)), (node,), module=pool, place=place)
        return Node("scale", tuple(out.shape[lead:]), (mean,), constant=factor, place=place)

    return _each(value, each)


def _pooled(kind: type[nn.Module], *names: str) -> Callable[..., Value | None]:
    """Treat a functional pool as the layer with the same arguments."""

    def pooled(tracer: Any, value: Value, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Value | None:
        options = dict(zip(names, args[1:], strict=False)) | kwargs
        if options.get("return_indices"):
            return None
        layer = kind(**{k: v for k, v in options.items() if not (k == "stride" and v in (None, [], ()))})
        made: Value = tracer.applied("", layer, value, out)
        return made

    return pooled


def _weighted(kind: type[nn.Module], *names: str) -> Callable[..., Value | None]:
    """Treat a function with weights as the layer that has them, if the weights do not come from the input."""

    def weighted(tracer: Any, value: Value, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Value | None:
        options = dict(zip(names, args[1:], strict=False)) | kwargs
        options.pop("input", None)
        weight, bias = options.pop("weight"), options.pop("bias", None)
        if tracer.value(weight) is not None or tracer.value(bias) is not None:
            return None
        groups = options.get("groups", 1)
        sizes = (weight.shape[1], len(weight)) if kind is nn.Linear else (weight.shape[1] * groups, len(weight), weight.shape[2:])
        layer = kind(*sizes, bias=bias is not None, device="meta", **options)
        return _applied(tracer, layer, {"weight": weight, "bias": bias}, value, out)

    return weighted


def _applied(tracer: Any, layer: nn.Module, held: dict[str, Tensor | None], value: Value, out: Tensor) -> Value:
    """Return the value of a layer that a function stands for; the layer gets copies of the tensors that it ``held``."""
    layer.load_state_dict({name: tensor.detach().clone() for name, tensor in held.items() if tensor is not None}, assign=True)
    made: Value = tracer.applied(_known_as(tracer.seen, layer), layer, value, out)
    return made


def _known_as(seen: Trace, layer: nn.Module) -> str:
    """Return a name for these weights, equal in every step that uses the same ones, so that a step with others is noticed."""
    kind = f"F.{type(layer).__name__.lower()}"
    for name, known in seen.functional.items():
        if _same_layer(known, layer):
            return name
    name = next(n for n in chain([kind], (f"{kind}_{i}" for i in count(2))) if n not in seen.functional)
    seen.functional[name] = seen.layers[name] = layer
    return name


def _same_layer(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return repr(one) == repr(other) and all(torch.equal(mine[name], theirs[name]) for name in mine)


def _product(tracer: Any, value: Value, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Value | None:
    """Treat ``x @ weight`` as a linear layer without bias."""
    other: Any = args[1] if len(args) > 1 else kwargs.get("other", kwargs.get("mat2"))
    if tracer.value(other) is not None or other.dim() != 2:
        return None
    return _weighted(nn.Linear, "weight")(tracer, value, (args[0], other.T), {}, out)


def _normed(tracer: Any, value: Value, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Value | None:
    """Treat a batch norm by running statistics as the layer that has them; one by those of the batch is unknown."""
    options = {"eps": 1e-5, **dict(zip(_NORM, args[1:], strict=False)), **kwargs}
    mean, var, weight, bias = (options.get(name) for name in _NORM[:4])
    if mean is None or var is None or options.get("training") or tracer.values((mean, var, weight, bias)):
        return None
    kind = nn.BatchNorm2d if args[0].dim() == 4 else nn.BatchNorm1d
    layer = kind(len(mean), eps=options["eps"], device="meta").eval()
    weight, bias = (torch.ones_like(mean) if weight is None else weight), (torch.zeros_like(mean) if bias is None else bias)
    held = {"running_mean": mean, "running_var": var, "weight": weight, "bias": bias, "num_batches_tracked": torch.tensor(0)}
    return _applied(tracer, layer, held, value, out)


_NORM = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
_MAX = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
_ONE = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
_RELU: Callable[..., Value | None] = lambda tracer, value, args, kwargs, out: tracer.applied("", nn.ReLU(), value, out)  # noqa: E731
_CONV = ("weight", "bias", "stride", "padding", "dilation", "groups")
_OTHERS: dict[str, Callable[..., Any]] = {
    "linear": _weighted(nn.Linear, "weight", "bias"),
    "conv1d": _weighted(nn.Conv1d, *_CONV),
    "conv2d": _weighted(nn.Conv2d, *_CONV),
    "batch_norm": _normed,
    "matmul": _product,
    "__matmul__": _product,
    "mm": _product,
    "max_pool2d": _pooled(nn.MaxPool2d, *_MAX),
    "_max_pool2d": _pooled(nn.MaxPool2d, *_MAX),
    "boolean_dispatch": _pooled(nn.MaxPool2d, *_MAX),
    "avg_pool2d": _pooled(nn.AvgPool2d, *_AVERAGE),
    "avg_pool1d": _pooled(nn.AvgPool1d, *_ONE),
    "adaptive_avg_pool2d": _pooled(nn.AdaptiveAvgPool2d, "output_size"),
    "sum": _total("sum"),
    "mean": _total("mean"),
    "relu": _RELU,
    "relu_": _RELU,
}
