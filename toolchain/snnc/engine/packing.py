"""Kernels between rasters, a byte a message, and rows, a bit a sample. Used by `snnc.engine.lanes`."""

import numpy as np

from snnc.engine.adder import compiled


@compiled
def pack(raster, first, step, bit, wanted, rows, out):  # type: ignore[no-untyped-def]
    """The bit ``bit[0]`` of the messages of ``step`` of the samples from ``first`` on, as rows, and their complement.

    ``raster`` (samples, steps, n); ``bit`` has the type of its messages. Only neurons
    that are ``wanted`` (n,) send. Samples that are not there send nothing.
    """
    samples, n, words = raster.shape[0], raster.shape[2], rows.shape[1]
    columns, octets, nothing = np.zeros((words, n), np.uint64), np.empty((8, n), np.uint8), np.zeros(n, raster.dtype)
    for word in range(min(words, (samples - first + 63) // 64)):
        for i in range(8):
            _octet(raster, first + 64 * word + 8 * i, step, bit[0], nothing, octets[i])
        column = columns[word]
        for j in range(n):
            bits = np.uint64(0)
            for i in range(8):
                bits |= np.uint64(octets[i, j]) << np.uint64(8 * i)
            column[j] = bits if wanted[j] else np.uint64(0)
    for j in range(n):
        for word in range(words):
            rows[out + j, word], rows[out + n + j, word] = columns[word, j], ~columns[word, j]


@compiled
def _octet(raster, first, step, bit, nothing, octet):  # type: ignore[no-untyped-def]
    """Eight samples, a bit each, of every neuron."""
    samples = raster.shape[0]
    a = raster[first, step] if first < samples else nothing
    b = raster[first + 1, step] if first + 1 < samples else nothing
    c = raster[first + 2, step] if first + 2 < samples else nothing
    d = raster[first + 3, step] if first + 3 < samples else nothing
    e = raster[first + 4, step] if first + 4 < samples else nothing
    f = raster[first + 5, step] if first + 5 < samples else nothing
    g = raster[first + 6, step] if first + 6 < samples else nothing
    h = raster[first + 7, step] if first + 7 < samples else nothing
    for j in range(octet.shape[0]):  # in bytes all along, so that a vector holds many
        low = (a[j] & bit != 0) | (b[j] & bit != 0) << 1 | (c[j] & bit != 0) << 2 | (d[j] & bit != 0) << 3
        high = (e[j] & bit != 0) << 4 | (f[j] & bit != 0) << 5 | (g[j] & bit != 0) << 6 | (h[j] & bit != 0) << 7
        octet[j] = low | high


@compiled
def unpack(rows, start, first, step, raster):  # type: ignore[no-untyped-def]
    """The inverse of `pack`: n rows from ``start`` on as spikes of ``step`` in ``raster`` (samples, steps, n)."""
    samples, n = min(64 * rows.shape[1], raster.shape[0] - first), raster.shape[2]
    column, octet = np.empty(n, np.uint64), np.empty(n, np.uint8)
    for eight in range((samples + 7) // 8):
        if eight % 8 == 0:
            for j in range(n):
                column[j] = rows[start + j, eight // 8]
        shift = np.uint64(8 * (eight % 8))
        for j in range(n):
            octet[j] = column[j] >> shift
        for i in range(min(8, samples - 8 * eight)):
            spikes, bit = raster[first + 8 * eight + i, step], np.uint8(1 << i)
            for j in range(n):
                spikes[j] = octet[j] & bit != 0
