"""The convolutional network of the publication, narrow: shapes, steps, gradients, and the same spikes as written out."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from torch import nn  # noqa: E402

from snnc.training.models.convnet import ConvNet, ConvNetConfig  # noqa: E402

SMALL = ConvNetConfig(width=4, hidden=12, steps=3, voters=2, threshold=0.3)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = ConvNet(SMALL)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0  # what it saw once is what it goes by in evaluation
    model(torch.rand(16, 3, 32, 32))
    return model


def written_out(model, images):
    """Step by step and layer by layer, hard reset by hand; returns the votes and how often each layer fires."""
    config, voltage, rates, votes = model.config, {}, {}, []

    def lif(name, current):
        v = voltage.get(name, torch.zeros_like(current)) * config.beta + current * (1 - config.beta)
        spikes = (v > config.threshold).float()
        voltage[name] = v * (1 - spikes)
        rates[name] = rates.get(name, 0) + spikes.mean().item() / config.steps
        return spikes

    for _ in range(config.steps):
        x = images
        for i in range(1, 7):
            x = lif(i, model.get_submodule(f"bn{i}")(model.get_submodule(f"conv{i}")(x)))
            x = nn.functional.max_pool2d(x, 2) if i in (3, 6) else x
        x = lif(8, model.fc2(lif(7, model.fc1(x.flatten(1)))))
        votes.append(x.view(len(x), 10, config.voters).mean(2))
    return torch.stack(votes, 1), rates


def test_it_fires_as_written_out(model):
    model.eval()
    with torch.no_grad():
        model.fc2.weight.mul_(4)
        images = torch.rand(8, 3, 32, 32)
        expected, rates = written_out(model, images)
        assert (model(images) - expected).abs().mean() < 1e-3, "but for spikes at the very threshold"
    assert min(rates.values()) > 0.01, f"a silent layer compares nothing: {rates}"


def test_all_weights_get_gradients_and_voters_are_averaged(model):
    out = model.train()(torch.rand(4, 3, 32, 32))
    assert out.shape == (4, 3, 10)
    assert set(out.unique().tolist()) <= {0.0, 0.5, 1.0}
    out.sum().backward()
    for name, p in model.named_parameters():
        assert p.grad.abs().sum() > 0, name


def test_dropout_spares_or_drops_a_feature_in_all_steps(model):
    seen, images = [], torch.rand(4, 3, 32, 32)
    model.fc1.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model.train()(images)
    model.dropout.p = 0.0
    model(images)
    dropped, whole = (features.permute(1, 0, 2).flatten(1) for features in seen)
    often = whole[:, whole.sum(0) > 1]
    factor = dropped[:, whole.sum(0) > 1].sum(0) / often.sum(0)
    assert len(factor) > 20
    assert set(factor.tolist()) == {0.0, 2.0}, "the mean of a feature over its steps is dropped or doubled, never in between"
    assert 0.3 < (factor > 0).float().mean() < 0.7


def test_the_publications_sizes():
    model = ConvNet(device="meta")
    shapes = [tuple(p.shape) for p in model.parameters() if p.dim() > 1]
    assert shapes == [(256, 3, 3, 3), *[(256, 256, 3, 3)] * 5, (2048, 16384), (100, 2048)]
    assert model(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 8, 10)
