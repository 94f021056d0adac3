"""Layers between neurons, folded into one operator, against torch itself in float64."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from torch import nn  # noqa: E402

from snnc.errors import UnsupportedError  # noqa: E402
from snnc.passes import compose  # noqa: E402
from snnc.training.from_snntorch.layers import Scale, maps_of, operator  # noqa: E402

CHAINS = {
    "conv": [nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 3), groups=2)],
    "conv, norm": [nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)],
    "norm, conv in groups": [nn.BatchNorm2d(4), nn.Conv2d(4, 6, (2, 3), groups=2)],
    "conv, average": [nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=1, dilation=(2, 1), groups=2), nn.AvgPool2d((2, 3))],
    "conv, overlapping average": [nn.Conv2d(4, 3, 2, stride=2), nn.AvgPool2d(2, stride=1)],
    "conv, norm, average": [nn.Conv2d(4, 3, 2, stride=2), nn.BatchNorm2d(3), nn.AvgPool2d(2, divisor_override=3)],
    "average, conv": [nn.AvgPool2d(2), nn.Conv2d(4, 6, 2, padding=1)],
    "average, linear": [nn.AvgPool2d((2, 3)), nn.Flatten(), nn.Linear(4 * 4 * 3, 5)],
    "average": [nn.AvgPool2d(3, stride=2, padding=1)],
    "adaptive": [nn.AdaptiveAvgPool2d((3, None))],
    "conv, adaptive": [nn.Conv2d(4, 3, 2), nn.AdaptiveAvgPool2d((4, 3))],
    "linear, norm, linear": [nn.Flatten(), nn.Linear(4 * 9 * 10, 7), nn.BatchNorm1d(7), nn.Linear(7, 3)],
    "norm": [nn.BatchNorm2d(4)],
    "nothing": [nn.Dropout(), nn.Identity()],
    "conv, conv": [nn.Conv2d(4, 3, 2), nn.Conv2d(3, 2, 2)],
    "conv, linear": [nn.Conv2d(4, 3, 2), nn.Flatten(), nn.Linear(3 * 8 * 9, 2)],
    "overlapping average, conv": [nn.AvgPool2d(2, stride=1), nn.Conv2d(4, 3, 2)],
    "conv, padded average": [nn.Conv2d(4, 3, 2), nn.AvgPool2d(2, padding=1)],
    "conv, norm, conv, linear": [nn.Conv2d(4, 3, 2, groups=1), nn.BatchNorm2d(3), nn.Conv2d(3, 6, 3, groups=3, stride=2),
                                 nn.Flatten(), nn.Linear(6 * 3 * 4, 5)],
}  # fmt: skip


def folded(layers, shape=(4, 9, 10)):
    """(operator, bias, module) of layers with random numbers."""
    torch.manual_seed(0)
    module = nn.Sequential(*layers).double().eval()
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data.uniform_(0.5, 1.5).mul_(torch.randn_like(tensor).sign() if tensor.dim() > 1 else 1)
    maps, bias, size = (), np.zeros(1), int(np.prod(shape))
    with torch.no_grad():
        for layer in layers:
            out = tuple(layer(torch.zeros(1, *shape, dtype=torch.float64)).shape[1:])
            new, shift = maps_of(layer, shape, out)
            for one in new:
                bias = operator([one], int(np.prod(shape))).weigh(np.broadcast_to(bias, (1, int(np.prod(shape)))))[0]
            maps, bias, shape = (*maps, *new), bias + shift, out
    return operator(maps, size), bias, module


@pytest.mark.parametrize("layers", CHAINS.values(), ids=CHAINS)
def test_one_operator_does_what_the_layers_do(layers):
    op, bias, module = folded(layers)
    x = np.random.default_rng(1).normal(size=(3, 4, 9, 10))
    with torch.no_grad():
        want = module(torch.from_numpy(x)).numpy().reshape(3, -1)
    got = op.weigh(x.reshape(3, -1)) + bias
    assert np.abs(want).mean() > 0.1
    assert np.allclose(got, want, rtol=1e-10, atol=1e-10)


def test_a_product_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(compose, "MAX_PRODUCT", 431)
    with pytest.raises(UnsupportedError, match="with the layer before it, at most 431 are possible"):
        folded([nn.AvgPool2d(1), nn.Conv2d(4, 3, 2), nn.Flatten(), nn.Linear(3 * 8 * 9, 2)][1:])


def test_factors_of_single_values_make_a_kernel_a_matrix():
    rng = np.random.default_rng(0)
    conv = nn.Conv2d(4, 6, 3).double()
    maps, _ = maps_of(conv, (4, 9, 10), (6, 7, 8))
    single = Scale(rng.uniform(1, 2, 360))
    x = rng.normal(size=(2, 360))
    op = operator([single, *maps], 360)
    assert op.kind == "dense"
    assert np.allclose(op.weigh(x), operator(maps, 360).weigh(x * single.factor), rtol=1e-10)
    channels = Scale(np.repeat(rng.uniform(1, 2, 4), 90))
    both = operator([channels, *maps], 360)
    assert np.allclose(both.weigh(x), operator(maps, 360).weigh(x * channels.factor), rtol=1e-12)
