"""Parts of few packets between them, by Mt-KaHyPar. Its deterministic preset gives equal parts for any number of threads."""

import importlib
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import MissingDependencyError, of_memory

Ints = NDArray[np.int64]
WHOLE = 1000  # the weight of the edge that carries most packets, as weights are whole numbers


@cache
def library() -> Any:
    """Return the package mtkahypar and its state. Raises MissingDependencyError without it."""
    try:
        package = importlib.import_module("mtkahypar")
    except ImportError as error:
        if of_memory(error):
            raise
        raise MissingDependencyError(
            "needs the package mtkahypar",
            where="strategies 'hypergraph' and 'levels'",
            fix="install it with: pip install '.[map]'",
        ) from error
    return package, package.initialize(os.cpu_count() or 1, False)


def whole(packets: Sequence[float]) -> list[int]:
    """Return packets as whole numbers of at least 1, which keep their proportions."""
    largest = max(packets, default=1.0) or 1.0
    return [max(1, round(WHOLE * amount / largest)) for amount in packets]


def parts(edges: Sequence[Sequence[int]], packets: Sequence[int], room: Ints, count: int, most: int, seed: int) -> Ints:
    """Return the part of each vertex, (vertices,), so that few packets leave parts.

    Args:
        edges: Hyperedges: vertices that a spike goes to or comes from.
        packets: What each hyperedge costs for each part beyond the first that it reaches, (edges,).
        room: What each vertex takes of a part, (vertices,).
        count: How many parts.
        most: What one part holds. No part takes more, if that can be.
        seed: Of the partitioner.
    """
    package, initializer = library()
    package.set_seed(seed)
    context = initializer.context_from_preset(package.PresetType.DETERMINISTIC)
    context.logging = False
    even = room.sum() / count
    context.set_partitioning_parameters(count, max(0.0, most / even - 1), package.Objective.KM1)
    made = initializer.create_hypergraph(context, len(room), len(edges), edges, room.tolist(), packets)
    return np.array(made.partition(context).get_partition(), np.int64)
