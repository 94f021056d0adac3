"""Draw the synapses of a rule: the one function that expands it, compiled by numba.

Every row has random numbers of its own: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011)
with the seed as key and (number, row, stream, try) as counter. All arithmetic is that of integers and of IEEE additions,
multiplications, divisions and square roots, which are the same on every machine; no function of a C library is called.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base.jit import compiled
from snnc.rules.rule import Draw, Rule

TRIES = 64  # of a draw between two ends
_GAPS = 4096  # columns that one random number can skip
_COLUMNS, _WEIGHTS, _DELAYS = 0, 1, 2  # streams of random numbers
_PATTERNS = {"all_to_all": 0, "one_to_one": 1, "fixed_in_degree": 2, "fixed_probability": 3}
_KINDS = {"constant": 0, "uniform": 1, "normal": 2}

Ints = NDArray[np.int64]


def count(rule: Rule, start: int, stop: int) -> Ints:
    """Return how many synapses each of rows ``start`` .. ``stop - 1`` of one tile has, (rows,)."""
    rows = stop - start
    match rule.pattern:
        case "all_to_all":
            return np.full(rows, rule.n_src, np.int64)
        case "one_to_one":
            return np.ones(rows, np.int64)
        case "fixed_in_degree":
            return np.full(rows, rule.in_degree, np.int64)
        case "fixed_probability":
            counts = np.zeros(rows, np.int64)
            _count(*_key(rule), *_skips(rule.probability), rule.n_src, start, counts)
            return counts


def columns(rule: Rule, start: int, starts: Ints) -> NDArray[np.int32]:
    """Return the sources of rows ``start`` .. of one tile, ascending; row r has places ``starts[r]`` .. ``starts[r + 1]``."""
    made = np.empty(int(starts[-1]), np.int32)
    skips = _skips(rule.probability) if rule.pattern == "fixed_probability" else (np.zeros(1, np.uint32), np.zeros(1, np.int64))
    _columns(*_key(rule), _PATTERNS[rule.pattern], *skips, rule.n_src, start, starts, made)
    return made


def weights(rule: Rule, start: int, starts: Ints) -> NDArray[np.float64]:
    """Return the weights of the rows as `columns` does, not rounded to a grid."""
    made = np.empty(int(starts[-1]), np.float64)
    _draw(*_key(rule), _WEIGHTS, *_numbers(rule.weight), False, start, starts, made)
    return made


def delays(rule: Rule, draw: Draw, start: int, starts: Ints) -> NDArray[np.int32]:
    """Return the delays of the rows, in whole steps."""
    made = np.empty(int(starts[-1]), np.int32)
    _draw(*_key(rule), _DELAYS, *_numbers(draw), True, start, starts, made)
    return made


def _key(rule: Rule) -> tuple[np.uint32, np.uint32]:
    return np.uint32(rule.seed & 0xFFFFFFFF), np.uint32(rule.seed >> 32)


def _numbers(draw: Draw) -> tuple[int, float, float, float, float]:
    return _KINDS[draw.kind], draw.low, draw.high, draw.mean, draw.std


@lru_cache(maxsize=256)
def _skips(probability: float) -> tuple[NDArray[np.uint32], Ints]:
    """Return (chances, first): a random number skips as many columns as there are ``chances[1:]`` above it.

    ``chances[g]`` is (1 - probability)**g in units of 2**-32, computed in integers. ``first``: how many columns the largest
    number with given upper 8 bits skips.
    """
    up, down = probability.as_integer_ratio()
    kept, power = ((down - up) << 64) // down, 1 << 64
    chances = [0xFFFFFFFF]
    while len(chances) <= _GAPS and power >> 32:
        power = power * kept >> 64
        chances.append(min(power >> 32, 0xFFFFFFFF))
    table = np.array(chances, np.uint32)
    highest = (np.arange(256, dtype=np.int64) << 24) + 0xFFFFFF
    return table, np.array([int((highest_one < table[1:].astype(np.int64)).sum()) for highest_one in highest], np.int64)


@compiled
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Return four random numbers of 32 bits for a counter of four and a key of two."""
    for _ in range(10):
        a = np.uint64(c0) * np.uint64(0xD2511F53)
        b = np.uint64(c2) * np.uint64(0xCD9E8D57)
        c0 = np.uint32(b >> np.uint64(32)) ^ c1 ^ k0
        c1 = np.uint32(b & np.uint64(0xFFFFFFFF))
        c2 = np.uint32(a >> np.uint64(32)) ^ c3 ^ k1
        c3 = np.uint32(a & np.uint64(0xFFFFFFFF))
        k0 = np.uint32(k0 + np.uint32(0x9E3779B9))
        k1 = np.uint32(k1 + np.uint32(0xBB67AE85))
    return c0, c1, c2, c3


@compiled
def _lane(four: Any, number: Any) -> Any:
    """Return one of four random numbers."""
    lane = number & 3
    return four[0] if lane == 0 else four[1] if lane == 1 else four[2] if lane == 2 else four[3]


@compiled
def _skip(word: Any, chances: Any, first: Any) -> Any:
    """Return how many columns are skipped before the next synapse; all of the table where it ends."""
    gap = first[word >> np.uint32(24)]
    while gap + 1 < len(chances) and word < chances[gap + 1]:
        gap += 1
    return gap


