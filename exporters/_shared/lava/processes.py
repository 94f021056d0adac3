"""Which Lava processes a connection becomes, one after the other: a line of delays, a pool, the weights. For `_lava_files`.

Lava's Conv shares weights as ours do but has neither weight exponent nor delays: weights are shifted before they are written
where that is exact, and a delay is a line in front of it. Where it cannot be exact, every synapse becomes one of a Sparse.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection
from snnc.network.op import Op
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.maxpool2d import MaxPool2d
from snnc.ops.sumpool2d import SumPool2d

SHARING = ("conv2d", "sumpool2d")  # the kinds of operators that Lava's Conv computes


@dataclass(frozen=True, eq=False)
class Process:
    """A Lava process: its settings in network.json, and its arrays in weights.npz, there named ``name``.part."""

    name: str
    settings: dict[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def hops(c: Connection) -> int:
    """Return the steps that a connection needs in Lava, one for each process that waits for the next step; further ones are
    what it has to wait beyond them.
    """
    c = _summing(c)
    if reason_to_unroll(c):
        return 1
    shares = c.op.kind in SHARING
    return 1 + bool(c.op.pool) + (shares and c.shortest_delay != c.longest_delay)


def _summing(c: Connection) -> Connection:
    """Return the connection without a max-pool of its sums, which hands on the largest within the step."""
    return replace(c, op=c.op.summing) if isinstance(c.op, MaxPool2d) else c


def reason_to_unroll(c: Connection) -> str:
    """Return why the weights that neurons share are written once for every synapse; empty if they are not."""
    c = _summing(c)
    if c.op.kind in SHARING and c.op.synapses.delays is not None:
        return "its weights have delays of their own"
    if c.op.kind in SHARING and _shifted(c.op) is None:
        return f"Lava's Conv has no weight exponent, and its weights are no multiples of {1 << -c.op.exponent}"
    if c.op.pool and c.op.kind not in SHARING and c.axon_delays is not None:
        return "its messages are pooled and have delays of their own"
    return ""


def _shifted(op: Op) -> NDArray[np.int64] | None:
    """Return the stored weights with the exponent in them; None if shifting a sum of them rounds."""
    values = op.synapses.values
    if op.exponent >= 0:
        return np.asarray(values << op.exponent)
    return None if (values % (1 << -op.exponent)).any() else np.asarray(values >> -op.exponent)


def processes(c: Connection, message_bits: int, numeric: Fixed, wait: int, max_synapses: int) -> list[Process]:
    """Return the processes of a connection; all its messages wait ``wait`` steps beyond its `hops` and its delays.

    Raises DoesNotFitError if it has to be unrolled to more than ``max_synapses`` synapses.
    """
    if isinstance(c.op, MaxPool2d):
        largest = _largest(c.name, c.op.window)
        return [*processes(_summing(c), message_bits, numeric, wait, max_synapses), largest]
    if reason_to_unroll(c):
        return [_weights(c, _unrolled(c, max_synapses), message_bits, numeric, wait)]
    pool, bits = _pool(c, message_bits)
    if c.op.kind not in SHARING:
        return [*pool, _weights(c, c.op.synapses, bits, numeric, wait)]
    return [*_line(c, message_bits, wait), *pool, _conv(c.name, _kernel(c.op), bits)]


def _unrolled(c: Connection, max_synapses: int) -> Synapses:
    try:
        return c.op.unrolled(max_synapses)
    except DoesNotFitError as error:
        what = f"has to be unrolled, as {reason_to_unroll(c)}: {error.what}"
        raise DoesNotFitError(what, where=f"connection {c.name!r}", fix=error.fix) from error


def _weights(c: Connection, s: Synapses, message_bits: int, numeric: Fixed, wait: int) -> Process:
    assert c.op.sign_mode  # noqa: S101 - for the type checker; a fixed network states it
    delays = np.full(s.count, wait + c.delay_steps, np.int64)
    if c.axon_delays is not None:
        delays += c.axon_delays[s.indices]
    elif s.delays is not None:
        delays += s.delays
    settings = {
        "sign_mode": c.op.sign_mode.upper(),
        "num_weight_bits": numeric.weight_bits,
        "weight_exp": c.op.exponent,
        "num_message_bits": message_bits,
    }
    return _sparse(c.name, s, delays, settings)


def _sparse(name: str, s: Synapses, delays: NDArray[np.int64], settings: dict[str, Any]) -> Process:
    arrays = {"data": s.values.astype("<i2"), "indices": s.indices.astype("<i4"), "indptr": s.indptr.astype("<i4")}
    if not delays.any():
        return Process(name, {"process": "Sparse", "shape": list(s.shape), **settings}, arrays)
    settings = {"process": "DelaySparse", "shape": list(s.shape), **settings}
    return Process(name, settings, {**arrays, "delays": delays.astype("<i1")})


def _line(c: Connection, message_bits: int, wait: int) -> list[Process]:
    """Return what hands on each message after a delay, of which its own hop is one step; none if nothing has to wait.

    If messages wait differently, `hops` has counted that hop.
    """
    n, counted = c.op.n_src, c.shortest_delay != c.longest_delay
    lags = np.full(n, wait + c.delay_steps, np.int64)
    if c.axon_delays is not None:
        lags += c.axon_delays
    if not counted and not lags.any():
        return []
    each = Synapses((n, n), np.arange(n + 1), np.arange(n, dtype=np.int32), np.ones(n, np.int64))
    settings = {"sign_mode": "EXCITATORY", "num_weight_bits": 8, "weight_exp": 0, "num_message_bits": message_bits}
    return [_sparse(f"{c.name}.line", each, lags if counted else lags - 1, settings)]


def _pool(c: Connection, message_bits: int) -> tuple[list[Process], int]:
    """Return the process that sums the messages under each place of a pool, and how many bits the sums have."""
    if c.op.pool is None:
        return [], message_bits
    most = c.op.pool.taps * (2 ** max(message_bits, 1) - 1)
    return [_conv(f"{c.name}.pool", _planes(c.op.pool, 1), message_bits)], most.bit_length()


@dataclass(frozen=True, eq=False)
class _Kernel:
    """What Lava's Conv is given: a window, and a sparse kernel (C_out, C_in / groups * rows * columns)."""

    window: Window
    groups: int
    weights: Synapses


