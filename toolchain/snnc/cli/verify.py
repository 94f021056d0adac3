"""snnc verify: check that an exported program computes, spike for spike, what the network means."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import snnc.data as data
from snnc import store
from snnc.cli._common import PATH, json_option, progress, quiet_option, say
from snnc.cli._coverage import print_coverage, print_mutants
from snnc.cli._data import data_options, must_be_from_one_place, number_or_all
from snnc.cli._engine import engine_option
from snnc.cli._spread import Spread, spread_options
from snnc.cli._verdict import print_verdict, print_verdict_json
from snnc.data.load import Source
from snnc.errors import UsageError
from snnc.network.model import Network
from snnc.pipeline.arguments import read_rasters
from snnc.pipeline.contest import PEERS, is_module
from snnc.pipeline.verify import verify

DEVICE = "ice40up5k"


@click.command("verify", short_help="Run an artifact and compare it with its network, spike for spike.")
@click.argument("artifact", type=PATH)
@click.option(
    "--against",
    "model",
    type=PATH,
    required=True,
    help="The network that was exported; or the word torch, for a float network that is compared with its snnTorch model; or the "
    "word reference, for an integer network on which the engine is compared with it; or FILE.py:NAME, for a float network that "
    "is compared with the module which that function makes.",
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
@click.option("--inputs", "recorded", type=PATH, help="Rasters of recorded data (.npz) instead of a data set.")
@click.option("--cover", is_flag=True, help="Make inputs that reach what the samples leave out, and compare them as well.")
@click.option(
    "--mutate", type=click.IntRange(0, 10_000), default=0, help="Also run this many programs that are wrong in one number."
)
@click.option(
    "--level",
    type=click.Choice(["rtl", "netlist"]),
    default="rtl",
    show_default=True,
    help="For a design in Verilog: run it as it is, or the netlist of cells after synthesis for --device.",
)
@click.option("--device", help="With --level netlist: the FPGA to synthesise for.  [default: ice40up5k]")
@click.option("--hw", "chip", help="The chip that the artifact is mapped to, if snnc does not include its profile.")
@click.option("--as-it-is", is_flag=True, help="Run ARTIFACT though it is not what an export writes; the verdict says so.")
@click.option("--weights", type=PATH, help="State dict of the module of --against FILE.py:NAME: safetensors, or .pt.")
@click.option("--resume", "kept", type=PATH, help="Record in this file what was compared, and continue from there.")
@click.option(
    "--counterexample", "smallest", type=PATH, help="If anything differs, write the smallest case as a test into this folder."
)
@spread_options("the samples", keeps=False)
@click.option("--rtl", type=PATH, help="Folder with the RTL of the chip, for targets that simulate a clone of your own.")
@json_option
@quiet_option
def command(
    artifact: Path, model: Path, data_name: str | Source, data_dir: Path | None, split: Any, rate: float | None,
    samples: int | None,
    by: str | None, steps: int | None, seed: int, timeout_s: float, kept: Path | None, smallest: Path | None,
    recorded: Path | None, weights: Path | None, rtl: Path | None, spread: Spread,
    level: str, device: str | None, cover: bool, mutate: int, chip: str | None, as_it_is: bool, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Run ARTIFACT and a simulator on the same input, and compare every spike and every state of all populations, shifted by
    the declared latency only. The exit code is 1 if anything differs or nothing was proved.

    With --against torch, ARTIFACT is a network (.snnc), and its torch model runs: for a float network snnTorch's model in
    float64, for an integer network the module that fine-tuning trains. With --against reference, ARTIFACT is an integer
    network, and the engine runs.

    Before anything of ARTIFACT runs, the network is exported again and every byte is compared. An altered artifact is named and
    not run (exit code 1), unless you give --as-it-is.

    For an integer network, the command prints what the runs reached: synapses that carried a message, thresholds that were met
    to one unit, registers, delays and ends of samples. --cover makes inputs from the weights that reach the rest, or proves
    that none can; --mutate shows which wrong programs the same runs catch.

    --inputs takes one integer array (samples, steps, n) per input population, as `snnc simulate --out` writes them.

    --level netlist synthesises a design in Verilog with yosys and simulates the netlist with the models of the FPGA's cells.

    If you interrupt the command, it ends with the verdict on what was compared.
    """
    if device is not None and level != "netlist":
        raise UsageError("is of a netlist", where="--device", fix="add --level netlist, or leave it out")
    against = str(model) if str(model) in PEERS or is_module(str(model)) else store.load(model)
    candidate = store.load(artifact) if isinstance(against, str) else artifact
    must_be_from_one_place(recorded, rate)
    dataset = data.load(data_name, split, data_dir) if rate is None and recorded is None else None
    net = next(one for one in (against, candidate) if isinstance(one, Network))
    rasters = read_rasters(recorded, net) if recorded else None
    total = min(samples or len(dataset), len(dataset)) if dataset else samples or 1
    with progress(total, quiet, "verifying") as watch, spread.workers():
        verification = verify(
            candidate, against, data=dataset, inputs=rasters, noise=rate, split=split, samples=samples, steps=steps, seed=seed,
            by=by or "auto", timeout_s=timeout_s, resume=kept, counterexample=smallest, weights=weights,
            chip=chip, as_it_is=as_it_is, cover=cover, rtl=rtl,
            mutate=mutate, netlist=(device or DEVICE) if level == "netlist" else None, watch=watch,
            say=lambda line: say(line, quiet),
        )  # fmt: skip
    if as_json:
        test = str(verification.counterexample) if verification.counterexample else None
        print_verdict_json(
            verification.comparison, verification.accuracy, verification.samples, asked_for=verification.asked_for,
            counterexample=test, coverage=verification.coverage.to_json() if verification.coverage else None,
            mutants=[asdict(one) for one in verification.mutants],
        )  # fmt: skip
    else:
        print_coverage(verification.coverage)
        print_mutants(verification.mutants)
        print_verdict(verification.comparison, verification.accuracy, verification.samples)
    if verification.samples < verification.asked_for:
        say(f"interrupted after {verification.samples:,} of {verification.asked_for:,} samples", quiet)
        return 130
    return 0 if verification.exact else 1
