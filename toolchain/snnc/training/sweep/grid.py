"""`snnc sweep`: a table of methods x connectivities x seeds. Each row trains, prunes and is stored in a file of its own."""

import fcntl
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import snnc.data as data
from snnc import store
from snnc.base.config import Config, from_table, read_toml, setting
from snnc.base.factory import Factory
from snnc.base.files import is_empty_folder, make_folder, sha256_of, write_bytes
from snnc.data.dataset import must_have_classes
from snnc.data.load import Source
from snnc.errors import ConfigError, FileError, nearest
from snnc.network.connectivity import parameter_connectivity, synapse_connectivity
from snnc.network.model import Network
from snnc.training import methods
from snnc.training.loop.source import source
from snnc.training.settings import PruneConfig, TrainConfig

SCHEMA = "snnc.sweep-run/1"


@dataclass(frozen=True)
class GridConfig(Config):
    """The first lines of a grid's TOML file: what is compared, and on which data."""

    name: str = setting("sweep", "Name of the table.")
    data: str = setting("digits", "Data set: a name, a file, a folder, or FILE.py:NAME.")
    module: str | None = setting(
        None,
        "FILE.py:FACTORY: a torch module that takes images, which is trained and pruned as `snnc prune FILE.py:FACTORY` does it; "
        "[train] then has settings of [prune].",
    )
    split_seed: int | None = setting(None, "For data without a split: the seed that draws a fifth of it as test samples.", low=0)
    samples: int = setting(0, "Training samples to use, from the first; 0: all.", low=0)
    methods: tuple[str, ...] = setting(("none", "grad_r"), "Pruning methods, or names of [variant] tables.")
    connectivities: tuple[float, ...] = setting((0.05,), "Connectivities asked for; method none has one row without.")
    seeds: tuple[int, ...] = setting((0,), "Seeds, each of a training of its own.")

    @property
    def source(self) -> Source:
        """The data set, with the seed that splits it."""
        return Source(self.data, self.split_seed)

    @property
    def factory(self) -> Factory | None:
        """The function that makes the module. Raises ConfigError for what names none."""
        factory = Factory.parse(self.module) if self.module else None
        if self.module and not factory:
            raise ConfigError(f"module {self.module!r} is no Python file with a factory", fix="write FILE.py:FUNCTION")
        return factory


@dataclass(frozen=True)
class Row:
    """One training and pruning of a grid."""

    variant: str
    seed: int
    prune: PruneConfig

    @property
    def connectivity(self) -> float:
        """The requested connectivity."""
        return 1.0 if self.prune.target is None else self.prune.target

    @property
    def label(self) -> str:
        return f"{self.variant}-{self.connectivity:g}-{self.seed}"


@dataclass(frozen=True)
class Grid:
    """A table to make: its goal, the settings that all rows share, and the rows."""

    path: Path
    goal: GridConfig
    train: TrainConfig | PruneConfig  # of a module: a pruning by method none
    rows: tuple[Row, ...]

    def chosen(self, wanted: Iterable[str]) -> "Grid":
        """Return the grid with only the rows of these labels, or of labels that start like this. Raises ConfigError if there
        are none.
        """
        wanted = tuple(wanted)
        for text in wanted:
            if not any(_matches(row, text) for row in self.rows):
                raise ConfigError(f"no row {text!r}", where=str(self.path), fix=nearest(text, [r.label for r in self.rows]))
        return replace(self, rows=tuple(r for r in self.rows if not wanted or any(_matches(r, text) for text in wanted)))


def _matches(row: Row, text: str) -> bool:
    return row.label == text or row.label.startswith(f"{text}-")


def read_grid(path: Path) -> Grid:
    """Return a grid from a TOML file: lines of `GridConfig`, [train] of `TrainConfig`, [prune] of `PruneConfig`, and a table
    [variant.NAME] for each method that has settings of its own.

    Raises FileError, or ConfigError that names file, table and key.
    """
    table = read_toml(path)
    tables = ("train", "prune", "variant")
    own = {f.name for f in fields(GridConfig)}
    for key in table:
        if key not in own and key not in tables:
            raise ConfigError(f"unknown key {key!r}", where=str(path), fix=nearest(key, sorted(own | set(tables))))
        if (key in tables) != isinstance(table[key], dict):
            raise ConfigError(f"{key!r} is {'no' if key in tables else 'a'} table", where=str(path), fix="see examples/")
    goal = from_table(GridConfig, {k: v for k, v in table.items() if k in own}, str(path))
    train = _train(goal, table.get("train", {}), f"{path} [train]")
    rows = tuple(_rows(path, goal, table.get("prune", {}), table.get("variant", {})))
    labels = Counter(row.label for row in rows)
    if doubled := [label for label, count in labels.items() if count > 1]:  # it would have one file, and count as two seeds
        fix = "name each method, each connectivity (its first six digits) and each seed once"
        raise ConfigError(f"row {doubled[0]!r} is there {labels[doubled[0]]} times", where=str(path), fix=fix)
    return Grid(path, goal, train, rows)


