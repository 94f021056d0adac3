"""The inner loops of training, compiled: neurons over all their steps, Adam with Grad R's rule, paths of a layer, convolutions
of few spikes. Called by fire, fused_adam, sparse_conv and the method ch3_l3.

A kernel works on a range ``first .. last`` of its first axis, so that `team.split` can share it out; no element depends on
how. All arrays are contiguous, of float32 if nothing else is said. Every operation rounds as the same one of torch does (no
fused multiply-add).
"""

import numpy as np

from snnc.base.jit import compiled

ZERO, ONE = np.float32(0), np.float32(1)
BLOCK = 2048  # elements whose steps stay in the nearest cache


@compiled
def fire_forward(first, last, current, alpha, beta, threshold, spikes, voltage):  # type: ignore[no-untyped-def]
    """Run neurons with hard reset from a fresh state, as snnTorch computes them: u = alpha u + c, v = beta v + u, v >
    threshold.

    ``current`` (batch, steps or 1, n); ``alpha, beta, threshold`` (n,); out: ``spikes`` and ``voltage`` before the reset,
    both (batch, steps, n).
    """
    n = spikes.shape[2]
    u, v = np.empty(n, np.float32), np.empty(n, np.float32)
    for b in range(first, last):
        u[:], v[:] = ZERO, ZERO
        for t in range(spikes.shape[1]):
            c, s, x = current[b, t % current.shape[1]], spikes[b, t], voltage[b, t]
            for i in range(n):
                u[i] = alpha[i] * u[i] + c[i]
                before = beta[i] * v[i] + u[i]
                fired = before - threshold[i] > ZERO
                x[i] = before
                s[i] = ONE if fired else ZERO
                v[i] = ZERO if fired else before


@compiled
def fire_backward(first, last, gradient, voltage, alpha, beta, threshold, width, attached, current_gradient):  # type: ignore[no-untyped-def]
    """Compute the gradient of the current from that of the spikes, (batch, steps, n); summed over steps if there is one
    current.

    The spike's derivative is snnTorch's ATan of ``width``: width/2 / (1 + (pi/2 width (v - threshold))^2). ``attached`` is 1
    if the reset has a gradient, too, else 0.
    """
    n, constant = gradient.shape[2], current_gradient.shape[1] == 1
    to_u, to_v = np.empty(n, np.float32), np.empty(n, np.float32)
    half, slope = np.float32(width / 2), np.float32(np.pi / 2 * width)
    for b in range(first, last):
        to_u[:], to_v[:] = ZERO, ZERO
        if constant:
            current_gradient[b] = ZERO
        for t in range(gradient.shape[1] - 1, -1, -1):
            g, x, out = gradient[b, t], voltage[b, t], current_gradient[b, t % current_gradient.shape[1]]
            for i in range(n):
                above = x[i] - threshold[i]
                later = beta[i] * to_v[i]
                bend = slope * above
                surrogate = half / (ONE + bend * bend)
                now = (g[i] - attached * later * x[i]) * surrogate + (ZERO if above > ZERO else later)
                total = now + alpha[i] * to_u[i]
                to_v[i], to_u[i] = now, total
                out[i] = out[i] + total if constant else total


@compiled
def recurrent_forward(first, last, current, sent, delay, alpha, beta, threshold, spikes, voltage):  # type: ignore[no-untyped-def]
    """Run neurons as `fire_forward` does, and add to their current the weights of those that fired ``delay`` steps before.

    ``current`` (steps or 1, batch, n); ``sent`` (n, n): the weights of a neuron's spike; out: ``spikes`` and ``voltage``, both
    (steps, batch, n).
    """
    n = spikes.shape[2]
    u, v, c = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    for b in range(first, last):
        u[:], v[:] = ZERO, ZERO
        for t in range(spikes.shape[0]):
            s, x = spikes[t, b], voltage[t, b]
            c[:] = current[t % current.shape[0], b]
            if t >= delay:
                heard = spikes[t - delay, b]
                for j in range(n):
                    if heard[j] != ZERO:
                        w = sent[j]
                        for i in range(n):
                            c[i] += w[i]
            for i in range(n):
                u[i] = alpha[i] * u[i] + c[i]
                before = beta[i] * v[i] + u[i]
                fired = before - threshold[i] > ZERO
                x[i] = before
                s[i] = ONE if fired else ZERO
                v[i] = ZERO if fired else before


