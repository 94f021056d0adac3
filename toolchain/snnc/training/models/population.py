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
from snnc.neurons.li import LI
from snnc.neurons.lif import LIF
from snnc.training.arithmetic import TorchArith, TorchFixed, TorchFloat, with_tensors
from snnc.training.kernels.fire import Rule, can_fuse, fused, kernels
from snnc.training.kernels.readout import fused_readout
from snnc.training.kernels.recurrent import fused_recurrent
from snnc.training.models.learned import Learning, learnable, raw_of, value_of
from snnc.training.settings import Kernel


class TorchPopulation(nn.Module):
    """Neurons of one model. Float biases train, if there are any, and what ``learning`` names; all other parameters stay.

    ``kernel``: "fused" takes the compiled kernel for all steps at once, "snntorch" one step after the other, and "auto" the
    kernel where it is available. Raises UnsupportedError for "fused" and neurons that have no kernel.
    """

    def __init__(
        self,
        p: Population,
        arith: TorchArith,
        dtype: torch.dtype,
        kernel: Kernel = "auto",
        learning: Learning = Learning(),
    ) -> None:
        super().__init__()
        if p.neuron is None:
            raise UnsupportedError("is an input, which has no neurons", where=f"population {p.name!r}")
        self.population, self.model, self.arith, self.kernel = p, p.neuron, arith, kernel
        self.learned = learnable(p.neuron, learning)
        for name in p.neuron.parameters():
            value = torch.tensor(np.array(getattr(p.neuron, name)), dtype=dtype)
            if name in self._biases:
                each = value if value.shape else value.repeat(p.size)
                self.register_parameter(_key(name), nn.Parameter(each))
            elif name in self.learned:
                self.register_parameter(_key(name), nn.Parameter(raw_of(value, p.neuron.unit(name))))
            else:
                self.register_buffer(_key(name), value)
        if kernel == "fused" and (reason := self.why_not_fused):
            raise UnsupportedError(f"has no fused kernel: {reason}", where=f"population {p.name!r}", fix="use --kernel auto")

    @property
    def _biases(self) -> tuple[str, ...]:
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
        if type(self.model) not in (LIF, Cuba, LI):
            return "only lif, cuba and li have one"
        if self.learned:
            return f"{self.learned[0]} is learned"
        return f"{self.model.model()} with a bias" if type(self.model) is not LIF and self._biases else None

    def neuron(self) -> Neuron:
        """Return the neuron with the current tensors as parameters."""
        return with_tensors(self.model, {name: self._value(name) for name in self.model.parameters()})

    def _value(self, name: str) -> Tensor:
        tensor: Tensor = getattr(self, _key(name))
        return value_of(tensor, self.model.unit(name)) if name in self.learned else tensor

    def initial(self, like: Tensor) -> NeuronState:
        """Return the state before the first step, for currents ``like``, (batch, n)."""
        return {state.name: torch.full_like(like, state.initial) for state in self.model.states}

    def forward(self, currents: Tensor, steps: int) -> tuple[Tensor, Tensor | None]:
        """Return (spikes, voltages), both (batch, steps, n); voltages of readouts only.

        ``currents``: (batch, steps, n), or (batch, 1, n) for the same in every step.
        """
        if self.kernel != "snntorch" and can_fuse(currents) and not self.why_not_fused:
            return self._fused(currents, steps)
        neuron, state, each = self.neuron(), self.initial(currents[:, 0]), currents.unbind(1)
        fired, voltages = [], []
        for step in range(steps):
            state, spikes = neuron.step(state, each[step % len(each)], self.arith)
            fired.append(spikes)
            voltages.append(self.voltage(state))
        return torch.stack(fired, 1), torch.stack(voltages, 1) if self.is_readout else None

    def recurrent(self, currents: Tensor, weight: Tensor, delay: int, steps: int) -> Tensor | None:
        """Return the spikes (batch, steps, n) of neurons that hear each other after ``delay`` steps over ``weight``.

        None where no compiled kernel computes them.
        """
        if self.kernel == "snntorch" or not can_fuse(currents) or self.why_not_fused or self.is_readout:
            return None
        return fused_recurrent(self._biased(currents), weight, delay, steps, self._rule)

    def voltage(self, state: NeuronState) -> Tensor:
        """The state that a readout is judged by."""
        voltage: Tensor = state[self.model.readout]
        return voltage

    @property
    def is_readout(self) -> bool:
        """Whether it never fires."""
        return not self.model.rule.fires

    def _fused(self, currents: Tensor, steps: int) -> tuple[Tensor, Tensor | None]:
        if not self.is_readout:
            return fused(self._biased(currents), steps, self._rule), None
        voltages = fused_readout(currents, steps, self._rule)
        return torch.zeros_like(voltages), voltages

    def _biased(self, currents: Tensor) -> Tensor:
        return currents + self._value("bias") if self._biases else currents

    @property
    def _rule(self) -> Rule:
        """Return what is kept of u and of v, and the threshold, as the compiled kernel takes them."""
        kept = 1 - self._value("decay_u") if "decay_u" in self.model.parameters() else torch.zeros(())
        never = torch.full((), torch.inf)
        return kept, 1 - self._value("decay_v"), never if self.is_readout else self._value("threshold")

    def trained(self) -> Population:
        """Return the population with the current biases and learned parameters."""
        names = (*self._biases, *self.learned)
        if not names:
            return self.population
        values = {name: self._value(name).detach().cpu().numpy().astype(np.float64) for name in names}
        return replace(self.population, neuron=replace(self.model, **values))


def _key(parameter: str) -> str:
    """Return a key that no attribute of a torch module has as its name."""
    return f"value_{parameter}"
