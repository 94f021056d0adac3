"""Tables of what the runs reached in a network, and of the wrong programs that they catch. Part of `snnc verify`."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from snnc.cli._common import print_table
from snnc.verification.coverage import Coverage, Delay, Share
from snnc.verification.mutations import Caught

COLUMNS = ("place", "what", "of", "reached", "proved out of reach", "left")


def print_coverage(coverage: Coverage | None) -> None:
    """Print what the runs reached, and how near registers came to their ends. Prints nothing if nothing was counted."""
    if coverage is None or not coverage.samples:
        return
    print_table(f"coverage of {coverage.samples:,} samples", COLUMNS, list(_rows(coverage)))
    rows = [
        (f"{name}.{state}", f"{h.low:,} .. {h.high:,}", f"{h.ends[0]:,} .. {h.ends[1]:,}", h.overflow, h.overflowed)
        for name, states in coverage.registers().items()
        for state, h in states.items()
    ]
    print_table("", ("register", "was given", "holds", "beyond", "neurons beyond"), rows)
    left = sum(share.left for share in coverage.synapses().values())
    total = sum(share.total for share in coverage.synapses().values())
    if left:
        click.echo(f"{left:,} of {total:,} synapses were not reached, so they were not compared; --cover makes inputs for them")


def _rows(coverage: Coverage) -> Iterator[tuple[Any, ...]]:
    for name, share in coverage.synapses().items():
        yield (name, "synapses that changed a sum", *_numbers(share))
    for name, sides in coverage.thresholds().items():
        for side, share in sides.items():
            yield (name, f"neurons within a unit {side} the threshold", *_numbers(share))
    for name, delays in coverage.delays().items():
        yield (name, "delays crossed", *_numbers(Share(len(delays), sum(d.arrived for d in delays), 0)))
        yield (name, "delays under way at a sample's end", *_numbers(Share(len(delays), _in_flight(delays), 0)))
    for name, share in coverage.sample_ends().items():
        yield (name, "neurons reset between samples", *_numbers(share))


def _in_flight(delays: Sequence[Delay]) -> int:
    return sum(delay.in_flight for delay in delays)


def _numbers(share: Share) -> tuple[int, int, int, int]:
    return share.total, share.reached, share.unreachable, share.left


def print_mutants(mutants: Sequence[Caught]) -> None:
    """Print which wrong programs were caught. Prints nothing if none was made."""
    if not mutants:
        return
    rows = [(one.what, "caught" if one.caught else "NOT CAUGHT", one.how) for one in mutants]
    print_table(
        f"{sum(one.caught for one in mutants):,} of {len(mutants):,} wrong programs were caught", ("change", "", "where"), rows
    )
