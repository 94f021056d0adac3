r"""The network of Grad R's experiments on CIFAR-10, for `snnc prune`. DIR holds cifar-10-batches-bin or cifar-10-batches-py.

A narrow one for a machine without a GPU, first without pruning, then to 5 % of its weights. An epoch takes one core three to
six minutes:

    snnc prune examples/cifar10_6conv2fc.py:narrow --data cifar10 --data-dir DIR --method none --augment crop_flip \
        --loss rate --lr 1e-3 --batch-size 64 --epochs 30 -o out/dense.safetensors
    snnc prune examples/cifar10_6conv2fc.py:narrow --data cifar10 --data-dir DIR --connectivity 0.05 --augment crop_flip \
        --loss rate --lr 1e-3 --batch-size 64 --epochs 30 -o out/pruned.safetensors

The publication's own width (36.7 million weights, 1,614.7 million synapses) and settings, on a GPU; on N of them with
`torchrun --no-python --nproc-per-node N` before it, each taking --batch-size samples a step:

    snnc prune examples/cifar10_6conv2fc.py:full --data cifar10 --data-dir DIR --connectivity 0.05 --augment crop_flip \
        --loss rate --lr 1e-4 --batch-size 16 --epochs 2048 -o out/pruned.safetensors

A network with strides that one core trains in about an hour is compared by all methods in cifar10_strided.toml.
"""

import torch
from torch import nn

from snnc.training.models.convnet import ConvNet, ConvNetConfig


def full() -> ConvNet:
    """256 channels, 2048 hidden neurons, 8 steps."""
    return ConvNet()


def strided() -> ConvNet:
    """Five convolutions with strides instead of pools, 4 steps: 0.48 million weights, the network of cifar10_strided.toml.

    Currents enter times 1/2, so batch norm starts with a factor of 1.5, and voters with larger weights: few would fire else.
    """
    geometry = {"channels": (32, 64, 64, 128, 128), "strides": (1, 2, 2, 2, 1), "pooled_after": ()}
    model = ConvNet(ConvNetConfig(hidden=0, steps=4, dropout=0.0, **geometry))
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.fill_(1.5)
        model.fc2.weight.mul_(4)
    return model


def narrow() -> ConvNet:
    """16 channels, 128 hidden neurons, 4 steps: 0.16 million weights."""
    return ConvNet(ConvNetConfig(width=16, hidden=128, steps=4))