def _planes(window: Window, weight: int) -> _Kernel:
    """Return the kernel of a pool: every plane has one of its own, of equal weights."""
    channels = window.src_shape[0]
    return _Kernel(window, channels, Synapses.from_dense(np.full((channels, window.taps), weight)))


def _kernel(op: Op) -> _Kernel:
    shifted = _shifted(op)
    assert shifted is not None  # noqa: S101 - for the type checker; `reason_to_unroll` says so
    if isinstance(op, Conv2d):
        return _Kernel(op.window, op.groups, op.synapses.with_values(shifted))
    assert isinstance(op, SumPool2d)  # noqa: S101 - for the type checker; SHARING has no other
    return _planes(op.window, int(shifted.sum()))


def _largest(name: str, w: Window) -> Process:
    """Return the process, which is none of Lava's, that hands on the largest of the sums under each place."""
    pairs = {"kernel": w.kernel, "stride": w.stride, "padding": w.padding, "dilation": w.dilation, "grid": w.grid}
    geometry = {"src_shape": list(w.src_shape), **{key: list(pair) for key, pair in pairs.items()}}
    return Process(f"{name}.largest", {"process": "Largest", **geometry})


def _conv(name: str, kernel: _Kernel, message_bits: int) -> Process:
    w, s = kernel.window, kernel.weights
    settings = {
        "process": "Conv",
        "src_shape": list(w.src_shape),  # channels, rows, columns; so are all pairs here: rows, columns
        "kernel_shape": [s.shape[0], w.src_shape[0] // kernel.groups, *w.kernel],
        "stride": list(w.stride),
        "padding": list(w.padding),
        "dilation": list(w.dilation),
        "groups": kernel.groups,
        "num_message_bits": message_bits,
    }
    arrays = {"data": s.values.astype("<i4"), "indices": s.indices.astype("<i4"), "indptr": s.indptr.astype("<i4")}
    return Process(name, settings, arrays)
