"""Strategy `sequential`: contiguous slices as long as they can be, one a core, in the order of computation."""

from snnc.mapping.task import Assignment, Task, of_slices

SUMMARY = "contiguous slices, one a core"


def cut(task: Task) -> Assignment:
    """The slices of `snnc.mapping.split`, as `snnc check` measures them."""
    return of_slices(task, tuple((piece,) for piece in task.slices))
