"""snnc verify: is what was exported, spike for spike, what the network means?"""

from pathlib import Path
from typing import Any

import click

from snnc.cli._common import PATH, json_option, progress, quiet_option, say
from snnc.cli._contest import Contest, contest, shrink, where_to_shrink
from snnc.cli._data import data_options, number_or_all
from snnc.cli._engine import engine_option
from snnc.cli._verdict import accuracy_of, print_verdict, print_verdict_json
from snnc.errors import UsageError
from snnc.network.model import Network
from snnc.verification import ledger
from snnc.verification.prove import Piece, Source, from_images, from_noise, joined, pieces

FEW, SOME = 25, 1000  # samples: of a program, and of torch, whose operations an interrupt does not break off


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
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=600,
    show_default=True,
    help="Seconds for each run of a program.",
)
@click.option("--resume", "kept", type=PATH, help="Keep in this file what was compared, and go on from there.")
@click.option(
    "--counterexample", "smallest", type=PATH, help="If anything differs, write the smallest case as a test into this folder."
)
@json_option
@quiet_option
def command(
    artifact: Path, model: Path, samples: int | None, by: str | None, timeout_s: float, kept: Path | None, smallest: Path | None,
    as_json: bool, quiet: bool, **given: Any,
) -> int:  # fmt: skip
    """Run ARTIFACT and a simulator on the same input and compare every spike and every state of all
    populations, moved by the declared latency only. Exit code 1 if anything differs or nothing was proved.

    With --against torch, ARTIFACT is a network (.snnc), and what runs is its torch model: of a float network that of snnTorch in
    float64, of an integer network the module that fine-tuning trains. With --against reference, it is an integer network, and
    what runs is the engine.

    An interrupt ends it with the verdict on what was compared. The program in ARTIFACT is executed: verify only what you trust.
    """
    where_to_shrink(model, smallest)
    found = contest(artifact, model, by, timeout_s)
    source, labels = _input(found.net, **given)
    samples = _how_many(samples, labels)
    say(f"running {artifact} on {samples:,} samples", quiet)
    with progress(samples, quiet, "verifying") as watch:
        parts = _compared(found, source, samples, kept, {k: v for k, v in given.items() if k != "data_dir"}, watch)
    proof = found.remarked(joined(parts))
    done = len(proof.reference_classes)
    test = shrink(found, source, proof.verdict.first, smallest, quiet) if smallest and proof.verdict.first else None
    accuracy = accuracy_of(proof, labels)
    if as_json:
        print_verdict_json(proof, accuracy, done, asked_for=samples, counterexample=str(test) if test else None)
    else:
        print_verdict(proof, accuracy, done)
    if done < samples:
        say(f"interrupted after {done:,} of {samples:,} samples", quiet)
        return 130
    return 0 if proof.exact else 1


def _compared(found: Contest, source: Source, samples: int, kept: Path | None, given: dict[str, Any], watch: Any) -> list[Piece]:
    """The pieces of all samples, or at an interrupt of those that were done, if any were."""
    of = {**found.of, "input": given}
    parts = ledger.read(kept, of) if kept else []
    done = sum(len(part.reference_classes) for part in parts)
    at_most = SOME if found.peer == "torch" else FEW if kept and found.artifact else None  # so few are lost at an interrupt
    watch(done)
    try:
        for part in pieces(found.net, found.run, source, range(done, samples), by=found.by, record=found.record, at_most=at_most):
            parts.append(part)
            done += len(part.reference_classes)
            if kept:
                ledger.write(kept, of, parts)
            watch(done)
    except KeyboardInterrupt:
        if not parts:
            raise
    return parts


def _how_many(samples: int | None, labels: Any) -> int:
    """All samples of a data set, or as many as were asked for and are there."""
    if labels is not None:
        return min(samples or len(labels), len(labels))
    if samples is None:
        raise UsageError("random input has no end", where="--samples all", fix="say how many samples, or name a data set")
    return samples


def _input(
    net: Network, data_name: str, data_dir: Path | None, split: Any, rate: float | None, steps: int | None, seed: int
) -> tuple[Source, Any]:
    if rate is not None:
        return from_noise(net, steps or (net.encoding.steps if net.encoding else 16), rate, seed), None
    from snnc.data import load

    dataset = load(data_name, split, data_dir)
    return from_images(net, dataset.images), dataset.labels
