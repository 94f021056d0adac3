"""Operators that follow each other, with no neurons between, as one: the product of their weights. For importers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from snnc.errors import DoesNotFitError, UnsupportedError
from snnc.network.op import Op
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense

MAX_PRODUCT = 1 << 26  # synapses of a product


def composed(ops: Sequence[Op]) -> Dense:
    """Return the dense operator that weighs as ``ops`` do one after the other, in float64.

    A synapse whose weight is exactly 0 in the product does not exist. Raises UnsupportedError where there would be too many
    synapses.
    """
    total = _matrix(ops[0])
    for op in ops[1:]:
        matrix = _matrix(op)
        paths = int(np.bincount(matrix.indices, minlength=matrix.shape[1]) @ np.diff(total.indptr))
        if min(paths, matrix.shape[0] * total.shape[1]) > MAX_PRODUCT:
            raise _too_many(matrix.shape[0] * total.shape[1])
        total = matrix @ total
    total.eliminate_zeros()
    total.sort_indices()
    return Dense(Synapses(total.shape, total.indptr.astype(np.int64), total.indices.astype(np.int32), total.data))


def _matrix(op: Op) -> Any:
    try:
        return op.unrolled(MAX_PRODUCT).to_scipy()
    except DoesNotFitError as error:
        raise _too_many(op.synapse_count) from error


def _too_many(count: int) -> UnsupportedError:
    return UnsupportedError(
        f"makes {count:,} weights with the layer before it, at most {MAX_PRODUCT:,} are possible; put neurons between them"
    )
