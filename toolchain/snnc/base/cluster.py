"""A Dask cluster that works on units. Dask does the units of a worker that dies on another one."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from snnc.base.units import AHEAD, RETRIES, G, R, U, Work, Workers, died, in_order
from snnc.base.version import __version__
from snnc.errors import MissingDependencyError, RunError, UsageError, of_memory

POLL_S = 1.0  # between two looks at the cluster while a result is waited for
LOST = "scheduler-connection-lost"  # Dask's reason where the scheduler does not answer
PATIENCE_S = 300.0  # with a cluster that has no workers
SETTINGS = {
    "distributed.scheduler.allowed-failures": RETRIES,  # of a cluster that is started here, as the next
    "distributed.deploy.lost-worker-timeout": "10 minutes",  # to start again a worker that died; 15 s by default
    "distributed.admin.large-graph-warning-threshold": "1GB",
}
_left_open: list[ExitStack] = []  # what ends with this process


@contextmanager
def dask(jobs: int, scheduler: str | None = None) -> Iterator[Workers]:
    """Give the workers of a Dask cluster: that of ``scheduler`` (an address), else a new one of ``jobs`` processes here.

    The workers need this version of snnc, and where files are read the same paths.

    Raises:
        MissingDependencyError: dask.distributed is not installed.
        UsageError: No scheduler answers.
    """
    try:
        import dask as library
        from dask.distributed import Client, LocalCluster
    except ImportError as error:
        if of_memory(error):
            raise
        raise MissingDependencyError("a cluster needs dask.distributed", fix="pip install '.[cluster]'") from error
    with ExitStack() as ends:
        ends.enter_context(library.config.set(SETTINGS))
        ends.enter_context(_silenced())
        started = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
        cluster = scheduler or ends.enter_context(LocalCluster(**started))
        try:
            client = ends.enter_context(Client(cluster))
        except OSError as error:
            raise UsageError("no scheduler answers", where=str(cluster), fix="start one: dask scheduler") from error
        try:
            yield _Cluster(client, scheduler)
        except Exception as error:
            if isinstance(error, SchedulerLostError):  # to close waits for it
                _left_open.append(ends.pop_all())
            raise
        except BaseException:  # to close takes seconds; the workers end by themselves when this process is gone
            _left_open.append(ends.pop_all())
            raise


class SchedulerLostError(RunError):
    """The scheduler of a cluster does not answer any more."""


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep Dask from logging what is told as an error, or is mended: workers that die, connections that are lost."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@dataclass(eq=False)
class _Cluster(Workers):
    client: Any
    scheduler: str | None

    @property
    def jobs(self) -> int:  # type: ignore[override]
        """Threads of all workers, at least 1."""
        return max(1, sum(map(int, self.client.nthreads().values())))

    def results(self, work: Work[G, U, R], units: Sequence[U], ahead: int | None = None) -> Iterator[R]:
        total, sent = len(units), replace(work, of=None)
        given = self.client.submit(_same, sent, pure=False)  # a task, not data: it is made again where its worker dies

        def result(handed: tuple[int, Any]) -> R:
            return self._result(work, *handed, total)

        def submit(numbered: tuple[int, U]) -> tuple[int, Any]:
            number, unit = numbered
            return number, self.client.submit(_done, __version__, given, unit, pure=False)

        return in_order(enumerate(units), ahead or AHEAD * self.jobs, submit, result)

    def _result(self, work: Work[Any, Any, R], number: int, future: Any, total: int) -> R:
        from dask.distributed import KilledWorker

        alone_since = None
        while True:
            try:
                made: R = future.result(timeout=POLL_S)
                return made
            except TimeoutError:
                if future.status == "error" and isinstance(future.exception(), TimeoutError):  # raised by the unit
                    raise
                alone_since = self._alone_since(alone_since, work, number, total)
            except KilledWorker as error:
                fix = "give the workers more memory, or see their logs"
                raise died(work, number, total, error.allowed_failures + 1, fix) from error
            except (CancelledError, OSError) as error:
                if future.status == "error":  # raised by the unit, not by a connection that is lost while the result comes
                    raise
                raise self._ended(work, number, total, getattr(error, "reason", LOST)) from error

    def _alone_since(self, since: float | None, work: Work[Any, Any, Any], number: int, total: int) -> float | None:
        """Return since when there are no workers, None if there are some. Raises RunError after `PATIENCE_S`."""
        try:
            if self.client.nthreads():
                return None
        except (CancelledError, OSError) as error:
            raise self._ended(work, number, total, LOST) from error
        since = since or monotonic()
        if monotonic() - since > PATIENCE_S:
            what = f"has had no workers for {PATIENCE_S:.0f} s, unit {number + 1} of {total} ({work.name}) waits for one"
            raise RunError(what, where=self._name, fix=f"start some: dask worker {self._name}")
        return since

    @property
    def _name(self) -> str:
        return self.scheduler or "the local cluster"

    def _ended(self, work: Work[Any, Any, Any], number: int, total: int, reason: str) -> RunError:
        """Return the error of a unit that the cluster does not do any more."""
        after = f"after {number} of {total} units ({work.name})"
        if reason == LOST:
            fix = "start it and its workers, and run the same command again"
            return SchedulerLostError(f"the scheduler was lost {after}", where=self._name, fix=fix)
        fix = f"see whether it has snnc {__version__}, as its workers need it, too"
        return RunError(f"the scheduler gave up {after}: {' '.join(reason.split())[:200]}", where=self._name, fix=fix)


def _same(given: Any) -> Any:
    """Return what is given, on the worker."""
    return given


def _done(version: str, work: Work[Any, Any, R], unit: Any) -> R:
    """Do one unit, on a worker."""
    if version != __version__:
        raise RunError(f"a worker has snnc {__version__}, this is {version}", fix="install the same version there")
    return work(unit)
