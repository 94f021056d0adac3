"""The synapses as memory images: rows of a source neuron's synapses, side by side in the lanes of their targets.

Neurons whose rows differ only by where their targets lie, as those of a convolution, share one: it holds targets from a base on,
and the base comes with the neuron.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import Sent, part_sums, sent
from snnc.analysis.range_proof import RangeProof
from snnc.network.delays import Part, parts
from snnc.network.model import Connection, Network, Population

from .layout import Layout, signed_bits, unsigned_bits

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Walk:
    """The synapses of a connection that share a delay, and to which of its target's sums they add."""

    connection: Connection
    part: Part
    field: int
    shift: int  # of a weight before it is stored, to the left; negative: to the right, and nothing is lost
    first_row: int = 0
    shared: bool = False  # whether sources share rows

    @property
    def weights(self) -> Ints:
        """The stored weights of `part`, in the unit of their sum but for the unit that all sums share."""
        values: Ints = self.part.op.synapses.values
        return values << self.shift if self.shift >= 0 else values >> -self.shift


@dataclass(frozen=True)
class Sums:
    """The sums of a population: ``shifts[f]`` is by how much field f + 1 is shifted to the right before all are added."""

    walks: tuple[Walk, ...]
    shifts: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]  # the least and the most that each field can hold, in its unit
    current: tuple[int, int]  # the least and the most that they add up to, in the unit of weights


@dataclass(frozen=True, eq=False)
class Images:
    """The memories of synapses. A row of a source neuron lies at the same words of all lanes; short ones end in zeros."""

    sums: dict[str, Sums]
    unit: int  # field 0 counts in 2**unit weights
    rows: Ints  # where each row begins, and where the last one of a walk ends; of sources that share rows, their base and row
    targets: Ints  # (lanes, words)
    weights: Ints  # (lanes, words)
    shapes: int = 0  # words at the begin of ``rows`` that say where shared rows begin and end

    @property
    def words(self) -> int:
        """Words of synapses in each lane."""
        return int(self.targets.shape[1])

    @property
    def weight_bits(self) -> int:
        """Bits of a stored weight."""
        return signed_bits(int(self.weights.min()), int(self.weights.max()))

    @property
    def fields(self) -> int:
        """Sums of a neuron that are kept apart."""
        return max(len(s.ranges) for s in self.sums.values())

    @property
    def field_bits(self) -> int:
        """Bits of a sum."""
        ends = [end for s in self.sums.values() for end in s.ranges]
        return max(signed_bits(*end) for end in ends)

    @property
    def shape_bits(self) -> int:
        """Bits of which shared row a source has."""
        return unsigned_bits(self.shapes - 1)

    def row_bits(self, group_bits: int) -> int:
        """Return the bits of where a row begins or ends, or of a source's base and shared row."""
        return max(unsigned_bits(self.words), self.shape_bits + group_bits if self.shapes else 0)


