"""Neuron pruning: weights and neurons have masks that are learned, under a penalty on the synapses that they leave.

Shi, Ding, Hao, Yu, "Towards energy efficient spiking neural networks: an unstructured pruning framework", ICLR 2024. A weight
counts as sigma(T a) * sigma(T b) times its value, with a mask a of its own and the mask b of the neuron that it comes from,
which the publication puts on that neuron's spikes. All are learned together, and the loss gets a penalty

    lambda * (sum over weights of c * sigma(T a) + sum over neurons of c * sigma(T b))

with c the synapses that a mask stands for: 1 for a weight, those out of it for a neuron. T rises exponentially from 5 to 1000,
so that the masks become hard; then what has a mask above 0 is kept and trains on. The masks start at 0.

The publication chooses lambda by hand, and the sparsity is what comes out. Here lambda follows from feedback on the number of
synapses, and at the end those with the highest masks are kept, exactly as many as asked for. A synapse exists only if no mask
of it is below 0: its own, that of the neuron that it comes from, and that of the neuron that it goes to. So a pruned neuron
loses all its synapses, and `snnc simplify` takes it out of the network. Weights are divided by the first masks, so that
training starts from the network as it is.

Neurons have masks if all synapses from them that are pruned here have weights of their own and if synapses of such a layer
lead to them: hidden layers, no inputs, no outputs. In a convolution, weights are pruned and neurons are not, as its neurons
share them. An optimizer knows which neurons a layer connects by ``"source"`` and ``"target"`` of the parameter group; without
them, layers whose shapes fit are taken as a chain. Synapses count as weights do, since that is what the connectivity counts.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from snnc.training.pruning.optimizer import FAINT, PruningOptimizer

SOFT, HARD = 5.0, 1000.0  # T at the start and at the end of the rewiring (the authors' values)
GAIN = 0.5  # of the logarithm of synapses over target: what that of lambda rises by from look to look
FIRST = 0.1  # of the mean pull of the loss on the masks: lambda at the start


class NeuronPruning(PruningOptimizer):
    """Masks of weights and neurons on Adam.

    The state of a weight holds its ``value`` and its mask ``gate``; that of the first weight out of a population also the masks
    ``neurons`` of these.
    """

    def _begin(self) -> None:
        self._between = self._ends()
        sources = dict.fromkeys(source for source, _ in self._between.values())
        self._keeper = {name: p for name in sources if (p := self._first_out_of(name)) is not None}
        for group in self.param_groups:
            group["strength"] = 0.0
        for p in self.pruned:
            self._add_masks(p, "gate", torch.where(self.state[p]["mask"] > 0, 0.0, -FAINT).to(p))
        for p in self._keeper.values():
            self._add_masks(p, "neurons", torch.zeros_like(p[0]))
            self.state[p]["neurons_gradient"] = torch.zeros_like(p[0])
        for p in self.pruned:
            self.state[p]["value"] = p.detach() / self._gates(p, SOFT)

    def _add_masks(self, p: Parameter, name: str, start: Tensor) -> None:
        moments = {f"{name}_mean": torch.zeros_like(start), f"{name}_square": torch.zeros_like(start)}
        self.state[p].update({name: start, **moments})

    def _first_out_of(self, population: str) -> Parameter | None:
        """Return the first weight out of a population, which keeps the masks of its neurons; None if they have none."""
        out = [p for p in self.pruned if self._between[p][0] == population]
        into = [p for p in self.pruned if self._between[p][1] == population and p.dim() == 2]
        sizes = {p.shape[1] for p in out} | {p.shape[0] for p in into}
        masked = population and into and len(sizes) == 1 and all(p.dim() == 2 for p in out)
        return out[0] if masked else None

    def _ends(self) -> dict[Tensor, tuple[str, str]]:
        """Return the names of the populations that each pruned weight leads from and to."""
        groups = [group for group in self.param_groups if group["prune"]]
        if all("source" in group and "target" in group for group in groups):
            return {p: (group["source"], group["target"]) for group in groups for p in group["params"]}
        return {p: (str(i), str(i + 1)) for i, p in enumerate(self.pruned)}

    def _exists(self, p: Tensor) -> Tensor:
        return self._score(p) >= 0

    def _score(self, p: Tensor) -> Tensor:
        """Return the lowest of a synapse's masks: its own and those of the neurons at both ends."""
        score: Tensor = self.state[p]["gate"]
        source, target = (self._neurons(name) for name in self._between[p])
        if source is not None:
            score = torch.minimum(score, source)
        if target is not None and p.dim() == 2:
            score = torch.minimum(score, target[:, None])
        return score

    def _neurons(self, population: str) -> Tensor | None:
        """Return the masks of a population's neurons."""
        keeper = self._keeper.get(population)
        return None if keeper is None else self.state[keeper]["neurons"]

    def _gates(self, p: Tensor, temperature: float) -> Tensor:
        """Return what each value is multiplied by."""
        source = self._neurons(self._between[p][0])
        own = torch.sigmoid(temperature * self.state[p]["gate"])
        return own if source is None else own * torch.sigmoid(temperature * source)

    def _temperature(self, step: int) -> float:
        return SOFT * float((HARD / SOFT) ** min(1.0, step / self._rewiring_steps))

    def _steer(self, done: float) -> None:
        """Raise lambda while there are more synapses than asked for, and lower it while there are fewer."""
        for budget in self._budgets:
            existing = sum(int(self._exists(p).sum()) for p in budget.params)
            factor = (max(existing, 1) / budget.target) ** GAIN
            for group in self.param_groups:
                if group["budget"] == budget.number:
                    group["strength"] *= factor

    def _rewire(self, p: Parameter, group: dict[str, Any]) -> None:
        """Move a layer's values and own masks; add to the gradient of the masks of the neurons before it."""
        assert p.grad is not None  # noqa: S101 - for the type checker: step has looked
        state, gradient = self.state[p], p.grad
        temperature = self._temperature(group["step"] - 1)  # that of the weights which the loss saw
        gates = self._gates(p, temperature)
        of_loss = gradient * state["value"] * gates * temperature  # but for the factor 1 - sigma of each mask
        if group["strength"] == 0:
            group["strength"] = FIRST * float(of_loss.abs().mean()) / temperature
        penalty = group["strength"] * temperature
        source = self._between[p][0]
        if (neurons := self._neurons(source)) is not None:
            open_ = torch.sigmoid(temperature * neurons)
            slope = (1 - open_) * (of_loss.sum(0) + penalty * len(p) * open_)
            self.state[self._keeper[source]]["neurons_gradient"].add_(slope)
        open_ = torch.sigmoid(temperature * state["gate"])
        self._descend(state, "gate", (1 - open_) * (of_loss + penalty * open_), group)
        p.grad = gradient * gates
        state["value"].sub_(self._adam(p, group))
        p.grad = gradient

    def _after(self) -> None:
        """Move the masks of the neurons, and write the weights that all masks leave."""
        group = self.param_groups[0]
        for keeper in self._keeper.values():
            state = self.state[keeper]
            self._descend(state, "neurons", state["neurons_gradient"], group)
            state["neurons_gradient"].zero_()
        for p in self.pruned:
            p.copy_(self.state[p]["value"] * self._gates(p, self._temperature(group["step"])))

    def _descend(self, state: dict[str, Any], name: str, gradient: Tensor, group: dict[str, Any]) -> None:
        """Move masks by Adam."""
        fast, slow = group["betas"]
        mean = state[f"{name}_mean"].mul_(fast).add_(gradient, alpha=1 - fast)
        square = state[f"{name}_square"].mul_(slow).addcmul_(gradient, gradient, value=1 - slow)
        norm = (square / (1 - slow ** group["step"])).sqrt_().add_(group["eps"])
        state[name].sub_(mean / norm, alpha=group["lr"] / (1 - fast ** group["step"]))

    def _kept(self, p: Parameter) -> Tensor:
        state = self.state[p]
        weight: Tensor = state["value"].where(state["value"] != 0, state["sign"] * (FAINT * state["scale"]))
        return weight


METHOD = NeuronPruning
