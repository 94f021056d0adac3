"""Any network as a torch module: each population runs its model's own `step`, each connection its operator and its delays.

What no loop leads back to is computed for all steps at once, population by population: one product of matrices holds all
steps, and the compiled kernel fires them. Populations on a loop are stepped together.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter

import numpy as np
import torch
from torch import Tensor, nn

from snnc.errors import UnsupportedError
from snnc.network.arithmetic import Float
from snnc.network.model import Connection, Network, Population, Stage
from snnc.passes.constant_current import with_constant
from snnc.training.arithmetic import TorchFloat
from snnc.training.models.batch_norm import BatchNorm
from snnc.training.models.connection import Arrivals, FloatConnection, TorchConnection, trains
from snnc.training.models.learned import Learning
from snnc.training.models.learned_delays import DelayedConnection, can_learn
from snnc.training.models.population import TorchPopulation
from snnc.training.settings import Kernel

Rasters = Mapping[str, Tensor]  # input population -> (batch, steps, n) messages


class Graph(nn.Module):
    """The flow of spikes through a network whose connections and populations are torch modules.

    ``forward`` maps (batch, steps, n) messages, times the encoding's unit, to what the output is judged by: spikes, or the
    voltages of a readout, (batch, steps, n). A raster whose steps share their memory (``expand``) is a constant: its
    currents are computed once. Several inputs take a table of rasters by name.
    """

    def __init__(
        self, net: Network, connections: Mapping[str, TorchConnection], populations: Mapping[str, TorchPopulation]
    ) -> None:
        super().__init__()
        self.net = net
        self.connections = nn.ModuleDict({_key(name): module for name, module in connections.items()})
        self.populations = nn.ModuleDict({_key(name): module for name, module in populations.items()})
        self._groups = tuple(groups(net))

    def connection(self, name: str) -> TorchConnection:
        """Return the module of a connection."""
        return self.connections[_key(name)]  # type: ignore[return-value]

    def population(self, name: str) -> TorchPopulation:
        """Return the module of a population with neurons."""
        return self.populations[_key(name)]  # type: ignore[return-value]

    def currents(self, name: str, messages: Tensor, steps: int) -> Tensor:
        """Return what a connection brings, (batch, steps, n_dst), or one step if all steps are the same."""
        currents: Tensor = self.connection(name)(messages, steps)
        return currents

    def forward(self, raster: Tensor | Rasters) -> Tensor:
        spikes, voltages = self.run(raster)
        name = self.net.output.name
        return voltages.get(name, spikes[name])

    def spikes(self, raster: Tensor | Rasters) -> dict[str, Tensor]:
        """Return the spikes of every population with neurons, (batch, steps, n)."""
        return self.run(raster)[0]

    def run(self, raster: Tensor | Rasters) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return (spikes of every population with neurons, voltages of readouts), each sample from a fresh state."""
        flow = _Flow(self, self._rasters(raster))
        for group in self._groups:
            flow.together(group) if self._loops(group) else flow.at_once(group[0])
        return {p.name: flow.fired[p.name] for p in self.net.ordered if p.neuron}, flow.voltages

    def _rasters(self, raster: Tensor | Rasters) -> Rasters:
        if not isinstance(raster, Tensor):
            return raster
        if len(self.net.inputs) != 1:
            raise UnsupportedError(
                f"has {len(self.net.inputs)} inputs", where=f"network {self.net.name!r}", fix="pass a raster for each, by name"
            )
        return {self.net.inputs[0].name: raster}

    def _loops(self, group: Sequence[str]) -> bool:
        return len(group) > 1 or any(c.src == group[0] for c in self.net.into(group[0]))


