"""Options of verbs whose units can be done by processes or by a cluster."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from snnc.base.cluster import dask
from snnc.base.kept import Kept
from snnc.base.processes import processes
from snnc.base.units import Here, Workers, done_by
from snnc.cli._common import PATH, Decorator
from snnc.errors import UsageError
from snnc.network.model import Network
from snnc.pipeline.distributed import count_rows


@dataclass(frozen=True)
class Spread:
    """Who does the units of a verb, as its options say."""

    executor: str | None
    jobs: int
    scheduler: str | None
    folder: Path | None = None

    def must_agree(self) -> None:
        """Raise UsageError for options that do not go together."""
        if not self.executor and (self.jobs > 1 or self.scheduler):
            where = "--jobs" if self.jobs > 1 else "--scheduler"
            raise UsageError("nothing is split", where=where, fix="add --executor local or dask")
        if self.scheduler and self.executor != "dask":
            raise UsageError("only Dask has schedulers", where="--scheduler", fix="add --executor dask")

    @contextmanager
    def workers(self, net: Network | None = None) -> Iterator[Workers]:
        """Give the workers, which `snnc.base.units.mapped` uses meanwhile; they count the rows of ``net`` first."""
        with ExitStack() as ends:
            workers: Workers = Here()
            if self.executor:
                workers = ends.enter_context(dask(self.jobs, self.scheduler) if self.executor == "dask" else processes(self.jobs))
            if self.folder:
                workers = Kept(workers, self.folder.absolute())
            ends.enter_context(done_by(workers))
            if net:
                count_rows(net)
            yield workers


def spread_options(units: str, *, keeps: bool = True) -> Decorator:
    """Add the options of `Spread`, which the command gets as ``spread``. ``keeps``: whether results of units can be kept."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_spread(*args: Any, **options: Any) -> Any:
            names = ("executor", "jobs", "scheduler", *(["work"] if keeps else []))
            spread = Spread(*(options.pop(name) for name in names))
            spread.must_agree()
            return command(*args, spread=spread, **options)

        made: Callable[..., Any] = with_spread
        for option in reversed(_options(units, keeps)):
            made = option(made)
        return made

    return decorate


def _options(units: str, keeps: bool) -> list[Decorator]:
    options: list[Decorator] = [
        click.option("--executor", type=click.Choice(["local", "dask"]), help=f"Split {units} over processes, or a cluster."),
        click.option(
            "--jobs", default=1, show_default=True, type=click.IntRange(1, 1024), help="Number of processes of --executor."
        ),
        click.option("--scheduler", help="Address of a Dask scheduler; the workers need the same folders."),
    ]
    if keeps:
        options.append(
            click.option("--work", type=PATH, help="Folder that keeps what is finished; the same command goes on from there.")
        )
    return options
