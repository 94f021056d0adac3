"""The weights of a fixed network in 8 bits each. Used by `onnx` and `c`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Fixed
from snnc.network.op import Op, weight_grid


def in_bytes(op: Op, numeric: Fixed) -> tuple[NDArray[Any], int]:
    """Return (stored weights as int8 or uint8, factor): a weight is ``factor`` times its byte. Every grid has 256 places."""
    assert op.sign_mode  # noqa: S101 - for the type checker; a fixed network states it
    step = weight_grid(numeric, op.sign_mode).step
    factor = -step if op.sign_mode == "inhibitory" else step
    return (op.synapses.values // factor).astype(np.int8 if op.sign_mode == "mixed" else np.uint8), factor
