"""Fully connected snnTorch networks, and their conversion to and from a `Network`. Between the data and every later stage.

The neurons are snnTorch 1.0's own, in the settings whose spikes equal Loihi's hard reset: Leaky with
reset_mechanism="zero" (reset_delay on or off), Synaptic with reset_mechanism="zero" and reset_delay=False.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import snntorch
import torch
from numpy.typing import NDArray
from snntorch import surrogate
from torch import Tensor, nn

from snnc.errors import ConfigError, UnsupportedError
from snnc.network.arithmetic import Float
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population, Stage
from snnc.network.neuron import Neuron
from snnc.network.synapses import Synapses
from snnc.neurons.cuba import Cuba
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense
from snnc.training.kernels.fire import fire, must_fuse
from snnc.training.settings import Kernel

NeuronKind = Literal["leaky", "synaptic"]
DECAY_STEPS = 4096  # decays are multiples of 1/4096, which a 12-bit register holds exactly


class Feedforward(nn.Module):
    """Layers fc1, fc2, ... (nn.Linear), each followed by its neurons: hidden1, hidden2, ..., output.

    The modules are ordinary ones, under these names; ``state_dict`` holds nothing of ours.
    """

    def __init__(self, linears: Sequence[nn.Linear], neurons: Sequence[nn.Module], kernel: Kernel = "auto") -> None:
        super().__init__()
        self.kernel: Kernel = kernel
        if kernel == "fused":
            must_fuse(*neurons)
        self.names = [f"hidden{i}" for i in range(1, len(linears))] + ["output"]
        for i, (name, linear, neuron) in enumerate(zip(self.names, linears, neurons, strict=True), 1):
            self.add_module(f"fc{i}", linear)
            self.add_module(name, neuron)

    @property
    def linears(self) -> dict[str, nn.Linear]:
        """Return the linear layers by name, in order."""
        return {name: m for name, m in self.named_children() if isinstance(m, nn.Linear)}

    def forward(self, raster: Tensor) -> Tensor:
        """Map (batch, steps, n) messages, times the encoding's unit, to (batch, steps, classes) spikes."""
        return self.spikes(raster)["output"]

    def spikes(self, raster: Tensor) -> dict[str, Tensor]:
        """Return the spikes of every layer, (batch, steps, n), each sample from a fresh state.

        A whole raster passes a layer before the next layer starts, as a spike acts within its step: one matrix product
        holds all steps. A raster whose steps share their memory (``expand``) is a constant: its current is computed once.
        """
        fired, steps = {}, raster.shape[1]
        spikes = raster if raster.stride(1) else raster[:, :1]
        for linear, name in zip(self.linears.values(), self.names, strict=True):
            fired[name] = spikes = fire(self.get_submodule(name), linear(spikes), steps, self.kernel)
        return fired


def build(
    sizes: Sequence[int],
    *,
    neuron: NeuronKind = "leaky",
    beta: float = 0.875,
    alpha: float = 0.5,
    threshold: float = 1.0,
    bias: bool = False,
    reset_delay: bool = True,
    kernel: Kernel = "auto",
) -> Feedforward:
    """Return a network of ``sizes`` = (inputs, hidden ..., classes) with PyTorch's initial weights, biases 0, ATan surrogate.

    ``beta`` and ``alpha`` (what is left of v and u after a step) are rounded to multiples of 1/4096. Raises ConfigError for
    a bias with synaptic neurons, which snnTorch adds to the current and the chip to the voltage.
    """
    if bias and neuron == "synaptic":
        raise ConfigError(
            "synaptic neurons with a bias: snnTorch adds it to the current, the chip to the voltage",
            fix="leave out the bias or use leaky neurons",
        )
    linears = [nn.Linear(n_src, n_dst, bias=bias) for n_src, n_dst in pairwise(sizes)]
    for linear in linears:
        if bias:
            nn.init.zeros_(linear.bias)
    neurons = [_neuron(neuron, snapped(beta), snapped(alpha), threshold, reset_delay) for _ in linears]
    return Feedforward(linears, neurons, kernel)


def _neuron(kind: NeuronKind, beta: Any, alpha: Any, threshold: Any, reset_delay: bool) -> nn.Module:
    common = {"threshold": threshold, "spike_grad": surrogate.atan(), "reset_mechanism": "zero"}
    if kind == "synaptic":
        return snntorch.Synaptic(alpha, beta, reset_delay=False, **common)  # type: ignore[no-any-return]
    return snntorch.Leaky(beta, reset_delay=reset_delay, **common)  # type: ignore[no-any-return]


def snapped(kept: float) -> float:
    """Return the nearest multiple of 1/4096, which a register of 12 bits holds exactly."""
    return round(kept * DECAY_STEPS) / DECAY_STEPS


def to_network(
    model: Feedforward,
    encoding: Encoding,
    name: str = "network",
    dt_s: float = 1e-3,
    done: tuple[Stage, ...] = (),
    masks: Mapping[str, Tensor] | None = None,
) -> Network:
    """Return the float network that spikes like ``model``: populations input, hidden1 .., output; connections fc1, fc2, ...

    ``masks`` says by layer which synapses exist (default: all, or those that `from_network` found). Graded inputs are
    integers on the chip, so the encoding's unit, a power of two, moves into the first layer's weights.
    """
    masks = masks or pruned_masks(model)
    linears = model.linears
    first = next(iter(linears.values()))
    populations = [Population("input", (first.in_features,), None, encoding.message_bits)]
    connections = []
    for i, (wire, linear) in enumerate(linears.items()):
        neuron = _from_torch(model.get_submodule(model.names[i]), linear.bias)
        populations.append(Population(model.names[i], (linear.out_features,), neuron))
        weight = _array(linear.weight) * (encoding.unit if i == 0 else 1.0)
        exists = _array(masks[wire]).astype(np.bool_) if wire in masks else np.ones(weight.shape, np.bool_)
        op = Dense(Synapses.from_dense(weight, exists))
        connections.append(Connection(wire, populations[i].name, populations[i + 1].name, op))
    return Network(name, tuple(populations), tuple(connections), dt_s, Float(), encoding, done)


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().numpy().astype(np.float64)


