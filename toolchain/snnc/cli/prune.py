"""`snnc prune`: a float network -> the same with fewer synapses."""

import time
from pathlib import Path
from typing import Any

import click

from snnc import data, store
from snnc.cli._common import PATH, config_from, config_options, force_option, json_option, out_option, quiet_option
from snnc.cli._data import data_options
from snnc.cli._training import interruptible, is_first, report, resume_option, tensorboard_option
from snnc.files import must_be_free
from snnc.training.settings import PruneConfig, must_have_torch


@click.command("prune")
@click.argument("model", type=PATH)
@data_options
@config_options(PruneConfig)
@resume_option
@tensorboard_option
@out_option
@force_option
@json_option
@quiet_option
def command(
    model: Path,
    data_name: str,
    data_dir: Path | None,
    resume: Path | None,
    tensorboard: Path | None,
    out: Path,
    force: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Prune MODEL with Grad R to the connectivity (or sparsity) asked for, exactly.

    Synapses come and go while the network trains on; then they settle. Writes the network (--out), and beside it the
    metrics of every epoch (.metrics.jsonl), synapses pruned and regrown included, and a checkpoint (.ckpt).
    """
    config: PruneConfig = config_from(PruneConfig, options)
    must_have_torch()
    from snnc.training.prune import prune
    from snnc.training.ranks import joined
    from snnc.training.record import Record

    net = store.load(model)
    record = Record.beside(out, quiet, tensorboard)
    record.must_be_free(force or resume is not None or not is_first())
    must_be_free(out, force or not is_first())
    started = time.perf_counter()
    with interruptible(record.checkpoint), joined(config):
        images, test = (data.load(data_name, split, data_dir) for split in ("train", "test"))
        pruned = prune(net, images, config, test, record, resume)
    if not is_first():
        return
    store.save(pruned, out, force=force)
    report(as_json, out, pruned, time.perf_counter() - started)
