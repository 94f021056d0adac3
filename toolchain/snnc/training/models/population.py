"""A population in torch: its neuron model's own `step` on tensors, or the compiled kernel where that computes the same."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from snnc.errors import UnsupportedError
from snnc.network.model import Population
from snnc.network.neuron import Neuron, NeuronState
from snnc.network.units import BIAS
from snnc.neurons.cuba import Cuba
from snnc.neurons.lif import LIF
from snnc.training.arithmetic import TorchArith, TorchFixed, TorchFloat, with_tensors
from snnc.training.kernels.fire import can_fuse, fused, kernels
from snnc.training.settings import Kernel


class TorchPopulation(nn.Module):
    """Neurons of one model. Float biases train, if there are any; all other parameters stay.

    ``kernel``: "fused" takes the compiled kernel for all steps at once, "snntorch" one step after the other, and "auto" the
    kernel where it is available. Raises UnsupportedError for "fused" and neurons that have no kernel.
    """

    def __init__(self, p: Population, arith: TorchArith, dtype: torch.dtype, kernel: Kernel = "auto") -> None:
        super().__init__()
        if p.neuron is None:
            raise UnsupportedError("is an input, which has no neurons", where=f"population {p.name!r}")
        self.population, self.model, self.arith, self.kernel = p, p.neuron, arith, kernel
        for name in p.neuron.parameters():
            value, trains = np.array(getattr(p.neuron, name)), name in self._trained
            tensor = torch.tensor(np.broadcast_to(value, (p.size,)) if trains else value, dtype=dtype)
            if trains:
                self.register_parameter(_key(name), nn.Parameter(tensor))
            else:
                self.register_buffer(_key(name), tensor)
        if kernel == "fused" and (reason := self.why_not_fused):
            raise UnsupportedError(f"has no fused kernel: {reason}", where=f"population {p.name!r}", fix="use --kernel auto")

    @property
    def _trained(self) -> tuple[str, ...]:
        """Return the float biases, unless they are one 0 for all."""
        if isinstance(self.arith, TorchFixed):
            return ()
        biases = [name for name, f in self.model.parameters().items() if f.metadata["unit"] is BIAS]
        return tuple(name for name in biases if getattr(self.model, name).shape or getattr(self.model, name).any())

    @property
    def why_not_fused(self) -> str | None:
        """Return in words what keeps these neurons from the compiled kernel; None if nothing does."""
        if kernels() is None:
            return "numba is not installed"
        if not isinstance(self.arith, TorchFloat) or self.arith.attached:
            return "it computes floats, and resets without a gradient"
        if type(self.model) not in (LIF, Cuba):
            return "only lif and cuba have one"
        return "cuba with a bias" if type(self.model) is Cuba and self._trained else None

    def neuron(self) -> Neuron:
        """Return the neuron with the current tensors as parameters."""
        values = {name: getattr(self, _key(name)) for name in self.model.parameters()}
        return with_tensors(self.model, values)

    def initial(self, like: Tensor) -> NeuronState:
        """Return the state before the first step, for currents ``like``, (batch, n)."""
        return {state.name: torch.full_like(like, state.initial) for state in self.model.states}

    def forward(self, currents: Tensor, steps: int) -> tuple[Tensor, Tensor | None]:
        """Return (spikes, voltages), both (batch, steps, n); voltages of readouts only.

        ``currents``: (batch, steps, n), or (batch, 1, n) for the same in every step.
        """
        if self.kernel != "snntorch" and can_fuse(currents) and not self.why_not_fused:
            return self._fused(currents, steps), None
        neuron, state, each = self.neuron(), self.initial(currents[:, 0]), currents.unbind(1)
        fired, voltages = [], []
        for step in range(steps):
            state, spikes = neuron.step(state, each[step % len(each)], self.arith)
            fired.append(spikes)
            voltages.append(self.voltage(state))
        return torch.stack(fired, 1), torch.stack(voltages, 1) if self.is_readout else None

    def voltage(self, state: NeuronState) -> Tensor:
        """The state that a readout is judged by."""
        voltage: Tensor = state[self.model.readout]
        return voltage

    @property
    def is_readout(self) -> bool:
        """Whether it never fires."""
        return not self.model.rule.fires

    def _fused(self, currents: Tensor, steps: int) -> Tensor:
        value = {name: tensor for name in self.model.parameters() if isinstance(tensor := getattr(self, _key(name)), Tensor)}
        kept = 1 - value["decay_u"] if "decay_u" in value else torch.zeros(())
        if self._trained:
            currents = currents + value["bias"]
        return fused(currents, steps, (kept, 1 - value["decay_v"], value["threshold"]))

    def trained(self) -> Population:
        """Return the population with the current biases."""
        if not self._trained:
            return self.population
        biases = {name: getattr(self, _key(name)).detach().cpu().numpy().astype(np.float64) for name in self._trained}
        return replace(self.population, neuron=replace(self.model, **biases))


def _key(parameter: str) -> str:
    """Return a key that no attribute of a torch module has as its name."""
    return f"value_{parameter}"
