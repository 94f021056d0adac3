"""A fixed-point network as a torch module: latent float weights, computed as the chip's integers. For fine-tuning."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from snnc.errors import UnsupportedError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network
from snnc.network.op import weight_grid
from snnc.passes.quantise import scales
from snnc.training.arithmetic import DTYPE, TorchFixed, straight
from snnc.training.models.connection import TorchConnection, trains
from snnc.training.models.graph import Graph, Rasters
from snnc.training.models.operators import weigh
from snnc.training.models.population import TorchPopulation


class IntegerConnection(TorchConnection):
    """Weights on a chip's grid. ``latent`` (synapses,) is in the unit of the floats; pruned synapses have no parameter at all."""

    at: Tensor

    def __init__(self, c: Connection, latent: Tensor, scale: float, numeric: Fixed, message_bits: int) -> None:
        super().__init__(c)
        self.arith, synapses = TorchFixed(fixed=numeric), c.op.synapses
        grid = weight_grid(numeric, c.op.sign_mode or "mixed")
        self.grid = grid
        self.per_float = scale / 2.0**c.op.exponent
        self.latent = nn.Parameter(latent.to(DTYPE), trains(c))
        at = torch.from_numpy(synapses.rows * synapses.shape[1] + synapses.indices)
        self.register_buffer("at", at, persistent=False)
        exact_in_float32 = max(-grid[0], grid[-1]) * int(c.op.fan_in().max()) * 2 ** max(message_bits, 1) < 2**24
        self.dtype = torch.float32 if exact_in_float32 else DTYPE

    @property
    def values(self) -> Tensor:
        """Return the integers, (synapses,)."""
        return straight(self.latent * (self.per_float / self.grid.step), torch.round) * self.grid.step

    def weights(self) -> Tensor:
        """Return the integers at their places, as floats that hold their sums exactly."""
        shape = self.connection.op.synapses.shape
        flat = torch.zeros(shape[0] * shape[1], dtype=self.dtype, device=self.latent.device)
        return flat.index_put((self.at,), self.values.to(self.dtype)).view(shape)

    def weigh(self, weights: Tensor, messages: Tensor) -> Tensor:
        """Map (..., n_src) messages to (..., n_dst) currents in weight units, shifted by the weight exponent."""
        op = self.connection.op
        return self.arith.shift(weigh(op, weights, messages.to(self.dtype)).to(DTYPE), op.exponent)  # type: ignore[no-any-return]

    def project(self) -> None:
        """Move latent weights that left the range of the grid to the nearest end."""
        with torch.no_grad():
            self.latent.clamp_(self.grid[0] / self.per_float, self.grid[-1] / self.per_float)

    def frozen(self) -> Connection:
        """Return the connection with the current integers."""
        values = self.values.detach().numpy().astype(np.int64)
        return replace(self.connection, op=self.connection.op.with_values(values))


class IntegerModel(Graph):
    """A fixed-point network of any shape: maps (batch, steps, n) messages times the encoding's unit to the output's answer.

    The answer is its spikes, or the voltages of a readout in the unit of the float network. Raises UnsupportedError for
    networks that `snnc.passes.quantise` did not make.
    """

    def __init__(self, fixed: Network, latent: Mapping[str, Tensor]) -> None:
        numeric, scale = fixed.numeric, scales(fixed)
        if not isinstance(numeric, Fixed) or not scale:
            raise UnsupportedError(
                "was not made by quantise", where=f"network {fixed.name!r}", fix="run snnc quantise on the float network"
            )
        connections = {
            c.name: IntegerConnection(c, latent[c.name], scale[c.dst], numeric, fixed[c.src].sent_bits) for c in fixed.connections
        }
        arith = TorchFixed(fixed=numeric)
        populations = {p.name: TorchPopulation(p, arith, DTYPE) for p in fixed.populations if p.neuron}
        super().__init__(fixed, connections, populations)
        self.unit = fixed.encoding.unit if fixed.encoding else 1.0
        self.per_voltage = scale.get(fixed.output.name, 1.0) * (1 << numeric.state_shift)

    def forward(self, raster: Tensor | Rasters) -> Tensor:
        """Map (batch, steps, n) to (batch, steps, classes), float32."""
        spikes, voltages = self.run(raster)
        name = self.net.output.name
        answer = voltages[name] / self.per_voltage if name in voltages else spikes[name]
        return answer.to(torch.float32)

    def _rasters(self, raster: Tensor | Rasters) -> Rasters:
        return {name: (r / self.unit).to(DTYPE) for name, r in super()._rasters(raster).items()}

    @property
    def integers(self) -> dict[str, IntegerConnection]:
        """Return the connections with integer weights, by name."""
        modules = {c.name: self.connection(c.name) for c in self.net.connections}
        return {name: module for name, module in modules.items() if isinstance(module, IntegerConnection)}

    def project(self) -> None:
        """Keep every latent weight within the range of its grid."""
        for module in self.integers.values():
            module.project()

    def frozen(self) -> Network:
        """Return the fixed network with the current integers."""
        integers = self.integers
        return replace(self.net, connections=tuple(integers[c.name].frozen() for c in self.net.connections))
