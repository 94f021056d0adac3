"""Which weights of any torch model are pruned, and how many synapses each stands for. Between a model and a method.

Every weight of a convolution or linear layer is pruned; batch norm, biases and whatever else learns is trained as it is.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules.conv import _ConvNd

from snnc.base.public import public
from snnc.errors import ConfigError, UnsupportedError, UsageError

PRUNED_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def prunable(model: nn.Module) -> dict[str, Parameter]:
    """Return the weights that are pruned, by layer name. A weight that two layers share has the name of the first.

    Raises ConfigError for a model without any.
    """
    found: dict[str, Parameter] = {}
    for name, layer in model.named_modules():
        is_new = isinstance(layer, PRUNED_LAYERS) and not any(layer.weight is p for p in found.values())
        if is_new and layer.weight.requires_grad:
            found[name] = layer.weight
    if not found:
        raise ConfigError(
            f"{type(model).__name__} has no linear layer and no convolution that learns", fix="pass a model with weights to prune"
        )
    return found


def others(model: nn.Module) -> dict[str, Parameter]:
    """Return what learns and is not pruned, by name: biases, batch norm, learned constants of neurons."""
    pruned = {id(p) for p in prunable(model).values()}
    return {name: p for name, p in model.named_parameters() if p.requires_grad and id(p) not in pruned}


def must_be_module(value: object, fix: str) -> None:
    """Raise UsageError for what is no torch module."""
    if not isinstance(value, nn.Module):
        raise UsageError(f"{type(value).__name__} is no torch module", fix=fix)


@public
def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Return the groups for a pruning optimizer: one for each pruned weight, with its layer's name, and one for all others.

    Args:
        model: Any torch module; the weights of its linear layers and convolutions are pruned.

    Returns:
        Parameter groups, for `snnc.optim.GradR` and the other optimizers of `snnc.optim`.

    Raises:
        ConfigError: The module has no such layer that learns.

    Examples:
        >>> import snnc, torch
        >>> [group.get("name") for group in snnc.optim.parameter_groups(torch.nn.Linear(2, 2))]
        ['', None]
    """
    groups: list[dict[str, Any]] = [{"params": [p], "prune": True, "name": name} for name, p in prunable(model).items()]
    rest = list(others(model).values())
    return groups + ([{"params": rest}] if rest else [])


def synapses_per_weight(model: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """Return for each prunable weight how many synapses it unrolls to, by layer; the array broadcasts to the weight's shape.

    A weight of a convolution is a synapse at each place of its output where it meets the input and not the padding of
    zeros; one of a linear layer is one synapse. The model sees ``inputs`` once; "meta" tensors will do. Raises
    UnsupportedError for a convolution that is used at several sizes, ConfigError for one that is not used.
    """
    sizes: dict[str, set[tuple[torch.Size, torch.Size]]] = {name: set() for name in prunable(model)}
    layers = {name: model.get_submodule(name) for name in sizes}

    def note(name: str) -> Any:
        return lambda layer, given, made: sizes[name].add((_space(layer, given[0]), _space(layer, made)))

    hooks = [layer.register_forward_hook(note(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: _unrolled(name, layer, sizes[name]) for name, layer in layers.items()}


def connectivity(masks: Mapping[str, Tensor], per_weight: Mapping[str, Tensor]) -> tuple[float, float]:
    """Return (parameter connectivity, synapse connectivity) of weights whose existing ones are marked, both by layer."""
    existing, weights = sum(int((m > 0).sum()) for m in masks.values()), sum(m.numel() for m in masks.values())
    synapses = sum(synapse_count(per_weight[name], mask) for name, mask in masks.items())
    return existing / weights, synapses / sum(all_synapses(per_weight[name], mask.shape) for name, mask in masks.items())


def synapse_count(per_weight: Tensor, mask: Tensor) -> int:
    """Return the number of existing synapses of a layer."""
    return int(((mask > 0) * per_weight).sum(dtype=torch.int64))


def all_synapses(per_weight: Tensor, shape: Sequence[int]) -> int:
    """Return the number of synapses that a layer of that shape unrolls to."""
    return int(per_weight.sum()) * (math.prod(shape) // per_weight.numel())


def _space(layer: nn.Module, tensor: Tensor) -> torch.Size:
    """Return height and width of a convolution's input or output."""
    return tensor.shape[len(tensor.shape) - _dimensions(layer) :]


def _dimensions(layer: nn.Module) -> int:
    return len(layer.kernel_size) if isinstance(layer, _ConvNd) else 0


def _unrolled(name: str, layer: nn.Module, sizes: set[tuple[torch.Size, torch.Size]]) -> Tensor:
    where = f"layer {name!r}"
    if not sizes:
        raise ConfigError("takes no part in forward", where=where, fix="leave it out of the model, or set requires_grad_(False)")
    if len(sizes) > 1:
        raise UnsupportedError(
            f"is used at {len(sizes)} sizes, so that its synapses cannot be counted", where=where, fix="use a layer for each"
        )
    ((given, made),) = sizes
    counts = torch.ones((), dtype=torch.int64)
    if not isinstance(layer, _ConvNd):
        return counts
    for d in range(len(given)):
        counts = counts[..., None] * _meetings(layer, d, given[d], made[d])
    return counts


def _meetings(conv: _ConvNd, d: int, n_in: int, n_out: int) -> Tensor:
    """Return, for each position of the kernel along a dimension, at how many places of the output it meets the input."""
    kernel, stride, dilation = conv.kernel_size[d], conv.stride[d], conv.dilation[d]
    if conv.padding_mode != "zeros":
        return torch.full((kernel,), n_out)
    before = conv._reversed_padding_repeated_twice[2 * (len(conv.kernel_size) - 1 - d)]
    places = torch.arange(n_out)[None, :] * stride + torch.arange(kernel)[:, None] * dilation - before
    return ((places >= 0) & (places < n_in)).sum(1)
