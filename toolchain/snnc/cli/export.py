"""snnc export: a network becomes a program for a target."""

from pathlib import Path
from typing import Any

import click

import snnc.targets as targets
from snnc.analysis.current_bounds import must_not_wrap
from snnc.cli._common import PATH, json_option, out_option, print_json
from snnc.errors import ProfileError, UnsupportedError, UsageError
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.network.op import MAX_SYNAPSES


@click.command("export", short_help="Write a network as a program for a target.")
@click.argument("model", type=PATH)
@click.option("-t", "--target", required=True, help="What to write for; `snnc targets` lists them.")
@click.option("--hw", "profile", help="The chip to map to.  [default: the one the network was quantised for]")
@click.option("--mapping", "mapped", type=PATH, help="The mapping that snnc map wrote.  [default: slices in order, one a core]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the mapping.")
@click.option(
    "--max-synapses",
    type=click.IntRange(min=1),
    default=MAX_SYNAPSES,
    show_default=True,
    help="Into how many synapses the shared weights of a connection may be unrolled, where the target needs it.",
)
@out_option
@click.option("--force", is_flag=True, help="Replace the artifact that is at --out.")
@json_option
def command(
    model: Path, target: str, profile: str | None, mapped: Path | None, seed: int, max_synapses: int, out: Path, force: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write MODEL as a program for a target, into a new folder."""
    from snnc import store

    targets.must_be_exportable(out, force)
    chosen = targets.load(target)
    maps = chosen.NEEDS_MAPPING or bool(profile or mapped)
    for option, value in (("--hw", profile), ("--mapping", mapped)):
        if value and not targets.takes_mapping(chosen):
            raise UsageError(f"target {target!r} maps to no chip", where=option, fix=f"leave {option} out, or see snnc targets")
    net = store.load(model)
    if not maps and isinstance(net.numeric, Fixed):  # of a chip, `_mapping` asks this too
        must_not_wrap(net)
    mapping = _mapping(net, profile, mapped, seed) if maps else None
    artifact = targets.export(target, net, mapping, out, force=force, max_synapses=max_synapses)
    size = sum((out / name).stat().st_size for name in artifact.files)
    cores = {"profile": mapping.profile, "cores": len(mapping.cores)} if mapping else {}
    if as_json:
        files = dict(artifact.files)
        print_json("export/1", target=target, path=str(out), network_hash=net.hash, bytes=size, files=files, **cores)
        return
    on: Any = f", on {cores['cores']} cores of {cores['profile']}" if cores else ""
    click.echo(f"{out}: {len(artifact.files) + 1} files with {size:,} bytes for target {target}{on}")
    if targets.is_runnable(chosen):
        click.echo(f"prove it with: snnc verify {out} --against {model}")
    else:
        click.echo(f"it cannot be run here: {targets.reason_not_run(chosen)}")


def _mapping(net: Network, profile: str | None, mapped: Path | None, seed: int) -> CoreMap:
    import snnc.chips as chips
    from snnc.mapping.capabilities import lacking
    from snnc.mapping.mapping_file import read_mapping
    from snnc.mapping.place import place
    from snnc.mapping.split import split

    if not isinstance(net.numeric, Fixed):
        raise UnsupportedError("is a float network", where=f"network {net.name!r}", fix="quantise it first (snnc quantise)")
    if profile is None and net.numeric.profile not in chips.names():
        raise ProfileError(
            f"was quantised for {net.numeric.profile!r}, which is no profile of snnc's own",
            where=f"network {net.name!r}",
            fix="name its file with --hw",
        )
    chip = chips.load(profile or net.numeric.profile)
    if found := lacking(net, chip):
        raise UnsupportedError("; ".join(found), where=f"network {net.name!r} on {chip.name}")
    return read_mapping(mapped, net, chip) if mapped else place(net, split(net, chip), chip, seed)
