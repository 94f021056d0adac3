"""Strategy `sequential`: contiguous slices as long as they can be, one a core, in the order of computation."""

from snnc.mapping.task import Assignment, Task, of_slices

SUMMARY = "contiguous slices, one a core"


def cut(task: Task) -> Assignment:
    """Return the slices of `snnc.mapping.split`, one a core, as `snnc check` measures them."""
    return of_slices(task, tuple((core_slice,) for core_slice in task.slices))