def images(net: Network, layout: Layout, proof: RangeProof, max_synapses: int, *, narrow: bool) -> Images:
    """Build the memories of synapses.

    Raises DoesNotFitError if the shared weights of a connection unroll to more than ``max_synapses`` synapses.
    """
    walks = {p.name: _walks(net, p) for p in layout.neurons}
    exact = [w.weights for found in walks.values() for w in found if not w.field]
    unit = min((_twos(values) for values in exact if values.any()), default=0)
    rows = {name: [_rows(w, layout, unit, max_synapses) for w in found] for name, found in walks.items()}
    memory, first_rows, shapes = _row_memory([r for found in rows.values() for r in found])
    sums: dict[str, Sums] = {}
    for p in layout.neurons:
        placed = [
            replace(w, first_row=next(first_rows), shared=r.row is not None)
            for w, r in zip(walks[p.name], rows[p.name], strict=True)
        ]
        sums[p.name] = _sums(net, p, tuple(placed), unit, proof, narrow)
    empty = np.zeros((layout.lanes, 1), np.int64)
    words = [r for found in rows.values() for r in found if r.words] or [Rows(empty[0], empty, empty)]
    return Images(sums, unit, memory, np.hstack([r.targets for r in words]), np.hstack([r.weights for r in words]), shapes)


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a walk: where each begins and the last one ends, (rows + 1,), and each lane's words, (lanes, words).

    Where sources share rows: the row of each source and the base of its targets, (sources,).
    """

    starts: Ints
    targets: Ints
    weights: Ints
    row: Ints | None = None
    base: Ints | None = None

    @property
    def words(self) -> int:
        """Words in each lane."""
        return int(self.starts[-1])


def _row_memory(rows: list[Rows]) -> tuple[Ints, Iterator[int], int]:
    """Lay out where rows begin: (the memory, the first row of each walk, how many words say where shared rows begin)."""
    words = np.cumsum([0, *(r.words for r in rows)])
    starts = [r.starts + first for r, first in zip(rows, words, strict=False)]
    shapes = np.concatenate([np.zeros(0, np.int64), *(s for r, s in zip(rows, starts, strict=True) if r.row is not None)])
    bits, at = unsigned_bits(len(shapes) - 1), 0
    entries: list[Ints] = []
    for r, s in zip(rows, starts, strict=True):
        if r.row is None or r.base is None:
            entries.append(s)
        else:
            entries.append(r.base << bits | (at + r.row))
            at += len(s)
    firsts = np.cumsum([len(shapes), *(len(e) for e in entries)]).tolist()
    return np.concatenate([shapes, *entries, np.zeros(1, np.int64)]), iter(firsts), len(shapes)


def _twos(values: Ints) -> int:
    """By how many powers of two all values can be divided."""
    together = int(np.bitwise_or.reduce(np.abs(values)))
    return (together & -together).bit_length() - 1


def _walks(net: Network, p: Population) -> list[Walk]:
    """What adds to a population; sums that a negative exponent rounds have a field of their own."""
    found: list[Walk] = []
    for c in net.into(p.name):
        for part in parts(c):
            exponent, values = c.op.exponent, part.op.synapses.values
            exact = exponent >= 0 or not (values % (1 << -exponent)).any()
            field = 0 if exact else 1 + max((w.field for w in found), default=0)
            found.append(Walk(c, part, field, exponent if exact else 0))
    return found


def _rows(w: Walk, layout: Layout, unit: int, max_synapses: int) -> Rows:
    """Return the rows of a walk; shared where the operator shares weights and that takes clearly less memory."""
    s = w.part.op.with_values(w.weights).unrolled(max_synapses)
    kept = s.values != 0
    if w.part.sources is not None:
        kept &= w.part.sources[s.indices]
    sources, targets = (layout.positions[name] for name in (w.connection.src, w.connection.dst))
    source, target, values = sources[s.indices[kept]], targets[s.rows[kept]], s.values[kept] >> (0 if w.field else unit)
    lane, group, count = target % layout.lanes, target // layout.lanes, s.shape[1]
    own = _row_of_each(source, lane, group, values, count, layout.lanes)
    if w.part.op.kind == "dense":
        return own
    base = np.full(count, layout.most_groups)
    np.minimum.at(base, source, group)
    base[base == layout.most_groups] = 0
    shared = _shared(_row_of_each(source, lane, group - base[source], values, count, layout.lanes), base)
    return shared if (own.words - shared.words) * layout.lanes > 2 * count else own


def _row_of_each(source: Ints, lane: Ints, group: Ints, values: Ints, count: int, lanes: int) -> Rows:
    """Return one row for each of ``count`` sources, as long as its longest lane."""
    key = source * lanes + lane
    order = np.lexsort((group, key))
    counts = np.bincount(key, minlength=count * lanes)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    rank = np.arange(len(order)) - first[key[order]]
    lengths = counts.reshape(count, lanes).max(axis=1)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    image = np.zeros((2, lanes, int(starts[-1])), np.int64)
    at = starts[source[order]] + rank
    image[0, lane[order], at] = group[order]
    image[1, lane[order], at] = values[order]
    return Rows(starts, image[0], image[1])


def _shared(each: Rows, base: Ints) -> Rows:
    """Keep one of each kind of rows."""
    words = np.concatenate([each.targets, each.weights])
    known: dict[bytes, int] = {}
    row = np.array([known.setdefault(words[:, a:b].tobytes(), len(known)) for a, b in pairwise(each.starts.tolist())])
    _, first = np.unique(row, return_index=True)
    lengths = np.diff(each.starts)[first]
    columns = np.concatenate([np.arange(each.starts[i], each.starts[i + 1]) for i in first])
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Rows(starts, each.targets[:, columns], each.weights[:, columns], row, base)


def _sums(net: Network, p: Population, walks: tuple[Walk, ...], unit: int, proof: RangeProof, narrow: bool) -> Sums:
    """Bound what each field can hold on its way, whatever the order in which synapses come."""
    fields = 1 + max((w.field for w in walks), default=0)
    low, high = np.zeros((fields, p.size), object), np.zeros((fields, p.size), object)
    shifts = [0] * fields
    for w in walks:
        least, most = (x.astype(object) for x in part_sums(w.part, _sent(net, w.connection, proof, narrow)))
        factor = 1 << max(w.shift, 0)
        low[w.field] += (least * factor) >> max(-w.shift, 0)
        high[w.field] += (most * factor) >> max(-w.shift, 0)
        if w.field:
            shifts[w.field] = -w.connection.op.exponent
    total = [sum(end[f] >> shifts[f] for f in range(fields)) for end in (low, high)]
    units = [unit, *[0] * (fields - 1)]
    ranges = tuple((int(low[f].min()) >> units[f], int(high[f].max()) >> units[f]) for f in range(fields))
    return Sums(walks, tuple(shifts[1:]), ranges, (int(total[0].min()), int(total[1].max())))


def _sent(net: Network, c: Connection, proof: RangeProof, narrow: bool) -> Sent:
    """What can come over a connection: from neurons, by those that are not proved silent."""
    what = sent(net[c.src])
    return what._replace(neurons=np.asarray(proof.reaches[c.src].fires)) if narrow and c.src in proof.reaches else what


def hexadecimal(words: Any, bits: int) -> Iterator[str]:
    """Whole numbers >= 0, one a line, as $readmemh reads them."""
    digits = -(-bits // 4)
    for word in words:
        yield f"{int(word):0{digits}x}\n"
