"""The convolutional network of Grad R's experiments on CIFAR-10, "6Conv2FC", at any width. A model for `own.prune_own`.

Chen et al., "Pruning of Deep Spiking Neural Networks through Gradient Rewiring", IJCAI 2021, section 5. The neurons are
snnTorch's Leaky with hard reset; a current enters the voltage times 1 - beta, as in the publication's LIF with tau = 2.
"""

from dataclasses import dataclass

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor, nn

from snnc.base.config import Config, setting
from snnc.network.model import Network
from snnc.training.kernels.fire import fire

CONVOLUTIONS = 6
POOLED_AFTER = (3, 6)
CLASSES = 10


@dataclass(frozen=True)
class ConvNetConfig(Config):
    """The publication's network; narrower ones for smaller machines."""

    width: int = setting(256, "Channels of each convolution.", low=1)
    hidden: int = setting(2048, "Neurons of the fully connected layer.", low=1)
    voters: int = setting(10, "Output neurons of a class, whose spikes are averaged.", low=1)
    steps: int = setting(8, "Time steps a sample.", low=1)
    beta: float = setting(0.5, "Part of the voltage that is left after a step.", low=0, high=1)
    threshold: float = setting(1.0, "Voltage above which a neuron fires.", low=0)
    dropout: float = setting(
        0.5, "Part of the features that a sample misses in training, the same in all its steps.", low=0, high=0.99
    )


class ConvNet(nn.Module):
    """conv1 ... conv6 (3x3, each with batch norm and neurons), max-pooled after conv3 and conv6; fc1; fc2; a vote.

    Convolutions and linear layers have no bias.
    """

    def __init__(self, config: ConvNetConfig = ConvNetConfig(), device: str | None = None, side: int = 32) -> None:
        super().__init__()
        self.config, self.side = config, side
        channels = 3
        for i in range(1, CONVOLUTIONS + 1):
            self.add_module(f"conv{i}", nn.Conv2d(channels, config.width, 3, padding=1, bias=False, device=device))
            self.add_module(f"bn{i}", nn.BatchNorm2d(config.width, device=device))
            self.add_module(f"lif{i}", _neurons(config))
            channels = config.width
        features = channels * (side // 2 ** len(POOLED_AFTER)) ** 2
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(config.dropout)
        self.fc1 = nn.Linear(features, config.hidden, bias=False, device=device)
        self.lif7 = _neurons(config)
        self.fc2 = nn.Linear(config.hidden, CLASSES * config.voters, bias=False, device=device)
        self.lif8 = _neurons(config)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, 3, side, side) images, 0 to 1 -> (batch, steps, classes) averaged spikes, each sample from a fresh state.

        An image is a constant current, so that the first convolution is computed once. On a CPU channels lie last in memory,
        where convolutions, batch norm and above all pools take less time.
        """
        lie = torch.channels_last if images.device.type == "cpu" else torch.contiguous_format
        spikes = images.contiguous(memory_format=lie)[:, None]
        for i in range(1, CONVOLUTIONS + 1):
            spikes = self._fire(f"lif{i}", _each_step(self.get_submodule(f"conv{i}"), self.get_submodule(f"bn{i}"), x=spikes))
            if i in POOLED_AFTER:
                spikes = _each_step(self.pool, x=spikes)
        spikes = spikes.flatten(2)
        spikes = spikes * self.dropout(torch.ones_like(spikes[:, :1]))
        spikes = self._fire("lif7", self.fc1(spikes))
        votes = self._fire("lif8", self.fc2(spikes))
        return votes.view(*votes.shape[:2], CLASSES, -1).mean(3)

    def to_network(self, name: str) -> Network:
        """The float network that fires the same spikes, with batch norm folded into its weights."""
        from snnc.training.models.convnet_network import to_network

        return to_network(self, name)

    def _fire(self, name: str, currents: Tensor) -> Tensor:
        return fire(self.get_submodule(name), currents * (1 - self.config.beta), self.config.steps)


def _each_step(*layers: nn.Module, x: Tensor) -> Tensor:
    """(batch, steps, channels, height, width) through layers that know no steps."""
    batch, steps = x.shape[:2]
    x = x.flatten(0, 1)
    for layer in layers:
        x = layer(x)
    return x.view(batch, steps, *x.shape[1:])


def _neurons(config: ConvNetConfig) -> nn.Module:
    return snntorch.Leaky(  # type: ignore[no-any-return]
        config.beta, threshold=config.threshold, spike_grad=surrogate.atan(), reset_mechanism="zero"
    )
