"""Count the synapses of each row of many rules at once, slice by slice, by whoever does units."""

import json
from collections.abc import Iterable
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base import units
from snnc.rules.expand import count
from snnc.rules.rule import Draw, Rule
from snnc.rules.ruled import Ruled

_NO_WEIGHT = Draw.constant(0.0)  # which synapses there are does not depend on weights


def count_rows(synapses: Iterable[Ruled]) -> None:
    """Count the synapses of each row where that is not known; what asks for them then finds them counted."""
    left = [s for s in synapses if not s.are_counted]
    rules = tuple(_pattern(s.rule) for s in left)
    slices = [(i, start, stop) for i, rule in enumerate(rules) for start, stop in _slices(rule)]
    counts = [np.zeros(rule.n_dst, np.int64) for rule in rules]
    work = units.Work("slices of rows", _counted, rules, lambda: (json.dumps([rule.to_json() for rule in rules]),))
    for (i, start, stop), made in zip(slices, units.mapped(work, slices), strict=True):
        counts[i][start:stop] = made["counts"]
    for s, of_rows in zip(left, counts, strict=True):
        s.set_counts(of_rows)


def _pattern(rule: Rule) -> Rule:
    return replace(rule, weight=_NO_WEIGHT, delay=None, tiles=1, offset=0, grid=None)


def _slices(rule: Rule) -> list[tuple[int, int]]:
    """Return slices of rows with about `units.SYNAPSES` synapses each."""
    rows = max(1, ceil(units.SYNAPSES / max(1.0, rule.probability * rule.n_src)))
    return [(start, min(start + rows, rule.n_dst)) for start in range(0, rule.n_dst, rows)]


def _counted(rules: tuple[Rule, ...], unit: tuple[int, int, int]) -> dict[str, NDArray[Any]]:
    i, start, stop = unit
    return {"counts": count(rules[i], start, stop)}
