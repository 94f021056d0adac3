"""Networks as users write them in snnTorch, for data of their own: a file that is imported by path, and knows nothing of snnc."""

import snntorch as snn
import torch
from torch import nn


class ConvAvg(nn.Module):
    """A convolution and an average of its spikes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.lif1 = snn.Leaky(beta=0.8)
        self.pool = nn.AvgPool2d(2)
        self.fc = nn.Linear(6 * 36, 4)
        self.lif2 = snn.Leaky(beta=0.8)

    def forward(self, x):  # (steps, batch, 2, 12, 12)
        m1, m2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        out = []
        for step in range(x.shape[0]):
            s1, m1 = self.lif1(self.conv(x[step]), m1)
            s2, m2 = self.lif2(self.fc(self.pool(s1).flatten(1)), m2)
            out.append(s2)
        return torch.stack(out)


class Norm(nn.Module):
    """Batch norm and soft reset."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.lif1 = snn.Leaky(beta=0.8, reset_mechanism="subtract")
        self.fc = nn.Linear(6 * 144, 4, bias=False)
        self.lif2 = snn.Leaky(beta=0.8, reset_mechanism="subtract")

    def forward(self, x):
        m1, m2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        out = []
        for step in range(x.shape[0]):
            s1, m1 = self.lif1(self.bn(self.conv(x[step])), m1)
            s2, m2 = self.lif2(self.fc(s1.flatten(1)), m2)
            out.append(s2)
        return torch.stack(out)


class Rec(nn.Module):
    """Recurrent layers with snnTorch's own settings."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(288, 40)
        self.r1 = snn.RLeaky(beta=0.8, linear_features=40)
        self.fc2 = nn.Linear(40, 30)
        self.r2 = snn.RSynaptic(alpha=0.5, beta=0.8, linear_features=30)
        self.fc3 = nn.Linear(30, 4)
        self.lif = snn.Leaky(beta=0.8)

    def forward(self, x):
        s1, m1 = self.r1.init_rleaky()
        s2, c2, m2 = self.r2.init_rsynaptic()
        m3 = self.lif.init_leaky()
        out = []
        for step in range(x.shape[0]):
            s1, m1 = self.r1(self.fc1(x[step].flatten(1)), s1, m1)
            s2, c2, m2 = self.r2(self.fc2(s1), s2, c2, m2)
            s3, m3 = self.lif(self.fc3(s2), m3)
            out.append(s3)
        return torch.stack(out)
