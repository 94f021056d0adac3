"""The table of a sweep: mean and spread over the seeds, for a person and for the docs."""

import statistics
from collections.abc import Sequence
from typing import Any

Result = dict[str, Any]
COLUMNS = ("method", "asked", "parameter connectivity", "synapse connectivity", "accuracy", "spread", "against dense", "seeds")


def summarise(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return one line for each method and connectivity, in the order of the results: means over the seeds.

    ``accuracy_sd`` is the sample standard deviation (None for one seed); ``against_dense`` the mean difference to the row
    of method none of the same seed (None if there is none).
    """
    lines: dict[tuple[str, float], list[Result]] = {}
    for result in results:
        lines.setdefault((result["variant"], result["connectivity"]), []).append(result)
    dense = {result["seed"]: result["test_accuracy"] for result in results if result["method"] == "none"}
    return [_line(variant, asked, results_of, dense) for (variant, asked), results_of in lines.items()]


def _line(variant: str, asked: float, results: Sequence[Result], dense: dict[int, float]) -> dict[str, Any]:
    scores = [result["test_accuracy"] for result in results]
    losses = [result["test_accuracy"] - dense[result["seed"]] for result in results if result["seed"] in dense]
    return {
        "variant": variant,
        "connectivity": asked,
        "parameter_connectivity": statistics.fmean(result["parameter_connectivity"] for result in results),
        "synapse_connectivity": statistics.fmean(result["synapse_connectivity"] for result in results),
        "accuracy": statistics.fmean(scores),
        "accuracy_sd": statistics.stdev(scores) if len(scores) > 1 else None,
        "accuracy_min": min(scores),
        "accuracy_max": max(scores),
        "against_dense": statistics.fmean(losses) if losses else None,
        "seeds": len(results),
        "seconds": round(statistics.fmean(result["seconds"] for result in results), 1),
    }


def cells(lines: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the lines as text, under `COLUMNS`."""
    return [
        (
            line["variant"],
            f"{100 * line['connectivity']:g} %",
            f"{100 * line['parameter_connectivity']:.3f} %",
            f"{100 * line['synapse_connectivity']:.3f} %",
            f"{100 * line['accuracy']:.2f} %",
            "" if line["accuracy_sd"] is None else f"± {100 * line['accuracy_sd']:.2f}",
            "" if line["against_dense"] is None else f"{100 * line['against_dense']:+.2f}",
            str(line["seeds"]),
        )
        for line in lines
    ]


def matrix(lines: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return mean accuracy and spread: a row for each method, a column for each requested connectivity; the first row is the
    head.
    """
    asked = sorted({line["connectivity"] for line in lines}, reverse=True)
    scores = {(line["variant"], line["connectivity"]): _score(line) for line in lines}
    head = ("method", *(f"{100 * connectivity:g} %" for connectivity in asked))
    variants = dict.fromkeys(line["variant"] for line in lines)
    return [head, *((name, *(scores.get((name, connectivity), "") for connectivity in asked)) for name in variants)]


def _score(line: dict[str, Any]) -> str:
    spread = "" if line["accuracy_sd"] is None else f" ± {100 * line['accuracy_sd']:.2f}"
    return f"{100 * line['accuracy']:.2f}{spread}"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], tuple("---" for _ in rows[0]), *rows[1:]])


def markdown(name: str, results: Sequence[Result], command: str) -> str:
    """Return the table with what made it: command, commits, versions, data, time."""
    lines = summarise(results)
    commits = ", ".join(sorted({result["commit"] or "no git checkout" for result in results}))
    versions = ", ".join(sorted({" ".join(f"{k} {v}" for k, v in result["versions"].items()) for result in results}))
    seconds = sum(result["seconds"] for result in results)
    return f"""# {name}

Accuracy on the test samples: mean and sample standard deviation over the seeds; against dense in points.

{_table([COLUMNS, *cells(lines)])}

Accuracy in percent, method by connectivity asked for:

{_table(matrix(lines))}

- command: `{command}`; one row again: `{results[0]["command"]}`
- commit: {commits}
- versions: {versions}
- data: {results[0]["data"]}, {results[0]["training_samples"]:,} training samples
- pruning took {seconds / 3600:.2f} hours of process time in all, {seconds / len(results):.0f} s a row
"""
