"""Strategy `patches`: neurons of feature maps cut into patches of all channels, small slices sharing a core."""

from snnc.mapper.strategies._shared import first_fit
from snnc.mapper.strategies._spatial import renumbered, restored
from snnc.mapper.task import Assignment, Task

SUMMARY = "patches of feature maps with all channels, small slices share a core"


def cut(task: Task) -> Assignment:
    """`greedy` on the neurons renumbered place after place; the same as it without feature maps."""
    spatial, orders = renumbered(task)
    return restored(first_fit(spatial, spatial.slices), orders)