@compiled
def recurrent_back(first, last, gradient, voltage, alpha, beta, threshold, width, states, current_gradient):  # type: ignore[no-untyped-def]
    """Compute the gradient of a step's current from that of its spikes, all (batch, n), as `fire_backward` does.

    ``states`` (2, batch, n): the gradients of u and v of the step after, which become those of this step.
    """
    n = gradient.shape[1]
    half, slope = np.float32(width / 2), np.float32(np.pi / 2 * width)
    for b in range(first, last):
        g, x, out, to_u, to_v = gradient[b], voltage[b], current_gradient[b], states[0, b], states[1, b]
        for i in range(n):
            above = x[i] - threshold[i]
            bend = slope * above
            now = g[i] * (half / (ONE + bend * bend)) + (ZERO if above > ZERO else beta[i] * to_v[i])
            total = now + alpha[i] * to_u[i]
            to_v[i], to_u[i] = now, total
            out[i] = total


@compiled
def adam_rewire(first, last, gradient, mean, square, theta, sign, weight, adam, prior, alive):  # type: ignore[no-untyped-def]
    """Apply one step of Adam and of the prior to theta, and compute the weights that follow; all arrays are flat.

    ``adam`` as in `_adam`, ``prior`` as in `fused_adam.rewire`. ``alive[0]`` becomes 1 if a theta is above 0.
    """
    strength, reach, weak, centre, cap, floor, steady, turns = prior
    fade = strength / reach
    step, root = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    any_alive = False
    for start in range(first, last, BLOCK):
        end = min(start + BLOCK, last)
        _adam(gradient[start:end], mean[start:end], square[start:end], adam, root, step)
        th, s, w = theta[start:end], sign[start:end], weight[start:end]
        for i in range(end - start):
            was = th[i]
            inner = weak if was > centre else (-weak if was < centre else ZERO)
            outer = min(max(strength / (min(root[i], cap) + floor) - was * fade, ZERO), max(was - centre, weak))
            now = was - s[i] * step[i] - (outer + steady if was > ZERO else inner)
            if turns > ZERO and now < centre:
                s[i] = -s[i]
                now = centre + centre - now
            th[i] = now
            any_alive |= now > ZERO
            w[i] = ZERO if now <= ZERO else s[i] * now  # NaN passes, to be seen
    if any_alive:
        alive[0] = 1


@compiled
def adam_step(first, last, gradient, mean, square, mask, step, adam):  # type: ignore[no-untyped-def]
    """Write to ``step`` what Adam subtracts, for the gradient where ``mask`` is 1, or for all of it if ``mask`` is empty.
    Arrays are flat.
    """
    root, listened = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for start in range(first, last, BLOCK):
        end = min(start + BLOCK, last)
        g = gradient[start:end]
        if len(mask):
            m, kept = mask[start:end], listened[: end - start]
            for i in range(end - start):
                kept[i] = g[i] * m[i]
            g = kept
        _adam(g, mean[start:end], square[start:end], adam, root, step[start:end])


@compiled
def adam_masked(first, last, gradient, mean, square, mask, weight, adam, steady):  # type: ignore[no-untyped-def]
    """Apply one step of Adam to the weights that exist, and pull them towards 0 by ``steady``; all others stay 0, while their
    moments are updated.
    """
    step, root = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for start in range(first, last, BLOCK):
        end = min(start + BLOCK, last)
        _adam(gradient[start:end], mean[start:end], square[start:end], adam, root, step)
        m, w = mask[start:end], weight[start:end]
        for i in range(end - start):
            down = steady if w[i] > ZERO else (-steady if w[i] < ZERO else ZERO)
            w[i] = (w[i] - step[i] - down) * m[i]


@compiled
def _adam(gradient, mean, square, adam, root, step):  # type: ignore[no-untyped-def]
    """Write to ``step`` what Adam subtracts, and to ``root`` the root of the mean squared gradient.

    Works in blocks, because the compiler vectorises only loops over few arrays. ``adam`` = (beta1, 1 - beta1, beta2, 1 - beta2,
    1 - beta2**step, eps, lr / (1 - beta1**step)).
    """
    fast, new_fast, slow, new_slow, unbias, eps, rate = adam
    for i in range(len(gradient)):
        g = gradient[i]
        m = mean[i] * fast + g * new_fast
        q = square[i] * slow + new_slow * g * g
        mean[i] = m
        square[i] = q
        root[i] = np.sqrt(q / unbias)
    for i in range(len(gradient)):
        step[i] = mean[i] / (root[i] + eps) * rate