def _train(goal: GridConfig, table: Mapping[str, Any], where: str) -> TrainConfig | PruneConfig:
    if not goal.factory:
        return from_table(TrainConfig, table, where)
    if method := {"method", "connectivity", "sparsity"} & table.keys():
        raise ConfigError(f"{min(method)} in the training that precedes all rows", where=where, fix="leave it out")
    return from_table(PruneConfig, {**table, "method": "none"}, where)


def _rows(path: Path, goal: GridConfig, shared: Mapping[str, Any], variants: Mapping[str, Any]) -> Iterator[Row]:
    if unused := sorted(variants.keys() - set(goal.methods)):
        raise ConfigError(f"[variant.{unused[0]}] is not among the methods", where=str(path), fix="add it to methods")
    if doubled := sorted({name for name in goal.methods if goal.methods.count(name) > 1}):
        raise ConfigError(f"method {doubled[0]!r} is there twice", where=str(path), fix="name it once")
    for name in ("methods", "connectivities", "seeds"):
        if not getattr(goal, name):
            raise ConfigError(f"{name} is empty", where=str(path), fix="name at least one, or leave the line out")
    for variant in goal.methods:
        method = variant.split("-")[0] if variant in methods.names() else None
        table = {**shared, **({"method": method} if method else {}), **variants.get(variant, {})}
        if "method" not in table:
            raise ConfigError(f"no pruning method {variant!r}", where=str(path), fix=nearest(variant, methods.names()))
        asked = (None,) if table["method"] == "none" else goal.connectivities
        for connectivity in asked:
            for seed in goal.seeds:
                settings = {**table, "connectivity": connectivity, "seed": seed}
                where = f"{path} {variant}" if connectivity is None else f"{path} {variant} at {connectivity}"
                yield Row(variant, seed, from_table(PruneConfig, settings, where))


def must_be_possible(grid: Grid, folder: Path | None) -> None:
    """Raise ConfigError or DataError for a row that could not be pruned, before anything is trained."""
    from snnc.training.pruning.prune import pruner

    images = data.load(grid.goal.source, "train", folder)
    must_have_classes(images, "snnc sweep")
    weights = _weights(grid, images)
    seen = set()
    for row in grid.rows:
        if row.connectivity not in seen or row.variant not in seen:
            pruner(deepcopy(weights), [], row.prune, steps=100)  # some methods prune when they begin
        seen |= {row.connectivity, row.variant}


def _weights(grid: Grid, images: data.Dataset) -> Mapping[str, Any]:
    """Return the weights that are pruned, by name, as they are before any training."""
    from snnc.training.models.trainable import trainable
    from snnc.training.models.weights import prunable
    from snnc.training.train import at_the_start
    from snnc.training.user_module import make

    if isinstance(grid.train, TrainConfig):
        return trainable(at_the_start(images, grid.train)).weights
    return prunable(make(_factory(grid), grid.train.seed))


def _factory(grid: Grid) -> Factory:
    factory = grid.goal.factory
    if factory is None:
        raise ConfigError("is no grid of a module", where=str(grid.path), fix="name one: module = FILE.py:FUNCTION")
    return factory


@contextmanager
def opened(grid: Grid, out: Path) -> Iterator[None]:
    """Create the folder, or check that it is empty or that this sweep left it, and lock it against other sweeps within.

    Raises FileError if the folder is something else, or in use.
    """
    note = out / "sweep.json"
    make_folder(out)
    if not note.is_file() and not is_empty_folder(out):
        raise FileError("exists and is no sweep", where=str(out), fix="pick another --out")
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_bytes(note, (json.dumps({"schema": "snnc.sweep/1", "name": grid.goal.name}) + "\n").encode(), force=True)
        yield
    except BlockingIOError as error:
        raise FileError("is in use by another sweep", where=str(out), fix="wait for it, or pick another --out") from error
    finally:
        os.close(folder)


def missing(grid: Grid, out: Path) -> list[Row]:
    """Return the rows that have no result yet. Raises ConfigError for a result of other settings."""
    return [row for row in grid.rows if read_result(grid, row, out) is None]


def read_result(grid: Grid, row: Row, out: Path) -> dict[str, Any] | None:
    """Return the result of a row, None if it has not run. Raises ConfigError if it ran with other settings."""
    path = _result_path(row, out)
    if not path.exists():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_text())
        settings = result["settings"] if result["schema"] == SCHEMA else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileError("is no result of a sweep", where=str(path), fix="delete it, or pick another --out") from error
    if settings != _settings(grid, row):
        raise ConfigError("was made with other settings", where=str(path), fix="pick another --out, or add --force")
    return result


