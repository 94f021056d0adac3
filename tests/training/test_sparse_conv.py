"""Convolutions that leave out zeros: the sums and gradients of torch's."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("numba", reason="numba is not installed")
from torch import nn  # noqa: E402

from snnc.training.kernels import team  # noqa: E402
from snnc.training.kernels.sparse_conv import DENSEST, convolved  # noqa: E402


def planes(density, shape=(17, 5, 9, 8)):
    """Spikes and a few larger values, channels last."""
    torch.manual_seed(0)
    values = torch.rand(shape) * (torch.rand(shape) < density)
    return values.ceil().add_(values * (values > 0.9)).contiguous(memory_format=torch.channels_last).requires_grad_()


def results(convolution, layer, given):
    """Return the result and the gradients of inputs and parameters."""
    out = convolution(given)
    torch.manual_seed(1)
    return out, *torch.autograd.grad(out, [given, *layer.parameters()], torch.randn(out.shape))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": (2, 5), "stride": (3, 2), "padding": (0, 4), "bias": True},
        {"kernel_size": 1, "stride": (1, 3)},
        {"kernel_size": 4, "stride": 3, "padding": 3},
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_it_is_torchs_convolution(options, threads, monkeypatch):
    monkeypatch.setattr(team, "GRAIN", 1)
    layer = nn.Conv2d(5, 7, **{"bias": False, **options})
    given, before = planes(0.06), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        reached = results(lambda x: convolved(layer, x), layer, given)
    finally:
        torch.set_num_threads(before)
    assert "_ConvolutionBackward" in {type(f).__name__ for f in chain_of(reached[0].grad_fn)}, "torch's was called"
    for ours, theirs in zip(reached, results(layer, layer, given), strict=True):
        assert ours.shape == theirs.shape
        assert theirs.abs().max() > 0.1
        assert torch.allclose(ours, theirs, atol=1e-5)


def chain_of(function):
    """Return a function of the backward pass and those behind it."""
    return [function, *(f for f, _ in function.next_functions if f)]


@pytest.mark.parametrize(
    ("density", "options", "dtype"),
    [
        (2 * DENSEST, {}, torch.float32),
        (0.05, {"dilation": 2}, torch.float32),
        (0.05, {"groups": 5}, torch.float32),
        (0.05, {"padding": 1, "padding_mode": "circular"}, torch.float32),
        (0.05, {"padding": "same"}, torch.float32),
        (0.05, {}, torch.float64),
    ],
)
def test_what_it_does_not_compute_is_torchs(density, options, dtype):
    layer, given = nn.Conv2d(5, 10, 3, **options).to(dtype), planes(density).detach().to(dtype)
    assert torch.equal(convolved(layer, given), layer(given))
    assert type(convolved(layer, given).grad_fn).__name__ == "ConvolutionBackward0"


def test_hooks_see_the_layer():
    layer, calls = nn.Conv2d(5, 7, 3), []
    layer.register_forward_hook(lambda *_: calls.append(1))
    convolved(layer, planes(0.05))
    assert calls == [1]
