"""Where the engine's time goes: its stages on one thread, each kernel timed where it is called, in the thread's own time."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from snnc.network.model import Network
from snnc.simulation import engine
from snnc.simulation.engine import block
from snnc.simulation.engine.plan import plan


def measured(net: Network, raster: Any) -> dict[str, float]:
    """Seconds of each stage for these samples by samples side by side; ``sums`` is what is left of a step without neurons."""
    seconds: dict[str, float] = defaultdict(float)

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            start = time.thread_time()
            result = function(*given)
            seconds[name] += time.thread_time() - start
            return result

        return call

    def stepping(text: str, direct: bool) -> Callable[..., Any]:
        kernel = kept["advancing"](text, direct)

        def call(*given: Any) -> Any:
            without = list(given)
            without[STREAM], without[STARTS] = np.zeros_like(given[STREAM]), np.zeros_like(given[STARTS])  # no adders
            without[STATES] = given[STATES].copy()
            result = watched("steps", kernel)(*given)
            watched("neurons", kernel)(given[0].copy(), *without[1:])
            return result

        return call

    kept = {name: getattr(block, name) for name in ("pack", "unpack", "advancing")}
    raster = {net.inputs[0].name: raster}
    options = {"threads": 1, "kernel": "lanes", "keep": [net.output.name]}
    engine.simulate(net, raster, **options)
    start = time.process_time()
    engine.simulate(net, raster, **options)
    seconds["all"] = time.process_time() - start
    try:
        block.pack, block.unpack = watched("input to bits", kept["pack"]), watched("bits to spikes", kept["unpack"])
        block.advancing = stepping
        engine.simulate(net, raster, **options)
    finally:
        for name, function in kept.items():
            setattr(block, name, function)
    seconds["sums"] = seconds["steps"] - seconds["neurons"]
    seconds["else"] = seconds["all"] - seconds["steps"] - seconds["input to bits"] - seconds["bits to spikes"]
    adders = sum(layer.adders for layer in plan(net).board.layers.values())
    return {**seconds, "adders_per_step": adders}


STATES, STREAM, STARTS = 3, 6, 7  # arguments of the kernel
