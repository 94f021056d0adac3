"""What `snnc train` does: a float network from a data set."""

from pathlib import Path

import torch

from snnc.data.dataset import Dataset
from snnc.network.encoding import Encoding
from snnc.network.model import Network, Stage
from snnc.training.loop import ranks
from snnc.training.loop.fit import fit, provenance, threads
from snnc.training.loop.record import Record
from snnc.training.models.feedforward import build, to_network
from snnc.training.settings import TrainConfig


def train(
    data: Dataset, test: Dataset | None, config: TrainConfig, record: Record | None = None, resume: Path | None = None
) -> Network:
    """A trained float network, of which `from_network` makes the snnTorch model again.

    Equal data, configuration and threads give an equal network. Raises RunError if the loss diverges, FileError if the
    checkpoint ``resume`` cannot be used.
    """
    config = ranks.placed(config)
    encoding = Encoding(config.encoding, config.steps, config.encoding_seed)
    with threads(config.threads):
        torch.manual_seed(config.seed)
        model = build(
            (data.images.shape[1], *config.hidden, data.classes),
            neuron=config.neuron,
            beta=config.beta,
            alpha=config.alpha,
            threshold=config.threshold,
            bias=config.bias,
            kernel=config.kernel,
        ).to(config.device)
        metrics = fit(model, data, encoding, config, test=test, record=record, resume=resume)
    stage = Stage("train", provenance(config, data, metrics))
    return to_network(model, encoding, data.name, config.dt_s, (stage,))
