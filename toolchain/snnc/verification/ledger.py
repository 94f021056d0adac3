"""A file of what a verification has compared so far, so that a stopped one can continue. Used by `snnc verify --resume`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from snnc.base.files import read_json, write_bytes
from snnc.errors import FileError, UsageError
from snnc.verification.compare import Divergence, Verdict
from snnc.verification.prove import Batch

SCHEMA = "snnc.ledger/1"
MAX_BYTES = 64 << 20


def read(path: Path, of: Mapping[str, Any]) -> list[Batch]:
    """Return the batches in a file, none if there is no file yet. ``of``: what is compared with what, on which samples.

    Raises FileError for a file that is damaged or not from snnc, UsageError for a file of another comparison.
    """
    if not path.exists():
        return []
    content = read_json(path, "ledger", MAX_BYTES, "name another file")
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise FileError(f"is no {SCHEMA}", where=str(path), fix="name another file")
    if (was := content.get("of")) != of:
        unlike = sorted(key for key in {*of, *(was if isinstance(was, dict) else ())} if not was or was.get(key) != of.get(key))
        raise UsageError(f"is of another comparison: {', '.join(unlike)} differ", where=str(path), fix="name another file")
    try:
        return [_batch(one) for one in content["pieces"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileError(f"is damaged: {error!r}", where=str(path), fix="name another file") from error


def write(path: Path, of: Mapping[str, Any], batches: Sequence[Batch]) -> None:
    """Write all batches to the file, completely or not at all. Raises WriteError."""
    body = {"schema": SCHEMA, "of": of, "pieces": [_record(batch) for batch in batches]}
    write_bytes(path, json.dumps(body).encode(), force=True)


def _record(batch: Batch) -> dict[str, Any]:
    classes = {name: getattr(batch, name).tolist() for name in ("reference_classes", "candidate_classes")}
    counts = {"operations": batch.operations, "measured": dict(batch.measured), "digest": batch.digest}
    return {"verdict": asdict(batch.verdict), **classes, **counts}


def _batch(record: Mapping[str, Any]) -> Batch:
    fields = record["verdict"]
    counts = {key: {name: (int(a), int(b)) for name, (a, b) in fields[key].items()} for key in ("spikes", "states")}
    first = fields["first"] and _divergence(fields["first"])
    fired = {name: int(count) for name, count in fields["fired"].items()}
    verdict = Verdict(str(fields["reference"]), str(fields["candidate"]), counts["spikes"], counts["states"], fired, first)
    classes = [np.array(record[name], np.int64) for name in ("reference_classes", "candidate_classes")]
    measured = {str(name): float(amount) for name, amount in record["measured"].items()}
    if not all(isfinite(amount) for amount in measured.values()):
        raise ValueError("a figure is infinite or NaN")
    if classes[0].shape != classes[1].shape or classes[0].ndim != 1:
        raise ValueError(f"classes of shapes {classes[0].shape} and {classes[1].shape}")
    return Batch(verdict, classes[0], classes[1], int(record["operations"]), measured, str(record.get("digest", "")))


def _divergence(record: Mapping[str, Any]) -> Divergence:
    states = {str(name): (float(reference), float(candidate)) for name, (reference, candidate) in record["states"].items()}
    place = {name: int(record[name]) for name in ("sample", "step", "neuron")}
    reference, candidate = record["spike"]
    spike = (int(reference), int(candidate))
    return Divergence(population=str(record["population"]), cause=str(record["cause"]), spike=spike, states=states, **place)
