"""Which classes are taken for which others. Part of report."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.report.blocks import Block, Section, Table, figure, not_recorded
from snnc.report.facts import at, percent
from snnc.report.folder import RunFolder
from snnc.report.grids import grid

TITLE = "Confusion matrix"
MAX_CLASSES = 200
MAX_PAIRS = 12  # of the table: the most frequent mistakes


def confusion(run: RunFolder) -> Section:
    """Show how many test samples of each class the fixed-point network says to be of each class."""
    counts = _counts(at(run.summary, "confusion"))
    if counts is None:
        return Section("confusion", TITLE, (not_recorded("which class each test sample was taken for"),))
    total = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(total, 1)
    right = int(np.trace(counts))
    n = len(counts)
    caption = (
        f"fixed.snnc: of {counts.sum():,} test samples {right:,} are right; a row is a label, a column what the network says."
    )
    alt = f"Confusion matrix of {n} classes. {caption}"
    blocks: list[Block] = [figure("confusion", alt, caption, grid, share, ("class said", n), ("label", n))]
    return Section("confusion", TITLE, (*blocks, _classes(counts), *_mistakes(counts)))


def _counts(body: Any) -> NDArray[np.int64] | None:
    """Return a square matrix of counts, or None if ``body`` is none."""
    if not isinstance(body, list) or not 0 < len(body) <= MAX_CLASSES:
        return None
    rows = [row for row in body if isinstance(row, list) and len(row) == len(body)]
    if len(rows) != len(body) or not all(type(count) is int and 0 <= count < 1 << 40 for row in rows for count in row):
        return None
    return np.array(rows, np.int64)


def _classes(counts: NDArray[np.int64]) -> Table:
    rows = tuple(
        (str(i), int(row.sum()), int(row[i]), percent(row[i] / row.sum()) if row.sum() else "-") for i, row in enumerate(counts)
    )
    return Table("Classes", ("label", "samples", "right", "share right"), rows)


def _mistakes(counts: NDArray[np.int64]) -> tuple[Table, ...]:
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MAX_PAIRS]
    rows = tuple(
        (f"{label} taken for {said}", int(wrong[label, said]))
        for label, said in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[label, said]
    )
    return (Table("The most frequent mistakes", ("label, class said", "samples"), rows),) if rows else ()