def train_once(grid: Grid, seed: int, out: Path, folder: Path | None) -> Path:
    """Return the file of the network, or of the module's weights, that all rows of a seed start from; train it if needed, from
    a checkpoint if one exists.
    """
    from snnc.training.loop.record import Record
    from snnc.training.sweep.modules import train_module
    from snnc.training.train import train

    config = replace(grid.train, seed=seed)
    path = _trained_path(grid, config, out)
    if path.exists():
        return path
    record, images, test = Record(path.with_suffix(".ckpt"), None, quiet=True), *_data(grid, folder)
    resume = _existing(path.with_suffix(".ckpt"))
    if isinstance(config, TrainConfig):
        store.save(train(images, test, config, record, resume), path, force=True)
    else:
        train_module(_factory(grid), config, images, test, record, resume, path)
    path.with_suffix(".ckpt").unlink(missing_ok=True)
    return path


def run_row(grid: Grid, row: Row, out: Path, folder: Path | None, command: str) -> dict[str, Any]:
    """Prune as the row says, and store the result in its file."""
    from snnc.training.loop.record import Record

    trained = _trained_path(grid, replace(grid.train, seed=row.seed), out)
    checkpoint, metrics = (out / f"{row.label}{suffix}" for suffix in (".ckpt", ".metrics.jsonl"))
    images, test = _data(grid, folder)
    started = time.perf_counter()
    reached = _pruned(grid, row, trained, images, test, Record(checkpoint, metrics, quiet=True), _existing(checkpoint))
    epochs = [json.loads(line) for line in metrics.read_text().splitlines()]
    seconds = sum(line["seconds"] for line in epochs)
    result = {
        "schema": SCHEMA, "variant": row.variant, "method": row.prune.method, "connectivity": row.connectivity,
        "seed": row.seed, "command": f"{command} --row {row.label}", **source(), "settings": _settings(grid, row),
        "data": images.name, "data_sha256": images.sha256, "training_samples": len(images), **reached,
        "seconds": round(seconds, 1), "seconds_with_loading": round(time.perf_counter() - started, 1), "epochs": epochs,
    }  # fmt: skip
    write_bytes(_result_path(row, out), (json.dumps(result, indent=1) + "\n").encode(), force=True)
    for path in (checkpoint, metrics):
        path.unlink(missing_ok=True)
    return result


def forget(row: Row, out: Path) -> None:
    """Remove a row's result and its unfinished files."""
    for suffix in (".json", ".ckpt", ".metrics.jsonl"):
        (out / f"{row.label}{suffix}").unlink(missing_ok=True)


def _pruned(
    grid: Grid, row: Row, trained: Path, images: data.Dataset, test: data.Dataset, record: Any, resume: Path | None
) -> Mapping[str, Any]:
    """Prune what the row starts from, and return what its result says about it."""
    from snnc.training.pruning.prune import prune
    from snnc.training.sweep.modules import prune_module

    if grid.goal.module:
        return prune_module(_factory(grid), row.prune, trained, images, test, record, resume)
    net = store.load(trained)
    return _reached(net, prune(net, images, row.prune, test, record, resume))


def _reached(trained: Network, pruned: Network) -> dict[str, Any]:
    reached = pruned.done[-1].settings["reached"]
    return {
        "test_accuracy": reached["test_accuracy"],
        "train_accuracy": reached["train_accuracy"],
        "test_accuracy_before": trained.done[-1].settings["reached"]["test_accuracy"],
        "parameter_connectivity": parameter_connectivity(pruned),
        "synapse_connectivity": synapse_connectivity(pruned),
        "network_hash": pruned.hash,
    }


def _data(grid: Grid, folder: Path | None) -> tuple[data.Dataset, data.Dataset]:
    images, test = (data.load(grid.goal.source, split, folder) for split in ("train", "test"))
    return images.first(grid.goal.samples or len(images)), test


def _stated(goal: GridConfig) -> dict[str, Any]:
    """Return what says on which samples all rows train; the seed of the split, and the module, only if there is one."""
    seed = {} if goal.split_seed is None else {"split_seed": goal.split_seed}
    factory = goal.factory
    module = {"module": f"{factory.path.name}:{factory.name}", "module_sha256": sha256_of(factory.path)} if factory else {}
    return {"data": goal.data, "samples": goal.samples, **seed, **module}


def _settings(grid: Grid, row: Row) -> dict[str, Any]:
    """Return the settings as JSON returns them."""
    return {**_stated(grid.goal), "train": replace(grid.train, seed=row.seed).stated(), "prune": row.prune.stated()}


def _trained_path(grid: Grid, config: TrainConfig | PruneConfig, out: Path) -> Path:
    """Return the path of the trained network or weights, named by its settings, so that no other training is mistaken for it."""
    settings = json.dumps([*_stated(grid.goal).values(), config.stated()], sort_keys=True)
    suffix = "safetensors" if grid.goal.module else "snnc"
    return out / f"trained-{config.seed}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}.{suffix}"


def _result_path(row: Row, out: Path) -> Path:
    return out / f"{row.label}.json"


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
