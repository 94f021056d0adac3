"""Strategy `greedy`: the contiguous slices of `sequential`, of which small ones share a core, first fit by what they use."""

from snnc.mapping.cutting.first_fit import first_fit
from snnc.mapping.task import Assignment, Task

SUMMARY = "contiguous slices, small ones share a core"


def cut(task: Task) -> Assignment:
    """Return the core of every neuron, on never more cores than `sequential`."""
    return first_fit(task, task.slices)
