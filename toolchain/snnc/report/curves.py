"""How training and pruning went: accuracy and loss over epochs, over connectivity, and each layer's synapses. Part of report."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from snnc.data.labels import NAMES, Measure, merit, value_in_words
from snnc.report.blocks import Block, Section, Table, figure, not_recorded
from snnc.report.facts import number, percent, table, whole
from snnc.report.folder import RunFolder
from snnc.report.plots import Axis, Line, lines

CONNECTIVITY = Axis("parameter connectivity", log=True, percent=True)
ACCURACY = Axis("test accuracy", percent=True)
EPOCH = Axis("epoch of pruning", whole=True)
STAGES = {"trained": "training", "pruned": "pruning"}
MAX_LAYERS = 24  # of which curves are drawn, from the first


def training(run: RunFolder) -> Section:
    """Show accuracy, or the measure of other labels, and loss over the epochs of training and of pruning."""
    blocks = tuple(block for stage, name in STAGES.items() for block in _stage(run.epochs[stage], stage, name))
    return Section("training", "Training", blocks or (not_recorded("what training and pruning reached in each epoch"),))


def _stage(metrics: Sequence[dict[str, Any]], stage: str, name: str) -> Iterator[Block]:
    epoch = Axis(f"epoch of {name}", whole=True)
    measures: tuple[Measure, ...] = get_args(Measure)
    measure = next((m for m in measures if any(f"train_{m}" in line for line in metrics)), measures[0])
    scores_of = {kind: _points(metrics, "epoch", f"{kind}_{measure}") for kind in ("test", "train")}
    curves = [Line(f"{kind} samples", points) for kind, points in scores_of.items() if points]
    if curves:
        best = max(curves[0].points, key=lambda point: merit(measure, point[1]))
        marked = Line(f"best: epoch {best[0]:.0f}, {value_in_words(measure, best[1])}", [best], joined=False)
        ends = "; ".join(f"{line.name} end at {value_in_words(measure, line.last[1])}" for line in curves)
        title = NAMES[measure].capitalize()
        alt = f"{title} over the epochs of {name}: {ends}; {marked.name}."
        axis = Axis(NAMES[measure], percent=measure != "squared_error")
        caption = f"{title} at the end of each epoch of {name}."
        yield figure(f"accuracy-{stage}", alt, caption, lines, epoch, axis, [*curves, marked])
    if points := _points(metrics, "epoch", "loss"):
        alt = f"Training loss over the epochs of {name}, from {points[0][1]:.4g} to {points[-1][1]:.4g}."
        caption = f"Training loss, the mean over each epoch of {name}."
        yield figure(f"loss-{stage}", alt, caption, lines, epoch, Axis("loss"), [Line("loss", points)])


def accuracy(run: RunFolder) -> Section:
    """Show test accuracy over the connectivity at the end of each epoch, with the networks of the three stages."""
    path = _points(run.epochs["pruned"], "parameter_connectivity", "test_accuracy")
    marks = [
        Line(stage, [(x, y)], joined=False)
        for stage, key in (("trained", "test_accuracy_torch"), ("pruned", "test_accuracy"), ("fixed", "test_accuracy"))
        if (x := number(run.summary, "stages", stage, "parameter_connectivity"))
        and (y := number(run.summary, "stages", stage, key)) is not None
    ]
    series = ([Line("while pruning", path)] if path else []) + marks
    if not series:
        return Section("accuracy", "Accuracy over connectivity", (not_recorded("metrics of pruning, and a summary"),))
    ends = "; ".join(f"{line.name} {percent(line.last[1])} at {percent(line.last[0])}" for line in series)
    blocks: list[Block] = [
        figure("accuracy", f"Test accuracy over connectivity: {ends}.", "A point: an epoch, or the network of a stage.",
               lines, CONNECTIVITY, ACCURACY, series)
    ]  # fmt: skip
    return Section("accuracy", "Accuracy over connectivity", (*blocks, *_epochs(run.epochs["pruned"])))


def _epochs(metrics: Sequence[dict[str, Any]]) -> Iterator[Table]:
    rows = tuple(
        (whole(m, "epoch"), percent(number(m, "parameter_connectivity")), percent(number(m, "test_accuracy")),
         percent(number(m, "train_accuracy")), whole(m, "pruned"), whole(m, "regrown"))
        for m in metrics
    )  # fmt: skip
    if rows:
        columns = ("epoch", "parameter connectivity", "test accuracy", "training accuracy", "pruned", "regrown")
        yield Table("Epochs of pruning", columns, rows)


def layers(run: RunFolder) -> Section:
    """Show the connectivity of each layer, and the synapses that went and came, epoch by epoch."""
    title, metrics = "Layers while pruning", run.epochs["pruned"]
    names = list(dict.fromkeys(name for m in metrics for name in table(m, "layers")))[:MAX_LAYERS]
    if not names:
        return Section("layers", title, (not_recorded("what pruning did to each layer"),))
    possible = _possible(run)
    part = [line for name in names if (line := _connectivity(metrics, name, possible))]
    blocks: list[Block] = []
    if part:
        ends = "; ".join(f"{line.name} {percent(line.points[0][1])} to {percent(line.last[1])}" for line in part)
        blocks.append(figure("connectivity", f"Connectivity by layer from the first to the last epoch: {ends}.",
                             "What exists of each layer at the end of each epoch.", lines, EPOCH,
                             Axis("parameter connectivity", log=True, percent=True), part))  # fmt: skip
    else:
        blocks.append(not_recorded("how many synapses each layer could have"))
    return Section("layers", title, (*blocks, *(b for i, name in enumerate(names) if (b := _rewiring(metrics, name, i)))))


def _possible(run: RunFolder) -> dict[str, int]:
    return {c.name: c.op.parameters for c in run.pruned.connections} if run.pruned else {}


def _connectivity(metrics: Sequence[dict[str, Any]], name: str, possible: dict[str, int]) -> Line | None:
    points = []
    for m in metrics:
        epoch, existing = whole(m, "epoch"), whole(m, "layers", name, "existing")
        of = whole(m, "layers", name, "possible") or possible.get(name)
        if epoch is not None and existing and of:
            points.append((epoch, existing / of))
    return Line(name, points) if points else None


def _rewiring(metrics: Sequence[dict[str, Any]], name: str, i: int) -> Block | None:
    """Show the synapses that went and came within each epoch: counted every few steps where that was recorded."""
    series = []
    for word in ("pruned", "regrown"):
        points = [
            (epoch, count)
            for m in metrics
            if (epoch := whole(m, "epoch")) is not None
            and (count := whole(m, "layers", name, f"{word}_cumulated")) is not None
        ]  # fmt: skip
        if points:
            series.append(Line(word, points))
    if not series:
        return None
    totals = "; ".join(f"{line.name} {sum(count for _, count in line.points):,.0f} in all" for line in series)
    caption = f"{name}: synapses that went and came, counted every few steps of an epoch."
    return figure(f"rewiring{i}", f"Layer {name}, synapses an epoch: {totals}.", caption, lines, EPOCH, Axis("synapses"), series)


def _points(metrics: Sequence[dict[str, Any]], x: str, y: str) -> list[tuple[float, float]]:
    return [(a, b) for m in metrics if (a := number(m, x)) and (b := number(m, y)) is not None]
