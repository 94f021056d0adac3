"""Commands of the host interface of Catalyst N1 (rtl/host_interface.v), and the program of a network in them.

A command is a line "ANSWER LENGTH BYTE ...": the bytes that the chip answers, the bytes sent, and those bytes in hexadecimal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnc.network.arithmetic import Fixed, bias_parts
from snnc.network.model import Network, Population

from .placement import Core, Source, synapses

POOL, ROUTE, STIMULUS, RUN, SETTINGS, PARAMETER, INDEX, GLOBAL_ROUTE = 0x01, 0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x10
THRESHOLD, LEAK, REST, REFRACTORY, DECAY_V, DECAY_U, BIAS, SENDS, LEAST, MOST = 0, 1, 2, 3, 16, 17, 18, 24, 30, 31
LOCAL_ROUTES = 8  # the routes after those are global
RELAYED = 1  # threshold of a relay, and the current that it gets
HELD = (1 << 15, 0, 0, 0, 0)  # threshold, decay_v, decay_u, bias, sends: it fires in silence, so that v, u become 0
RELAY = (RELAYED, 0, 0, 0, 1)

Values = tuple[int, int, int, int, int]


def line(answer: int, opcode: int, *fields: tuple[int, int]) -> str:
    """Return a command; each field is (value, bytes), the highest byte first."""
    data = [opcode, *(value >> 8 * i & 0xFF for value, size in fields for i in reversed(range(size)))]
    return f"{answer} {len(data):x} {' '.join(f'{byte:02x}' for byte in data)}\n"


def stimulus(core: int, neuron: int) -> str:
    """Return the command that makes a relay fire in the next step."""
    return line(1, STIMULUS, (core, 1), (neuron, 2), (RELAYED, 2))


def step() -> str:
    """Return the command that runs one step."""
    return line(5, RUN, (1, 2))


def parameter(core: int, neuron: int, name: int, value: int) -> str:
    """Return the command that sets a parameter of a neuron."""
    return line(1, PARAMETER, (core, 1), (neuron, 2), (name, 1), (value & 0xFFFF, 2))


@dataclass(frozen=True)
class Program:
    """A network on cores, as commands."""

    net: Network
    cores: list[Core]
    max_synapses: int

    def once(self) -> str:
        """Return what is sent to a chip once: synapses, routes, and the parameters that stay as they are."""
        relays = [_set(c, n, RELAY) for c, core in enumerate(self.cores) for n, _ in enumerate(core.relays)]
        return "".join([line(1, SETTINGS, (0, 1)), *self._fixed_parameters(), *relays, *self._pools(), *self._routes()])

    def hold(self) -> str:
        """Return what stops every neuron, in silence: two steps later all states are 0 and nothing is on its way."""
        return "".join(_set(c, n, HELD) for c, core in enumerate(self.cores) for n in core.places().values())

    def release(self, lag: int, lags: dict[str, int]) -> str:
        """Return what starts the neurons of all populations that run so many steps late."""
        text = []
        for c, core in enumerate(self.cores):
            for (name, i), n in core.places().items():
                if lags[name] == lag:
                    text.append(_set(c, n, _values(self.net[name], i, self._numeric)))
        return "".join(text)

    @property
    def _numeric(self) -> Fixed:
        assert isinstance(self.net.numeric, Fixed)  # noqa: S101 - for the type checker; `problems` refuses floats
        return self.net.numeric

    def _fixed_parameters(self) -> Iterator[str]:
        most = self._numeric.state_limit - 1
        always = ((LEAK, 0), (REST, 0), (REFRACTORY, 0), (LEAST, -most), (MOST, most))
        for c, core in enumerate(self.cores):
            for n, _ in enumerate(_all(core)):
                yield from (parameter(c, n, name, value) for name, value in always)

    def _pools(self) -> Iterator[str]:
        """Yield the synapses of each relay, one after the other, and where they begin."""
        of_core: list[dict[Source, list[tuple[int, int]]]] = [{who: [] for who in core.relays} for core in self.cores]
        where = {who: (c, n) for c, core in enumerate(self.cores) for who, n in core.places().items()}
        for connection in self.net.connections:
            for row, column, weight in synapses(connection, self.max_synapses):
                c, n = where[connection.dst, row]
                of_core[c][connection.src, column].append((n, weight))
        for c, relays in enumerate(of_core):
            address = 0
            for source, (_, mine) in enumerate(relays.items()):
                yield line(1, INDEX, (c, 1), (source, 2), (address, 2), (len(mine), 2))
                for target, weight in mine:
                    ends = (source >> 8) << 4 | (target >> 8) << 2
                    yield line(
                        1, POOL, (c, 1), (address, 2), (ends, 1), (source & 0xFF, 1), (target & 0xFF, 1), (weight & 0xFFFF, 2)
                    )
                    address += 1

    def _routes(self) -> Iterator[str]:
        relays: dict[Source, list[tuple[int, int]]] = {}
        for c, core in enumerate(self.cores):
            for n, who in enumerate(core.relays):
                relays.setdefault(who, []).append((c, n))
        for c, core in enumerate(self.cores):
            for who, n in core.places().items():
                for slot, (to, relay) in enumerate(relays.get(who, ())):
                    opcode, slot = (ROUTE, slot) if slot < LOCAL_ROUTES else (GLOBAL_ROUTE, slot - LOCAL_ROUTES)
                    yield line(1, opcode, (c, 1), (n, 2), (slot, 1), (to, 1), (relay, 2), (RELAYED, 2))


def _all(core: Core) -> list[Source]:
    return [*core.relays, *core.senders, *core.silent]


def _set(core: int, neuron: int, values: Values) -> str:
    names = (THRESHOLD, DECAY_V, DECAY_U, BIAS, SENDS)
    return "".join(parameter(core, neuron, name, value) for name, value in zip(names, values, strict=True))


def _values(p: Population, i: int, numeric: Fixed) -> Values:
    neuron: Any = p.neuron
    bias, threshold, decay_v, decay_u = (
        int(np.broadcast_to(value, p.size)[i]) for value in (neuron.bias, neuron.threshold, neuron.decay_v, neuron.decay_u)
    )
    mantissa, exponent = bias_parts(bias, numeric)
    return threshold, decay_v, decay_u, int(mantissa) << 3 | int(exponent), 1
