"""The tables of benchmarks/simulate.py, in Markdown."""

from collections.abc import Iterable
from typing import Any


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([_cell(x) for x in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(x: Any) -> str:
    if x is None:
        return "-"
    if isinstance(x, float):
        return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"
    return f"{x:,}" if isinstance(x, int) else str(x)


def _mega(count: float) -> str:
    return f"{count / 1e6:,.0f}"


def _percent(part: float) -> str:
    return f"{100 * part:.4g} %"


def _contestants(name: str, measured: dict[str, Any], limits: dict[str, float]) -> str:
    work, found = measured["work"], measured["contestants"]
    rows = []
    for contestant, said in found.items():
        if "reason" in said:
            rows.append([contestant, f"left out: {said['reason']}", *[None] * 7])
            continue
        rate = said["samples_per_s"]
        rows.append([
            f"{contestant} ({said['by']})", f"{rate:,.1f}", _ratio(contestant, found), said["batch"] or said["samples"],
            _mega(rate * work["synaptic_operations_per_sample"]),
            _percent(rate * work["synapse_steps_per_sample"] / limits["additions_16_bit_per_s"]), _mega(said["peak_bytes"]),
            "all" if said["exact"] else _percent(said["equal_slots"]), said["output_spikes"],
        ])  # fmt: skip
    rates = ", ".join(f"{population} {rate:.3f}" for population, rate in work["rates"].items())
    head = (
        "", "samples/s", "engine is faster", "samples at once", "synaptic operations/s, millions", "of the additions/s",
        "peak MB", "equal spikes", "output spikes",
    )  # fmt: skip
    about = f"{work['synapses']:,} synapses, {work['neurons']:,} neurons; spikes a neuron and step: {rates}\n"
    return f"### {name}\n\n{about}\n{table(head, rows)}"


def _ratio(name: str, found: dict[str, Any]) -> str | None:
    if name == "engine" or "samples_per_s" not in found["engine"]:
        return None
    return f"{found['engine']['samples_per_s'] / found[name]['samples_per_s']:,.1f} x"


def _targets(result: dict[str, Any]) -> str:
    name, first = next(iter(result["networks"].items()))
    rows = [(peer, f"{want:,} x", f"{first['ratios'][peer]:,.1f} x" if peer in first["ratios"] else "not measured")
            for peer, want in result["targets"].items()]  # fmt: skip
    return f"### Ratios on {name}\n\n{table(('against', 'wanted', 'measured'), rows)}"


def _activity(rows: list[dict[str, Any]]) -> str:
    kernels = [key for key in rows[0] if key != "activity"]
    at = {row["activity"]: row for row in rows}
    falls = [f"{kernel} {at[0.01][kernel] / at[0.3][kernel]:.1f} x" for kernel in kernels if at[0.01][kernel] and at[0.3][kernel]]
    body = table(("input activity", *kernels), ([f"{row['activity']:.0%}", *(row[k] for k in kernels)] for row in rows))
    return f"### Samples/s by activity\n\n{body}\nFrom 30 % to 1 % the time falls: {', '.join(falls)}.\n"


def _sizes(rows: list[dict[str, Any]]) -> str:
    head = ("hidden", "synapses", "samples", "samples/s", "synapses x steps/s, millions", "input MB", "peak MB")
    cells = [
        (r["hidden"], r["synapses"], r["samples"], r["samples_per_s"], _mega(r["synapse_steps_per_s"]), _mega(r["input_bytes"]),
         _mega(r["peak_bytes"])) for r in rows
    ]  # fmt: skip
    return f"### Growth\n\n{table(head, cells)}"


def _shares(found: dict[str, float]) -> str:
    stages = ("input to bits", "sums", "neurons", "bits to spikes", "else")
    rows = [(stage, f"{1000 * found[stage]:.1f}", _percent(found[stage] / found["all"])) for stage in stages]
    return f"### Where the engine's time goes, one thread\n\n{table(('stage', 'ms', 'share'), rows)}"


def markdown(result: dict[str, Any]) -> str:
    """All that was measured."""
    parts = [_run(run, result["steps"]) for run in result["runs"].values()]
    if "first" in result["runs"]:
        parts.append(_targets(result))
    for name, measured in result["networks"].items():
        parts.append(_contestants(name, measured, result["runs"][measured["part"]]["limits"]))
    if "activity" in result:
        parts += [_activity(result["activity"]), _sizes(result["sizes"])]
    if "shares" in result:
        parts.append(_shares(result["shares"]))
    return "\n".join(parts)


def _run(run: dict[str, Any], steps: int) -> str:
    m, limits = run["machine"], run["limits"]
    return (
        f"`{run['command']}`, commit {run['commit']}\n\n"
        f"{m['processor']}, {', '.join(m['vectors'])}; {m['processors']} processors, "
        f"{m['memory_bytes'] / 2**30:.0f} GiB, {m['system']}, Python {m['python']}; load {m['load_average']:.1f} at the start; "
        f"{run['threads']} threads. Limits measured in this run: {limits['additions_16_bit_per_s'] / 1e9:.0f}e9 additions and "
        f"{limits['multiply_adds_16_bit_per_s'] / 1e9:.0f}e9 multiply-adds of 16 bits a second, "
        f"{limits['memory_bytes_per_s'] / 1e9:.1f} GB/s. Input: {run['input']}, rate-coded, {steps} steps.\n"
    )


def broken(result: dict[str, Any]) -> list[str]:
    """Contestants whose spikes differ although they must not, or that fired none."""
    return [
        f"{name}: {contestant}"
        for name, measured in result["networks"].items() for contestant, said in measured["contestants"].items()
        if said.get("must_be_exact") and not (said["exact"] and said["output_spikes"])
    ]  # fmt: skip
