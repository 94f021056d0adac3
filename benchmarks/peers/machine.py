"""What the machine can do at most: the limit against which benchmarks/simulate.py holds what it measures."""

import os
import platform
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

NEAR, FAR = 8 << 10, 256 << 20  # bytes that fit in a first-level cache, and that fit in none but the largest


@njit(nogil=True, cache=True, fastmath=True)
def _add(a, b, often):  # type: ignore[no-untyped-def]
    """a += b, again and again."""
    for k in range(often):
        for i in range(a.shape[0]):
            a[i] += b[i] ^ k


@njit(nogil=True, cache=True, fastmath=True)
def _multiply_add(a, b, often):  # type: ignore[no-untyped-def]
    """a = a * b + k, again and again."""
    for k in range(often):
        for i in range(a.shape[0]):
            a[i] = a[i] * b[i] + k


def _rate(kernel: Any, threads: int, rounds: int = 5, often: int = 200_000) -> float:
    """16-bit operations a second of a kernel on all threads, the best of some rounds."""
    arrays = [(np.ones(NEAR // 2, np.int16), np.ones(NEAR // 2, np.int16)) for _ in range(threads)]
    kernel(*arrays[0], 1)
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            start = time.perf_counter()
            list(pool.map(lambda pair: kernel(*pair, often), arrays))
            best = min(best, time.perf_counter() - start)
    return threads * often * len(arrays[0][0]) / best


def _bandwidth(threads: int, rounds: int = 5) -> float:
    """Bytes a second that are read and written in copying what no near cache holds."""
    arrays = [(np.ones(FAR // threads, np.uint8), np.zeros(FAR // threads, np.uint8)) for _ in range(threads)]
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            start = time.perf_counter()
            list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), arrays))
            best = min(best, time.perf_counter() - start)
    return 2 * FAR / best


def limits(threads: int) -> dict[str, float]:
    """Measured now, on as many threads as the engine gets: additions and multiply-adds of 16 bits, and bytes of memory."""
    return {
        "additions_16_bit_per_s": _rate(_add, threads), "multiply_adds_16_bit_per_s": _rate(_multiply_add, threads),
        "memory_bytes_per_s": _bandwidth(threads),
    }  # fmt: skip


def products_per_s(clock: Callable[[], float] = time.perf_counter, rounds: int = 5, size: int = 1024) -> float:
    """Measured now: floating-point operations a second of a dense product in float32, on torch's threads; the best of some."""
    import torch

    a, b = torch.rand(size, size), torch.rand(size, size)
    return max(2 * size**3 / _seconds(lambda: torch.mm(a, b), clock) for _ in range(rounds))


def copied_per_s(working_set: int, clock: Callable[[], float] = time.perf_counter, rounds: int = 5) -> float:
    """Measured now: bytes a second that are read and written in copying half of ``working_set`` to the other half, on torch's
    threads; the best of some."""
    import torch

    a, b = torch.zeros(working_set // 8), torch.zeros(working_set // 8)
    return max(working_set / _seconds(lambda: b.copy_(a), clock) for _ in range(rounds))


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start


def commit() -> str:
    """Of the working tree, with a + if there are changes that are not committed; "" where there is no git."""
    try:
        said = subprocess.run(["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()


def circumstances() -> dict[str, Any]:
    """Return the commit that a row is of, and how busy the machine was."""
    return {"commit": commit(), "load": os.getloadavg()[0]}


def command(words: Sequence[str]) -> str:
    """A command as anybody would type it, without the folders of this machine: the one after --data-dir is DIR, an interpreter is
    PYTHON, and of any other absolute path the name is left."""
    said = [re.sub(r"(?<![^=])/\S*/python[\d.]*$", "PYTHON", word) for word in words]
    said = [re.sub(r"(?<![^=])/\S*/(?=[^/\s])", "", word) for word in said]
    return shlex.join("DIR" if before == "--data-dir" else word for before, word in zip(["", *said], said, strict=False))


def described() -> dict[str, Any]:
    """Processor, processors for this program, memory, and how busy the machine is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}
    wide = [flag for flag in ("avx512f", "avx512bw", "avx2") if flag in said.get("flags", "").split()]
    return {
        "processor": said.get("model name") or platform.processor(), "vectors": wide, "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "system": platform.platform(),
        "python": platform.python_version(), "load_average": os.getloadavg()[0],
    }  # fmt: skip