class _Flow:
    """One pass of a batch."""

    def __init__(self, graph: Graph, rasters: Rasters) -> None:
        self.graph, self.net = graph, graph.net
        some = next(iter(rasters.values()))
        self.steps, self.nothing = some.shape[1], some[:, :1, :1]
        self.fired: dict[str, Tensor] = {name: r if r.stride(1) else r[:, :1] for name, r in rasters.items()}
        self.voltages: dict[str, Tensor] = {}

    def at_once(self, name: str) -> None:
        """Run all steps of a population that is not on a loop."""
        spikes, voltages = self.graph.population(name)(self._outside(name, ()), self.steps)
        self._keep(name, spikes, voltages)

    def _keep(self, name: str, spikes: Tensor, voltages: Tensor | None) -> None:
        self.fired[name] = spikes
        if voltages is not None:
            self.voltages[name] = voltages

    def _outside(self, name: str, group: Sequence[str]) -> Tensor:
        """Return what arrives from outside of a group, (batch, steps, n); one step if all steps are the same."""
        total: Tensor | None = None
        for c in self.net.into(name):
            if c.src not in group:
                current = self.graph.currents(c.name, self.fired[c.src], self.steps)
                total = current if total is None else total + current
        return torch.zeros_like(self.nothing).expand(-1, -1, self.net[name].size) if total is None else total

    def together(self, group: Sequence[str]) -> None:
        """Run the populations on a loop, one step after the other; one that only hears itself by the compiled kernel."""
        if len(group) == 1 and (spikes := self._compiled(group[0])) is not None:
            self._keep(group[0], spikes, None)
            return
        loops = {name: _Loop(self.graph, name, self._outside(name, group).unbind(1), group) for name in group}
        for step in range(self.steps):
            for name in group:
                loops[name].advance(step, loops)
        for name, loop in loops.items():
            self._keep(name, torch.stack(loop.fired, 1), torch.stack(loop.voltages, 1) if loop.voltages else None)

    def _compiled(self, name: str) -> Tensor | None:
        """Return the spikes of a population with one dense connection to itself; None where no kernel computes them."""
        inside = [c for c in self.net.into(name) if c.src == name]
        if len(inside) != 1 or (matrix := self.graph.connection(inside[0].name).matrix()) is None:
            return None
        return self.graph.population(name).recurrent(self._outside(name, (name,)), matrix, inside[0].delay_steps, self.steps)


class _Loop:
    """A population on a loop, with its progress."""

    def __init__(self, graph: Graph, name: str, outside: Sequence[Tensor], group: Sequence[str]) -> None:
        self.module, self.outside = graph.population(name), outside
        self.neuron, self.state = self.module.neuron(), self.module.initial(outside[0])
        self.into: list[tuple[str, Arrivals]] = [
            (c.src, graph.connection(c.name).arrivals()) for c in graph.net.into(name) if c.src in group
        ]
        self.fired: list[Tensor] = []
        self.voltages: list[Tensor] = []

    def advance(self, step: int, loops: Mapping[str, "_Loop"]) -> None:
        """Take one step; what others of the loop have sent arrives after its delay."""
        current = self.outside[step % len(self.outside)]
        for src, arrivals in self.into:
            for delay, weigh in arrivals:
                if delay <= step:
                    current = current + weigh(loops[src].fired[step - delay])
        self.state, spikes = self.neuron.step(self.state, current, self.module.arith)
        self.fired.append(spikes)
        if self.module.is_readout:
            self.voltages.append(self.module.voltage(self.state))


