"""Pruning until a network fits a budget of a chip: what `snnc prune --fit` does."""

import json
import os
import time
from pathlib import Path
from typing import Any

from snnc import data, store
from snnc.base.factory import Factory
from snnc.base.files import must_be_free, write_bytes
from snnc.budget.goal import Goal
from snnc.cli._common import print_json, print_table, say
from snnc.cli._own import PruneOptions
from snnc.cli._training import interruptible
from snnc.errors import ConfigError
from snnc.mapping.choose import map_by
from snnc.mapping.model import CoreMap
from snnc.mapping.task import Task
from snnc.network.connectivity import parameter_connectivity
from snnc.network.model import Network
from snnc.training.settings import PruneConfig
from snnc.verification.evaluate import evaluate

ASKED = ("connectivity", "sparsity", "layer")
STRATEGY = "greedy"  # what `measure` counts


def goal_of(text: str, model: Path, options: dict[str, Any]) -> Goal:
    """The goal of --fit; sets the connectivity, which has no meaning then. Raises ConfigError for what does not go with it."""
    if given := [f"--{name}" for name in ASKED if options[name] not in (None, ())]:
        raise ConfigError(f"--fit finds the connectivity, {given[0]} asks for one", fix="leave one of them out")
    if Factory.parse(str(model)):
        raise ConfigError("--fit is for networks", where=str(model), fix="give a .snnc file")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("--fit trains in one process", fix="start it without torchrun")
    goal = Goal.parse(text)
    options["connectivity"] = 1.0
    return goal


def fit_network(model: Path, goal: Goal, config: PruneConfig, run: PruneOptions) -> int:
    """Write the float network to ``out``, and beside it the quantised one (.fixed.snnc), its mapping (.mapping.json), metrics and
    checkpoints. Returns the exit code: 3 if it does not fit, after all that could be done."""
    from snnc.training.pruning.prune_to_fit import ROUNDS, Files, prune_to_fit

    fixed_path, mapping_path = (run.out.with_name(_stem(run.out) + ending) for ending in (".fixed.snnc", ".mapping.json"))
    files = Files(run.out, run.resume is not None, run.quiet, run.tensorboard)
    _must_be_free(files, ROUNDS, (run.out, fixed_path, mapping_path), run)
    net = store.load(model)
    started = time.perf_counter()
    with interruptible(files.record(1).checkpoint):
        images, test = (data.load(run.data_name, split, run.data_dir) for split in ("train", "test"))
        rounds = prune_to_fit(
            net, images, config, goal, test=test, files=files, say=lambda line: say(line, run.quiet)
        )  # fmt: skip
        last = rounds[-1]
        accuracy = evaluate(last.fixed, test).accuracy
    fits = goal.is_met(last.uses)
    store.save(last.net, run.out, force=run.force)
    store.save(last.fixed, fixed_path, force=run.force)
    if fits:
        mapping = map_by(Task.of(last.fixed, goal.profile, last.rates), STRATEGY).mapping
        write_bytes(mapping_path, _json(mapping), force=run.force)
    for number in range(1, ROUNDS + 1):
        files.network(number).unlink(missing_ok=True)  # type: ignore[union-attr]
    _report(run, goal, last.net, {
        "fits": fits, "goal": str(goal), "rounds": len(rounds), "uses": {k: v for k, v in last.uses.items() if k != "share"},
        "limits": {**goal.profile.totals, **goal.limits},
        "test_accuracy_before": _reached(net), "test_accuracy": _reached(last.net), "test_accuracy_fixed": accuracy,
        "parameter_connectivity": parameter_connectivity(last.net),
        "connectivity": {c.name: parameter_connectivity(c) for c in last.net.connections},
        "network": str(run.out), "fixed": str(fixed_path), "mapping": str(mapping_path) if fits else None,
        "seconds": round(time.perf_counter() - started, 1),
    })  # fmt: skip
    return 0 if fits else 3


def _stem(out: Path) -> str:
    return out.name.removesuffix(".snnc")


def _must_be_free(files: Any, rounds: int, paths: tuple[Path, ...], run: PruneOptions) -> None:
    """Of a run that goes on, what it wrote itself may be replaced. Raises FileError, ConfigError for another checkpoint."""
    first = files.record(1)
    if run.resume is not None and run.resume.absolute() != first.checkpoint.absolute():
        raise ConfigError(f"--fit goes on from {first.checkpoint}", where=str(run.resume), fix="name that file, or another --out")
    for path in paths:
        must_be_free(path, run.force)
    first.must_be_free(run.force, run.resume)
    for number in range(1, rounds + 1):
        path = files.network(number)
        must_be_free(path, run.force or run.resume is not None)
        for old in (path, *_kept(files.record(number))) if run.force and run.resume is None else ():
            old.unlink(missing_ok=True)


def _kept(record: Any) -> tuple[Path, ...]:
    return record.checkpoint, record.best, record.metrics


def _json(mapping: CoreMap) -> bytes:
    return (json.dumps(mapping.to_json(), indent=1, sort_keys=True) + "\n").encode()


def _reached(net: Network) -> float | None:
    """The test accuracy of the last training."""
    return next((s.settings["reached"].get("test_accuracy") for s in reversed(net.done) if "reached" in s.settings), None)


def _report(run: PruneOptions, goal: Goal, net: Network, body: dict[str, Any]) -> None:
    if run.as_json:
        print_json("prune-to-fit/1", **{"ok": body["fits"], **body}, network_hash=net.hash)
        return
    shown = {key: value for key, value in body.items() if key not in ("uses", "limits", "connectivity", "fits")}
    lines = [(key.replace("_", " "), _text(key, value)) for key, value in shown.items() if value is not None]
    lines += [(f"connectivity of {name}", f"{part:.2%}") for name, part in body["connectivity"].items()]
    lines += [(key.replace("_", " "), f"{body['uses'][key]:,.0f} of {n:,}") for key, n in body["limits"].items()]
    print_table("fits" if body["fits"] else "does not fit: this is how far it got", ("result", "value"), lines)


def _text(key: str, value: Any) -> str:
    return f"{value:.2%}" if "accuracy" in key or key.endswith("connectivity") else str(value)
