"""The report of a folder, run or sweep: which sections it has. Part of report; asked by `snnc report`."""

from pathlib import Path

from snnc.budget.check import check
from snnc.budget.remedies import remedies
from snnc.errors import FileError
from snnc.report.activity import activity
from snnc.report.blocks import Report, Text
from snnc.report.chip import budget_bars, chip_map, mapped_of
from snnc.report.confusion import confusion
from snnc.report.curves import accuracy, layers, training
from snnc.report.design import designs
from snnc.report.divergence import divergences
from snnc.report.energy import energy
from snnc.report.folder import RunFolder, is_run, read_run
from snnc.report.overview import overview
from snnc.report.provenance import provenance
from snnc.report.ranges import ranges
from snnc.report.rasters import rasters
from snnc.report.sparsity import sparsity
from snnc.report.sweeps import is_sweep, says_sweep, sweep_report
from snnc.report.weights import weights


def report_of(path: Path, chip: str | None = None) -> Report:
    """The report of a folder that `snnc run` or `snnc sweep` wrote. ``chip``: the profile, for a run on one of the user's own.

    Raises FileError if it is none, or if a file in it is damaged; ProfileError for an unknown ``chip``.
    """
    if is_run(path) and not says_sweep(path):  # a sweep keeps the networks that its rows start from, too
        return run_report(read_run(path, chip))
    if is_sweep(path):
        return sweep_report(path)
    what = "is no folder" if not path.is_dir() else "holds no run, no sweep and no .snnc files"
    raise FileError(what, where=str(path), fix="name a folder of snnc run or snnc sweep, or one with the files of a chain")


def run_report(run: RunFolder) -> Report:
    """Return all sections; those about what the folder does not hold say so."""
    budget = check(run.fixed, run.profile) if run.fixed and run.profile else None
    advice = remedies(run.fixed, run.profile, budget) if run.fixed and run.profile and budget and not budget.fits else ()
    mapped = mapped_of(run)
    sections = (
        overview(run, budget), training(run), accuracy(run), layers(run), confusion(run), weights(run), sparsity(run),
        budget_bars(budget, advice), *designs(run.path), chip_map(run, mapped), rasters(run), divergences(run), activity(run),
        energy(run, mapped.census if mapped else None, mapped.packet_hops if mapped else 0.0), ranges(run), provenance(run),
    )  # fmt: skip
    return Report(f"{run.name}: report of a run", sections)


def not_recorded(report: Report) -> list[str]:
    """Return the keys of the sections that lack something."""
    return [s.key for s in report.sections if any(isinstance(b, Text) and b.text.startswith("Not recorded") for b in s.blocks)]
