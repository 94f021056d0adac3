"""Kernels between rasters, a byte a message, and rows, a bit a sample. Used by `snnc.simulation.engine.block`."""

import numpy as np

from snnc.base.jit import compiled
from snnc.simulation.engine.adder import inlined
from snnc.simulation.engine.turning import bits_of, prefetch, put_bits, turn

AHEAD = 2  # samples: the processor does not foresee the jump from one to the next


@inlined
def bits_from(messages, start, n, at, bits):  # type: ignore[no-untyped-def]
    """Return a bit for each of 64 messages: whether it has one of the ``bits``.

    Of the ``n`` messages from element ``start`` of a flat raster on, they are those from number ``at`` on, of which there may
    be fewer.
    """
    if at + 64 <= n:
        return bits_of(messages, start + at, bits)
    if n >= 64:
        return bits_of(messages, start + n - 64, bits) >> np.uint64(at + 64 - n)
    packed = np.uint64(0)
    for j in range(at, n):
        packed |= np.uint64(messages[start + j] & bits != 0) << np.uint64(j - at)
    return packed


@compiled
def pack(raster, sent, steps, bit, wanted, rows, out):  # type: ignore[no-untyped-def]
    """Write bit ``bit[0]`` of the messages of some steps from ``sent`` on, as rows (rows, steps, words) from ``out`` on.

    ``raster`` (samples, steps, n); ``bit`` has the type of its messages. Only neurons that are ``wanted`` (n,) send. Samples
    that are not there send nothing, and neither does anybody before the first step.
    """
    samples, length, n = raster.shape
    messages = raster.reshape(-1)  # numba counts who uses a slice, which takes longer than to look at 64 messages
    wide = (n + 63) // 64
    squares = np.zeros((steps * wide, 64), np.uint64)
    for word in range(rows.shape[2]):
        if samples < 64 * (word + 1):
            squares[:] = 0
        for i in range(min(64, samples - 64 * word)):
            for step in range(max(0, -sent), steps):
                start = ((64 * word + i) * length + sent + step) * n
                for j in range(wide):
                    prefetch(messages, start + AHEAD * length * n + 64 * j)
                    squares[step * wide + j, i] = bits_from(messages, start, n, 64 * j, bit[0])
        for step in range(steps):
            for j in range(wide):
                square = step * wide + j
                turn(squares, square)
                for i in range(min(64, n - 64 * j)):
                    rows[out + 64 * j + i, step, word] = squares[square, i] if wanted[64 * j + i] else np.uint64(0)


@compiled
def unpack(rows, out, first, steps, raster):  # type: ignore[no-untyped-def]
    """Write n rows of ``steps`` from ``out`` on as spikes of the steps from ``first`` on in ``raster`` (samples, steps, n)."""
    samples, length, n = raster.shape
    spikes = raster.reshape(-1)
    square = np.zeros((1, 64), np.uint64)
    for word in range((samples + 63) // 64):
        for j in range(0, n, 64):
            for step in range(steps):
                for i in range(min(64, n - j)):
                    square[0, i] = rows[out + j + i, step, word]
                turn(square, 0)
                for i in range(min(64, samples - 64 * word)):
                    start = ((64 * word + i) * length + first + step) * n
                    if j + 64 <= n:
                        put_bits(spikes, start + j, square[0, i])
                    else:
                        for k in range(j, n):
                            spikes[start + k] = square[0, i] >> np.uint64(k - j) & np.uint64(1)
