"""`snnc sweep`: turn a grid of methods, connectivities and seeds into a table."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

import snnc.data as data
from snnc.base.cluster import dask
from snnc.base.files import write_bytes
from snnc.base.processes import processes
from snnc.base.units import Work, Workers
from snnc.cli._common import (
    PATH,
    command_line,
    force_option,
    json_option,
    out_option,
    print_json,
    print_table,
    quiet_option,
    say,
)
from snnc.training.settings import must_have_torch
from snnc.training.sweep import grid as sweep
from snnc.training.sweep import table as sweep_table


@click.command("sweep", short_help="Compare pruning methods in a table from a grid.")
@click.argument("grid", type=PATH)
@click.option("--data-dir", type=PATH, envvar=data.FOLDER_VARIABLE, help="Folder with the data set's files.")
@click.option("--row", "wanted", multiple=True, help="Only this row: METHOD-CONNECTIVITY-SEED, or the start of it.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 1024), help="Number of processes.")
@click.option("--engine", default="local", show_default=True, type=click.Choice(["local", "dask"]), help="Where the rows run.")
@click.option("--scheduler", help="Address of a Dask scheduler; the workers need the same folders.")
@out_option
@force_option
@json_option
@quiet_option
def command(
    grid: Path,
    data_dir: Path | None,
    wanted: tuple[str, ...],
    jobs: int,
    engine: str,
    scheduler: str | None,
    out: Path,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run the rows of GRID that have no result in --out yet, each into a file of its own, and print the table.

    An interrupted or killed sweep continues where it stopped. --force runs the chosen rows again.
    """
    chosen = sweep.read_grid(grid).chosen(wanted)
    must_have_torch()
    sweep.must_be_possible(chosen, data_dir)
    line = command_line("sweep", grid, "-o", out)
    with dask(jobs, scheduler) if engine == "dask" else processes(jobs) as workers, sweep.opened(chosen, out):
        if force:
            for row in chosen.rows:
                sweep.forget(row, out)
        _run(chosen, out.absolute(), data_dir and data_dir.absolute(), line, workers, quiet)
    _report(chosen, out, line, as_json)


def _run(grid: sweep.Grid, out: Path, data_dir: Path | None, line: str, workers: Workers, quiet: bool) -> None:
    left = sweep.missing(grid, out)
    say(f"{len(grid.rows) - len(left)} of {len(grid.rows)} rows are there", quiet)
    seeds = sorted({row.seed for row in left})
    trainings: list[Callable[[], Any]] = [partial(sweep.train_once, grid, seed, out, data_dir) for seed in seeds]
    for path in workers.results(_work("trainings"), trainings, len(trainings)):
        say(f"trained: {path.name}", quiet)
    rows: list[Callable[[], Any]] = [partial(sweep.run_row, grid, row, out, data_dir, line) for row in left]
    for result in workers.results(_work("rows"), rows, len(rows)):
        say(_done(result), quiet)


def _work(name: str) -> Work[None, Callable[[], Any], Any]:
    return Work(name, _called, None)


def _called(_: None, call: Callable[[], Any]) -> Any:
    """Do a training or a row, which stores what it makes."""
    return call()


def _done(result: dict[str, Any]) -> str:
    label = f"{result['variant']}-{result['connectivity']:g}-{result['seed']}"
    return f"{label}: test accuracy {result['test_accuracy']:.2%}, {result['seconds']:.0f} s"


def _report(grid: sweep.Grid, out: Path, line: str, as_json: bool) -> None:
    results = [result for row in grid.rows if (result := sweep.read_result(grid, row, out))]
    lines = sweep_table.summarise(results)
    write_bytes(out / "table.md", sweep_table.markdown(grid.goal.name, results, line).encode(), force=True)
    if as_json:
        print_json("sweep/1", name=grid.goal.name, out=str(out), lines=lines)
        return
    print_table(grid.goal.name, sweep_table.COLUMNS, [tuple(row) for row in sweep_table.cells(lines)])
    click.echo(f"files: {out}: table.md, and a .json for each of {len(results)} rows")
