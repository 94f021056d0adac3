"""What the nodes between two populations do to spikes, as one operator with delays. Third step of the NIR importer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.importers.nir.graph import POOLS, Node
from snnc.importers.nir.shapes import Shape, conv_window, groups, pool_window, row
from snnc.network.model import Connection
from snnc.network.op import Op
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d

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
    if flow.op is not None:
        raise ValueError(
            "follows a convolution without neurons between them; put neurons there, or multiply the weights into one"
        )
    gain = flow.gain
    if flow.pool is not None and len(set(gain)) > 1:
        raise ValueError("follows a pool of scaled spikes, each by another factor; scale behind the pool")
    op = Dense(Synapses.from_dense(weight * (gain if flow.pool is None else gain[0])), pool=flow.pool)
    return replace(flow, op=op, gain=np.ones(1))


def _conv(flow: Flow, node: Node, dt_s: float) -> Flow:
    _must_not_delay_inside(flow)
    if flow.op is not None:
        raise ValueError("follows other weights without neurons between them; put neurons there")
    if len(set(flow.gain)) > 1:
        raise ValueError("convolves spikes that are scaled each by another factor; use one factor, or put it into the kernel")
    window = conv_window(node, flow.shape)
    assert window is not None  # noqa: S101 - for the type checker; its shape is known
    kernel = node.fields.numbers("weight") * flow.gain[0]
    synapses = Synapses.from_dense(kernel.reshape(len(kernel), -1))
    return replace(flow, op=Conv2d(synapses, window=window, groups=groups(node), pool=flow.pool), gain=np.ones(1))


def _pool(flow: Flow, node: Node, dt_s: float) -> Flow:
    if flow.op is not None or flow.pool is not None:
        raise ValueError("pools sums instead of spikes; put it behind neurons")
    window = pool_window(node, flow.shape)
    share = 1 / window.taps if node.kind == "AvgPool2d" else 1.0
    return replace(flow, pool=window, gain=flow.gain * share)


def _must_not_delay_inside(flow: Flow) -> None:
    if len(set(flow.dst_steps)) > 1:
        raise ValueError("follows a delay behind other weights; put neurons between them")


_PASS: dict[str, Callable[[Flow, Node, float], Flow]] = {
    "Scale": _scale, "Delay": _delay, "Affine": _matrix, "Linear": _matrix, "Conv1d": _conv, "Conv2d": _conv,
    "SumPool2d": _pool, "AvgPool2d": _pool,
}  # fmt: skip


def constant(node: Node, inside: Floats, shape: Shape) -> Floats:
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
    if inside.any() and node.kind in ("Conv1d", "Conv2d", "Delay", *POOLS):
        raise ValueError("gets a bias from nodes before it; put neurons between them, or add the bias behind it")
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
    n = prod(flow.shape)
    weights: Any = np.broadcast_to(flow.gain, n).astype(np.float64)
    return Dense(Synapses((n, n), np.arange(n + 1, dtype=np.int64), np.arange(n, dtype=np.int32), weights))
