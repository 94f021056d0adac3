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
from snnc.ops.maxpool2d import MaxPool2d
from snnc.ops.sumpool2d import SumPool2d

from .._shared.integers import in_bytes
from .source import Source, literal


def part_function(source: Source, name: str, part: Part, message: int) -> str:
    """Return the function ``add_NAME(s, message)`` that adds to ``s->current`` what a part of a connection brings.

    ``message``: the largest that there can be.
    """
    window, op = (part.op.window, part.op.summing) if isinstance(part.op, MaxPool2d) else (None, part.op)
    at, kind = "message[{}]", message_type(message)
    if part.sources is not None:
        carried = source.table(f"c_{name}_carried", part.sources.astype(np.uint8), f"{name}: sources with this delay")
        at = f"({carried}[{{}}] ? message[{{}}] : 0)"
    lines = []
    if op.pool:
        lines += [_clear("pooled", int(np.prod(op.input_shape))), _pooled(op.pool, "pooled", at)]
        at, message, op = "s->pooled[{}]", message * op.pool.taps, replace(op, pool=None)
    weigh, factor = _weigh(source, name, op, at, message)
    add = _scaled(source, op, factor) if window is None else _largest(source, window, op, factor)
    body = "\n".join([*lines, _clear("sums", op.n_dst), weigh, add])
    return f"static void add_{name}(snn_state *s, const {kind} *message)\n{{\n    int32_t i;\n{indent(body, '    ')}\n}}"


def message_type(message: int) -> str:
    """Return the type of messages up to this one."""
    return "uint8_t" if message < 256 else "int32_t"


def scratch(parts: Iterable[Part]) -> dict[str, int]:
    """Return how many numbers each scratch array of the state has to hold."""
    summing = [part.op.summing if isinstance(part.op, MaxPool2d) else part.op for part in parts]
    widest = max((op.n_dst for op in summing), default=1)
    pooled = max((int(np.prod(op.input_shape)) for op in summing if op.pool), default=0)
    return {"sums": widest, **({"pooled": pooled} if pooled else {})}


def _clear(array: str, count: int) -> str:
    return f"for (i = 0; i < {count}; i++)\n    s->{array}[i] = 0;"


def _scaled(source: Source, op: Op, factor: int) -> str:
    """Turn sums into currents: by the factor of the weights and the exponent of the sum, which rounds to minus infinity."""
    return f"for (i = 0; i < {op.n_dst}; i++)\n    s->current[i] += {_term(source, op, factor, 's->sums[i]')};"


def _term(source: Source, op: Op, factor: int, total: str) -> str:
    """Return the current that a sum is."""
    if op.exponent >= 0:
        scale = factor << op.exponent
        return total if scale == 1 else f"{total} * {scale}"
    return f"(snn_sum){source.function('floored')}((int64_t){total} * {factor}, {literal(1 << -op.exponent)})"


def _largest(source: Source, places: Window, op: Op, factor: int) -> str:
    """Add the largest of the sums under each place; where the factor is below 0, that is the smallest of the numbers."""
    channels, height, width = places.src_shape
    rows, columns = places.grid
    (down, right), (top, left), (apart_y, apart_x) = places.stride, places.padding, places.dilation
    return dedent(f"""\
        for (i = 0; i < {channels * rows * columns}; i++) {{
            snn_sum most = 0;
            int32_t k, any = 0;
            for (k = 0; k < {places.taps}; k++) {{
                const int32_t y = i / {columns} % {rows} * {down} + k / {places.kernel[1]} * {apart_y} - {top};
                const int32_t x = i % {columns} * {right} + k % {places.kernel[1]} * {apart_x} - {left};
                if (y >= 0 && y < {height} && x >= 0 && x < {width}) {{
                    const snn_sum sum = s->sums[(i / {rows * columns} * {height} + y) * {width} + x];
                    if (!any || sum {">" if factor > 0 else "<"} most)
                        most = sum;
                    any = 1;
                }}
            }}
            s->current[i] += {_term(source, op, factor, "most")};
        }}""")


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
