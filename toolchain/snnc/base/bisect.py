"""Bisection: the first or the last whole number for which something holds."""

from collections.abc import Callable

Holds = Callable[[int], bool]


def first(holds: Holds, low: int, high: int) -> int:
    """Return the first of ``low`` .. ``high - 1`` for which ``holds`` is true; ``high`` if there is none.

    Once ``holds`` is true it must stay true for all larger numbers.
    """
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def last(holds: Holds, low: int, high: int, tolerance: int = 1) -> int:
    """Return the last of ``low`` .. ``high - 1`` for which ``holds`` is true, up to ``tolerance - 1`` too small.

    ``holds`` is taken to be true for ``low`` and false for ``high``, and is asked for neither; once it is false it must
    stay false for all larger numbers.
    """
    while high - low > tolerance:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
