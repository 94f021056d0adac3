"""Strategy `patches`: neurons of feature maps cut into patches of all channels, small slices sharing a core."""

from snnc.mapping.cutting.poured import packed
from snnc.mapping.cutting.spatial import renumbered, restored
from snnc.mapping.task import Assignment, Task

SUMMARY = "patches of feature maps with all channels, small slices share a core"


def cut(task: Task) -> Assignment:
    """Run `greedy` on the neurons renumbered place after place, on fewer cores where those hold much less than they could."""
    spatial, orders = renumbered(task)
    return restored(packed(spatial), orders)
