"""A mapped network in the words of NeuroBench: footprint, sparsities, synaptic operations.

Source: NeuroBench (Yik et al., Nature Communications 16, 2025), static and workload metrics; neurobench 2.3.0, metrics/. Its
footprint is that of torch's tensors, in which pruned weights take room, too; here it is what the chip stores.
"""

from typing import Any

import numpy as np

from snnc.mapping.census import Census
from snnc.mapping.task import Task


def measures(task: Task, census: Census, steps: int | None) -> dict[str, Any]:
    """Return the metrics of one inference of ``steps`` steps; what needs a recorded run is None without one.

    ``footprint``: bytes of synapse memory as the chip stores them, or of the weights alone where that is not public.
    ``connection_sparsity``: of stored weights; those of a kernel count once.
    ``synaptic_operations``: a message that reaches a synapse is an accumulation, or of several bits a multiplication, too;
    ``Dense`` counts those of every synapse that could exist, in every step.
    """
    connections = task.net.connections
    synapses, possible = sum(c.op.synapse_count for c in connections), sum(c.op.possible_synapses for c in connections)
    graded = {p.name for p in task.net.populations if p.message_bits}
    operations = {c.name: float((c.op.fan_out() * task.rates[c.src]).sum()) for c in connections}
    multiplied = sum(operations[c.name] for c in connections if c.src in graded)
    return {
        "footprint": _footprint(task, census, synapses),
        "connection_sparsity": 1 - sum(c.op.synapses.count for c in connections) / sum(c.op.parameters for c in connections),
        "activation_sparsity": None if steps is None else _activation_sparsity(task, steps),
        "synaptic_operations": {
            "Effective_MACs": multiplied,
            "Effective_ACs": sum(operations.values()) - multiplied,
            "Dense": None if steps is None else possible * steps,
        },
    }


def _footprint(task: Task, census: Census, synapses: int) -> int:
    if task.profile.storage is None:
        return -(-synapses * task.weight_bits // 8)
    return int(census.used["synapse_words_per_core"].sum()) * task.profile.storage.word_bits // 8


def _activation_sparsity(task: Task, steps: int) -> float:
    spikes = sum(float(np.sum(task.rates[name])) for name in task.neurons)
    return 1 - spikes / (steps * sum(task.net[name].size for name in task.neurons))
