"""Compiled kernels on torch's own threads: two pools that spin for work at the same time would starve each other."""

import ctypes
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

GRAIN = 32_768  # elements below which torch, too, leaves the work to one thread
SHARES = 4  # for each thread, so that one that is held up by another program does not hold up the rest
_REGION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def split(kernel: Callable[..., None], count: int, elements: int, *arguments: Any) -> None:
    """Call ``kernel(first, last, *arguments)`` for ranges that cover 0 .. ``count``, on torch's threads.

    ``kernel`` releases the GIL. Little work (``elements``) stays on the thread of the caller, and so does all where torch's
    threads cannot be reached.
    """
    threads, region = torch.get_num_threads(), _parallel_region()
    if threads < 2 or count < 2 or elements < GRAIN or region is None:
        kernel(0, count, *arguments)
        return
    shares = min(SHARES * threads, count)
    edges = [count * i // shares for i in range(shares + 1)]
    left = pairwise(edges)  # advanced under the GIL: no share is taken twice, or left over
    failures: list[BaseException] = []

    def work(_: Any) -> None:
        try:
            for first, last in left:
                kernel(first, last, *arguments)
        except BaseException as error:  # it cannot pass through OpenMP; raised below
            failures.append(error)

    region(_REGION(work), None, threads, 0)
    if failures:
        raise failures[0]


@cache
def _parallel_region() -> Any:
    """GNU OpenMP's entry point in the very library that torch computes with; LLVM's and Intel's have it on Linux, too."""
    for name in ("libtorch_cpu.so", "libtorch_cpu.dylib"):
        path = Path(torch.__file__).parent / "lib" / name
        if path.exists() and (region := getattr(ctypes.CDLL(str(path)), "GOMP_parallel", None)):
            region.restype, region.argtypes = None, [_REGION, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
            return region
    return None
