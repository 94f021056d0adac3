"""How training went, epoch by epoch: accuracy with the best epoch marked, and the loss. Part of report."""

from collections.abc import Iterator, Sequence
from typing import Any

from snnc.report.blocks import Block, Section, figure, not_recorded
from snnc.report.facts import number, percent, whole
from snnc.report.folder import RunFolder
from snnc.report.plots import Axis, Line, lines

STAGES = {"trained": "training", "pruned": "pruning"}
ACCURACY = Axis("accuracy", percent=True)


def training(run: RunFolder) -> Section:
    """Show accuracy and loss over the epochs of training and of pruning."""
    blocks = tuple(block for stage, name in STAGES.items() for block in _stage(run.epochs[stage], stage, name))
    return Section("training", "Training", blocks or (not_recorded("what training and pruning reached in each epoch"),))


def _stage(metrics: Sequence[dict[str, Any]], stage: str, name: str) -> Iterator[Block]:
    epoch = Axis(f"epoch of {name}", whole=True)
    curves = [Line(f"{kind} samples", points) for kind in ("test", "train") if (points := _points(metrics, f"{kind}_accuracy"))]
    if curves:
        best = max(curves[0].points, key=lambda point: point[1])
        marked = Line(f"best: epoch {best[0]:.0f}, {percent(best[1])}", [best], joined=False)
        ends = "; ".join(f"{line.name} end at {percent(line.last[1])}" for line in curves)
        yield figure(f"accuracy-{stage}", f"Accuracy over the epochs of {name}: {ends}; {marked.name}.",
                     f"Accuracy at the end of each epoch of {name}.", lines, epoch, ACCURACY, [*curves, marked])  # fmt: skip
    if points := _points(metrics, "loss"):
        alt = f"Training loss over the epochs of {name}, from {points[0][1]:.4g} to {points[-1][1]:.4g}."
        caption = f"Training loss, the mean over each epoch of {name}."
        yield figure(f"loss-{stage}", alt, caption, lines, epoch, Axis("loss"), [Line("loss", points)])


def _points(metrics: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    pairs = ((whole(m, "epoch"), number(m, key)) for m in metrics)
    return [(float(epoch), value) for epoch, value in pairs if epoch is not None and value is not None]