def _from_torch(neuron: Any, bias: Tensor | None) -> Neuron:
    """Return snnTorch's neuron as one of ours; betas on the 1/4096 grid make 1 - beta exact."""
    threshold, decay_v = _array(neuron.threshold), 1 - _array(neuron.beta)
    if isinstance(neuron, snntorch.Synaptic):
        return Cuba(threshold, 1 - _array(neuron.alpha), decay_v)
    return LIF(threshold, decay_v, np.zeros(()) if bias is None else _array(bias))


def from_network(net: Network, kernel: Kernel = "auto") -> Feedforward:
    """Return the snnTorch model of a float network that is a chain of dense layers; pruned weights are exactly 0.

    Which synapses exist stays with the model (`pruned_masks`); `keep_pruned` holds the others at 0 in training.
    Raises UnsupportedError for any other network, naming the part.
    """
    chain = chain_of(net)
    unit = net.encoding.unit if net.encoding else 1.0
    linears, neurons = [], []
    for i, c in enumerate(chain):
        p = net[c.dst]
        linears.append(_linear(c.op.synapses, _bias(p), unit if i == 0 else 1.0))
        neurons.append(_to_torch(p))
    model = Feedforward(linears, neurons, kernel)
    for wire, c in zip(model.linears, chain, strict=True):
        model.register_buffer(f"{wire}_mask", torch.from_numpy(c.op.synapses.mask()), persistent=False)
    return model


def is_chain(net: Network) -> bool:
    """Return whether `from_network` takes a network."""
    try:
        chain_of(net)
    except UnsupportedError:
        return False
    return True


def chain_of(net: Network) -> list[Connection]:
    """Return the connections from the input to the output. Raises UnsupportedError for a network that is not a chain of
    snnTorch's layers.
    """
    where = f"network {net.name!r}"
    if not isinstance(net.numeric, Float):
        raise UnsupportedError("is quantised, and only float networks are trained", where=where, fix="pass the float network")
    for c in net.connections:
        _must_be_dense(c)
        if c.longest_delay:
            raise UnsupportedError(f"has a delay of {c.longest_delay} steps", where=f"connection {c.name!r}")
    chain = [c for p in net.ordered for c in net.out_of(p.name)]
    if [(c.src, c.dst) for c in chain] != [(a.name, b.name) for a, b in pairwise(net.ordered)]:
        raise UnsupportedError("is no chain of layers, which snnTorch's model is", where=where)
    for p in net.ordered[1:]:
        if not isinstance(p.neuron, LIF | Cuba) or (isinstance(p.neuron, Cuba) and p.neuron.bias.any()):
            raise UnsupportedError(
                "has neurons that this model lacks", where=f"population {p.name!r}", fix="use lif, or cuba without bias"
            )
    return chain


def _must_be_dense(c: Connection) -> None:
    if not isinstance(c.op, Dense) or c.op.pool:
        raise UnsupportedError(
            f"has operator {c.op.kind!r}{' behind a pool' if c.op.pool else ''}, which is not plainly dense",
            where=f"connection {c.name!r}",
        )


def _bias(p: Population) -> NDArray[Any] | None:
    bias = p.neuron.bias if isinstance(p.neuron, LIF) else np.zeros(())
    return np.broadcast_to(bias, (p.size,)) if bias.shape or bias.any() else None


def _linear(synapses: Synapses, bias: NDArray[Any] | None, unit: float) -> nn.Linear:
    linear = nn.Linear(synapses.shape[1], synapses.shape[0], bias=bias is not None)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(synapses.to_dense() / unit))
        if bias is not None:
            linear.bias.copy_(torch.from_numpy(bias.copy()))
    return linear


def _to_torch(p: Population) -> nn.Module:
    if isinstance(p.neuron, Cuba):
        return _neuron("synaptic", _kept(p.neuron.decay_v), _kept(p.neuron.decay_u), _tensor(p.neuron.threshold), False)
    if not isinstance(p.neuron, LIF):
        raise UnsupportedError("has neurons that this model lacks", where=f"population {p.name!r}")
    return _neuron("leaky", _kept(p.neuron.decay_v), None, _tensor(p.neuron.threshold), True)


def _kept(decay: NDArray[Any]) -> Tensor:
    return _tensor(1 - decay)


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, np.float64)).float()


def pruned_masks(model: nn.Module) -> dict[str, Tensor]:
    """Return which synapses exist, (n_dst, n_src) of bool by layer; empty for a model that was never pruned."""
    return {key.removesuffix("_mask"): mask for key, mask in model.named_buffers() if key.endswith("_mask")}


def keep_pruned(model: Feedforward) -> None:
    """Keep the gradient of pruned weights at 0 from now on, so that no optimizer without weight decay moves them from 0."""
    for name, mask in pruned_masks(model).items():
        model.linears[name].weight.register_hook(lambda gradient, mask=mask: gradient * mask)  # type: ignore[no-untyped-call]
