"""Work on units: one after the other here, in processes, or on a cluster. Results come in the order of the units.

Whatever is done in parts (slices of rows, cores, samples, rows of a sweep) says its `Work` and its units, and asks `mapped` or
the `Workers` it was given. No result depends on who did a unit, on how many workers there are, or on which of them die.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from snnc.errors import RunError

G = TypeVar("G")
U = TypeVar("U")
R = TypeVar("R")
H = TypeVar("H")

RETRIES = 3  # of a unit whose worker dies
SYNAPSES = 1 << 20  # that a unit looks at, if its work is one of synapses
AHEAD = 2  # units that are handed out for each worker, so that none waits for the next


@dataclass(frozen=True)
class Work(Generic[G, U, R]):
    """A function that is called for each unit: ``function(given, unit)``.

    Attributes:
        name: What the units are, in words: "slices of rows".
        function: A function of a module, so that workers find it by its name.
        given: What every unit needs. Each worker gets it once.
        of: What identifies ``given`` and the function, for results that are kept: texts, numbers, bytes and arrays.
    """

    name: str
    function: Callable[[G, U], R]
    given: G
    of: Callable[[], tuple[Any, ...]] | None = None

    def __call__(self, unit: U) -> R:
        return self.function(self.given, unit)


class Workers(ABC):
    """Those who do units."""

    jobs: int = 1

    @abstractmethod
    def results(self, work: Work[G, U, R], units: Sequence[U], ahead: int | None = None) -> Iterator[R]:
        """Yield the result of each unit, in the order of the units.

        Args:
            work: What is done.
            units: Each is sent to the worker that does it.
            ahead: How many units are handed out before their results are asked for (default: `AHEAD` for each worker).

        Raises:
            RunError: A unit cannot be done, because its workers die or all of them are lost.
        """


class Here(Workers):
    """This process."""

    def results(self, work: Work[G, U, R], units: Sequence[U], ahead: int | None = None) -> Iterator[R]:
        return map(work, units)


_HERE = Here()
_workers: ContextVar[Workers] = ContextVar("workers", default=_HERE)


@contextmanager
def done_by(workers: Workers) -> Iterator[None]:
    """Within, `mapped` hands its units to these workers."""
    token = _workers.set(workers)
    try:
        yield
    finally:
        _workers.reset(token)


def are_shared() -> bool:
    """Tell whether units go to other processes."""
    return not isinstance(_workers.get(), Here)


def mapped(work: Work[G, U, R], units: Sequence[U], *, is_sent: bool = True) -> Iterator[R]:
    """Yield the result of each unit in order, by the workers of `done_by`.

    This process does them if there are no workers, or one unit, or the work is not to be sent.
    """
    workers = _workers.get() if is_sent and len(units) > 1 else _HERE
    return workers.results(work, units)


def in_order(units: Iterable[U], ahead: int, submit: Callable[[U], H], result: Callable[[H], R]) -> Iterator[R]:
    """Yield ``result(submit(unit))`` for each unit, in order, with at most ``ahead`` units submitted and not yet asked for."""
    waiting: deque[H] = deque()
    for unit in units:
        if len(waiting) >= ahead:
            yield result(waiting.popleft())
        waiting.append(submit(unit))
    while waiting:
        yield result(waiting.popleft())


def died(work: Work[Any, Any, Any], number: int, total: int, times: int, fix: str) -> RunError:
    """Return the error of a unit whose workers died again and again."""
    return RunError(
        f"unit {number + 1} of {total} ({work.name}) was given up: {times} workers died while they worked on it", fix=fix
    )


def slices(amounts: NDArray[np.int64], most: int) -> list[tuple[int, int]]:
    """Return successive (start, stop) that hold at most ``most`` of these amounts together, or one that holds more alone."""
    before = np.concatenate([[0], np.cumsum(amounts)])
    made, start = list[tuple[int, int]](), 0
    while start < len(amounts):
        stop = max(start + 1, int(np.searchsorted(before, before[start] + most, side="right")) - 1)
        made.append((start, stop))
        start = stop
    return made
