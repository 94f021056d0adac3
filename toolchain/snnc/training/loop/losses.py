"""Losses: functions of the answer of an output, (batch, steps, classes), and the wanted classes, (batch,)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from snnc.errors import UnsupportedError
from snnc.network.model import Population
from snnc.training.settings import Loss

Criterion = Callable[[Tensor, Tensor], Tensor]

OF_VOLTAGES: tuple[Loss, ...] = ("membrane", "membrane_mse")
OF_SPIKES: tuple[Loss, ...] = ("first_spike",)


def get(name: Loss) -> Criterion:
    """Return a loss by its name: (answer (batch, steps, classes), wanted classes (batch,)) -> mean over the batch."""
    return _LOSSES[name]


def must_suit(loss: Loss, output: Population) -> None:
    """Raise UnsupportedError for a loss of voltages if the output fires, and for a loss of spikes if it never does."""
    fires, where = output.neuron is None or output.neuron.rule.fires, f"population {output.name!r}"
    if fires and loss in OF_VOLTAGES:
        raise UnsupportedError(
            f"fires, and loss {loss} is for readouts", where=where, fix="use --loss counts, or train it with --readout li"
        )
    if not fires and loss in OF_SPIKES:
        raise UnsupportedError(f"never fires, and loss {loss} is for spikes", where=where, fix="use --loss membrane")


def _counts(answer: Tensor, wanted: Tensor) -> Tensor:
    """Return the cross-entropy over spike counts, or over the sums of a readout's voltages."""
    return functional.cross_entropy(answer.sum(1), wanted)


def _rate(answer: Tensor, wanted: Tensor) -> Tensor:
    """Return the squared error of firing rates, or of mean voltages, against one-hot."""
    return functional.mse_loss(answer.mean(1), functional.one_hot(wanted, answer.shape[2]).to(answer.dtype))


def first_spike(spikes: Tensor) -> Tensor:
    """Return the steps before each neuron's first spike, (batch, classes); all of them where there is none.

    The product of (1 - spike) over the steps so far is 1 until the first spike and 0 from then on, and its sum that time: a
    function of the spikes that has a gradient.
    """
    return torch.cumprod(1 - spikes, 1).sum(1)


def _first_spike(answer: Tensor, wanted: Tensor) -> Tensor:
    """Return the cross-entropy over minus the time of the first spike, as in Mostafa, "Supervised learning based on temporal
    coding in spiking neural networks", arXiv 1606.08165.
    """
    return functional.cross_entropy(-first_spike(answer), wanted)


def _membrane(answer: Tensor, wanted: Tensor) -> Tensor:
    """Return the cross-entropy over a readout's voltages, averaged over all steps."""
    return functional.cross_entropy(answer.flatten(0, 1), wanted.repeat_interleave(answer.shape[1]))


_LOSSES: dict[Loss, Criterion] = {
    "counts": _counts,
    "rate": _rate,
    "first_spike": _first_spike,
    "membrane": _membrane,
    "membrane_mse": _rate,
}
