"""What the nodes between two populations do to spikes, as one operator with delays. Third step of the NIR importer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import UnsupportedError
from snnc.importers.nir.graph import POOLS, Node
from snnc.importers.nir.shapes import Shape, conv_window, groups, pool_window, row
from snnc.network.model import Connection
from snnc.network.op import Op
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d
from snnc.passes.compose import composed

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]
MAX_PRODUCT = 1 << 26  # weights of two matrices multiplied
WHOLE = 1e-3  # of a step: what a delay may be away from a whole number of steps


@dataclass(frozen=True, eq=False)
class Flow:
    """Spikes of a population on their way: first each times ``gain``, late by ``src_steps``; then pooled; then weighed; then
    late by ``dst_steps``. None: not (yet) met on the way."""

    src: str
    shape: Shape  # of the values here
    gain: Floats  # (1,) or (n_src,)
    src_steps: Steps  # (1,) or (n_src,)
    dst_steps: Steps  # (1,) or (n,)
    pool: Window | None = None
    op: Op | None = None
    nodes: tuple[str, ...] = ()  # with weights, scales or delays, on the way
    weights: tuple[str, ...] = ()  # those of them with weights


def start(src: str, shape: Shape) -> Flow:
    """What a population sends."""
    return Flow(src, shape, np.ones(1), np.zeros(1, np.int64), np.zeros(1, np.int64))


def through(flow: Flow, node: Node, shape: Shape, dt_s: float) -> Flow:
    """The flow behind a node that sends ``shape``. Raises ValueError with what cannot be expressed, and the remedy."""
    if node.kind not in _PASS:
        return replace(flow, shape=shape)
    passed = _PASS[node.kind](flow, node, dt_s)
    weights = (*flow.weights, node.name) if "weight" in node.fields else flow.weights
    return replace(passed, shape=shape, nodes=(*flow.nodes, node.name), weights=weights)


def _scale(flow: Flow, node: Node, dt_s: float) -> Flow:
    return scaled(flow, row(node, "scale", flow.shape))


def scaled(flow: Flow, factor: Floats) -> Flow:
    """The flow times a factor for all, or one for each neuron: shape (1,) or (n,). Raises ValueError as `through` does."""
    if (factor == 1).all():
        return flow
    if flow.op is None and flow.pool is None:
        return replace(flow, gain=flow.gain * factor)
    if flow.op is None and len(set(factor)) == 1:
        return replace(flow, gain=flow.gain * factor[0])
    if flow.op is None:
        raise ValueError("scales sums of a pool, each by another factor; scale before the pool or use one factor")
    rows = flow.op.synapses.rows
    if factor.size == 1 or isinstance(flow.op, Dense):
        per_row = np.broadcast_to(factor, (flow.op.synapses.shape[0],)) if factor.size == 1 else factor
    else:
        per_row = factor.reshape(flow.op.synapses.shape[0], -1)[:, 0]
        if (factor.reshape(len(per_row), -1) != per_row[:, None]).any():
            raise ValueError(
                "scales neurons of one channel by different factors, which a shared kernel cannot hold; use one a channel"
            )
    return replace(flow, op=flow.op.with_values(flow.op.synapses.values * per_row[rows]))


def _delay(flow: Flow, node: Node, dt_s: float) -> Flow:
    steps = row(node, "delay", flow.shape) / dt_s
    whole = np.rint(steps)
    if (steps < 0).any() or (np.abs(steps - whole) > WHOLE).any() or whole.max(initial=0) > 1 << 16:
        worst = steps.flat[int(np.argmax(np.abs(steps - whole)))]
        raise ValueError(
            f"delays by {worst:g} steps of {dt_s:g} s; choose --dt so that delays are whole numbers of steps, 0 to 65536"
        )
    delay_steps = whole.astype(np.int64)
    if flow.op is None and flow.pool is None:
        return replace(flow, src_steps=flow.src_steps + delay_steps)
    return replace(flow, dst_steps=flow.dst_steps + delay_steps)


def _matrix(flow: Flow, node: Node, dt_s: float) -> Flow:
    weight = node.fields.numbers("weight")
    _must_not_delay_inside(flow)
    if isinstance(flow.op, Dense):
        if len(weight) * flow.op.n_src > MAX_PRODUCT:
            raise ValueError(
                f"makes {len(weight) * flow.op.n_src:,} weights with the node before it, at most {MAX_PRODUCT:,} are possible"
            )
        product = Synapses.from_dense(weight @ flow.op.synapses.to_dense())
        return replace(flow, op=replace(flow.op, synapses=product))
    op = Dense(Synapses.from_dense(weight))
    if flow.op is not None or (flow.pool is not None and (len(set(flow.gain)) > 1 or flow.pool.overlaps)):
        return _behind(flow, op)
    gain = flow.gain if flow.pool is None else flow.gain[0]
    return replace(flow, op=Dense(Synapses.from_dense(weight * gain), pool=flow.pool), gain=np.ones(1))


def _conv(flow: Flow, node: Node, dt_s: float) -> Flow:
    _must_not_delay_inside(flow)
    op = _convolution(node, flow.shape)
    if flow.op is not None or len(set(flow.gain)) > 1 or (flow.pool is not None and flow.pool.overlaps):
        return _behind(flow, op)
    return replace(flow, op=replace(op.with_values(op.synapses.values * flow.gain[0]), pool=flow.pool), gain=np.ones(1))


def _convolution(node: Node, shape: Shape) -> Conv2d:
    window = conv_window(node, shape)
    assert window is not None  # noqa: S101 - for the type checker; its shape is known
    kernel = node.fields.numbers("weight")
    return Conv2d(Synapses.from_dense(kernel.reshape(len(kernel), -1)), window=window, groups=groups(node))


def _pool(flow: Flow, node: Node, dt_s: float) -> Flow:
    window, share = pool_window(node, flow.shape), _share(node, flow.shape)
    if flow.op is not None or flow.pool is not None:
        _must_not_delay_inside(flow)
        return _behind(flow, SumPool2d.of_weight(share, window))
    return replace(flow, pool=window, gain=flow.gain * share)


def _share(node: Node, shape: Shape) -> float:
    """By what a pool multiplies each value under its window."""
    return 1 / pool_window(node, shape).taps if node.kind == "AvgPool2d" else 1.0


def _behind(flow: Flow, op: Op) -> Flow:
    """The flow with one more operator behind its others: they are multiplied into one. Raises ValueError if it is too large."""
    before: list[Op] = [flow.op] if flow.op is not None else []
    if flow.pool is not None and flow.op is None:
        before.append(SumPool2d.of_weight(1.0, flow.pool))
    n = before[0].n_src if before else op.n_src
    try:
        product = composed([_one_to_one(flow.gain, n), *before, op])
    except UnsupportedError as error:
        raise ValueError(error.what) from error
    return replace(flow, op=product, pool=None, gain=np.ones(1))


def _must_not_delay_inside(flow: Flow) -> None:
    if len(set(flow.dst_steps)) > 1:
        raise ValueError("follows a delay behind other weights; put neurons between them")


_PASS: dict[str, Callable[[Flow, Node, float], Flow]] = {
    "Scale": _scale, "Delay": _delay, "Affine": _matrix, "Linear": _matrix, "Conv1d": _conv, "Conv2d": _conv,
    "SumPool2d": _pool, "AvgPool2d": _pool,
}  # fmt: skip


def constant(node: Node, inside: Floats, before: Shape, shape: Shape) -> Floats:
    """What a node that sends ``shape`` sends if no spike ever comes, (1,) or (n,): its bias, and what it makes of ``inside``.

    Raises ValueError for what is not the same in every step, or not known.
    """
    if not inside.any():
        inside = np.zeros(1)
    if node.kind == "Scale":
        return inside * row(node, "scale", shape)
    if node.kind in ("Affine", "Linear"):
        weight = node.fields.numbers("weight")
        inside = weight @ np.broadcast_to(inside, weight.shape[1]) if inside.any() else inside
    if inside.any() and node.kind == "Delay":
        raise ValueError("gets a bias from nodes before it; add the bias behind it")
    if inside.any() and node.kind in ("Conv1d", "Conv2d", *POOLS):
        pool = node.kind in POOLS
        op: Op = SumPool2d.of_weight(_share(node, before), pool_window(node, before)) if pool else _convolution(node, before)
        inside = op.weigh(np.broadcast_to(inside, (1, op.n_src)))[0]
    if node.kind not in ("Affine", "Conv1d", "Conv2d"):
        return inside
    bias = node.fields.numbers("bias").reshape(-1)
    if bias.size not in (1, shape[0]):
        raise ValueError(f"has {bias.size} biases for {shape[0]} channels; correct the file")
    return inside + np.repeat(bias, prod(shape) // bias.size)


def connection(flow: Flow, name: str, src: str, dst: str) -> Connection:
    """The flow into a population as a connection. Raises ValueError with what cannot be expressed."""
    op = flow.op or _without_weights(flow)
    src_steps, dst_steps = (np.unique(steps) for steps in (flow.src_steps, flow.dst_steps))
    least = int(src_steps[0] + dst_steps[0])
    if len(dst_steps) == 1 == len(src_steps):
        return Connection(name, src, dst, op, least)
    if len(dst_steps) == 1:
        return Connection(name, src, dst, op, least, (flow.src_steps - src_steps[0]).astype(np.int32))
    if not isinstance(op, Dense) or op.pool:
        raise ValueError("is reached by shared weights with a delay for each neuron; delay the spikes before the weights")
    synapses, dst_delays = op.synapses, flow.dst_steps - dst_steps[0]
    delays = dst_delays[synapses.rows] + np.broadcast_to(flow.src_steps - src_steps[0], op.n_src)[synapses.indices]
    return Connection(name, src, dst, replace(op, synapses=replace(synapses, delays=delays.astype(np.int32))), least)


def _without_weights(flow: Flow) -> Op:
    """A pool alone, or each neuron to its own."""
    if flow.pool is not None:
        if len(set(flow.gain)) > 1:
            raise ValueError("is reached by a pool of spikes that are scaled each by another factor; use one factor")
        return SumPool2d.of_weight(float(flow.gain[0]), flow.pool)
    return _one_to_one(flow.gain, prod(flow.shape))


def _one_to_one(gain: Floats, n: int) -> Dense:
    weights: Any = np.broadcast_to(gain, n).astype(np.float64)
    return Dense(Synapses((n, n), np.arange(n + 1, dtype=np.int64), np.arange(n, dtype=np.int32), weights))
