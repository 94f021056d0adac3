"""The synapses as memory images: rows of a source neuron's synapses, side by side in the lanes of their targets."""

from collections.abc import Iterator
from dataclasses import dataclass
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
    rows: Ints  # where each row begins, and where the last one of a walk ends
    targets: Ints  # (lanes, words)
    weights: Ints  # (lanes, words)

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
    def row_bits(self) -> int:
        """Bits of where a row begins or ends."""
        return unsigned_bits(self.words)


def images(net: Network, layout: Layout, proof: RangeProof, max_synapses: int, *, narrow: bool) -> Images:
    """Build the memories of synapses.

    Raises DoesNotFitError if the shared weights of a connection unroll to more than ``max_synapses`` synapses.
    """
    walks = {p.name: _walks(net, p) for p in layout.neurons}
    exact = [w.weights for found in walks.values() for w in found if not w.field]
    unit = min((_twos(values) for values in exact if values.any()), default=0)
    sums: dict[str, Sums] = {}
    rows: list[Ints] = []
    targets: list[Ints] = []
    weights: list[Ints] = []
    words = 0
    for p in layout.neurons:
        placed, first_row = [], sum(len(r) for r in rows)
        for w in walks[p.name]:
            starts, target, weight = _rows(w, layout, words, unit, max_synapses)
            placed.append(Walk(w.connection, w.part, w.field, w.shift, first_row))
            words, first_row = int(starts[-1]), first_row + len(starts)
            rows.append(starts)
            targets.append(target)
            weights.append(weight)
        sums[p.name] = _sums(net, p, tuple(placed), unit, proof, narrow)
    empty = np.zeros((layout.lanes, 1), np.int64)
    if not words:
        targets, weights = [*targets, empty], [*weights, empty]
    return Images(sums, unit, np.concatenate([*rows, np.zeros(1, np.int64)]), np.hstack(targets), np.hstack(weights))


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


def _rows(w: Walk, layout: Layout, start: int, unit: int, max_synapses: int) -> tuple[Ints, Ints, Ints]:
    """(where each row begins and the last one ends, targets and weights of each lane's words)."""
    s = w.part.op.with_values(w.weights).unrolled(max_synapses)
    kept = s.values != 0
    if w.part.sources is not None:
        kept &= w.part.sources[s.indices]
    sources, targets = (layout.positions[name] for name in (w.connection.src, w.connection.dst))
    sources, targets, values = sources[s.indices[kept]], targets[s.rows[kept]], s.values[kept]
    lanes, groups = targets % layout.lanes, targets // layout.lanes
    key = sources * layout.lanes + lanes
    order = np.lexsort((groups, key))
    counts = np.bincount(key, minlength=s.shape[1] * layout.lanes)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    rank = np.arange(len(order)) - first[key[order]]
    lengths = counts.reshape(s.shape[1], layout.lanes).max(axis=1)
    starts = start + np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    image = np.zeros((2, layout.lanes, int(starts[-1]) - start), np.int64)
    at = starts[sources[order]] - start + rank
    image[0, lanes[order], at] = groups[order]
    image[1, lanes[order], at] = values[order] >> (0 if w.field else unit)
    return starts, image[0], image[1]


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
