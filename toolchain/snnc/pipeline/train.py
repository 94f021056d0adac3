"""Train and prune: the stages behind `snnc train` and `snnc prune`, and `snnc.train`, `snnc.prune`, `snnc.prune_to_fit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import snnc.data as data_sets
from snnc.base.config import config_of
from snnc.base.files import must_be_free
from snnc.base.public import public, taken
from snnc.budget.goal import Goal
from snnc.data.dataset import Dataset
from snnc.data.load import Source
from snnc.errors import ConfigError
from snnc.mapping.choose import map_by
from snnc.mapping.model import CoreMap
from snnc.mapping.task import Task
from snnc.network.encoding import Encoding
from snnc.network.model import Network
from snnc.pipeline.arguments import Data, Say, dataset_of, path_of, silent
from snnc.training.pruning.own_settings import OwnConfig
from snnc.training.settings import PruneConfig, TrainConfig, is_first, must_have_torch
from snnc.verification.evaluate import evaluate

if TYPE_CHECKING:
    from snnc.training.loop.record import Record
    from snnc.training.pruning.loader import Batches
    from snnc.training.pruning.prune_to_fit import Round
    from snnc.training.pruning.pruned import Module, PrunedModule

STRATEGY = "greedy"  # what the budget of `prune_to_fit` counts


@public
def train(
    data: Data = "digits",
    *,
    test: Dataset | None = None,
    folder: Path | str | None = None,
    keep: Path | str | None = None,
    resume: Path | str | None = None,
    tensorboard: Path | str | None = None,
    force: bool = False,
    quiet: bool = True,
    say: Say = silent,
    config: TrainConfig | None = None,
    **settings: Any,
) -> Network:
    """Train a spiking network in floats: fully connected, recurrent, of a table of layers, or of a torch module in a file.

    Equal data, settings and threads give an equal network on one processor.

    Args:
        data: Name of a data set, or its training split.
        test: Test split, on which accuracy, or the measure of other labels, is taken after every epoch (default: that of a data
            set given by its name).
        folder: Where the files of the data set are (default: the environment variable SNNC_DATA).
        keep: Keep a checkpoint (.ckpt, .best.ckpt) and the metrics of every epoch (.metrics.jsonl) beside this path.
        resume: Checkpoint to go on from, with the same settings.
        tensorboard: Folder for a TensorBoard log.
        force: Replace the files beside ``keep``.
        quiet: Show no progress on stderr.
        say: Called with a line of progress.
        config: All settings at once, instead of keywords.
        **settings: Fields of `TrainConfig`: ``hidden``, ``epochs``, ``lr``, ``neuron``, ``encoding``, ``steps``, ...

    Returns:
        The network. Its last stage in ``done`` has the settings and the accuracies that were reached.

    Raises:
        ConfigError: A setting is unknown or impossible, or the checkpoint belongs to other settings.
        DataError: There is no such data set, or its files are missing or damaged.
        FileError: A file beside ``keep`` exists, or the checkpoint cannot be read.
        RunError: The loss became NaN.
        UnsupportedError: The loss does not suit the output, or no network can be made of the module.
        MissingDependencyError: torch or snnTorch is not installed.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> [p.size for p in net.populations]
        [64, 16, 10]
    """
    chosen = config_of(TrainConfig, config, settings)
    must_have_torch()
    from snnc.training.loop.ranks import joined
    from snnc.training.train import train as trained

    record = _record(keep, resume, tensorboard, force, quiet)
    with _interruptible(record, say), joined(chosen):
        images, held_out = _splits(data, test, folder)
        _say_what_is_left_out(images, chosen.input_encoding, say)
        return trained(images, held_out, chosen, record, path_of(resume), say)


@overload
def prune(
    model: Network, data: Data = ..., *, test: Dataset | None = ..., folder: Path | str | None = ...,
    keep: Path | str | None = ..., resume: Path | str | None = ..., tensorboard: Path | str | None = ..., force: bool = ...,
    quiet: bool = ..., say: Say = ..., config: PruneConfig | None = ..., **settings: Any,
) -> Network: ...  # fmt: skip
@overload
def prune(
    model: Module, data: Data | Batches = ..., *, test: Dataset | Batches | None = ..., folder: Path | str | None = ...,
    keep: Path | str | None = ..., resume: Path | str | None = ..., tensorboard: Path | str | None = ..., force: bool = ...,
    quiet: bool = ..., say: Say = ..., config: PruneConfig | None = ..., own: OwnConfig | None = ..., **settings: Any,
) -> PrunedModule: ...  # fmt: skip
@public
def prune(
    model: Network | Module,
    data: Data | Batches = "digits",
    *,
    test: Any = None,
    folder: Path | str | None = None,
    keep: Path | str | None = None,
    resume: Path | str | None = None,
    tensorboard: Path | str | None = None,
    force: bool = False,
    quiet: bool = True,
    say: Say = silent,
    config: PruneConfig | None = None,
    own: OwnConfig | None = None,
    **settings: Any,
) -> Network | PrunedModule:
    """Train a network or a torch module on while a method takes its synapses away, until exactly so many are left.

    Args:
        model: A float network; or a torch module, which is pruned in place. Of a module, ``forward`` returns spikes
            (batch, steps, classes), and all linear layers and convolutions are pruned.
        data: Name of a data set, or its training split; for a module also a DataLoader of (inputs, labels).
        test: Test split, or a DataLoader (default: that of a data set given by its name).
        folder: Where the files of the data set are (default: the environment variable SNNC_DATA).
        keep: Keep a checkpoint and the metrics of every epoch beside this path; not with a DataLoader.
        resume: Checkpoint to go on from, with the same settings; not with a DataLoader.
        tensorboard: Folder for a TensorBoard log; not with a DataLoader.
        force: Replace the files beside ``keep``.
        quiet: Show no progress on stderr.
        say: Called with a line of progress.
        config: All settings at once, instead of keywords.
        own: What a module takes from a data set, instead of the keywords ``input`` and ``steps``.
        **settings: Fields of `PruneConfig`: ``connectivity`` or ``sparsity``, ``method``, ``epochs``, ``lr``, ``layer``, ...;
            for a module on a data set also ``input`` ("image", "rate", "latency" or "constant") and ``steps``.

    Returns:
        The pruned network, or a `PrunedModule` with the module, its masks and metrics.

    Raises:
        ConfigError: A setting is unknown or impossible, the module breaks the contract, or a layer would lose all synapses.
        DataError: The data does not suit the network.
        FileError: A file beside ``keep`` exists, or the checkpoint cannot be read.
        RunError: The loss became NaN.
        UnsupportedError: The network cannot be trained.
        MissingDependencyError: torch or snnTorch is not installed.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> sparse = snnc.prune(net, "digits", connectivity=0.25, epochs=1)
        >>> sum(c.op.synapse_count for c in net.connections), sum(c.op.synapse_count for c in sparse.connections)
        (1184, 296)
    """
    _must_be_prunable(model)
    of_module = {f.name for f in fields(OwnConfig)} & settings.keys() if not isinstance(model, Network) else set()
    owned = config_of(OwnConfig, own, {key: settings.pop(key) for key in of_module})
    files = keep, resume, tensorboard
    if not isinstance(model, Network) and not isinstance(data, str | Source | Dataset):
        return _over_batches(model, data, test, files, own is not None or bool(of_module), config, settings)
    given: Data = taken("data", data, Data)
    taken("test", test, Dataset | None)
    chosen = config_of(PruneConfig, config, settings)
    must_have_torch()
    from snnc.training.loop.ranks import joined

    record = _record(*files, force, quiet)
    with _interruptible(record, say), joined(chosen):
        samples, held_out = _splits(given, test, folder)
        if isinstance(model, Network):
            return _network_pruned(model, samples, held_out, chosen, record, path_of(resume), say)
        from snnc.training.pruning.own import prune_own

        return prune_own(model, samples, chosen, owned, held_out, record, path_of(resume))


def _network_pruned(
    net: Network, samples: Dataset, test: Dataset | None, config: PruneConfig, record: Record, resume: Path | None, say: Say
) -> Network:
    from snnc.training.pruning.prune import prune as pruned

    _say_what_is_left_out(samples, net.encoding, say)
    return pruned(net, samples, config, test, record, resume)


def _must_be_prunable(model: object) -> None:
    """Raise UsageError for what is neither a network nor a torch module."""
    if isinstance(model, str | PathLike):
        Network.must_be(model)
    if not isinstance(model, Network):
        must_have_torch()
        from snnc.training.models.weights import must_be_module

        must_be_module(model, "pass a network, or a torch.nn.Module")


def _say_what_is_left_out(samples: Dataset, encoding: Encoding | None, say: Say) -> None:
    """Say how many events come after the last step."""
    if encoding is None or encoding.kind != "events" or not (part := samples.left_out(encoding)):
        return
    end = encoding.steps * encoding.bin_us
    say(f"{part:.1%} of the events come after step {encoding.steps}, at {end / 1e6:g} s, and are left out")


def _over_batches(
    model: Module, batches: Batches, test: Batches | None, files: tuple[Any, ...], given: bool, config: PruneConfig | None,
    settings: Mapping[str, Any],
) -> PrunedModule:  # fmt: skip
    """Prune a module over a DataLoader. Raises ConfigError for what goes with data sets only."""
    from snnc.training.pruning.loader import prune_over

    if any(files):
        fix = "leave out keep, resume and tensorboard, or pass a data set"
        raise ConfigError("the order of a DataLoader is not known, so that training could not be resumed", fix=fix)
    if given or "batch_size" in settings or settings.get("augment", "none") != "none":
        fix = "leave out input, steps, batch_size and augment: the loader decides that"
        raise ConfigError("a DataLoader gives its own batches", fix=fix)
    return prune_over(model, batches, config_of(PruneConfig, config, settings), test)


@dataclass(frozen=True, eq=False)
class Fitted:
    """The answer of `prune_to_fit`.

    Attributes:
        network: The float network of the last round.
        fixed: The same, quantised for the chip.
        core_map: Where its neurons lie; None if it does not fit, and on an FPGA.
        fits: Whether it fits, after all that could be done.
        goal: What it was to fit.
        uses: What ``fixed`` needs of what is limited.
        rounds: Times that it was trained; 0 if it fitted already, and is as it was.
        accuracy: Of ``fixed`` on the test split; None without one, or where its samples have no class each.
        kept: Networks of the rounds, beside ``keep``: what a run that was stopped goes on from.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(64,), epochs=1, steps=4)
        >>> fitted = snnc.prune_to_fit(net, "loihi1:packets=80", epochs=1)
        >>> fitted.fixed.numeric.profile, fitted.core_map.profile
        ('loihi1', 'loihi1')
    """

    network: Network
    fixed: Network
    core_map: CoreMap | None
    fits: bool
    goal: Goal
    uses: Mapping[str, Any]
    rounds: int
    accuracy: float | None
    kept: tuple[Path, ...]


@public
def prune_to_fit(
    net: Network,
    goal: Goal | str,
    data: Data = "digits",
    *,
    test: Dataset | None = None,
    folder: Path | str | None = None,
    keep: Path | str | None = None,
    resume: Path | str | None = None,
    tensorboard: Path | str | None = None,
    force: bool = False,
    quiet: bool = True,
    say: Say = silent,
    config: PruneConfig | None = None,
    **settings: Any,
) -> Fitted:
    """Prune a network until it fits a chip: find the connectivity of each layer, train to it, quantise, map, and again.

    Args:
        net: A float network.
        goal: What it is to fit: "loihi1:cores=8", "loihi1:chips=1,packets=500", "ice40up5k", "ecp5_25f:lanes=8".
        data: Name of a data set, or its training split.
        test: Test split (default: that of a data set given by its name).
        folder: Where the files of the data set are (default: the environment variable SNNC_DATA).
        keep: Keep checkpoints and metrics of every round beside this path.
        resume: The first checkpoint beside ``keep``, to go on from.
        tensorboard: Folder for a TensorBoard log of the first round.
        force: Replace the files beside ``keep``.
        quiet: Show no progress on stderr.
        say: Called with a line of progress.
        config: All settings at once, instead of keywords.
        **settings: Fields of `PruneConfig` but ``connectivity``, ``sparsity`` and ``layer``, which are found.

    Returns:
        The float and the quantised network, and the mapping if it fits a chip that has cores.

    Raises:
        UsageError: The goal cannot be read.
        DoesNotFitError: One synapse a neuron is too much.
        UnsupportedError: The chip cannot express the network.
        ConfigError: A setting is unknown or impossible, or files are of another run.
        MissingDependencyError: torch or snnTorch is not installed.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(64,), epochs=1, steps=4)
        >>> fitted = snnc.prune_to_fit(net, "loihi1:packets=80", epochs=1)
        >>> fitted.fits, fitted.uses["packets"] <= 80
        (True, True)
    """
    if not isinstance(goal, Goal):
        goal = Goal.parse(goal)
    chosen = config_of(PruneConfig, config, {"connectivity": 1.0, **settings} if config is None else settings)
    must_have_torch()
    from snnc.training.pruning.prune_to_fit import ROUNDS, Files
    from snnc.training.pruning.prune_to_fit import prune_to_fit as rounds_of

    files = Files(path_of(keep), resume is not None, quiet, path_of(tensorboard))
    first = files.record(1)
    _must_be_free(files, ROUNDS, first, force, path_of(resume))
    with _interruptible(first, say):
        images, held_out = _splits(data, test, folder)
        rounds = rounds_of(net, images, chosen, goal, test=held_out, files=files, say=say)
        accuracy = evaluate(rounds[-1].fixed, held_out).accuracy if held_out else None
    return _fitted(rounds[-1], goal, accuracy, tuple(filter(None, map(files.network, range(1, ROUNDS + 1)))))


def _fitted(last: Round, goal: Goal, accuracy: float | None, kept: tuple[Path, ...]) -> Fitted:
    fits, has_cores = goal.is_met(last.uses), goal.profile.fpga is None
    core_map = map_by(Task.of(last.fixed, goal.profile, last.rates), STRATEGY).mapping if fits and has_cores else None
    return Fitted(last.net, last.fixed, core_map, fits, goal, last.uses, last.number, accuracy, kept)


def _must_be_free(files: Any, rounds: int, first: Record, force: bool, resume: Path | None) -> None:
    """Of a run that goes on, what it wrote itself may be replaced. Raises FileError, ConfigError for another checkpoint."""
    if resume is not None and (first.checkpoint is None or resume.absolute() != first.checkpoint.absolute()):
        raise ConfigError(f"--fit goes on from {first.checkpoint}", where=str(resume), fix="name that file, or another --out")
    first.must_be_free(force, resume)
    for number in range(1, rounds + 1):
        if path := files.network(number):
            must_be_free(path, force or resume is not None)
            record = files.record(number)
            for old in (path, record.checkpoint, record.best, record.metrics) if force and resume is None else ():
                old.unlink(missing_ok=True)


def _splits(data: Data, test: Dataset | None, folder: Path | str | None) -> tuple[Dataset, Dataset | None]:
    """Return the training and the test split; the latter is None for data that was passed without one."""
    if test is None and isinstance(data, str | Source):
        test = data_sets.load(data, "test", path_of(folder))
    return dataset_of(data, "train", folder), test


def _record(
    keep: Path | str | None, resume: Path | str | None, tensorboard: Path | str | None, force: bool, quiet: bool
) -> Record:
    """Return where checkpoints and metrics go. Raises FileError if one is there, without ``force``, and may not be replaced."""
    from snnc.training.loop.record import Record

    if keep is None:
        return Record(quiet=quiet, tensorboard=path_of(tensorboard))
    record = Record.beside(Path(keep), quiet, path_of(tensorboard))
    record.must_be_free(force or not is_first(), path_of(resume))
    return record


@contextmanager
def _interruptible(record: Record, say: Callable[[str], None]) -> Iterator[None]:
    """Say after Ctrl-C where training can go on."""
    try:
        yield
    except KeyboardInterrupt:
        if record.checkpoint and record.checkpoint.exists():
            say(f"stopped; continue with the same options and --resume {record.checkpoint}")
        raise