@compiled
def _row_by_chance(k0, k1, chances, first, n_src, row, made, at):  # type: ignore[no-untyped-def]
    """Write the columns of a row from ``made[at]`` on, if there is room; return how many there are."""
    column, synapses, number = np.int64(-1), 0, 0
    while True:
        r = philox(np.uint32(number), np.uint32(row), np.uint32(_COLUMNS), np.uint32(0), k0, k1)
        number += 1
        for lane in range(4):
            gap = _skip(_lane(r, lane), chances, first)
            if gap == len(chances) - 1 and gap == _GAPS:  # no synapse among so many columns: go on from there
                column += gap
            else:
                column += gap + 1
                if column < n_src:
                    if at + synapses < len(made):
                        made[at + synapses] = column
                    synapses += 1
            if column >= n_src:
                return synapses


@compiled
def _count(k0, k1, chances, first, n_src, start, counts):  # type: ignore[no-untyped-def]
    nowhere = np.zeros(0, np.int32)
    for i in range(len(counts)):
        counts[i] = _row_by_chance(k0, k1, chances, first, n_src, start + i, nowhere, 0)


@compiled
def _ascending(some, made):  # type: ignore[no-untyped-def]
    """Write numbers in ascending order."""
    if len(some) > 32:
        made[:] = np.sort(some)
        return
    for i in range(len(some)):
        at = i
        while at and made[at - 1] > some[i]:
            made[at] = made[at - 1]
            at -= 1
        made[at] = some[i]


@compiled
def _row_by_degree(k0, k1, n_src, row, drawn, made):  # type: ignore[no-untyped-def]
    """Fill ``made`` with different columns, ascending. ``drawn``, (n_src,), is False everywhere, before and afterwards."""
    wanted = min(len(made), n_src - len(made))  # the sources, or those left out if they are fewer
    n, number, some = np.uint64(n_src), 0, np.empty(wanted, np.int32)
    unfair, at = np.uint64((1 << 32) % n_src), 0
    while at < wanted:
        if number & 3 == 0:
            four = philox(np.uint32(number >> 2), np.uint32(row), np.uint32(_COLUMNS), np.uint32(0), k0, k1)
        product = np.uint64(_lane(four, number)) * n
        number += 1
        column = np.uint64(product >> np.uint64(32))
        if (product & np.uint64(0xFFFFFFFF)) >= unfair and not drawn[column]:
            drawn[column] = True
            some[at] = column
            at += 1
    if wanted == len(made) and 16 * wanted < n_src:
        _ascending(some, made)
    else:
        at = 0
        for i in range(n_src):
            if drawn[i] == (wanted == len(made)):
                made[at] = i
                at += 1
    for i in some:
        drawn[i] = False


@compiled
def _columns(k0, k1, pattern, chances, first, n_src, start, starts, made):  # type: ignore[no-untyped-def]
    drawn = np.zeros(n_src if pattern == 2 else 0, np.bool_)
    for i in range(len(starts) - 1):
        row, at = start + i, starts[i]
        if pattern == 0:
            for column in range(n_src):
                made[at + column] = column
        elif pattern == 1:
            made[at] = row
        elif pattern == 2:
            _row_by_degree(k0, k1, n_src, row, drawn, made[at : starts[i + 1]])
        else:
            _row_by_chance(k0, k1, chances, first, n_src, row, made[: starts[i + 1]], at)


@compiled
def _log(x: Any) -> Any:
    """Return the natural logarithm of 0 < x < 1 from additions, multiplications and divisions only."""
    halvings = 0
    while x < 0.7071067811865476:
        x *= 2.0
        halvings += 1
    y = (x - 1.0) / (x + 1.0)  # log x = 2 artanh y
    square, power, total = y * y, y, 0.0
    for odd in range(1, 27, 2):
        total += power / odd
        power *= square
    return 2.0 * total - halvings * 0.6931471805599453


@compiled
def standard_normal(word: Any) -> Any:
    """Return the standard normal quantile of (word + 1/2) / 2**32.

    Source: Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988),
    function PPND7, whose relative error is about 1e-7.
    """
    q = (np.float64(word) + 0.5) * (1.0 / 4294967296.0) - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        up = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        return q * up / (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0)
    r = np.sqrt(-_log(0.5 + q if q < 0.0 else 0.5 - q))
    if r <= 5.0:
        r -= 1.6
        z = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) / (
            (0.12021132975 * r + 0.73700164250) * r + 1.0
        )
    else:
        r -= 5.0
        z = (((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) / (
            (0.012258202635 * r + 0.24197894225) * r + 1.0
        )
    return -z if q < 0.0 else z


@compiled
def _draw(k0, k1, stream, kind, low, high, mean, std, whole, start, starts, made):  # type: ignore[no-untyped-def]
    """Draw a number for each place, of rows ``start`` on; ``whole``: rounded to whole numbers, half up."""
    for i in range(len(starts) - 1):
        row = start + i
        for k in range(starts[i], starts[i + 1]):
            if kind == 0:
                made[k] = low
                continue
            number = k - starts[i]
            if number & 3 == 0:
                four = philox(np.uint32(number >> 2), np.uint32(row), np.uint32(stream), np.uint32(0), k0, k1)
            word = _lane(four, number)
            for attempt in range(1, TRIES + 1):
                if kind == 1:
                    span = high - low + (1.0 if whole else 0.0)
                    x = low + span * ((np.float64(word) + 0.5) * (1.0 / 4294967296.0))
                    x = min(np.floor(x), high) if whole else x
                else:
                    x = mean + std * standard_normal(word)
                    x = np.floor(x + 0.5) if whole else x
                if low <= x <= high:
                    break
                x = np.floor(mean + 0.5) if whole else mean
                word = philox(np.uint32(number), np.uint32(row), np.uint32(stream), np.uint32(attempt), k0, k1)[0]
            made[k] = x
