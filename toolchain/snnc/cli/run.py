"""snnc run: run the whole chain from one configuration."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

import snnc.data as data
from snnc.base.files import write_bytes
from snnc.budget.check import Budget
from snnc.cli._common import (
    PATH,
    command_line,
    force_option,
    json_option,
    out_option,
    print_json,
    print_table,
    quiet_option,
    say,
)
from snnc.cli._verdict import sentence
from snnc.mapping.usage import Usage, words_for
from snnc.pipeline.chain import STAGES, Outcome, fullest, read_chain, run_chain, summary


@click.command("run", short_help="Run the whole chain from one configuration: train ... verify.")
@click.argument("config", type=PATH)
@click.option("--data-dir", type=PATH, envvar=data.FOLDER_VARIABLE, help="Folder with the data set's files.")
@click.option("--resume", is_flag=True, help="Continue where --out stopped.")
@out_option
@force_option
@json_option
@quiet_option
def command(config: Path, data_dir: Path | None, resume: bool, out: Path, force: bool, as_json: bool, quiet: bool) -> int:
    """Train, prune, quantise, check, export and verify as CONFIG says, into the folder --out.

    Exit code 1 if a run is not, spike for spike, what it should be; 3 if the network does not fit the chip.
    """
    chain = read_chain(config)
    training, test = (data.load(chain.goal.source, split, data_dir) for split in ("train", "test"))
    try:
        told = partial(say, quiet=quiet)
        outcome = run_chain(chain, training, test, out, told, resume=resume, force=force, quiet=quiet)
    except KeyboardInterrupt:
        where = ("--data-dir", data_dir) if data_dir else ()
        say(f"stopped; continue with: {command_line('run', config, *where, '-o', out, '--resume')}")
        raise
    body = summary(outcome)
    write_bytes(out / "summary.json", (json.dumps(body, indent=1) + "\n").encode(), force=True)
    if as_json:
        print_json("run/1", **{"ok": outcome.exact, "out": str(out), **body})
    else:
        _print(outcome, body, out)
    return 0 if outcome.exact else 1


def _print(outcome: Outcome, body: dict[str, Any], out: Path) -> None:
    rows = [(name, *_stage(body["stages"][name])) for name in STAGES]
    title = f"accuracy on {body['test_samples']:,} test samples"
    print_table(title, ("stage", "torch, float32", "snnc", "parameter connectivity", "synapse connectivity"), rows)
    print_table(
        f"{outcome.budget.profile}: {_whole_chip(outcome.budget)}",
        ("resource", "used", "limit", "share"),
        [_usage(u) for u in fullest(outcome.budget)],
    )
    proofs = (("float against torch", outcome.float_proof), ("target against fixed", outcome.target_proof))
    print_table(
        "spike for spike",
        ("verdict", "samples", "spikes compared", "mismatches", "states compared"),
        [
            (f"{name} ({p.verdict.candidate})", len(p.reference_classes), sum(n for n, _ in p.verdict.spikes.values()),
             p.verdict.mismatches, sum(n for n, _ in p.verdict.states.values()))
            for name, p in proofs
        ],
    )  # fmt: skip
    for name, proof in proofs:
        click.echo(f"{name}: {sentence(proof)}")
    differing = outcome.rounding.classes_differing
    click.echo(f"fixed against float: {differing:,} of {body['test_samples']:,} test samples are classified differently")
    click.echo(f"files: {out}: trained.snnc, pruned.snnc, fixed.snnc, {outcome.artifact.name}/, summary.json")


def _stage(stage: dict[str, Any]) -> tuple[str, ...]:
    keys = ("test_accuracy_torch", "test_accuracy", "parameter_connectivity", "synapse_connectivity")
    return tuple(f"{stage[key]:.2%}" if key in stage else "" for key in keys)


def _whole_chip(budget: Budget) -> str:
    """Return the cores and the synapse memory of all cores that are used of what the chip has; of an FPGA, the lanes."""
    if budget.designs:
        lanes = budget.designs[-1].lanes
        return f"{lanes} lane{'s' if lanes > 1 else ''}; the device"
    if budget.chip is None or budget.chip.limit is None:
        return "cores unknown; the fullest core"
    words = [f"{budget.chip.used} of {budget.chip.limit} cores"]
    memory = [u for core in budget.cores for u in core.uses if u.resource == "synapse_words_per_core"]
    if memory and memory[0].limit is not None:
        words.append(f"{sum(u.used or 0 for u in memory):,} of {memory[0].limit * budget.chip.limit:,} synapse words")
    return f"{', '.join(words)}; the fullest core"


def _usage(u: Usage) -> tuple[Any, ...]:
    used, limit = (f"{n:,}" if n is not None else "unknown" for n in (u.used, u.limit))
    return words_for(u.resource), used, limit, f"{u.share:.1%}" if u.share is not None else "unknown"
