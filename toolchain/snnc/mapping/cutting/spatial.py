"""A network whose neurons are numbered by where they lie in their feature maps. Part of the strategies.

Populations hold channel after channel, so a contiguous slice is a few whole channels, and a neuron's spikes go to every slice
of the next population. Numbered place after place, a slice is a patch of all channels, and spikes go to one or two.
"""

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from snnc.mapping.arrange import curve
from snnc.mapping.task import Assignment, Task
from snnc.network.model import Connection, Population
from snnc.network.neuron import Neuron
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense


def order(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the neurons of a population, channels first, place after place along a Hilbert curve: shape (n,)."""
    channels, places = (shape[0], shape[1:]) if len(shape) > 1 else (1, shape)
    indices = np.arange(prod(places))
    row, column = np.divmod(indices, places[-1])
    side = 1 << max(int(row.max()), int(column.max())).bit_length()
    along = np.argsort(curve(column, row, side), kind="stable") if len(places) > 1 else indices
    return (along[:, None] + np.arange(channels) * len(indices)).ravel()


def renumbered(task: Task) -> tuple[Task, dict[str, NDArray[np.int64]]]:
    """Return the task with neurons in `order`, every synapse on its own, and that order; itself if there are no feature maps."""
    orders = {p.name: order(p.shape) for p in task.net.populations}
    if all(len(p.shape) < 2 for p in task.net.populations):
        return task, orders
    populations = tuple(replace(p, shape=(p.size,), neuron=_ordered(p, orders[p.name])) for p in task.net.populations)
    net = replace(
        task.net, populations=populations, connections=tuple(_moved(task, c, orders) for c in task.unrolled.connections)
    )
    rates = {name: rate[orders[name]] for name, rate in task.rates.items()}
    return Task(net, task.profile, rates, task.seed), orders


def _ordered(p: Population, order: NDArray[np.int64]) -> Neuron | None:
    """Return the neurons of a population in another order."""
    if p.neuron is None:
        return None
    own = {name: value[order] for name in p.neuron.parameters() if (value := getattr(p.neuron, name)).ndim}
    return replace(p.neuron, **own)


def restored(core_of: Assignment, orders: dict[str, NDArray[np.int64]]) -> Assignment:
    """Turn an assignment of the renumbered task into one of the neurons as they are numbered."""
    original = {name: np.empty_like(cores) for name, cores in core_of.items()}
    for name, cores in core_of.items():
        original[name][orders[name]] = cores
    return original


def _moved(task: Task, c: Connection, orders: dict[str, NDArray[np.int64]]) -> Connection:
    """Return a dense connection between the renumbered neurons."""
    s = c.op.synapses
    rows, columns = task.patterns[c.name]
    place_dst, place_src = np.argsort(orders[c.dst]), np.argsort(orders[c.src])
    new_rows, new_columns = place_dst[rows], place_src[columns]
    by_row = np.argsort(new_rows * s.shape[1] + new_columns, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(new_rows, minlength=s.shape[0]))]).astype(np.int64)
    delays = None if s.delays is None else s.delays[by_row]
    synapses = Synapses(s.shape, indptr, new_columns[by_row].astype(np.int32), s.values[by_row], delays)
    axons = None if c.axon_delays is None else c.axon_delays[orders[c.src]]
    return replace(c, op=Dense(synapses, c.op.exponent, c.op.sign_mode), axon_delays=axons)
