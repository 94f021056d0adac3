"""snnc simulate: run a network on a data set."""

import io
import zipfile
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import snnc.data as data
from snnc import store
from snnc.base.files import must_be_free, write_bytes
from snnc.cli._common import PATH, force_option, json_option, print_json, print_table, progress, quiet_option, say
from snnc.cli._data import data_options, must_be_from_one_place, number_or_all
from snnc.cli._engine import engine_option
from snnc.cli._spread import Spread, spread_options
from snnc.data.labels import in_words, value_in_words
from snnc.data.load import Source
from snnc.errors import UsageError
from snnc.network.model import Network
from snnc.pipeline.arguments import rasters_of, read_rasters
from snnc.pipeline.distributed import Collected, Split, collect, run_split
from snnc.pipeline.simulate import contrast, evaluate
from snnc.simulation.run import Run
from snnc.verification.evaluate import Contrast, Evaluation, Recorded, Watch

MAX_RASTER_BYTES = 4 << 30


@click.command("simulate", short_help="Run a network on a data set: accuracy, spikes, operations.")
@click.argument("model", type=PATH)
@data_options
@click.option("--split", type=click.Choice(["train", "test"]), default="test", show_default=True, help="Part of the data set.")
@click.option("--inputs", "recorded", type=PATH, help="Rasters of recorded data (.npz) instead of a data set.")
@click.option("--samples", callback=number_or_all, default="all", show_default=True, help="The first N samples, or all.")
@click.option("--against", type=PATH, help="Count how spikes and classes differ from those of this network (float, say).")
@engine_option
@spread_options("the samples")
@click.option("-o", "--out", type=PATH, help="Write the rasters of all populations, the classes and the labels (.npz).")
@force_option
@json_option
@quiet_option
def command(
    model: Path, data_name: str | Source, data_dir: Path | None, split: Any, recorded: Path | None, samples: int | None,
    against: Path | None, by: str | None, spread: Spread, out: Path | None, force: bool, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Run MODEL on a data set, and print accuracy, spikes, firing rates and synaptic operations.

    A synaptic operation is a message that reaches an existing synapse. With --executor, the samples are split over processes or
    a cluster; the result does not depend on the split. --inputs takes one integer array (samples, steps, n) per input
    population.
    """
    must_be_from_one_place(recorded)
    _must_go_together(spread, against, recorded)
    if out:
        must_be_free(out, force)
    net, other = store.load(model), store.load(against) if against else None
    images = Recorded(rasters_of(net, read_rasters(recorded, net))) if recorded else data.load(data_name, split, data_dir)
    total = min(samples or len(images), len(images))
    if out:
        _must_be_storable(net, total, images)
    rasters: Collected = {}
    say(f"simulating {total:,} samples", quiet)
    with progress(total, quiet, "simulating") as done:

        def watch(first: int, runs: tuple[Run, ...]) -> None:
            if out:
                collect(rasters, runs[-1])
            done(first + len(runs[-1].spikes[net.output.name]))

        if spread.executor and isinstance(images, data.Dataset):
            split_up = Split(model.absolute(), data_name, split, data_dir and data_dir.absolute(), by, bool(out))
            with spread.workers() as workers:
                evaluation, rasters = run_split(split_up, net, images, total, workers, done)
            comparison = None
        else:
            evaluation, comparison = _simulated(net, other, images, total, watch, by)
    if out:
        _write(out, rasters, evaluation, force)
    _report(net, evaluation, comparison, as_json, out)
    if evaluation.interrupted:
        say(f"interrupted after {evaluation.samples:,} of {total:,} samples", quiet)
    return 130 if evaluation.interrupted else 0


def _simulated(
    net: Network, other: Network | None, images: data.Dataset | Recorded, samples: int, watch: Watch, by: str | None
) -> tuple[Evaluation, Contrast | None]:
    if other is None:
        return evaluate(net, images, samples=samples, watch=watch, by=by or "auto"), None
    comparison = contrast(other, net, images, samples=samples, watch=watch, by=by or "auto")
    return comparison.candidate, comparison


def _must_go_together(spread: Spread, against: Path | None, recorded: Path | None) -> None:
    """Raise UsageError for options that need --executor, or cannot be used with it."""
    if spread.executor and against:
        raise UsageError("two networks are compared on one machine only", where="--against", fix="leave out --executor")
    if spread.executor and recorded:
        raise UsageError("recorded rasters are not split", where="--inputs", fix="leave out --executor")
    if spread.folder and not spread.executor:
        raise UsageError("nothing is split", where="--work", fix="add --executor local or dask")


def _must_be_storable(net: Network, samples: int, images: data.Dataset | Recorded) -> None:
    recorded = next(iter(images.rasters.values())).shape[1] if isinstance(images, Recorded) else 1
    steps = net.encoding.steps if net.encoding and not isinstance(images, Recorded) else recorded
    need = samples * steps * sum(p.size for p in net.populations)
    if need > MAX_RASTER_BYTES:
        raise UsageError(
            f"rasters of {samples} samples take {need:,} bytes, at most {MAX_RASTER_BYTES:,} are collected",
            where="snnc simulate --out",
            fix=f"use --samples {max(1, samples * MAX_RASTER_BYTES // need)} or fewer",
        )


def _write(out: Path, rasters: Collected, evaluation: Evaluation, force: bool) -> None:
    """Write rasters as ``spikes/<population>``, (samples, steps, n). They are compressed as by `numpy.savez_compressed`, but
    with the fastest setting, which on rasters is at least 4 times as fast: somebody who presses Ctrl-C waits for it.
    """
    arrays: dict[str, NDArray[Any]] = {f"spikes/{name}": np.concatenate(parts) for name, parts in rasters.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, array in {"classes": evaluation.classes, "labels": evaluation.labels, **arrays}.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    write_bytes(out, packed.getvalue(), force=force)


def _report(net: Network, evaluation: Evaluation, comparison: Contrast | None, as_json: bool, out: Path | None) -> None:
    if as_json:
        body = {"rasters": str(out) if out else None, "network_hash": net.hash, **_evaluation_json(evaluation)}
        print_json("simulate/1", **body, against=_comparison_json(comparison) if comparison else None)
        return
    print_table(
        f"{net.name}: {_right(evaluation)}{evaluation.steps} steps a sample",
        ("population", "neurons", "spikes", "spikes a sample", "spikes a neuron and step"),
        [
            (name, evaluation.neurons[name], count, round(count / evaluation.samples, 1), round(evaluation.rates[name], 4))
            for name, count in evaluation.spikes.items()
        ],
    )
    print_table(
        "synaptic operations",
        ("connection", "operations", "a sample"),
        [(name, count, round(count / evaluation.samples, 1)) for name, count in evaluation.synaptic_operations.items()],
    )
    if comparison:
        _print_comparison(comparison)


def _right(evaluation: Evaluation) -> str:
    """Return in words how well samples are answered; recorded rasters have no labels."""
    if evaluation.score is None:
        return f"{evaluation.samples:,} samples, "
    if evaluation.accuracy is None:
        return f"{evaluation.samples:,} samples, {in_words(evaluation.measure, evaluation.score)}, "
    return f"{evaluation.correct:,} of {evaluation.samples:,} right = {100 * evaluation.accuracy:.2f} %, "


def _evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    other: dict[str, Any] = {} if evaluation.measure == "accuracy" else {evaluation.measure: evaluation.score}
    return {
        "samples": evaluation.samples, "steps": evaluation.steps,
        "correct": evaluation.correct, "accuracy": evaluation.accuracy, **other,
        "spikes": dict(evaluation.spikes), "rates": evaluation.rates, "synaptic_operations": dict(evaluation.synaptic_operations),
    }  # fmt: skip


def _comparison_json(comparison: Contrast) -> dict[str, Any]:
    populations = {
        name: {
            "slots": d.slots, "slots_differing": d.slots_differing, "spikes": list(d.spikes),
            "count_difference": d.count_difference, "samples_differing": d.samples_differing,
            "first_step_median": median(d.first_steps) if d.first_steps else None,
            "first_step_min": min(d.first_steps, default=None),
        }
        for name, d in comparison.differences.items()
    }  # fmt: skip
    return {
        "reference": _evaluation_json(comparison.reference), "classes_differing": comparison.classes_differing,
        "populations": populations,
    }  # fmt: skip


def _print_comparison(comparison: Contrast) -> None:
    a, b = comparison.reference, comparison.candidate
    rows = [
        (
            name, f"{d.slots_differing:,} of {d.slots:,}", f"{d.spikes[0]:,} / {d.spikes[1]:,}", d.count_difference,
            f"{d.samples_differing:,} of {a.samples:,}", str(median(d.first_steps)) if d.first_steps else "-",
        )
        for name, d in comparison.differences.items()
    ]  # fmt: skip
    accuracy = ""
    if a.score is not None and b.score is not None:
        accuracy = f"{in_words(a.measure, a.score)} there, {value_in_words(b.measure, b.score)} here; "
    print_table(
        f"against the other network: {accuracy}{_reclassified(comparison)}",
        ("population", "slots that differ", "spikes there / here", "sum of |count - count|", "samples that differ",
         "first step that differs (median)"),
        rows,
    )  # fmt: skip


def _reclassified(comparison: Contrast) -> str:
    if comparison.reference.measure != "accuracy":
        return f"{comparison.reference.samples:,} samples"
    return f"{comparison.classes_differing:,} of {comparison.reference.samples:,} samples classified differently"
