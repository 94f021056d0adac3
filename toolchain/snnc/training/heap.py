"""Memory of one training step is kept for the next. Called by fit."""

import ctypes
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
_LARGE = 1 << 30  # bytes


@cache
def keep() -> bool:
    """From now on glibc gives large arrays back to the process that frees them, not to the system.

    Otherwise the spikes of every layer are new pages in every step, which the system clears one by one: half the time of a
    forward pass over 784-800-10. Returns whether the C library has these settings; where it has not, nothing changes.
    """
    settings = getattr(ctypes.CDLL(None), "mallopt", None)
    return settings is not None and all(settings(name, _LARGE) for name in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))
