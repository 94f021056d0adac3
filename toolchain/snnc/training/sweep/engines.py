"""Engines that run the rows of a sweep: in processes on this machine, or on a cluster."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from typing import Any

from snnc.errors import MissingDependencyError, UsageError, of_memory

Call = Callable[[], Any]
Run = Callable[[Sequence[Call]], Iterator[Any]]  # runs picklable calls, yields their results as they come


@contextmanager
def local(jobs: int) -> Iterator[Run]:
    """Run calls in ``jobs`` processes; in this process if ``jobs`` is 1."""
    if jobs == 1:
        yield lambda calls: (call() for call in calls)
        return
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    try:
        yield lambda calls: (future.result() for future in as_completed([pool.submit(call) for call in calls]))
    except BaseException:  # no call is waited for that nobody will ask about
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def dask(jobs: int, scheduler: str | None = None) -> Iterator[Run]:
    """Run calls on a Dask cluster: the cluster of ``scheduler`` (an address), else a new one of ``jobs`` processes here.

    The workers need snnc, and the folders of results and data under the same paths. Raises MissingDependencyError if
    dask.distributed is not installed, UsageError if no scheduler answers.
    """
    try:
        from dask.distributed import Client, LocalCluster
        from dask.distributed import as_completed as as_finished
    except ImportError as error:
        if of_memory(error):
            raise
        raise MissingDependencyError("a sweep on a cluster needs dask.distributed", fix="pip install '.[cluster]'") from error
    with ExitStack() as open_ones:
        cluster = scheduler or open_ones.enter_context(LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None))
        try:
            client = open_ones.enter_context(Client(cluster))
        except OSError as error:
            raise UsageError("no scheduler answers", where=str(cluster), fix="start one: dask scheduler") from error
        try:
            yield lambda calls: (future.result() for future in as_finished([client.submit(call, pure=False) for call in calls]))
        except Exception:
            raise
        except BaseException:  # to close takes seconds; the workers end by themselves when this process is gone
            open_ones.pop_all()
            raise
