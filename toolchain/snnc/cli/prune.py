"""`snnc prune`: a float network -> the same with fewer synapses."""

import time
from pathlib import Path
from typing import Any

import click

from snnc import data, store
from snnc.cli._common import PATH, config_from, config_options, force_option, json_option, out_option, quiet_option
from snnc.cli._data import data_options
from snnc.cli._own import Run, must_not_be_given, prune_file
from snnc.cli._training import interruptible, is_first, report, resume_option, tensorboard_option
from snnc.files import must_be_free
from snnc.training.own_settings import Factory, OwnConfig
from snnc.training.settings import PruneConfig, must_have_torch


@click.command("prune", short_help="Prune a network to the connectivity asked for.")
@click.argument("model", type=PATH)
@data_options
@config_options(PruneConfig)
@config_options(OwnConfig)
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
    """Prune MODEL to the connectivity (or sparsity) asked for, exactly.

    Synapses come and go while the network trains on; then they settle. Writes the network (--out), and beside it the
    metrics of every epoch (.metrics.jsonl), synapses pruned and regrown included, and a checkpoint (.ckpt).

    MODEL is a network (.snnc), or FILE.py:FACTORY: a Python file of yours, which is executed, and the function in it that
    makes a torch module. Of that the pruned state dict is written, as safetensors, and a report beside it (.json).
    """
    config: PruneConfig = config_from(PruneConfig, options)
    own: OwnConfig = config_from(OwnConfig, options)
    must_have_torch()
    if factory := Factory.parse(str(model)):
        run = Run(data_name, data_dir, resume, tensorboard, out, force, as_json, quiet)
        return prune_file(factory, own, config, run)
    must_not_be_given(own, model)
    from snnc.training.prune import prune
    from snnc.training.ranks import joined
    from snnc.training.record import Record

    net = store.load(model)
    record = Record.beside(out, quiet, tensorboard)
    record.must_be_free(force or not is_first(), resume)
    must_be_free(out, force or not is_first())
    started = time.perf_counter()
    with interruptible(record.checkpoint), joined(config):
        images, test = (data.load(data_name, split, data_dir) for split in ("train", "test"))
        pruned = prune(net, images, config, test, record, resume)
    if not is_first():
        return None
    store.save(pruned, out, force=force)
    return report(as_json, out, pruned, time.perf_counter() - started)