@compiled
def three_paths(first, last, row_starts, columns, column_starts, rows, by_row, by_column, scores):  # type: ignore[no-untyped-def]
    """Add to ``scores`` (rows, columns), float64, for each row u and column v the sum over paths u - a - b - v of
    by_row[b, u] * by_column[a, v].

    ``columns[row_starts[u]:row_starts[u + 1]]`` are the columns that row u is linked to; ``rows`` likewise of the columns.
    """
    to_column = np.empty(scores.shape[1], np.float64)
    for u in range(first, last):
        for a in columns[row_starts[u] : row_starts[u + 1]]:
            to_column[:] = 0
            for b in rows[column_starts[a] : column_starts[a + 1]]:
                weight = by_row[b, u]
                for v in columns[row_starts[b] : row_starts[b + 1]]:
                    to_column[v] += weight
            for v in range(scores.shape[1]):
                scores[u, v] += to_column[v] * by_column[a, v]


@compiled
def sparse_conv(first, last, x, taps, down, right, top, left, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` (batch, rows, columns, outputs) the convolution of ``x`` (batch, rows, columns, inputs), mostly zeros.

    ``taps`` (right, kernel rows, inputs, taps, outputs) as in `sparse_conv._by_tap`; strides ``down, right``; padding
    ``top, left``.
    """
    _, n_rows, n_inputs, n_taps, n = taps.shape
    inputs = np.empty(n_inputs + 1, np.uint64)
    sums, weights = out.reshape(-1), taps.reshape(-1)
    starts, remainders = (np.arange(x.shape[2]) + left) // right - n_taps + 1, (np.arange(x.shape[2]) + left) % right
    for b in range(first, last):
        for i in range(x.shape[1]):
            upper, lowest = (i + top) % down, (i + top) // down
            for j in range(x.shape[2]):
                start = starts[j]
                low, high = max(0, -start), min(n_taps, out.shape[2] - start)
                width = (high - low) * n
                given = x[b, i, j]
                count = _not_zero(given, inputs) if width > 0 else 0
                if count == 0:
                    continue
                row = lowest + 1
                for k in range(upper, n_rows, down):
                    row -= 1
                    if row < 0 or row >= out.shape[1]:
                        continue
                    at = ((b * out.shape[1] + row) * out.shape[2] + start + low) * n
                    to, of = sums[at : at + width], (remainders[j] * n_rows + k) * n_inputs
                    for pair in range(0, count, 2):
                        p, q = np.int64(inputs[pair]), np.int64(inputs[pair + 1])  # the last is one of value 0 if they are odd
                        v, w = given[p], given[q] if pair + 1 < count else ZERO
                        p, q = (of + p) * n_taps * n + low * n, (of + q) * n_taps * n + low * n
                        one, other = weights[p : p + width], weights[q : q + width]
                        for m in range(width):
                            to[m] += v * one[m] + w * other[m]


@compiled
def sparse_conv_weights(first, last, x, gradient, down, right, top, left, taps):  # type: ignore[no-untyped-def]
    """Add to ``taps`` the gradient of the weights of `sparse_conv`, for the inputs ``first .. last``; ``gradient`` is that of its
    result.
    """
    _, n_rows, n_inputs, n_taps, n = taps.shape
    inputs = np.empty(last - first + 1, np.uint64)
    sums, weights = gradient.reshape(-1), taps.reshape(-1)
    starts, remainders = (np.arange(x.shape[2]) + left) // right - n_taps + 1, (np.arange(x.shape[2]) + left) % right
    for b in range(x.shape[0]):
        for i in range(x.shape[1]):
            upper, lowest = (i + top) % down, (i + top) // down
            for j in range(x.shape[2]):
                start = starts[j]
                low, high = max(0, -start), min(n_taps, gradient.shape[2] - start)
                width = (high - low) * n
                spikes = x[b, i, j, first:last]
                count = _not_zero(spikes, inputs) if width > 0 else 0
                if count == 0:
                    continue
                row = lowest + 1
                for k in range(upper, n_rows, down):
                    row -= 1
                    if row < 0 or row >= gradient.shape[1]:
                        continue
                    at = ((b * gradient.shape[1] + row) * gradient.shape[2] + start + low) * n
                    of = (remainders[j] * n_rows + k) * n_inputs + first
                    given = sums[at : at + width]
                    for spike in range(count):
                        p = np.int64(inputs[spike])
                        v, p = spikes[p], (of + p) * n_taps * n + low * n
                        to = weights[p : p + width]
                        for m in range(width):
                            to[m] += v * given[m]


@compiled
def _not_zero(x, places):  # type: ignore[no-untyped-def]
    """Write the places that are not 0, and after them a 0; return how many they are."""
    count, one, none = np.uint64(0), np.uint64(1), np.uint64(0)
    for c in range(len(x)):
        places[count] = c
        count += one if x[c] != ZERO else none
    places[count] = 0
    return np.int64(count)
