"""Keeps the memory of one training step for the next. Called by fit."""

import ctypes
from functools import cache

_LARGE = 1 << 30  # bytes
# M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX of glibc's malloc.h: the heaps of other arenas are given back as a whole, and
# the backward pass runs in a thread of its own
_SETTINGS = {-3: _LARGE, -1: _LARGE, -8: 1}


@cache
def keep() -> bool:
    """Make glibc keep freed large arrays for the process from now on, instead of returning them to the system.

    Otherwise the spikes of every layer are new pages in every step, which the system clears one by one: half the time of a
    forward pass over 784-800-10. The setting applies to the whole process and stays. Returns whether the C library accepted it;
    if it has no such settings, or refuses the first, nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(name, value) for name, value in _SETTINGS.items())
