"""Operators against torch in float64, against their own unrolled synapses, and against what cannot be."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import LOIHI
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snnc import ops
from snnc.errors import DoesNotFitError, NetworkError
from snnc.network.arithmetic import Float
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def windows(draw, channels):
    side = st.integers(3, 7)
    return Window(
        (channels, draw(side), draw(side)), draw(PAIRS), draw(PAIRS), draw(st.tuples(*[st.integers(0, 2)] * 2)),
        draw(st.tuples(*[st.integers(1, 2)] * 2)),
    )  # fmt: skip


def valid(draw, strategy):
    """A window that has a place."""
    try:
        return draw(strategy)
    except NetworkError:
        assume(False)


@st.composite
def convolutions(draw, whole=False):
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    window = valid(draw, windows(groups * draw(st.integers(1, 3))))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    n_out = groups * draw(st.integers(1, 3))
    shape = (n_out, window.src_shape[0] // groups, *window.kernel)
    kernel = rng.integers(-120, 120, shape) * 2 if whole else rng.normal(size=shape)
    mask = rng.random(shape) < draw(st.sampled_from([0.15, 0.6, 1.0]))
    mask.flat[0] = True
    op = Conv2d(Synapses.from_dense(kernel.reshape(n_out, -1), mask.reshape(n_out, -1)), window=window, groups=groups)
    return replace(op, sign_mode="mixed", exponent=draw(st.integers(-3, 2))) if whole else op


@st.composite
def pools(draw):
    window = valid(draw, windows(draw(st.integers(1, 3))))
    return SumPool2d.of_weight(draw(st.floats(0.1, 2)), window)


@st.composite
def pooled(draw):
    """An operator on pooled messages: a convolution or a dense one."""
    k = draw(PAIRS)
    sizes = [draw(st.integers(k[0], 9)), draw(st.integers(k[1], 9))]
    padding = (draw(st.integers(0, k[0] // 2)), draw(st.integers(0, k[1] // 2)))
    pool = Window((draw(st.integers(1, 3)), *sizes), k, (k[0], k[1] + draw(st.integers(0, 1))), padding)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    seen = (pool.src_shape[0], *pool.grid)
    if draw(st.booleans()):
        weight = rng.normal(size=(4, int(np.prod(seen))))
        return replace(Dense(Synapses.from_dense(weight, rng.random(weight.shape) < 0.5)), pool=pool)
    kernel = rng.normal(size=(2, seen[0], 2, 2))
    return replace(Conv2d.from_kernel(kernel, seen, padding=1, mask=rng.random(kernel.shape) < 0.7), pool=pool)


ANY = st.one_of(convolutions(), pools(), pooled())


def messages(op, seed=0, samples=3, high=3):
    return np.random.default_rng(seed).integers(0, high, (samples, op.n_src))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(op=convolutions())
def test_a_convolution_is_torchs(op):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
    given_ = messages(op)
    w = op.window
    planes = torch.from_numpy(given_.reshape(-1, *w.src_shape)).double()
    kernel = torch.from_numpy(op.kernel())
    expected = torch.nn.functional.conv2d(planes, kernel, None, w.stride, w.padding, w.dilation, op.groups).numpy()
    assert expected.shape[1:] == op.dst_shape
    assert np.allclose(op.apply(given_, Float()), expected.reshape(3, -1), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(op=pools())
def test_a_pool_is_torchs(op):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
    w, given_ = op.window, messages(op)
    planes = torch.from_numpy(given_.reshape(-1, *w.src_shape)).double()
    ones = torch.full((w.src_shape[0], 1, *w.kernel), float(op.synapses.values[0]), dtype=torch.float64)
    expected = torch.nn.functional.conv2d(planes, ones, None, w.stride, w.padding, w.dilation, w.src_shape[0]).numpy()
    assert np.allclose(op.apply(given_, Float()), expected.reshape(3, -1), rtol=0, atol=1e-12)


def test_an_average_pool_is_torchs():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
    op = SumPool2d.of_weight(1 / 6, Window((3, 8, 6), (2, 3), (2, 3)))
    given_ = messages(op)
    expected = torch.nn.functional.avg_pool2d(torch.from_numpy(given_.reshape(-1, 3, 8, 6)).double(), (2, 3)).numpy()
    assert np.allclose(op.apply(given_, Float()), expected.reshape(3, -1), rtol=0, atol=1e-12)


def test_a_convolution_in_one_dimension_is_torchs():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
    kernel = np.random.default_rng(0).normal(size=(4, 2, 3))
    op = Conv2d.from_kernel(kernel, (6, 11), stride=2, padding=(1,), dilation=2, groups=1 + 2 * 1)
    given_ = messages(op)
    planes = torch.from_numpy(given_.reshape(-1, 6, 11)).double()
    with pytest.raises(RuntimeError, match="groups"):  # 4 channels in 3 groups are none of torch's either
        torch.nn.functional.conv1d(planes, torch.from_numpy(kernel), None, 2, 1, 2, 3)
    assert op.problems(Float()) == ["has 3 groups for 6 -> 4 channels"]
    kernel = np.random.default_rng(0).normal(size=(3, 2, 3))
    op = Conv2d.from_kernel(kernel, (6, 11), stride=2, padding=(1,), dilation=2, groups=3)
    expected = torch.nn.functional.conv1d(planes, torch.from_numpy(kernel), None, 2, 1, 2, 3).numpy()
    assert (3, *expected.shape[2:]) == (op.dst_shape[0], op.dst_shape[2])
    assert op.problems(Float()) == []
    assert np.allclose(op.apply(given_, Float()), expected.reshape(3, -1), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(op=ANY, data=st.data())
def test_an_operator_is_its_unrolled_synapses(op, data):
    assert op.problems(Float()) == [] or not op.synapses.values.any()
    s = op.unrolled()
    assert s.problems() == []
    assert s.shape == (op.n_dst, op.n_src)
    given_ = messages(op)
    assert np.allclose(op.apply(given_, Float()), given_ @ s.to_dense().T, rtol=0, atol=1e-12)
    mask = s.mask()
    assert op.synapse_count == s.count == mask.sum()
    assert op.fan_in().tolist() == mask.sum(1).tolist()
    assert op.fan_out().tolist() == mask.sum(0).tolist()
    sums = op.sums(np.abs(op.synapses.values))
    assert np.allclose(sums, np.abs(s.to_dense()).sum(1), rtol=0, atol=1e-12)
    everything = op.with_values(np.ones(op.synapses.count))
    start = data.draw(st.integers(0, op.n_dst))
    stop = data.draw(st.integers(start, op.n_dst))
    sources, counts = everything.axons(start, stop)
    expected = mask[start:stop].sum(0)
    assert sources.tolist() == np.flatnonzero(expected).tolist()
    assert counts.tolist() == expected[expected > 0].tolist()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(op=ANY)
def test_possible_synapses_are_those_of_the_unpruned(op):
    n_rows, n_columns = op.synapses.shape
    whole = replace(op, synapses=Synapses.from_dense(np.ones((n_rows, n_columns))))
    assert op.possible_synapses == whole.possible_synapses == whole.synapse_count
    assert op.parameters == n_rows * n_columns


@settings(max_examples=60, deadline=None, derandomize=True)
@given(op=convolutions(whole=True))
def test_integers_are_exact_and_shifted_as_a_sum(op):
    given_ = messages(op, high=2**16)
    total = given_.astype(object) @ op.unrolled().to_dense().astype(object).T
    shifted = total * 2**op.exponent if op.exponent >= 0 else total // 2**-op.exponent
    got = op.apply(given_, LOIHI)
    assert got.dtype == np.int64
    assert got.tolist() == shifted.tolist()


def test_delays_and_zeros_survive_unrolling():
    pool = Window((2, 4, 4), (2, 2), (2, 2))
    op = Conv2d.from_kernel(np.arange(8).reshape(1, 2, 2, 2), (2, 2, 2), padding=1, mask=np.ones((1, 2, 2, 2), bool))
    op = replace(op, synapses=replace(op.synapses, delays=np.arange(8, dtype=np.int32)), pool=pool)
    s = op.unrolled()
    assert s.delays.tolist() == s.values.tolist()
    assert s.count == op.synapse_count == 4 * 2 * 4 * 4
    assert (s.values == 0).sum() == 16, "a kept weight of 0 is a synapse"


def test_a_large_convolution_is_not_unrolled():
    op = Conv2d.from_kernel(np.ones((128, 128, 3, 3)), (128, 64, 64), padding=1)
    assert op.possible_synapses == op.synapse_count == 128 * 128 * (3 * 64 - 2) ** 2
    with pytest.raises(DoesNotFitError, match=r"147,456 shared weights unroll to 591,462,400 synapses, at most 1,000 are"):
        op.unrolled(1000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": (9, 9)}, "where it has no place"),
        ({"kernel": (0, 1)}, "kernel"),
        ({"stride": (1, 0)}, "stride"),
        ({"padding": (-1, 0)}, "padding"),
        ({"src_shape": (2, 4)}, "expected 3 whole numbers"),
        ({"src_shape": (2, 4, 1 << 40)}, "expected 3 whole numbers"),
        ({"dilation": (1, 2.0)}, "dilation"),
        ({"kernel": (1 << 12, 1 << 12), "padding": (1 << 12, 1 << 12)}, "at most 65536 weights"),
    ],
)
def test_a_window_that_cannot_be_is_refused(change, message):
    with pytest.raises(NetworkError, match=message):
        Window(**{"src_shape": (2, 4, 4), "kernel": (2, 2), **change})


def test_overlapping_pools_are_not_folded():
    op = Conv2d.from_kernel(np.ones((1, 1, 2, 2)), (1, 3, 3))
    assert "overlapping windows" in replace(op, pool=Window((1, 4, 4), (2, 2))).problems(Float())[0]
    assert "pools its messages to (1, 2, 2)" in replace(op, pool=Window((1, 4, 4), (2, 2), (2, 2))).problems(Float())[0]


def test_every_kind_is_found_by_its_file():
    assert [ops.get(kind).kind for kind in ops.kinds()] == list(ops.kinds()) == ["conv2d", "dense", "maxpool2d", "sumpool2d"]
