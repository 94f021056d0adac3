"""Places neurons on the cores of a Catalyst N1, with a relay on a core for each source that its neurons listen to.

A core delivers the spikes of its own neurons through a queue of 64 places, and another of 64 hands them to the routes; spikes
beyond are lost without a word. A queue is filled in the order of the neurons. So what listens to others or is listened to takes
the first 64 places of a core, and nothing can be lost whatever fires: relays, then neurons that send, then those that do not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError
from snnc.network.model import Connection, Network

QUEUE = 64  # spikes of a core in a step: rtl/scalable_core_v2.v (fifo_a, fifo_b), rtl/neuromorphic_mesh.v (capture_fifo)
ROUTES = 12  # of a neuron: 8 in the route table, 4 in the table of global routes (rtl/neuromorphic_mesh.v)
ROUTED = 512  # spikes that all routes together can carry in a step: rtl/neuromorphic_mesh.v (inject_fifo)

Source = tuple[str, int]  # population and number of a neuron


@dataclass(frozen=True)
class Board:
    """How large a build of the chip is."""

    name: str
    cores: int
    neurons: int  # of a core, relays included
    pool: int  # synapses of a core
    per_source: int  # synapses that a source has on a core


FULL = Board("catalyst_n1", 128, 1024, 65_536, 4095)  # of 131,072 places the host interface can address as many
BOARDS = {
    board.name: board
    for board in (FULL, Board("catalyst_n1_arty", 4, 256, 8192, 63), Board("catalyst_n1_kria", 2, 256, 4096, 255))
}


@dataclass
class Core:
    """Neurons of a core, in its order: relays of sources, neurons that send, neurons that do not."""

    relays: dict[Source, int] = field(default_factory=dict)  # each with the synapses that it has on this core
    senders: list[Source] = field(default_factory=list)
    silent: list[Source] = field(default_factory=list)
    synapses: int = 0

    def places(self) -> dict[Source, int]:
        """Return the number of each neuron on the core."""
        first = len(self.relays)
        return {who: first + i for i, who in enumerate([*self.senders, *self.silent])}

    def takes(self, sources: Mapping[Source, int], sends: bool, board: Board) -> str:
        """Return why a neuron with this many synapses from each source has no room; empty if it has."""
        relays = len(self.relays.keys() | sources.keys())
        queued = relays + len(self.senders) + sends
        if queued > QUEUE:
            return f"{queued} relays and neurons that send, its queues of spikes hold {QUEUE}"
        if (total := relays + len(self.senders) + len(self.silent) + 1) > board.neurons:
            return f"{total} neurons and relays, it has {board.neurons}"
        if (synapses := self.synapses + sum(sources.values())) > board.pool:
            return f"{synapses} synapses, its pool holds {board.pool}"
        most = max((self.relays.get(who, 0) + n for who, n in sources.items()), default=0)
        return f"{most} synapses of one source, it takes {board.per_source}" if most > board.per_source else ""

    def add(self, neuron: Source, sources: Mapping[Source, int], sends: bool) -> None:
        """Give the neuron a place, and its sources relays."""
        for who, n in sources.items():
            self.relays[who] = self.relays.get(who, 0) + n
        self.synapses += sum(sources.values())
        (self.senders if sends else self.silent).append(neuron)


def place(net: Network, board: Board, max_synapses: int) -> list[Core]:
    """Give every neuron a place, population after population, each on the last core as long as that has room.

    Raises DoesNotFitError, with both numbers, for a neuron that no core has room for, for too many cores and too many routes.
    """
    sources, sending = _sources(net, max_synapses), {c.src for c in net.connections}
    cores = [Core()]
    for p in net.ordered:
        for i in range(p.size if p.neuron else 0):
            mine, sends = sources.get((p.name, i), {}), p.name in sending
            if cores[-1].takes(mine, sends, board):
                cores.append(Core())
            if why := cores[-1].takes(mine, sends, board):
                raise DoesNotFitError(f"needs a core with {why}", where=f"population {p.name!r}, neuron {i}", fix="prune it")
            cores[-1].add((p.name, i), mine, sends)
    if len(cores) > board.cores:
        raise DoesNotFitError(f"needs {len(cores)} cores, {board.name} has {board.cores}", where=f"network {net.name!r}",
                              fix="prune it, so that more neurons share a core, or make it narrower")  # fmt: skip
    _must_be_routable(net, cores)
    return cores


def _sources(net: Network, max_synapses: int) -> dict[Source, dict[Source, int]]:
    """Return, for each neuron, how many synapses it has from each source."""
    found: dict[Source, dict[Source, int]] = {}
    for c in net.connections:
        for row, column, _ in synapses(c, max_synapses):
            mine = found.setdefault((c.dst, row), {})
            mine[c.src, column] = mine.get((c.src, column), 0) + 1
    return found


def synapses(c: Connection, max_synapses: int) -> Iterator[tuple[int, int, int]]:
    """Yield (neuron, source neuron, weight) of each synapse that exists."""
    s = c.op.unrolled(max_synapses)
    values: NDArray[Any] = s.values.astype(np.int64) << c.op.exponent
    yield from zip(s.rows.tolist(), s.indices.tolist(), values.tolist(), strict=True)


def _must_be_routable(net: Network, cores: list[Core]) -> None:
    inputs = {p.name for p in net.inputs}
    counts: dict[Source, int] = {}
    for core in cores:
        for who in core.relays:
            if who[0] not in inputs:
                counts[who] = counts.get(who, 0) + 1
    for (name, i), n in counts.items():
        if n > ROUTES:
            raise DoesNotFitError(f"is listened to on {n} cores, a neuron has routes to {ROUTES}",
                                  where=f"population {name!r}, neuron {i}", fix="prune it")  # fmt: skip
    if (total := sum(counts.values())) > ROUTED:
        raise DoesNotFitError(
            f"needs {total} routes, a step carries spikes of {ROUTED}", where=f"network {net.name!r}", fix="prune it"
        )
