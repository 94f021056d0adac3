"""Losses: functions of the answer of an output, (batch, steps, outputs), and of what is wanted (`snnc.data.labels`).

Wanted are classes (batch,), classes in each step (batch, steps), or values, as floats: (batch, outputs) of the mean answer, or
(batch, steps, outputs).
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from snnc.data.labels import Task
from snnc.errors import UnsupportedError
from snnc.network.model import Population
from snnc.training.settings import Loss

Criterion = Callable[[Tensor, Tensor], Tensor]

OF_VOLTAGES: tuple[Loss, ...] = ("membrane", "membrane_mse")
OF_SPIKES: tuple[Loss, ...] = ("first_spike",)
OF_VALUES: tuple[Loss, ...] = ("rate", "membrane_mse")


def get(name: Loss) -> Criterion:
    """Return a loss by its name: (answer (batch, steps, outputs), what is wanted) -> mean over the batch."""
    return _LOSSES[name]


def must_suit(loss: Loss, output: Population, task: Task = "classes") -> None:
    """Raise UnsupportedError for a loss of voltages if the output fires, for a loss of spikes if it never does, and for one that
    does not go with the labels.
    """
    fires, where = output.neuron is None or output.neuron.rule.fires, f"population {output.name!r}"
    if fires and loss in OF_VOLTAGES:
        raise UnsupportedError(
            f"fires, and loss {loss} is for readouts", where=where, fix="use --loss counts, or train it with --readout li"
        )
    if not fires and loss in OF_SPIKES:
        raise UnsupportedError(f"never fires, and loss {loss} is for spikes", where=where, fix="use --loss membrane")
    must_suit_labels(loss, task, "rate" if fires else "membrane_mse", "counts" if fires else "membrane")


def must_suit_labels(loss: Loss, task: Task, of_values: Loss = "membrane_mse", of_steps: Loss = "counts") -> None:
    """Raise UnsupportedError for a loss that does not go with the labels; the other losses are what the remedy names."""
    if task == "values" and loss not in OF_VALUES:
        what = f"loss {loss} is for classes, and the data is labelled with values"
        raise UnsupportedError(what, fix=f"use --loss {of_values}")
    if task == "steps" and loss in OF_SPIKES:
        raise UnsupportedError(f"loss {loss} is for one class a sample, and each step has a label", fix=f"use --loss {of_steps}")


def _counts(answer: Tensor, wanted: Tensor) -> Tensor:
    """Return the cross-entropy over spike counts, or over the sums of a readout's voltages; of labels of steps in each step."""
    return _membrane(answer, wanted) if wanted.dim() == 2 else functional.cross_entropy(answer.sum(1), wanted)


def _rate(answer: Tensor, wanted: Tensor) -> Tensor:
    """Return the squared error of firing rates, or of mean voltages, against one-hot or values; in each step, if those are of
    steps.
    """
    values = wanted if wanted.is_floating_point() else functional.one_hot(wanted, answer.shape[2])
    return functional.mse_loss(answer if values.dim() == 3 else answer.mean(1), values.to(answer.dtype))


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
    every = wanted.flatten() if wanted.dim() == 2 else wanted.repeat_interleave(answer.shape[1])
    return functional.cross_entropy(answer.flatten(0, 1), every)


_LOSSES: dict[Loss, Criterion] = {
    "counts": _counts,
    "rate": _rate,
    "first_spike": _first_spike,
    "membrane": _membrane,
    "membrane_mse": _rate,
}
