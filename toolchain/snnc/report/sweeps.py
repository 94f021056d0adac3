"""The report of a sweep: accuracy over connectivity of every method, with the spread over the seeds. Part of report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnc.base.files import read_json
from snnc.errors import FileError
from snnc.report.blocks import Cell, Report, Section, Table, figure, not_recorded
from snnc.report.curves import ACCURACY, CONNECTIVITY, EPOCH
from snnc.report.facts import at, number, percent, table, text, whole
from snnc.report.plots import Axis, Line, lines
from snnc.training.sweep.table import COLUMNS, cells, summarise

SCHEMA = "snnc.sweep-run/1"
MAX_BYTES = 32 << 20
MAX_ROWS = 10_000
MAX_VARIANTS, MAX_CURVES = 12, 6  # of which the epochs are drawn, from the first: more curves are not told apart
Result = dict[str, Any]


def says_sweep(path: Path) -> bool:
    """Tell whether `snnc sweep` noted in the folder that it is its own."""
    return (path / "sweep.json").is_file()


def is_sweep(path: Path) -> bool:
    """Tell whether the folder holds results of `snnc sweep`."""
    return says_sweep(path) or any(_is_result(file) for file in _files(path))


def sweep_report(path: Path) -> Report:
    """Return the report of all rows in the folder. Raises FileError if one is damaged, or none is there."""
    results = [_result(file) for file in _files(path) if _is_result(file)]
    if not results:
        raise FileError("holds no result yet", where=str(path), fix="wait for the first row of the sweep")
    results.sort(key=lambda r: (r["variant"], -r["connectivity"], r["seed"]))
    return Report(f"{path.resolve().name}: report of a sweep", (_accuracy(results), _pruning(results), _provenance(results)))


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.json"))[:MAX_ROWS] if path.is_dir() else []


def _content(file: Path) -> Any:
    return read_json(file, "result of a sweep", MAX_BYTES, "delete it, or name another folder")


def _is_result(file: Path) -> bool:
    return bool(at(_content(file), "schema") == SCHEMA)


def _result(file: Path) -> Result:
    """Read a row that `summarise` can take."""
    result: Result = _content(file)
    numbers = ("connectivity", "test_accuracy", "parameter_connectivity", "synapse_connectivity", "seconds")
    lacking = [key for key in numbers if number(result, key) is None]
    lacking += [key for key in ("variant", "method") if text(result, key) is None] + ["seed"] * (whole(result, "seed") is None)
    if lacking:
        raise FileError(f"has no {lacking[0]}", where=str(file), fix="delete it, and run the sweep again")
    return result | {key: text(result, key) for key in ("variant", "method")}


def _accuracy(results: Sequence[Result]) -> Section:
    summaries = summarise(results)
    by_variant: dict[str, list[tuple[float, ...]]] = {}
    for line in summaries:
        point = line["parameter_connectivity"], line["accuracy"], line["accuracy_sd"] or 0.0
        by_variant.setdefault(line["variant"], []).append(point)
    series = [Line(variant, sorted(points), joined=len(points) > 1) for variant, points in by_variant.items()]
    spoken = "; ".join(f"{s.name} {', '.join(f'{percent(y)} at {percent(x)}' for x, y, _ in s.points)}" for s in series)
    caption = "Means over the seeds; bars: sample standard deviation."
    alt = f"Test accuracy over connectivity: {spoken}."
    drawn = figure("accuracy", alt, caption, lines, CONNECTIVITY, ACCURACY, series)
    rows: list[tuple[Cell, ...]] = [tuple(row) for row in cells(summaries)]
    return Section("accuracy", "Accuracy over connectivity", (drawn, Table("Means over the seeds", COLUMNS, tuple(rows))))


def _pruning(results: Sequence[Result]) -> Section:
    """Show connectivity and accuracy of every method, epoch by epoch: a curve for each connectivity, of its first seed."""
    blocks = []
    variants = list(dict.fromkeys(result["variant"] for result in results))[:MAX_VARIANTS]
    for key, axis, words in (
        ("parameter_connectivity", Axis("parameter connectivity", log=True, percent=True), "connectivity"),
        ("test_accuracy", ACCURACY, "test accuracy"),
    ):
        for i, variant in enumerate(variants):
            series = _curves([result for result in results if result["variant"] == variant], key)
            if series:
                ends = "; ".join(f"{line.name} ends at {percent(line.last[1])}" for line in series)
                caption = f"{variant}: {words} at the end of each epoch of pruning."
                blocks.append(figure(f"rows-{key}-{i}", f"{caption[:-1]}: {ends}.", caption, lines, EPOCH, axis, series))
    return Section("pruning", "Rows while pruning", tuple(blocks) or (not_recorded("epochs of the rows"),))


def _curves(results: Sequence[Result], key: str) -> list[Line]:
    """Return the curves of one method, whose results come from the highest connectivity and the first seed on."""
    first: dict[float, Result] = {}
    for result in results:
        first.setdefault(result["connectivity"], result)
    return [line for result in list(first.values())[:MAX_CURVES] if (line := _curve(result, key))]


def _curve(result: Result, key: str) -> Line | None:
    epochs = result.get("epochs")
    points = [
        (epoch, value)
        for line in (epochs if isinstance(epochs, list) else [])
        if (epoch := whole(line, "epoch")) is not None and (value := number(line, key)) is not None
    ]
    return Line(f"{100 * result['connectivity']:g} %, seed {result['seed']}", points) if points else None


def _provenance(results: Sequence[Result]) -> Section:
    rows = tuple(map(_made, results))
    columns = ("row", "command", "commit", "versions", "data", "training samples", "network hash", "seconds")
    return Section("provenance", "Provenance", (Table("What made each row", columns, rows),))


def _made(r: Result) -> tuple[Cell, ...]:
    versions = " ".join(f"{text(name)} {text(version)}" for name, version in table(r, "versions").items())
    return (
        f"{r['variant']}-{r['connectivity']:g}-{r['seed']}", text(r, "command"), text(r, "commit"), versions or None,
        text(r, "data"), whole(r, "training_samples"), text(r, "network_hash"), f"{r['seconds']:,.0f}",
    )  # fmt: skip
