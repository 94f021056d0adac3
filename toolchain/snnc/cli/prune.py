"""`snnc prune`: turn a float network into the same network with fewer synapses."""

import time
from pathlib import Path
from typing import Any

import click

from snnc import store
from snnc.base.factory import Factory
from snnc.base.files import must_be_free
from snnc.cli._common import PATH, config_from, config_options, force_option, json_option, out_option, quiet_option, say
from snnc.cli._data import data_options
from snnc.cli._fit import fit_network, goal_of
from snnc.cli._own import PruneOptions, must_not_be_given, prune_file
from snnc.cli._training import report, resume_option, tensorboard_option
from snnc.data.load import Source
from snnc.pipeline.train import prune
from snnc.training.pruning.own_settings import OwnConfig
from snnc.training.settings import PruneConfig, is_first, must_have_torch


@click.command("prune", short_help="Prune a network to the connectivity asked for.")
@click.argument("model", type=PATH)
@data_options
@config_options(PruneConfig)
@config_options(OwnConfig)
@click.option("--fit", help="Budget to fit, instead of a connectivity: loihi1:cores=8, or chips=N, packets=N.")
@resume_option
@tensorboard_option
@out_option
@force_option
@json_option
@quiet_option
def command(
    model: Path,
    data_name: str | Source,
    data_dir: Path | None,
    fit: str | None,
    resume: Path | None,
    tensorboard: Path | None,
    out: Path,
    force: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Prune MODEL to exactly the requested connectivity (or sparsity), or until it fits a chip (--fit).

    Synapses come and go while the network continues to train; then they settle. The command writes the network (--out), and
    beside it the metrics of every epoch with the synapses pruned and regrown (.metrics.jsonl), and the checkpoints
    of the last and of the best epoch (.ckpt, .best.ckpt).

    MODEL is a network (.snnc), or FILE.py:FACTORY: a Python file of yours, which is executed, and the function in it that makes
    a torch module. For a module, the pruned state dict is written as safetensors, and beside it a report (.json) and the network
    (.snnc) that fires as the module does.

    --fit CHIP:cores=N (or chips=N, packets=N per inference, or several with commas) finds the connectivity of each layer that
    the chip allows, trains to it, quantises and maps. If the network then does not fit, it removes more synapses and continues
    to train. The quantised network (.fixed.snnc) and the mapping (.mapping.json) are written, too. A network that fits already
    is written as it is. Exit code 3: the network could not be made to fit.
    """
    goal = goal_of(fit, model, options) if fit is not None else None
    config: PruneConfig = config_from(PruneConfig, options)
    own: OwnConfig = config_from(OwnConfig, options)
    run = PruneOptions(data_name, data_dir, resume, tensorboard, out, force, as_json, quiet)
    must_have_torch()
    if factory := Factory.parse(str(model)):
        prune_file(factory, own, config, run)
        return 0
    must_not_be_given(own, model)
    return fit_network(model, goal, config, run) if goal else _prune_network(model, config, run)


def _prune_network(model: Path, config: PruneConfig, run: PruneOptions) -> int:
    net = store.load(model)
    must_be_free(run.out, run.force or not is_first())
    started = time.perf_counter()
    pruned = prune(
        net, run.data_name, folder=run.data_dir, keep=run.out, resume=run.resume, tensorboard=run.tensorboard, force=run.force,
        quiet=run.quiet, say=say, config=config,
    )  # fmt: skip
    if is_first():
        store.save(pruned, run.out, force=run.force)
        report(run.as_json, run.out, pruned, time.perf_counter() - started)
    return 0
