"""Who does the units of large networks: this process, several, or a Dask cluster."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from snnc.base.cluster import dask
from snnc.base.kept import Kept
from snnc.base.processes import processes
from snnc.base.public import Count, public
from snnc.base.units import Here, Workers, done_by
from snnc.errors import UsageError

Executor = Literal["local", "dask"]


@public
def workers(
    executor: Executor | None = "local", *, jobs: Count = 1, scheduler: str | None = None, work: Path | str | None = None
) -> AbstractContextManager[Workers]:
    """Hand what `quantise`, `check`, `map` and `verify` do within to other processes, slice by slice; results are the same bytes.

    Pays from about a hundred million synapses on, or where many samples are verified.

    Args:
        executor: ``"local"`` for processes of this machine, ``"dask"`` for a Dask cluster, None for this process alone.
        jobs: Number of processes; with a ``scheduler`` those of the cluster.
        scheduler: Address of a Dask scheduler, whose workers need the same folders (default: a cluster on this machine).
        work: Folder that keeps what is finished, from which the same calls go on after an interrupt (default: none). `verify`
            keeps its batches in its own file.

    Returns:
        A context manager.

    Raises:
        UsageError: There are jobs or a scheduler, and nothing that uses them.
        MissingDependencyError: Dask is not installed.
        RunError: The scheduler cannot be reached, or is lost, or a unit's workers die again and again.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1)
        >>> with snnc.workers("local", jobs=2):
        ...     fixed = snnc.quantise(net, "loihi2")
        >>> fixed.hash == snnc.quantise(net, "loihi2").hash
        True
    """
    if executor is None and (jobs > 1 or scheduler):
        raise UsageError("nothing is split", where="--jobs" if jobs > 1 else "--scheduler", fix="add --executor local or dask")
    if scheduler and executor != "dask":
        raise UsageError("only Dask has schedulers", where="--scheduler", fix="add --executor dask")
    return _given(executor, jobs, scheduler, Path(work).absolute() if work else None)


@contextmanager
def _given(executor: Executor | None, jobs: int, scheduler: str | None, work: Path | None) -> Iterator[Workers]:
    with ExitStack() as ends:
        made: Workers = Here()
        if executor:
            made = ends.enter_context(dask(jobs, scheduler) if executor == "dask" else processes(jobs))
        if work:
            made = Kept(made, work)
        ends.enter_context(done_by(made))
        yield made
