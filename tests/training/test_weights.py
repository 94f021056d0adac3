"""Which weights of any model are pruned, and what they unroll to: held against a convolution written out as a matrix."""

import pytest

from snnc.errors import ConfigError, UnsupportedError

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from torch import nn  # noqa: E402

from snnc.training.models import weights  # noqa: E402
from snnc.training.models.convnet import ConvNet, ConvNetConfig  # noqa: E402


def unrolled(layer, shape):
    """The layer as a matrix (outputs, inputs), one column for each input that is 1."""
    inputs = torch.eye(int(torch.tensor(shape).prod())).view(-1, *shape)
    with torch.no_grad():
        return layer(inputs).flatten(1).T


CONVOLUTIONS = [
    (nn.Conv2d(2, 3, 3, padding=1), (2, 5, 6)),
    (nn.Conv2d(2, 3, (3, 2), padding=(0, 1)), (2, 5, 6)),
    (nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), (2, 6, 7)),
    (nn.Conv2d(1, 2, 3, dilation=2, padding=2), (1, 6, 6)),
    (nn.Conv2d(1, 2, 4, padding="same"), (1, 6, 5)),
    (nn.Conv2d(1, 2, 3, padding=3), (1, 4, 4)),
    (nn.Conv1d(2, 3, 3, padding=1), (2, 7)),
    (nn.Conv3d(1, 2, (2, 3, 2), padding=(0, 1, 1)), (1, 4, 3, 3)),
    (nn.Linear(7, 4), (7,)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=[str(layer) for layer, _ in CONVOLUTIONS])
def test_synapses_are_counted_as_in_the_matrix_that_a_layer_unrolls_to(layer, shape):
    model = nn.Sequential(layer)
    with torch.no_grad():
        layer.bias.zero_()
        layer.weight.fill_(1.0)
    counts = weights.synapses_per_weight(model, torch.zeros(1, *shape))["0"]
    assert weights.all_synapses(counts, layer.weight.shape) == int((unrolled(layer, shape) != 0).sum())
    mask = torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(0)) < 0.4
    with torch.no_grad():
        layer.weight.mul_(mask)
    existing = int((unrolled(layer, shape) != 0).sum())
    assert existing > 0
    assert weights.synapse_count(counts, mask) == existing


def test_the_publications_network_has_the_published_counts_without_being_allocated():
    """36.7 million weights, 1,614.7 million synapses; fc1 has 91.4 % of the weights and 2.1 % of the synapses.

    By hand: 3x3 kernels on a side of n with padding 1 meet 3n - 2 inputs a dimension, hence 94^2 a pair of channels on 32x32
    and 46^2 on 16x16.
    """
    model = ConvNet(ConvNetConfig(), device="meta")
    found = weights.prunable(model)
    per_weight = weights.synapses_per_weight(model, torch.empty(1, 3, 32, 32, device="meta"))
    parameters = {name: p.numel() for name, p in found.items()}
    synapses = {name: weights.all_synapses(per_weight[name], p.shape) for name, p in found.items()}
    assert all(p.is_meta for p in found.values())
    assert sum(parameters.values()) == 36_715_264
    assert sum(synapses.values()) == 1_614_720_000
    assert synapses["conv1"] == 3 * 256 * 94**2
    assert synapses["conv3"] == 256 * 256 * 94**2
    assert synapses["conv4"] == 256 * 256 * 46**2
    assert round(parameters["fc1"] / sum(parameters.values()), 3) == 0.914
    assert round(synapses["fc1"] / sum(synapses.values()), 3) == 0.021


def test_both_connectivities_of_a_network_whose_layers_differ():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(32, 4, bias=False))
    per_weight = weights.synapses_per_weight(model, torch.zeros(1, 1, 4, 4))
    masks = {"0": torch.zeros(2, 1, 3, 3), "2": torch.zeros(4, 32)}
    masks["0"][0, 0, 1, 1] = 1  # the middle of a kernel meets all 16 places
    masks["0"][1, 0, 0, 0] = 1  # a corner meets 9
    masks["2"][0, :5] = 1
    parameters, synapses = weights.connectivity(masks, per_weight)
    assert parameters == 7 / (18 + 128)
    assert synapses == (16 + 9 + 5) / (2 * 10**2 + 128)


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(8, 3)
        self.tied = nn.Linear(8, 3)
        self.tied.weight = self.fc.weight
        self.frozen = nn.Linear(3, 3).requires_grad_(False)
        self.gain = nn.Parameter(torch.ones(()))


def test_weights_are_pruned_and_nothing_else_is():
    groups = weights.parameter_groups(Mixed())
    assert [(g.get("name"), [tuple(p.shape) for p in g["params"]]) for g in groups if g.get("prune")] == [
        ("conv", [(2, 1, 3, 3)]),
        ("fc", [(3, 8)]),
    ]
    assert set(weights.others(Mixed())) == {"conv.bias", "bn.weight", "bn.bias", "fc.bias", "tied.bias", "gain"}
    assert len(groups[-1]["params"]) == 6


def test_what_cannot_be_counted_or_pruned_is_explained():
    with pytest.raises(ConfigError, match="no linear layer and no convolution"):
        weights.prunable(nn.BatchNorm1d(3))

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.idle = nn.Conv2d(1, 1, 3), nn.Linear(2, 2)

        def forward(self, x):
            return self.conv(self.conv(x))

    with pytest.raises(UnsupportedError, match="layer 'conv': is used at 2 sizes"):
        weights.synapses_per_weight(Twice(), torch.zeros(1, 1, 8, 8))
    idle = nn.Sequential(nn.Linear(2, 2))
    idle.add_module("later", nn.Identity())
    idle.spare = nn.Linear(2, 2)
    idle.forward = lambda x: idle[0](x)
    with pytest.raises(ConfigError, match="layer 'spare': takes no part in forward"):
        weights.synapses_per_weight(idle, torch.zeros(1, 2))
