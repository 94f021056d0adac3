"""Where the synapses are: a picture of each connection's weights, and what neurons of the first layer look at. Part of report."""

from math import isqrt

import numpy as np

from snnc.network.model import Connection, Network
from snnc.report.blocks import Block, Section, Table, figure, not_recorded
from snnc.report.facts import percent
from snnc.report.folder import RunFolder
from snnc.report.grids import density, grid, mosaic

TITLE = "Where the synapses are"
MAX_PICTURES = 8  # of connections, from the first; the table has all
TILES = (60, 60)  # of a picture: what a person can tell apart, and 30 kB at most
FIELDS, IN_A_ROW = 24, 6  # neurons whose inputs are drawn
LARGEST_SIDE = 64  # pixels of an input that is drawn


def sparsity(run: RunFolder) -> Section:
    """Show which synapses exist in each connection, in the network that comes last in the folder."""
    net = run.fixed or run.pruned
    if net is None:
        return Section("sparsity", TITLE, (not_recorded("a network"),))
    pictures = [_picture(i, c) for i, c in enumerate(net.connections[:MAX_PICTURES])]
    fields = [block for c in net.connections if (block := _fields(net, c))][:1]
    return Section("sparsity", TITLE, (*pictures, *fields, _table(net)))


def _picture(i: int, c: Connection) -> Block:
    synapses = c.op.synapses
    part = density(synapses.rows, synapses.indices, synapses.shape, TILES)
    darkest = float(part.max(initial=0.0))
    shade = part / darkest if darkest else part
    columns, rows = ("source neuron", "neuron") if c.op.kind == "dense" else ("weight of a kernel", "kernel")
    caption = (
        f"{c.name}: {synapses.count:,} of {np.prod(synapses.shape):,} stored weights exist; the darkest tile holds {darkest:.1%}."
    )
    alt = f"Which weights of {c.name} exist, in {part.shape[0]} by {part.shape[1]} tiles. {caption}"
    return figure(f"sparsity{i}", alt, caption, grid, shade, (columns, synapses.shape[1]), (rows, synapses.shape[0]))


def _fields(net: Network, c: Connection) -> Block | None:
    """Draw the weights from an input that is a picture, for the neurons with the largest weights; None if it is none."""
    source = net[c.src]
    if source.neuron is not None or c.op.kind != "dense" or c.op.synapses.shape[1] != source.size:
        return None
    shape = _picture_shape(source.shape)
    if len(shape) != 3 or max(shape[1:]) > LARGEST_SIDE or min(shape[1:]) < 2:
        return None
    synapses = c.op.synapses
    strength = np.bincount(synapses.rows, np.abs(synapses.values).astype(np.float64), minlength=synapses.shape[0])
    chosen = np.sort(np.argsort(-strength, kind="stable")[:FIELDS])
    weights = np.zeros((len(chosen), synapses.shape[1]))
    for i, row in enumerate(chosen.tolist()):
        at = slice(int(synapses.indptr[row]), int(synapses.indptr[row + 1]))
        weights[i, synapses.indices[at]] = synapses.values[at]
    tiles = weights.reshape(len(chosen), *shape).sum(axis=1)
    largest = np.abs(tiles).max(initial=0.0)
    picture = mosaic(tiles / largest if largest else tiles, min(IN_A_ROW, len(chosen)))
    caption = (
        f"{c.name}: the weights of {len(chosen)} neurons, those with the largest, as pictures of {shape[1]} by {shape[2]}; "
        "blue is positive, orange negative."
    )
    names = ", ".join(map(str, chosen.tolist()))
    alt = f"Receptive fields of neurons {names} of {c.dst}. {caption}"
    return figure("fields", alt, caption, grid, picture, ("pixels", picture.shape[1]), ("pixels", picture.shape[0]))


def _picture_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return channels, height and width of an input; a row of n * n pixels is a square."""
    side = isqrt(shape[0])
    if len(shape) == 1 and side * side == shape[0]:
        return 1, side, side
    return shape if len(shape) == 3 else (1, *shape)


def _table(net: Network) -> Table:
    rows = tuple(
        (c.name, f"{c.src} to {c.dst}", c.op.kind, c.op.synapses.count, percent(c.op.synapses.count / max(1, c.op.parameters)),
         _fan_in(c))
        for c in net.connections
    )  # fmt: skip
    return Table("Connections", ("connection", "from, to", "operator", "weights", "connectivity", "weights a row"), rows)


def _fan_in(c: Connection) -> str:
    counts = np.diff(c.op.synapses.indptr)
    return f"{counts.min()} to {counts.max()}, mean {counts.mean():.4g}" if len(counts) else "none"
