"""A verdict in words, in tables and as JSON. Part of `snnc verify`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from snnc.cli._common import print_json, print_table
from snnc.verification.compare import Divergence, Verdict
from snnc.verification.prove import Comparison


def print_verdict_json(proof: Comparison, accuracy: Mapping[str, float], samples: int, **more: Any) -> None:
    """Print the verdict as one JSON object."""
    verdict = proof.verdict
    counts = {
        name: {"compared": compared, "mismatches": differing, "fired": verdict.fired[name]}
        for name, (compared, differing) in verdict.spikes.items()
    }
    print_json(
        "verdict/1", ok=proof.exact, exact=proof.exact, reference=verdict.reference, candidate=verdict.candidate,
        samples=samples, mismatches=verdict.mismatches, spikes=counts,
        states={name: {"compared": c, "mismatches": d} for name, (c, d) in verdict.states.items()},
        silent=verdict.silent, first=asdict(verdict.first) if verdict.first else None, accuracy=dict(accuracy),
        synaptic_operations=proof.operations, measured=dict(proof.measured), notes=proof.notes,
        altered=proof.altered, **more,
    )  # fmt: skip


def print_verdict(proof: Comparison, accuracy: Mapping[str, float], samples: int) -> None:
    """Print tables, remarks and the verdict."""
    verdict = proof.verdict
    rows: list[tuple[Any, ...]] = [(name, *counts, verdict.fired[name]) for name, counts in verdict.spikes.items()]
    rows += [(name, *counts, "") for name, counts in verdict.states.items()]
    click.echo(f"{verdict.candidate} against the {verdict.reference}, {samples} samples")
    print_table("", ("population", "compared", "mismatches", "spikes"), rows)
    for name, value in accuracy.items():
        click.echo(f"accuracy ({verdict.reference if name == 'reference' else verdict.candidate}): {value:.2%}")
    _print_measured(proof, samples)
    for note in proof.notes:
        click.echo(f"note: {note}")
    click.echo(sentence(proof))


def _print_measured(proof: Comparison, samples: int) -> None:
    """Print what a simulator of chips counted, per sample."""
    if not (measured := proof.measured):
        return
    rows = [(name, f"{amount / samples:.4g}") for name, amount in measured.items()]
    print_table("", (f"{proof.verdict.candidate} measured", "per sample"), rows)
    if "energy_j" not in measured and "clocks" not in measured:
        click.echo("energy_j, time_s: unknown, as the profile has no costs of events")


def sentence(proof: Comparison) -> str:
    """Return the verdict in words."""
    verdict = proof.verdict
    if verdict.first:
        return f"NOT EXACT: {_where(verdict.first, verdict)}"
    if verdict.silent:
        return f"PROVES NOTHING: {', '.join(verdict.silent)} never fired; use more samples or a higher rate"
    measured = proof.measured.get("synaptic_operations")
    if measured is not None and not proof.exact:
        return f"NOT EXACT: {verdict.candidate} counted {measured:,.0f} synaptic operations, the reference {proof.operations:,}"
    counted = "" if measured is None else f", and so are {proof.operations:,} synaptic operations"
    spikes, states = (sum(c for c, _ in counts.values()) for counts in (verdict.spikes, verdict.states))
    exact = "EXACT, YET ALTERED" if proof.altered else "EXACT"
    return f"{exact}: {spikes:,} spike slots{f' and {states:,} states' if states else ''} are equal{counted}"


def _where(first: Divergence, verdict: Verdict) -> str:
    values = [("spike", first.spike), *first.states.items()]
    pairs = "; ".join(
        f"{name} is {want} in the {verdict.reference}, {got} in {verdict.candidate}" for name, (want, got) in values
    )
    return (
        f"first at sample {first.sample}, population {first.population!r}, step {first.step}, neuron {first.neuron}: "
        f"{pairs}; {_told_cause(first.cause)}"
    )


def _told_cause(cause: str) -> str:
    return f"the cause is {cause}" if cause.startswith("unknown") else f"look at {cause}"
