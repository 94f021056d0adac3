"""The weighted sums of an operator in C: messages of the source are added to ``s->sums``. Used by `_c`.

Kernels stay shared; a dense operator goes through the synapses of those source neurons only that sent something.
"""

from collections.abc import Iterable
from dataclasses import replace
from textwrap import dedent, indent
from typing import Any

import numpy as np

from snnc.network.delays import Part
from snnc.network.op import Op
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.sumpool2d import SumPool2d

from .._shared.integers import in_bytes
from .source import Source, literal


def part_function(source: Source, name: str, part: Part, message: int) -> str:
    """Return the function ``add_NAME(s, message)`` that adds to ``s->current`` what a part of a connection brings.

    ``message``: the largest that there can be.
    """
    op, at, kind = part.op, "message[{}]", message_type(message)
    if part.sources is not None:
        carried = source.table(f"c_{name}_carried", part.sources.astype(np.uint8), f"{name}: sources with this delay")
        at = f"({carried}[{{}}] ? message[{{}}] : 0)"
    lines = []
    if op.pool:
        lines += [_clear("pooled", int(np.prod(op.input_shape))), _pooled(op.pool, "pooled", at)]
        at, message, op = "s->pooled[{}]", message * op.pool.taps, replace(op, pool=None)
    weigh, factor = _weigh(source, name, op, at, message)
    body = "\n".join([*lines, _clear("sums", op.n_dst), weigh, _scaled(source, op, factor)])
    return f"static void add_{name}(snn_state *s, const {kind} *message)\n{{\n    int32_t i;\n{indent(body, '    ')}\n}}"


def message_type(message: int) -> str:
    """Return the type of messages up to this one."""
    return "uint8_t" if message < 256 else "int32_t"


def scratch(parts: Iterable[Part]) -> dict[str, int]:
    """Return how many numbers each scratch array of the state has to hold."""
    parts = list(parts)
    widest = max((part.op.n_dst for part in parts), default=1)
    pooled = max((int(np.prod(part.op.input_shape)) for part in parts if part.op.pool), default=0)
    return {"sums": widest, **({"pooled": pooled} if pooled else {})}


def _clear(array: str, count: int) -> str:
    return f"for (i = 0; i < {count}; i++)\n    s->{array}[i] = 0;"


def _scaled(source: Source, op: Op, factor: int) -> str:
    """Turn sums into currents: by the factor of the weights and the exponent of the sum, which rounds to minus infinity."""
    if op.exponent >= 0:
        scale = factor << op.exponent
        term = "s->sums[i]" if scale == 1 else f"s->sums[i] * {scale}"
    else:
        term = f"(snn_sum){source.function('floored')}((int64_t)s->sums[i] * {factor}, {literal(1 << -op.exponent)})"
    return f"for (i = 0; i < {op.n_dst}; i++)\n    s->current[i] += {term};"


def _weigh(source: Source, name: str, op: Op, at: str, message: int) -> tuple[str, int]:
    """Return (the loops, by what the sums are still to be multiplied)."""
    if isinstance(op, SumPool2d):
        return _pooled(op.window, "sums", at), int(op.synapses.values.sum())
    values, factor = in_bytes(op, source.numeric)
    if isinstance(op, Conv2d):
        return _convolved(source, name, op, values, at), factor
    return _dense(source, name, op, values, at, message), factor


def _dense(source: Source, name: str, op: Op, values: Any, at: str, message: int) -> str:
    s = op.synapses
    order = np.lexsort((s.rows, s.indices))  # by source
    starts = np.concatenate([[0], np.cumsum(np.bincount(s.indices, minlength=s.shape[1]))])
    first = source.table(f"c_{name}_start", starts, f"{name}: where the synapses of each source neuron begin")
    rows = source.table(f"c_{name}_row", s.rows[order], f"{name}: destination neuron of each synapse")
    weights = source.table(f"c_{name}_weight", values[order], f"{name}: weight of each synapse")
    times = "" if message == 1 else "m * "
    return dedent(f"""\
        for (i = 0; i < {s.shape[1]}; i++) {{
            const snn_sum m = {at.format("i", "i")};
            uint32_t k;
            if (m == 0)
                continue;
            for (k = {first}[i]; k < {first}[i + 1]; k++)
                s->sums[{rows}[k]] += {times}{weights}[k];
        }}""")


def _convolved(source: Source, name: str, op: Conv2d, values: Any, at: str) -> str:
    """Add weight by weight over all places."""
    s, taps, per_group = op.synapses, op.window.taps, op.synapses.shape[0] // op.groups
    channels = s.rows // per_group * op.kernel_shape[1] + s.indices // taps
    out = source.table(f"c_{name}_out", s.rows, f"{name}: destination channel of each weight")
    into = source.table(f"c_{name}_in", channels, f"{name}: source channel of each weight")
    tap = source.table(f"c_{name}_tap", s.indices % taps, f"{name}: position of each weight in the kernel")
    weights = source.table(f"c_{name}_weight", values, f"{name}: weights of the kernel")
    inner = f"s->sums[((int32_t){out}[i] * {op.window.grid[0]} + y) * {op.window.grid[1]} + x] += {weights}[i] * (snn_sum){{}};"
    return _places(op.window, s.count, inner, f"(int32_t){into}[i]", f"(int32_t){tap}[i]", at)


def _pooled(window: Window, array: str, at: str) -> str:
    """Sum what lies under the window, channel by channel, position by position of the kernel."""
    rows, columns = window.grid
    inner = f"s->{array}[(i / {window.taps} * {rows} + y) * {columns} + x] += {{}};"
    return _places(window, window.src_shape[0] * window.taps, inner, f"i / {window.taps}", f"i % {window.taps}", at)


def _places(window: Window, count: int, inner: str, channel: str, tap: str, at: str) -> str:
    """Loop over i = 0 .. count - 1 (a channel and a position of the kernel) and over all places x, y of the window."""
    _, height, width = window.src_shape
    rows, columns = window.grid
    source = at.format(*[f"({channel} * {height} + sy) * {width} + sx"] * 2)
    (down, right), (top, left), (apart_y, apart_x) = window.stride, window.padding, window.dilation
    return dedent(f"""\
        for (i = 0; i < {count}; i++) {{
            int32_t x, y;
            for (y = 0; y < {rows}; y++) {{
                const int32_t sy = y * {down} + {tap} / {window.kernel[1]} * {apart_y} - {top};
                if (sy < 0 || sy >= {height})
                    continue;
                for (x = 0; x < {columns}; x++) {{
                    const int32_t sx = x * {right} + {tap} % {window.kernel[1]} * {apart_x} - {left};
                    if (sx >= 0 && sx < {width})
                        {inner.format(source)}
                }}
            }}
        }}""")
