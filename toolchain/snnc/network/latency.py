"""How late each population runs on a chip where every hop takes one step, and the delays that this leaves to set there.

In the reference a spike crosses a connection without delay within its step. On a chip (and in Lava) it crosses in one step,
so population p runs ``latency[p]`` steps late and a connection is set to the delay that makes all its paths agree. A
connection that a target takes apart has more ``hops``: as many steps, by its name; 1 where none are given.
"""

from collections.abc import Mapping

from snnc.errors import UnsupportedError
from snnc.network.model import Connection, Network


def latency(net: Network, hops: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the steps by which each population lags behind: the least that leaves no connection a negative delay.

    Raises UnsupportedError if a loop has fewer delay steps than hops, as then there are none.
    """
    lags = {p.name: 0 for p in net.populations}
    for _ in net.populations:
        changed = False
        for c in net.connections:
            needed = lags[c.src] + _hops(c, hops) - c.shortest_delay
            if needed > lags[c.dst]:
                lags[c.dst], changed = needed, True
        if not changed:
            return lags
    raise UnsupportedError(
        f"a loop through {_loop(net)} has fewer delay steps than hops, and every hop takes one step on a chip",
        where=f"network {net.name!r}",
        fix="give its connections more delay_steps",
    )


def _hops(c: Connection, hops: Mapping[str, int] | None) -> int:
    return hops[c.name] if hops else 1


def chip_delays(net: Network, hops: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the steps of delay that each connection needs on a chip for its latest synapse, beyond the step that a hop takes.

    0 for a feed-forward chain. Raises UnsupportedError as `latency` does.
    """
    lags = latency(net, hops)
    return {c.name: c.longest_delay + lags[c.dst] - lags[c.src] - _hops(c, hops) for c in net.connections}


def _loop(net: Network) -> str:
    """Return the populations on loops, for the message: those that are left when all others are taken away."""
    left = [p.name for p in net.populations]
    while alone := [n for n in left if not _within(net, n, left)]:
        left = [n for n in left if n not in alone]
    return ", ".join(repr(n) for n in left)


def _within(net: Network, name: str, left: list[str]) -> bool:
    """Tell whether a population has both a source and a destination among ``left``."""
    return any(c.src in left for c in net.into(name)) and any(c.dst in left for c in net.out_of(name))
