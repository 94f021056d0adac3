"""A plain snnTorch training loop on handwritten digits, pruned by Grad R: two lines differ from the loop without pruning.

python examples/own_loop.py
"""

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor, nn

from snnc import data
from snnc.optim import GradR, parameter_groups  # 1 of 2

EPOCHS, BATCH, STEPS = 20, 32, 8


class Net(nn.Module):
    """64-100-10, batch norm between; the image is a current that flows in every step."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.norm, self.fc2 = nn.Linear(64, 100), nn.BatchNorm1d(100), nn.Linear(100, 10)
        self.hidden = snntorch.Leaky(0.9, spike_grad=surrogate.atan(), reset_mechanism="zero")
        self.output = snntorch.Leaky(0.9, spike_grad=surrogate.atan(), reset_mechanism="zero")

    def forward(self, images: Tensor) -> Tensor:
        """(batch, 64) -> (batch, steps, 10) spikes."""
        current = self.norm(self.fc1(images))
        hidden, output, fired = self.hidden.init_leaky(), self.output.init_leaky(), []
        for _ in range(STEPS):
            spikes, hidden = self.hidden(current, hidden)
            spikes, output = self.output(self.fc2(spikes), output)
            fired.append(spikes)
        return torch.stack(fired, 1)


def loader(split: data.Split) -> torch.utils.data.DataLoader[tuple[Tensor, ...]]:
    """Batches of pixels, 0 to 1, and labels."""
    digits = data.load("digits", split)
    pixels = torch.from_numpy(digits.images / 255).float()
    samples = torch.utils.data.TensorDataset(pixels, torch.from_numpy(digits.labels.copy()))
    return torch.utils.data.DataLoader(samples, BATCH, shuffle=split == "train")


def main(connectivity: float = 0.05) -> tuple[Net, float]:
    """Train and prune; returns the network and its accuracy on the test samples."""
    torch.manual_seed(0)
    net, training, test = Net(), loader("train"), loader("test")
    # without pruning: torch.optim.Adam(net.parameters(), lr=5e-3)
    optimizer = GradR(parameter_groups(net), connectivity=connectivity, steps=EPOCHS * len(training), lr=5e-3)  # 2 of 2
    for _ in range(EPOCHS):
        net.train()
        for images, labels in training:
            loss = nn.functional.cross_entropy(net(images).sum(1), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    right = sum(int((net(images).sum(1).argmax(1) == labels).sum()) for images, labels in test)
    return net, right / sum(len(labels) for _, labels in test)


if __name__ == "__main__":
    trained, accuracy = main()
    weights = {name: layer.weight for name, layer in trained.named_children() if isinstance(layer, nn.Linear)}
    for name, weight in weights.items():
        print(f"{name}: {int((weight != 0).sum())} of {weight.numel()} weights left")
    print(f"test accuracy {accuracy:.1%}")
