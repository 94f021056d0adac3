"""snnc export: write a network as a program for a target."""

from pathlib import Path
from typing import Any

import click

import snnc.chips as chips
import snnc.targets as targets
from snnc.budget import fpga
from snnc.cli._common import PATH, command_line, json_option, out_option, print_json
from snnc.network.op import MAX_SYNAPSES


@click.command("export", short_help="Write a network as a program for a target.")
@click.argument("model", type=PATH)
@click.option("-t", "--target", required=True, help="Target to write for; `snnc targets` lists them.")
@click.option(
    "--hw",
    "profile",
    help="The chip to map to, or for verilog the FPGA to fit.  [default: the one the network was quantised for]",
)
@click.option("--mapping", "mapped", type=PATH, help="The mapping that snnc map wrote.  [default: slices in order, one a core]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the mapping.")
@click.option(
    "--max-synapses",
    type=click.IntRange(min=1),
    default=MAX_SYNAPSES,
    show_default=True,
    help="Most synapses to which shared weights of a connection may be unrolled, if the target needs it.",
)
@click.option(
    "--lanes",
    type=click.IntRange(min=1),
    help="verilog: neurons computed side by side, a power of two.  [default: 1, or with --hw as many as fit]",
)
@click.option(
    "--narrow/--no-narrow",
    default=None,
    help="verilog: registers as narrow as is proved, or as wide as the chip's.  [default: narrow]",
)
@out_option
@click.option("--force", is_flag=True, help="Replace the artifact that is at --out.")
@json_option
def command(
    model: Path, target: str, profile: str | None, mapped: Path | None, seed: int, max_synapses: int, lanes: int | None,
    narrow: bool | None, out: Path, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write MODEL as a program for a target, into a new folder."""
    from snnc import store
    from snnc.pipeline.chip import core_map_of, fitting

    targets.must_be_exportable(out, force)
    options = {name: value for name, value in (("lanes", lanes), ("narrow", narrow)) if value is not None}
    net, chosen = store.load(model), targets.load(target)
    if profile and (device := chips.load(profile)).fpga and target == fpga.TARGET:
        options, profile = fitting(net, device, options), None
    core_map = core_map_of(net, target, chip=profile, mapping=mapped, seed=seed)
    artifact = targets.export(target, net, core_map, out, force=force, max_synapses=max_synapses, options=options)
    size = sum((out / name).stat().st_size for name in artifact.files)
    cores = {"profile": core_map.profile, "cores": len(core_map.cores)} if core_map else {}
    if as_json:
        files = dict(artifact.files)
        print_json("export/1", target=target, path=str(out), network_hash=net.hash, bytes=size, files=files, **cores)
        return
    lanes_used = f", {options['lanes']} lanes" if options.get("lanes", 1) > 1 else ""
    on: Any = f", on {cores['cores']} cores of {cores['profile']}" if cores else lanes_used
    click.echo(f"{out}: {len(artifact.files) + 1} files with {size:,} bytes for target {target}{on}")
    if targets.is_runnable(chosen):
        click.echo(f"prove it with: {command_line('verify', out, '--against', model)}")
    else:
        click.echo(f"it cannot be run here: {targets.reason_not_run(chosen)}")
