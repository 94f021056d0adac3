"""Compiled kernels on torch's own threads: two pools that spin for work at the same time would starve each other."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

_REGION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def split(kernel: Callable[..., None], count: int, *arguments: Any) -> None:
    """Call ``kernel(first, last, *arguments)`` for ranges that cover 0 .. ``count``, one for each of torch's threads.

    ``kernel`` releases the GIL. Where torch's threads cannot be reached, it runs on the thread of the caller.
    """
    shares, region = min(torch.get_num_threads(), count), _parallel_region()
    if shares < 2 or region is None:
        kernel(0, count, *arguments)
        return
    edges = [count * i // shares for i in range(shares + 1)]
    left = iter(zip(edges, edges[1:], strict=False))  # advanced under the GIL: no share is taken twice, or left over
    failures: list[BaseException] = []

    def work(_: Any) -> None:
        try:
            for first, last in left:
                kernel(first, last, *arguments)
        except BaseException as error:  # it cannot pass through OpenMP; raised below
            failures.append(error)

    region(_REGION(work), None, shares, 0)
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
