"""snnc build: turn an exported design into a bitstream."""

from pathlib import Path
from typing import Any

import click

import snnc.targets as targets
from snnc.base.files import new_folder
from snnc.cli._common import PATH, force_option, json_option, out_option, print_json, quiet_option, say
from snnc.errors import UnsupportedError, UsageError
from snnc.report.terminal import print_table


@click.command("build", short_help="Synthesise, place and route an exported design: a bitstream.")
@click.argument("artifact", type=PATH)
@click.option("--device", help="The FPGA: ice40up5k, ice40hx8k, ecp5_25f or ecp5_85f.")
@click.option("--board", help="The board, with its FPGA, clock and pins: icebreaker, ulx3s_25f or ulx3s_85f.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Number of placement seeds to try; the fastest result wins.",
)
@click.option("--mhz", type=click.FloatRange(min=1), default=60, show_default=True, help="Clock frequency that the tools aim at.")
@click.option("--timeout", type=click.FloatRange(min=1), default=3600, show_default=True, help="Seconds for each run of a tool.")
@out_option
@force_option
@json_option
@quiet_option
def command(
    artifact: Path,
    device: str | None,
    board: str | None,
    seeds: int,
    mhz: float,
    timeout: float,
    out: Path,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make a bitstream of ARTIFACT, which `snnc export -t verilog` wrote, with yosys and nextpnr, and print what they counted.

    The design is the network behind a serial port. With --board, its pins are those of the board, and host.py in the folder
    streams rasters to it. With --device alone, you still have to assign its pins. Nothing is run on an FPGA.
    """
    if (device is None) == (board is None):
        raise UsageError("needs one of --device and --board", where="snnc build", fix="name one of them")
    exported = targets.read_artifact(artifact)
    build: Any = getattr(targets.load(exported.target), "build", None)
    if build is None:
        raise UnsupportedError(f"artifacts of target {exported.target!r} are no designs", fix="export with -t verilog")
    chosen = targets.load(exported.target).board(board) if board else None  # type: ignore[attr-defined]
    name = chosen.device if chosen else device
    with new_folder(out, ours=lambda path: (path / "utilisation.json").is_file(), force=force) as folder:
        result = build(exported, name, folder, seeds, mhz, timeout, lambda line: say(line, quiet), on=chosen)
    if as_json:
        print_json("build/1", path=str(out), **result)
        return
    estimated = result["estimated"]
    rows = [
        (kind, estimated.get(kind, "-"), count["used"], count["of"], f"{count['used'] / count['of']:.0%}")
        for kind, count in result["used"].items()
    ]
    print_table(f"{name}, synapses {result['synapses']}", ("resource", "estimated", "used", "of", "share"), rows)
    click.echo(
        f"{out / result['bitstream']}: {result['f_max_mhz']} MHz with the best of {seeds} seeds; nothing was run on an FPGA"
    )
    if program := result.get("program"):
        click.echo(f"program the board, in {out}: {'; '.join(program)}")
