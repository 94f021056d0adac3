"""Which simulator runs a network: the reference, or the engine, which computes the same, only much faster."""

from collections.abc import Callable

from snnc.errors import UsageError, nearest
from snnc.network.model import Network
from snnc.simulation import engine
from snnc.simulation.reference import simulate
from snnc.simulation.run import Rasters, Run

Simulator = Callable[[Network, Rasters, bool], Run]  # (network, inputs, whether to record states)
KERNELS: dict[str, engine.Kernel] = {"engine": "auto", "lanes": "lanes", "events": "events"}  # of the engine, by simulator
NAMES = (*KERNELS, "reference")


def simulator(net: Network, name: str | None = None) -> Simulator:
    """Return the simulator of this name; by default the engine for an integer network with numba installed, else the reference.

    "lanes" and "events" are the engine with that kernel for all populations, "engine" chooses one for each.
    Raises UsageError for an unknown name.
    """
    if name is not None and name not in NAMES:
        raise UsageError(f"no simulator {name!r}", fix=nearest(name, NAMES))
    if name in KERNELS or (name is None and engine.suits(net)):
        kernel = KERNELS[name or "engine"]
        return lambda net, inputs, record: engine.simulate(net, inputs, record=record, kernel=kernel)
    return lambda net, inputs, record: simulate(net, inputs, record=record)
