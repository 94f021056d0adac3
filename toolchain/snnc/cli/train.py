"""`snnc train`: turn a data set into a float network."""

import time
from pathlib import Path
from typing import Any

import click

import snnc.data as data
from snnc import store
from snnc.base.files import write_bytes
from snnc.cli._common import (
    PATH,
    config_from,
    config_options,
    force_option,
    json_option,
    must_be_free_and_differ,
    out_option,
    quiet_option,
    say,
)
from snnc.cli._data import data_options, download_option
from snnc.cli._training import report, resume_option, tensorboard_option
from snnc.data.load import Source
from snnc.errors import UsageError
from snnc.network.model import Network
from snnc.pipeline.train import train
from snnc.training.settings import TrainConfig, is_first


@click.command("train", short_help="Train a spiking network on a data set.")
@data_options
@download_option
@config_options(TrainConfig)
@click.option("--state-dict", type=PATH, help="Also write the state dict of snnTorch's layers, as safetensors.")
@resume_option
@tensorboard_option
@out_option
@force_option
@json_option
@quiet_option
def command(
    data_name: str | Source,
    data_dir: Path | None,
    download: bool,
    state_dict: Path | None,
    resume: Path | None,
    tensorboard: Path | None,
    out: Path,
    force: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a spiking network: fully connected or recurrent, of a table of layers, or of a torch module of yours (--model).

    The command writes the network (--out), and beside it the metrics of every epoch (.metrics.jsonl) and the
    checkpoints of the last and of the best epoch (.ckpt, .best.ckpt).
    """
    config: TrainConfig = config_from(TrainConfig, options)
    if state_dict and config.is_own:
        raise UsageError("--state-dict is of snnTorch's layers", fix="use --neuron leaky or synaptic, or leave it out")
    must_be_free_and_differ({"--out": out, "--state-dict": state_dict}, force or not is_first())
    if download:
        data.download(str(data_name), data_dir)
    started = time.perf_counter()
    net = train(
        data_name, folder=data_dir, keep=out, resume=resume, tensorboard=tensorboard, force=force, quiet=quiet, say=say,
        config=config,
    )  # fmt: skip
    if not is_first():
        return
    store.save(net, out, force=force)
    if state_dict:
        write_bytes(state_dict, _packed(net), force=force)
    report(as_json, out, net, time.perf_counter() - started)


def _packed(net: Network) -> bytes:
    """Return the state dict of the network's torch model, as safetensors."""
    from safetensors.torch import save as pack

    from snnc.training.models.feedforward import from_network

    return pack({k: v.contiguous() for k, v in from_network(net).state_dict().items()})
