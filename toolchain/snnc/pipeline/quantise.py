"""Quantise: the stage behind `snnc quantise` and `snnc.quantise`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from snnc.base.config import config_of
from snnc.base.public import Count, Seed, Times, public
from snnc.data.dataset import Dataset
from snnc.data.labels import in_words, value_in_words
from snnc.errors import UsageError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.network.units import DECAY
from snnc.passes.quantise import QuantiseConfig
from snnc.passes.quantise import quantise as rounded
from snnc.pipeline.arguments import Chip, Data, Say, dataset_of, profile_of, silent
from snnc.pipeline.limit import must_keep_budgets
from snnc.training.settings import FinetuneConfig, Loss, must_have_torch

_DEFAULT = FinetuneConfig()


@public
def quantise(
    net: Network,
    chip: Chip,
    *,
    finetune_epochs: Times = 0,
    finetune_lr: float = _DEFAULT.lr,
    finetune_loss: Loss | None = None,
    seed: Seed = _DEFAULT.seed,
    threads: Count = _DEFAULT.threads,
    data: Data = "digits",
    folder: Path | str | None = None,
    quiet: bool = True,
    say: Say = silent,
    config: QuantiseConfig | None = None,
    **settings: Any,
) -> Network:
    """Round a float network to the integers of a chip; nothing is clipped.

    Args:
        net: A float network.
        chip: Name of a chip, path of its profile, or the profile.
        finetune_epochs: Then train so often over the data in the chip's integers, and keep the best epoch.
        finetune_lr: Learning rate of that training, in the unit of the float weights.
        finetune_loss: Loss of that training (default: the one that the network was trained with, where its history says it).
        seed: Seed of that training.
        threads: Threads of torch.
        data: Name of the data set for that training, or its training split.
        folder: Where the files of the data set are (default: the environment variable SNNC_DATA).
        quiet: Show no progress on stderr.
        say: Called with a line about each decay that the chip cannot hold, and about the epoch that was kept.
        config: All settings at once, instead of keywords.
        **settings: Fields of `QuantiseConfig`: ``sign_mode``, ``drop_zeros``, ``negative_exponents``,
            ``max_spikes_per_step``.

    Returns:
        A fixed-point network with the same populations and synapses.

    Raises:
        NetworkError: The network is fixed already, or a parameter is out of the chip's range or rounds to zero.
        ProfileError: There is no such chip, or its profile is damaged.
        ConfigError: A setting is unknown or impossible.
        UsageError: Something is said of fine-tuning without ``finetune_epochs``.
        DataError: The data does not suit the network, or a sample is beyond the budget of an input.
        MissingDependencyError: Fine-tuning needs torch, which is not installed.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1), "loihi1")
        >>> fixed.numeric.kind, fixed.numeric.profile
        ('fixed', 'loihi1')
    """
    only_tuned = {
        "--finetune-lr": finetune_lr != _DEFAULT.lr, "--finetune-loss": finetune_loss is not None,
        "--seed": seed != _DEFAULT.seed, "--threads": threads != _DEFAULT.threads, "--data": data != "digits",
    }  # fmt: skip
    if not finetune_epochs and (said := [option for option, given in only_tuned.items() if given]):
        raise UsageError("says nothing, as nothing is fine-tuned", where=", ".join(said), fix="add --finetune-epochs")
    fixed = rounded(net, profile_of(chip), config_of(QuantiseConfig, config, settings))
    for note in _short_decays(net, fixed):
        say(note)
    if not finetune_epochs:
        return fixed
    must_have_torch()
    samples = dataset_of(data, "train", folder)
    loss = finetune_loss or _loss_of(net, samples)
    tuning = FinetuneConfig(epochs=finetune_epochs, lr=finetune_lr, loss=loss, seed=seed, threads=threads)
    return _finetuned(net, fixed, samples, tuning, quiet, say)


def _loss_of(net: Network, samples: Dataset) -> Loss:
    """Return the loss that a network was trained with last; where its history says none, one that goes with output and labels."""
    for stage in reversed(net.done):
        if (loss := stage.settings.get("loss")) in get_args(Loss):
            return cast(Loss, loss)
    if samples.task != "values":
        return "counts"
    return "rate" if net.output.neuron is None or net.output.neuron.rule.fires else "membrane_mse"


def _finetuned(net: Network, fixed: Network, samples: Dataset, config: FinetuneConfig, quiet: bool, say: Say) -> Network:
    """Return the best epoch of a fixed network that is trained on, and say which that is."""
    from snnc.training.loop.record import Record
    from snnc.training.quantised.finetune import finetune

    must_keep_budgets(fixed, samples)
    tuned = finetune(net, fixed, samples, config, Record(quiet=quiet))
    kept, measure = tuned.done[-1].settings, samples.measure
    now, before = kept[f"validation_{measure}"], kept[f"validation_{measure}_before"]
    say(
        f"kept epoch {kept['kept_epoch']} of {config.epochs}: validation {in_words(measure, now)}, "
        f"before {value_in_words(measure, before)}"
    )
    return tuned


def _short_decays(net: Network, fixed: Network) -> Iterator[str]:
    """Yield a note for each decay of 1 that became less, as the register of the chip holds no more."""
    assert isinstance(fixed.numeric, Fixed)  # noqa: S101 - for the type checker: it was quantised
    whole = 1 << fixed.numeric.decay_bits
    for p in net.populations:
        parameters = p.neuron.parameters() if p.neuron else {}
        for name in (name for name in parameters if parameters[name].metadata["unit"] is DECAY):
            most = np.max(getattr(fixed[p.name].neuron, name))
            if (getattr(p.neuron, name) == 1).any() and most < whole:
                yield (
                    f"note: {name} of {p.name!r} is 1 and becomes {most} / {whole}, the most that {fixed.numeric.profile}"
                    " holds: a small rest of the state stays"
                )
