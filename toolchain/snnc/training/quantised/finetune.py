"""Short quantisation-aware fine-tuning: from a fixed network to a better fixed network. An option of quantising."""

import numpy as np
import torch

from snnc.analysis.current_bounds import current_bound
from snnc.data.dataset import Dataset, must_suit
from snnc.data.labels import merit
from snnc.errors import NetworkError
from snnc.network.model import Network, Stage
from snnc.training.loop import losses
from snnc.training.loop.fit import fit, mean_score
from snnc.training.loop.record import Metrics, Record
from snnc.training.quantised.integer import IntegerModel
from snnc.training.settings import FinetuneConfig

FEWEST = 1000  # samples by which epochs are compared


def finetune(
    float_net: Network, fixed: Network, data: Dataset, config: FinetuneConfig = FinetuneConfig(), record: Record | None = None
) -> Network:
    """Return ``fixed`` with integer weights that torch has trained as integers; scale, synapses and everything else stay.

    Training starts from the weights of ``float_net``. The epoch whose integers answer the validation samples best is kept, 0
    being ``fixed`` itself; epochs after which a current could wrap are not eligible. ``data`` is a training split. All of it
    trains, the validation samples, too: the float network was trained on them, and an epoch that had to do without them would
    be compared with one that had not. Their score shows which epoch is best, but nothing about unseen samples. Raises
    NetworkError if the networks do not belong together, UnsupportedError for a loss that does not suit the output, DataError
    for samples of another size.
    """
    if fixed.encoding is None:
        raise NetworkError("says no encoding, so that images cannot enter", where=f"network {fixed.name!r}")
    must_suit(fixed, data)
    losses.must_suit(config.loss, fixed.output, data.task)
    model = IntegerModel(fixed, latent_weights(float_net, fixed))
    kept = _Best(model, judging(data, config.validation), fixed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    optimizer.register_step_post_hook(lambda *_: model.project())
    metrics = fit(
        model, data, fixed.encoding, config, optimizer=optimizer, after_epoch=kept.look, record=record or Record(quiet=True)
    )
    settings = {
        **config.stated(), "data": data.name, "data_sha256": data.sha256, "kept_epoch": kept.epoch,
        f"validation_{data.measure}": kept.score, f"validation_{data.measure}_before": kept.before,
        "epochs_that_could_wrap": sum(line["could_wrap"] for line in metrics),
    }  # fmt: skip
    return kept.net.after(Stage("finetune", settings))


def latent_weights(float_net: Network, fixed: Network) -> dict[str, torch.Tensor]:
    """Return the float weight of every synapse of the fixed network, by connection, (synapses,)."""
    latent = {}
    sources = {c.name: c for c in float_net.connections}
    for c in fixed.connections:
        where = f"connection {c.name!r}"
        if c.name not in sources or sources[c.name].op.synapses.shape != c.op.synapses.shape:
            raise NetworkError(
                "is not in the float network, or with another shape", where=where, fix="pass its own float network"
            )
        source = sources[c.name].op.synapses
        weights, exist = source.at(c.op.synapses)
        if not exist.all():
            raise NetworkError("has synapses that the float network lacks", where=where, fix="pass its own float network")
        latent[c.name] = torch.from_numpy(weights)
    return latent


class _Best:
    """The integers that have answered the validation samples best so far."""

    def __init__(self, model: IntegerModel, validation: Dataset, fixed: Network) -> None:
        self.model, self.validation, self.net = model, validation, fixed
        self.seen, self.epoch = 0, 0
        self.before = self.score = self._mean_score()

    def look(self) -> Metrics:
        """Compare the integers of an epoch with the best so far. Called after each epoch."""
        self.seen += 1
        now, score = self.model.frozen(), self._mean_score()
        could_wrap = any(bound.wraps for bound in current_bound(now).values())
        measure = self.validation.measure
        if merit(measure, score) > merit(measure, self.score) and not could_wrap:
            self.net, self.score, self.epoch = now, score, self.seen
        return {f"validation_{measure}": score, "could_wrap": could_wrap}

    def _mean_score(self) -> float:
        assert self.model.net.encoding is not None  # noqa: S101 - for the type checker: finetune has looked
        return mean_score(self.model, self.validation, self.model.net.encoding)


def judging(data: Dataset, part: float) -> Dataset:
    """Return the samples by which epochs are compared: the last ``part`` of each class, but at least `FEWEST` or all there are.

    Of each class, as many data sets have one class after the other; of samples without one class they are the last of all.
    """
    part = max(part, min(1.0, FEWEST / len(data)))
    classes = data.labels if data.task == "classes" else np.zeros(len(data))
    chosen = np.zeros(len(data), np.bool_)
    for label in np.unique(classes):
        of_class = np.flatnonzero(classes == label)
        chosen[of_class[len(of_class) - int(np.ceil(len(of_class) * part)) :]] = True
    return data.of(chosen)