def groups(net: Network) -> Iterator[tuple[str, ...]]:
    """Return the populations with neurons, each with those it shares a loop with, after everything that sends to the group."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    ordered = net.ordered
    number = {p.name: i for i, p in enumerate(ordered)}
    ends = np.array([(number[c.src], number[c.dst]) for c in net.connections], np.int64).reshape(-1, 2)
    links = csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (len(ordered), len(ordered)))
    count, of = connected_components(links, connection="strong")
    members: list[list[Population]] = [[] for _ in range(count)]
    for p in ordered:
        members[of[number[p.name]]].append(p)
    before: dict[int, set[int]] = {i: set() for i in range(count)}
    for src, dst in ends:
        before[int(of[dst])] |= {int(of[src])} - {int(of[dst])}
    for i in TopologicalSorter(before).static_order():
        if members[i][0].neuron:
            yield tuple(p.name for p in members[i])


class FloatGraph(Graph):
    """A float network that trains: weights of every place of its operators, biases where there are any, what ``learning`` names.

    The currents of the connections ``normed``, which lie on no loop, pass a batch norm; the network that is returned has it
    folded in. Raises UnsupportedError for a quantised network, and for ``kernel`` "fused" with neurons that have no such kernel.
    """

    def __init__(
        self,
        net: Network,
        kernel: Kernel = "auto",
        dtype: torch.dtype = torch.float32,
        learning: Learning = Learning(),
        normed: Collection[str] = (),
    ) -> None:
        if not isinstance(net.numeric, Float):
            raise UnsupportedError(
                "is quantised, and only float networks are trained", where=f"network {net.name!r}", fix="pass the float network"
            )
        unit = net.encoding.unit if net.encoding else 1.0
        sources = {p.name for p in net.inputs}
        group_of = {name: i for i, group in enumerate(groups(net)) for name in group}

        def connection(number: int, c: Connection) -> FloatConnection:
            scale = unit if c.src in sources else 1.0
            if "delays" in learning.what and can_learn(c, group_of.get(c.src) == group_of[c.dst]):
                return DelayedConnection(c, scale, dtype, learning, number)
            return FloatConnection(c, scale, dtype)

        norms = {c.name: BatchNorm(c, dtype) for c in net.connections if c.name in normed}
        sums = [norms[c.name].sums if c.name in norms else c for c in net.connections]
        connections = {c.name: connection(i, c) for i, c in enumerate(sums)}
        populations = {p.name: TorchPopulation(p, TorchFloat(), dtype, kernel, learning) for p in net.populations if p.neuron}
        super().__init__(net, connections, populations)
        self.norms = nn.ModuleDict({_key(name): norm for name, norm in norms.items()})

    def currents(self, name: str, messages: Tensor, steps: int) -> Tensor:
        currents = super().currents(name, messages, steps)
        return self.norms[_key(name)](currents) if _key(name) in self.norms else currents

    @property
    def _floats(self) -> dict[str, FloatConnection]:
        found = {c.name: self.connection(c.name) for c in self.net.connections}
        return {name: module for name, module in found.items() if isinstance(module, FloatConnection)}

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        """Return the weights that train and are pruned, by connection."""
        return {name: module.weight for name, module in self._floats.items() if trains(module.connection)}

    @property
    def masks(self) -> dict[str, Tensor]:
        """Return which synapses exist, by connection that trains: of the shape of its weights."""
        return {name: module.mask for name, module in self._floats.items() if trains(module.connection)}

    @property
    def others(self) -> list[nn.Parameter]:
        """Return what trains beside the weights: biases, and decays, thresholds and delays where they are learned."""
        delays = [module.raw for module in self._floats.values() if isinstance(module, DelayedConnection)]
        return [*self.populations.parameters(), *self.norms.parameters(), *delays]

    def to_network(self, done: tuple[Stage, ...] = (), masks: Mapping[str, Tensor] | None = None) -> Network:
        """Return the network with the current weights, biases and what else was learned; names, encoding and all else stay.

        A batch norm may add a population of one neuron, which fires in every step (`snnc.passes.constant_current`).

        ``masks`` says by connection which synapses exist (default: those of before).
        """
        masks = masks or {}
        trained = {c.name: self._floats[c.name].trained(masks.get(c.name)) for c in self.net.connections}
        constants = {}
        for c in self.net.connections:
            if _key(c.name) in self.norms:
                trained[c.name], constants[c.dst] = self.norms[_key(c.name)].folded(trained[c.name])  # type: ignore[operator]
        populations = tuple(self.population(p.name).trained() if p.neuron else p for p in self.net.populations)
        net = replace(self.net, populations=populations, connections=tuple(trained.values()), done=(*self.net.done, *done))
        for name, values in constants.items():
            net = with_constant(net, name, values)
        return net


def _key(name: str) -> str:
    """Return a key that no attribute of a torch module has as its name."""
    return f"of_{name}"
