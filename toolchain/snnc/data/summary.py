"""What is in a split, in numbers: samples, classes, steps or time, and how much of it is not 0."""

from math import prod
from typing import Any

import numpy as np

from snnc.data.dataset import Dataset
from snnc.network.events import Events


def summary(data: Dataset) -> dict[str, Any]:
    """Return JSON values: name, split, kind, samples, shape, samples by class, and what its kind has.

    Of events: their number, the mean of a sample, the longest time, events a second and place. Of rasters: steps, the largest
    message, and messages other than 0 a slot. Of images: the mean pixel, and the part that is not black.
    """
    return {
        "name": data.name, "split": data.split, "kind": data.kind, "samples": len(data), "shape": list(data.shape),
        **_labels(data), "sha256": data.sha256, **_facts(data),
    }  # fmt: skip


def _labels(data: Dataset) -> dict[str, Any]:
    """Return samples, or steps, by class; of values their number and range."""
    if data.task == "values":
        return {"classes": {}, "values": data.outputs, "smallest": float(data.labels.min()), "largest": float(data.labels.max())}
    counts = np.bincount(data.labels.reshape(-1), minlength=data.classes)
    names = data.names or tuple(str(label) for label in range(len(counts)))
    return {"classes": {name: int(count) for name, count in zip(names, counts, strict=False)}}


def _facts(data: Dataset) -> dict[str, Any]:
    if isinstance(data.samples, Events):
        events, seconds = data.samples, data.samples.longest_us / 1e6
        per_sample = len(events.t) / len(events)
        return {
            "events": len(events.t), "events_per_sample": per_sample, "empty_samples": int((np.diff(events.offsets) == 0).sum()),
            "longest_us": events.longest_us, "events_per_second_and_place": per_sample / (seconds or 1) / prod(data.shape),
            "places_with_events": len(np.unique(events.place)),
        }  # fmt: skip
    present = float(np.count_nonzero(data.samples) / data.samples.size)
    empty = int((~data.samples.reshape(len(data), -1).any(axis=1)).sum())
    if data.kind == "images":
        return {"mean_pixel": float(data.samples.mean()), "not_black": present, "empty_samples": empty}
    return {
        "steps": data.samples.shape[1], "largest_message": int(data.samples.max()), "messages_per_slot": present,
        "empty_samples": empty,
    }  # fmt: skip
