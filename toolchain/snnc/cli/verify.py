"""snnc verify: is what was exported, spike for spike, what the network means?"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from snnc import targets
from snnc.cli._common import PATH, json_option, print_json, print_table, progress, quiet_option, say
from snnc.cli._data import data_options, number_or_all
from snnc.cli._engine import engine_option
from snnc.errors import UsageError
from snnc.ir import Network
from snnc.proof import Proof, Source, from_images, from_noise, prove, verify_artifact
from snnc.simulators import simulator
from snnc.training.settings import must_have_torch
from snnc.verify import Divergence, Verdict

Watch = Callable[[int], None]


@click.command("verify", short_help="Run an artifact and compare it with its network, spike for spike.")
@click.argument("artifact", type=PATH)
@click.option(
    "--against",
    "model",
    type=PATH,
    required=True,
    help="The network that was exported; or the word torch, for a float network that is held against its snnTorch model; or the "
    "word reference, for an integer network on which the engine is held against it.",
)
@data_options
@click.option("--split", type=click.Choice(["train", "test"]), default="test", show_default=True, help="Part of the data set.")
@click.option("--random", "rate", type=click.FloatRange(0, 1, min_open=True), help="Random input at this rate instead of data.")
@click.option("--samples", callback=number_or_all, default="100", show_default=True, help="How many samples to compare, or all.")
@engine_option
@click.option("--steps", type=click.IntRange(1, 100_000), help="Steps of a random sample.  [default: those of the encoding]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of random input.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=1), default=600, show_default=True, help="Seconds for each run."
)
@json_option
@quiet_option
def command(
    artifact: Path, model: Path, samples: int | None, by: str | None, timeout_s: float, as_json: bool, quiet: bool, **given: Any
) -> int:
    """Run ARTIFACT and a simulator on the same input and compare every spike and every state of all
    populations, moved by the declared latency only. Exit code 1 if anything differs or nothing was proved.

    With --against torch, ARTIFACT is a float network (.snnc), and what runs is its snnTorch model in float64. With --against
    reference, it is an integer network, and what runs is the engine.

    The program in ARTIFACT is executed: verify only what you trust.
    """
    from snnc import store

    peer = str(model) if str(model) in _PEERS else None
    net = store.load(artifact if peer else model)
    source, labels = _input(net, **given)
    samples = _how_many(samples, labels)
    exported = None if peer else targets.read_artifact(artifact)
    say(f"running {artifact} on {samples:,} samples", quiet)
    with progress(samples, quiet, "verifying") as watch:
        if exported:
            proof = verify_artifact(exported, net, source, samples, timeout_s=timeout_s, by=by, watch=watch)
        else:
            proof = _PEERS[str(model)](net, source, samples, watch)
    accuracy = _accuracy(proof, labels)
    if as_json:
        _print_json(proof, accuracy, samples)
    else:
        _print(proof, accuracy, samples)
    return 0 if proof.exact else 1


def _how_many(samples: int | None, labels: Any) -> int:
    """All samples of a data set, or as many as were asked for and are there."""
    if labels is not None:
        return min(samples or len(labels), len(labels))
    if samples is None:
        raise UsageError("random input has no end", where="--samples all", fix="say how many samples, or name a data set")
    return samples


def _prove_float(net: Network, source: Source, samples: int, watch: Watch) -> Proof:
    must_have_torch()
    from snnc.training.torch_run import torch_run

    return prove(net, lambda inputs: torch_run(net, inputs), source, samples, watch=watch)


def _prove_engine(net: Network, source: Source, samples: int, watch: Watch) -> Proof:
    engine = simulator(net, "engine")
    return prove(net, lambda inputs: engine(net, inputs, True), source, samples, watch=watch)


_PEERS = {"torch": _prove_float, "reference": _prove_engine}


def _input(
    net: Network, data_name: str, data_dir: Path | None, split: Any, rate: float | None, steps: int | None, seed: int
) -> tuple[Source, Any]:
    if rate is not None:
        return from_noise(net, steps or (net.encoding.steps if net.encoding else 16), rate, seed), None
    from snnc.data import load

    dataset = load(data_name, split, data_dir)
    return from_images(net, dataset.images), dataset.labels


def _accuracy(proof: Proof, labels: Any) -> dict[str, float]:
    if labels is None:
        return {}
    right = {"reference": proof.reference_classes, "candidate": proof.candidate_classes}
    return {name: float(np.mean(found == labels[: len(found)])) for name, found in right.items()}


def _print_json(proof: Proof, accuracy: dict[str, float], samples: int) -> None:
    verdict = proof.verdict
    counts = {
        name: {"compared": compared, "mismatches": differing, "fired": verdict.fired[name]}
        for name, (compared, differing) in verdict.spikes.items()
    }
    print_json(
        "verdict/1", ok=proof.exact, exact=proof.exact, reference=verdict.reference, candidate=verdict.candidate,
        samples=samples, mismatches=verdict.mismatches, spikes=counts,
        states={name: {"compared": c, "mismatches": d} for name, (c, d) in verdict.states.items()},
        silent=verdict.silent, first=asdict(verdict.first) if verdict.first else None, accuracy=accuracy,
        synaptic_operations=proof.operations, measured=dict(proof.measured), notes=proof.notes,
    )  # fmt: skip


def _print(proof: Proof, accuracy: dict[str, float], samples: int) -> None:
    verdict = proof.verdict
    rows: list[tuple[Any, ...]] = [(name, *counts, verdict.fired[name]) for name, counts in verdict.spikes.items()]
    rows += [(name, *counts, "") for name, counts in verdict.states.items()]
    click.echo(f"{verdict.candidate} against the {verdict.reference}, {samples} samples")
    print_table("", ("population", "compared", "mismatches", "spikes"), rows)
    for name, value in accuracy.items():
        click.echo(f"accuracy of the {verdict.reference if name == 'reference' else verdict.candidate}: {value:.2%}")
    _print_measured(proof, samples)
    for note in proof.notes:
        click.echo(f"note: {note}")
    click.echo(sentence(proof))


def _print_measured(proof: Proof, samples: int) -> None:
    """What a simulator of chips counted, a sample."""
    if not (found := proof.measured):
        return
    rows = [(name, f"{amount / samples:.4g}") for name, amount in found.items()]
    print_table("", (f"{proof.verdict.candidate} measured", "per sample"), rows)
    if "energy_j" not in found:
        click.echo("energy_j, time_s: unknown, as the profile has no costs of events")


def sentence(proof: Proof) -> str:
    """The verdict in words."""
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
    return f"EXACT: {spikes:,} spike slots{f' and {states:,} states' if states else ''} are equal{counted}"


def _where(first: Divergence, verdict: Verdict) -> str:
    values = [("spike", first.spike), *first.states.items()]
    pairs = "; ".join(
        f"{name} is {want} in the {verdict.reference}, {got} in {verdict.candidate}" for name, (want, got) in values
    )
    return (
        f"first at sample {first.sample}, population {first.population!r}, step {first.step}, neuron {first.neuron}: "
        f"{pairs}; look at {first.cause}"
    )
