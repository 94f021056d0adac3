"""Where the rows of a sweep run: in processes of this machine, or on a cluster."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, closing
from typing import Any

from snnc.errors import MissingDependencyError

Call = Callable[[], Any]
Engine = Callable[[Sequence[Call]], Iterator[Any]]


def local(jobs: int) -> Engine:
    """Runs calls in ``jobs`` processes; yields the results as they come. The calls have to be picklable."""

    def run(calls: Sequence[Call]) -> Iterator[Any]:
        if jobs == 1:
            yield from (call() for call in calls)
            return
        pool = ProcessPoolExecutor(min(jobs, max(1, len(calls))), multiprocessing.get_context("spawn"))
        try:
            for future in as_completed([pool.submit(call) for call in calls]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    return run


def dask(jobs: int, scheduler: str | None = None) -> Engine:
    """Runs calls on a Dask cluster: the one of ``scheduler`` (an address), else a new one of ``jobs`` processes here.

    The workers need snnc, and the folders of results and data under the same paths. Raises MissingDependencyError if
    dask.distributed is not installed.
    """
    try:
        from dask.distributed import Client, LocalCluster
        from dask.distributed import as_completed as as_finished
    except ImportError as error:
        raise MissingDependencyError("a sweep on a cluster needs dask.distributed", fix="pip install 'snnc[cluster]'") from error

    def run(calls: Sequence[Call]) -> Iterator[Any]:
        with ExitStack() as open_ones:
            own = LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None) if scheduler is None else None
            cluster = open_ones.enter_context(own) if own else scheduler
            client = open_ones.enter_context(Client(cluster))
            futures = [client.submit(call, pure=False) for call in calls]
            yield from (future.result() for future in as_finished(futures))

    return run


def run_all(engine: Engine, calls: Sequence[Call], done: Callable[[Any], None]) -> None:
    """Run every call, and say of each result that it is there."""
    with closing(engine(calls)) as results:  # type: ignore[type-var]
        for result in results:
            done(result)
