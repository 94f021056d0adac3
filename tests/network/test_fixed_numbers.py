"""A chip's integers at their ends: the widths that there can be, and biases as mantissa and exponent."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import LOIHI

from snnc.errors import NetworkError
from snnc.network.arithmetic import bias_exponent, bias_parts

WIDTHS = {
    "weight_bits": (1, 8), "weight_exponent_min": (-9, 0), "weight_exponent_max": (-9, 8), "decay_bits": (1, 20),
    "threshold_bits": (1, 31), "bias_mantissa_bits": (2, 31), "bias_exponent_max": (0, 16), "state_bits": (2, 32),
    "state_shift": (0, 12),
}  # fmt: skip


@pytest.mark.parametrize("name", WIDTHS)
def test_widths_end_where_the_files_say(name):
    low, high = WIDTHS[name]
    for width in (low, high):
        assert getattr(replace(LOIHI, **{name: width}), name) == width
    for width in (low - 1, high + 1, float(low), True):
        with pytest.raises(NetworkError, match=rf"has {name} .*, expected a whole number {low} to {high}; quantise it again"):
            replace(LOIHI, **{name: width})


def parts_by_trying(bias, numeric):
    """The smallest exponent at which a bias has a mantissa, found one by one."""
    limit = 1 << (numeric.bias_mantissa_bits - 1)
    for exponent in range(numeric.bias_exponent_max + 1):
        if bias % 2**exponent == 0 and -limit <= bias // 2**exponent < limit:
            return bias // 2**exponent, exponent
    return bias, -1


@pytest.mark.parametrize(("mantissa_bits", "exponent_max"), [(13, 7), (4, 3), (2, 0), (3, 16)])
def test_a_bias_has_the_smallest_exponent_that_there_is(mantissa_bits, exponent_max):
    numeric = replace(LOIHI, bias_mantissa_bits=mantissa_bits, bias_exponent_max=exponent_max)
    limit, rng = 1 << (mantissa_bits - 1), np.random.default_rng(0)
    ends = [sign * (limit + d) << e for e in range(exponent_max + 2) for d in (-1, 0, 1) for sign in (1, -1)]
    biases = np.array([0, 1, -1, *ends, *(rng.integers(-limit, limit, 200) << rng.integers(0, exponent_max + 1, 200))])
    mantissas, exponents = bias_parts(biases, numeric)
    assert list(zip(mantissas.tolist(), exponents.tolist(), strict=True)) == [
        parts_by_trying(b, numeric) for b in biases.tolist()
    ]
    assert {-1, *range(exponent_max + 1)} == set(exponents.tolist())


def test_biases_share_the_smallest_exponent_that_all_have():
    assert [bias_exponent(np.array([1.0, b]), LOIHI) for b in (-4095, 4095.5, 8190, 8191, -4095 * 2**7, 4095 * 2**9)] == [
        0, 1, 1, 2, 7, 7,
    ]  # fmt: skip
