"""Options of verbs whose units can be done by processes or by a cluster."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from snnc.base.units import Workers
from snnc.cli._common import PATH, Decorator
from snnc.network.model import Network
from snnc.pipeline.distributed import count_rows
from snnc.pipeline.workers import Executor, workers


@dataclass(frozen=True)
class Spread:
    """Who does the units of a verb, as its options say."""

    executor: Executor | None
    jobs: int
    scheduler: str | None
    folder: Path | None = None

    def must_agree(self) -> None:
        """Raise UsageError for options that do not go together."""
        self._given()

    @contextmanager
    def workers(self, net: Network | None = None) -> Iterator[Workers]:
        """Give the workers, which `snnc.base.units.mapped` uses meanwhile; they count the rows of ``net`` first."""
        with self._given() as made:
            if net:
                count_rows(net)
            yield made

    def _given(self) -> AbstractContextManager[Workers]:
        return workers(self.executor, jobs=self.jobs, scheduler=self.scheduler, work=self.folder)


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
