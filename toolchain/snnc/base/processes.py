"""Processes on this machine that work on units. One that dies is replaced, and its unit is done again."""

import multiprocessing
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from snnc.base.files import write_bytes
from snnc.base.units import AHEAD, RETRIES, G, Here, R, U, Work, Workers, died, in_order

FIX = "see whether memory ran out, and start fewer processes (--jobs)"


@contextmanager
def processes(jobs: int) -> Iterator[Workers]:
    """Give so many processes; this one if ``jobs`` is 1."""
    if jobs == 1:
        yield Here()
        return
    with ExitStack() as ends:
        workers = _Processes(jobs, Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="snnc-work-"))))
        try:
            yield workers
        except BaseException:  # no unit is waited for that nobody will ask about
            workers.kill()
            raise
        finally:
            workers.pool.shutdown(cancel_futures=True)


@dataclass(eq=False)
class _Handed:
    """A unit that was handed out."""

    number: int
    call: Any
    future: Future[Any]
    deaths: int = 0


class _Processes(Workers):
    """``folder`` holds what the units need, for as long as the processes live: they are of this program."""

    def __init__(self, jobs: int, folder: Path) -> None:
        self.jobs, self.folder, self.files = jobs, folder, 0
        self.pool = _new_pool(jobs)

    def results(self, work: Work[G, U, R], units: Sequence[U], ahead: int | None = None) -> Iterator[R]:
        path = self.folder / str(self.files)
        self.files += 1
        write_bytes(path, pickle.dumps(replace(work, of=None)))
        handed: list[_Handed] = []

        def submit(numbered: tuple[int, U]) -> _Handed:
            number, unit = numbered
            call = partial(_done, path, unit)
            handed.append(_Handed(number, call, self._submitted(call)))
            return handed[-1]

        def result(one: _Handed) -> R:
            while True:
                try:
                    made: R = one.future.result()
                except BrokenProcessPool:
                    self._revive(handed, work, len(units))
                else:
                    handed.remove(one)
                    return made

        return in_order(enumerate(units), ahead or AHEAD * self.jobs, submit, result)

    def _submitted(self, call: Any) -> Future[Any]:
        try:
            return self.pool.submit(call)
        except BrokenProcessPool as error:  # told when its result is asked for
            broken: Future[Any] = Future()
            broken.set_exception(error)
            return broken

    def _revive(self, handed: Sequence[_Handed], work: Work[Any, Any, Any], total: int) -> None:
        """Start new processes, and hand out again what died; which unit killed one is not known, so it counts for all."""
        self.pool.shutdown(cancel_futures=True)
        self.pool = _new_pool(self.jobs)
        for one in handed:
            if not one.future.done() or isinstance(one.future.exception(), BrokenProcessPool):
                one.deaths += 1
                if one.deaths > RETRIES:
                    raise died(work, one.number, total, one.deaths, FIX)
                one.future = self._submitted(one.call)

    def kill(self) -> None:
        """End all processes at once."""
        for child in multiprocessing.active_children():
            child.terminate()


def _new_pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))


def _done(path: Path, unit: Any) -> Any:
    """Do one unit, in a process of the pool."""
    return _work(path)(unit)


@lru_cache(maxsize=1)
def _work(path: Path) -> Work[Any, Any, Any]:
    work: Work[Any, Any, Any] = pickle.loads(path.read_bytes())  # noqa: S301 - of the process that started this one
    return work
