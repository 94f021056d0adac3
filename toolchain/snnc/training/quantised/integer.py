"""A fixed-point network as a torch module: latent float weights behind, the chip's integers in front. For fine-tuning."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from snnc.errors import UnsupportedError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network
from snnc.network.neuron import Neuron
from snnc.network.op import weight_grid
from snnc.passes.quantise import scales
from snnc.training.arithmetic import DTYPE, TorchFixed, straight, with_tensors
from snnc.training.models.feedforward import must_be_dense


class Integers(nn.Module):
    """The weights of one connection: ``latent`` (synapses,) in the floats' unit; what is pruned has no parameter at all."""

    def __init__(self, c: Connection, latent: Tensor, scale: float, numeric: Fixed, message_bits: int) -> None:
        super().__init__()
        self.connection, self.a = c, TorchFixed(fixed=numeric)
        grid = weight_grid(numeric, c.op.sign_mode or "mixed")
        self.grid = grid
        self.per_float = scale / 2.0**c.op.exponent
        self.latent = nn.Parameter(latent.to(DTYPE))
        self.at = torch.from_numpy(c.op.synapses.rows * c.op.n_src + c.op.synapses.indices)  # flat
        fan_in = int(np.diff(c.op.synapses.indptr).max())
        exact_in_float32 = max(-grid[0], grid[-1]) * fan_in * 2 ** max(message_bits, 1) < 2**24
        self.dtype = torch.float32 if exact_in_float32 else DTYPE

    @property
    def values(self) -> Tensor:
        """The integers, (synapses,)."""
        return straight(self.latent * (self.per_float / self.grid.step), torch.round) * self.grid.step

    def forward(self, messages: Tensor) -> Tensor:
        """(steps, batch, n_src) messages -> (steps, batch, n_dst) currents in weight units, late by the delay."""
        op = self.connection.op
        flat = torch.zeros(op.parameters, dtype=self.dtype).index_put((self.at,), self.values.to(self.dtype))
        sums = messages.to(self.dtype) @ flat.view(op.n_dst, op.n_src).T
        current: Tensor = self.a.shift(sums.to(DTYPE), op.exponent)
        late = self.connection.delay_steps
        return current if not late else torch.cat([torch.zeros_like(current[:late]), current[:-late]])

    def project(self) -> None:
        """Move latent weights that left the range of the grid to its end."""
        with torch.no_grad():
            self.latent.clamp_(self.grid[0] / self.per_float, self.grid[-1] / self.per_float)

    def frozen(self) -> Connection:
        """The connection with the integers of now."""
        values = self.values.detach().numpy().astype(np.int64)
        op = replace(self.connection.op, synapses=self.connection.op.synapses.with_values(values))
        return replace(self.connection, op=op)


class IntegerModel(nn.Module):
    """A feed-forward fixed-point network: (batch, steps, n) messages times the encoding's unit -> output spikes.

    Raises UnsupportedError for more than one input, loops, and networks that `snnc.passes.quantise` did not make.
    """

    def __init__(self, fixed: Network, latent: dict[str, Tensor]) -> None:
        super().__init__()
        _must_be_trainable(fixed)
        numeric: Fixed = fixed.numeric  # type: ignore[assignment]
        self.net, self.a = fixed, TorchFixed(fixed=numeric)
        self.unit = fixed.encoding.unit if fixed.encoding else 1.0
        self.weights = nn.ModuleDict(
            {
                c.name: Integers(c, latent[c.name], scales(fixed)[c.dst], numeric, fixed[c.src].message_bits)
                for c in fixed.connections
            }
        )
        self.neurons = {p.name: with_tensors(p.neuron) for p in fixed.populations if p.neuron}

    def forward(self, raster: Tensor) -> Tensor:
        """(batch, steps, n) -> (batch, steps, classes), float32."""
        return self.spikes(raster)[self.net.output.name].to(torch.float32)

    def spikes(self, raster: Tensor) -> dict[str, Tensor]:
        """The spikes of every population, (batch, steps, n); layer by layer, all steps in one product of matrices."""
        fired = {self.net.inputs[0].name: (raster / self.unit).transpose(0, 1)}
        for name in _layers(self.net):
            current = sum(self.weights[c.name](fired[c.src]) for c in self.net.into(name))
            fired[name] = self._fire(self.neurons[name], current)
        return {name: spikes.transpose(0, 1) for name, spikes in fired.items()}

    def _fire(self, neuron: Neuron, currents: Tensor) -> Tensor:
        state = {k: torch.full_like(currents[0], neuron.rule.initial_state) for k in neuron.state}
        fired = []
        for current in currents.unbind():
            state, spikes = neuron.step(state, current, self.a)
            fired.append(spikes)
        return torch.stack(fired)

    def _weights(self) -> list[Integers]:
        return [w for w in self.weights.values() if isinstance(w, Integers)]

    def project(self) -> None:
        """Keep every latent weight within the range of its grid."""
        for weights in self._weights():
            weights.project()

    def frozen(self) -> Network:
        """The fixed network with the integers of now."""
        frozen = {weights.connection.name: weights.frozen() for weights in self._weights()}
        return replace(self.net, connections=tuple(frozen[c.name] for c in self.net.connections))


def _must_be_trainable(net: Network) -> None:
    where = f"network {net.name!r}"
    if not isinstance(net.numeric, Fixed) or not scales(net):
        raise UnsupportedError("was not made by quantise", where=where, fix="run snnc quantise on the float network")
    if net.output.neuron and not net.output.neuron.rule.fires:
        raise UnsupportedError("ends in a readout without spikes", where=where, fix="fine-tuning learns from output spikes")
    if len(net.inputs) != 1:
        raise UnsupportedError(f"has {len(net.inputs)} inputs", where=where, fix="only networks with one input are fine-tuned")
    for c in net.connections:
        must_be_dense(c)
        if c.delays is not None:
            raise UnsupportedError(
                "has delays of single axons or synapses", where=f"connection {c.name!r}", fix="leave out fine-tuning"
            )
    for p in net.populations:
        if p.neuron and not net.into(p.name):
            raise UnsupportedError("has no connection into it", where=f"population {p.name!r}", fix="remove it")
    if len(_layers(net)) + 1 < len(net.populations):
        raise UnsupportedError("has connections that lead back", where=where, fix="only feed-forward networks are fine-tuned")


def _layers(net: Network) -> list[str]:
    """The populations behind the input, each after all that it listens to; those on a loop are left out."""
    layers: list[str] = []
    done = {p.name for p in net.inputs}
    while ready := [p.name for p in net.populations if p.name not in done and {c.src for c in net.into(p.name)} <= done]:
        layers += ready
        done |= set(ready)
    return layers
