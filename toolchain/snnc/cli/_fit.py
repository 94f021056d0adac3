"""Pruning until a network fits a budget of a chip: the implementation of `snnc prune --fit`."""

import json
import os
import time
from pathlib import Path
from typing import Any

from snnc import store
from snnc.base.factory import Factory
from snnc.base.files import must_be_free, write_bytes
from snnc.budget.goal import Goal
from snnc.cli._common import print_json, print_table, say
from snnc.cli._own import PruneOptions
from snnc.errors import ConfigError
from snnc.mapping.model import CoreMap
from snnc.network.connectivity import parameter_connectivity
from snnc.network.model import Network
from snnc.pipeline.train import prune_to_fit
from snnc.training.settings import PruneConfig

ASKED = ("connectivity", "sparsity", "layer")


def goal_of(text: str, model: Path, options: dict[str, Any]) -> Goal:
    """Return the goal of --fit, and set the connectivity, which has no meaning then. Raises ConfigError for options that do not
    go with --fit.
    """
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
    """Write the float network to ``out``, and beside it the quantised one (.fixed.snnc), its mapping (.mapping.json), metrics
    and checkpoints. A network that fits already is written as it is. Returns the exit code: 3 if the network does not fit,
    although everything possible was tried.
    """
    fixed_path, mapping_path = (run.out.with_name(_stem(run.out) + ending) for ending in (".fixed.snnc", ".mapping.json"))
    for path in (run.out, fixed_path, mapping_path):
        must_be_free(path, run.force)
    net = store.load(model)
    started = time.perf_counter()
    fitted = prune_to_fit(
        net, goal, run.data_name, folder=run.data_dir, keep=run.out, resume=run.resume, tensorboard=run.tensorboard,
        force=run.force, quiet=run.quiet, say=lambda line: say(line, run.quiet), config=config,
    )  # fmt: skip
    store.save(fitted.network, run.out, force=run.force)
    store.save(fitted.fixed, fixed_path, force=run.force)
    if fitted.core_map:
        write_bytes(mapping_path, _json(fitted.core_map), force=run.force)
    for path in fitted.kept:
        path.unlink(missing_ok=True)
    _report(run, goal, fitted.network, {
        "fits": fitted.fits, "goal": str(goal), "rounds": fitted.rounds,
        "uses": {k: v for k, v in fitted.uses.items() if k != "share"}, "limits": {**goal.profile.totals, **goal.limits},
        "test_accuracy_before": _reached(net), "test_accuracy": _reached(fitted.network), "test_accuracy_fixed": fitted.accuracy,
        "parameter_connectivity": parameter_connectivity(fitted.network),
        "connectivity": {c.name: parameter_connectivity(c) for c in fitted.network.connections},
        "network": str(run.out), "fixed": str(fixed_path), "mapping": str(mapping_path) if fitted.core_map else None,
        "seconds": round(time.perf_counter() - started, 1),
    })  # fmt: skip
    return 0 if fitted.fits else 3


def _stem(out: Path) -> str:
    return out.name.removesuffix(".snnc")


def _json(mapping: CoreMap) -> bytes:
    return (json.dumps(mapping.to_json(), indent=1, sort_keys=True) + "\n").encode()


def _reached(net: Network) -> float | None:
    """Return the test accuracy of the last training."""
    return next((s.settings["reached"].get("test_accuracy") for s in reversed(net.done) if "reached" in s.settings), None)


def _report(run: PruneOptions, goal: Goal, net: Network, body: dict[str, Any]) -> None:
    if run.as_json:
        print_json("prune-to-fit/1", **{"ok": body["fits"], **body}, network_hash=net.hash)
        return
    shown = {key: value for key, value in body.items() if key not in ("uses", "limits", "connectivity", "fits")}
    lines = [(key.replace("_", " "), _text(key, value)) for key, value in shown.items() if value is not None]
    lines += [(f"connectivity of {name}", f"{part:.2%}") for name, part in body["connectivity"].items()]
    lines += [(key.replace("_", " "), f"{body['uses'][key]:,.0f} of {n:,}") for key, n in body["limits"].items()]
    title = "fits" if body["rounds"] else "fits already: nothing was pruned, and the network is written as it was"
    print_table(title if body["fits"] else "does not fit: this is how far it got", ("result", "value"), lines)


def _text(key: str, value: Any) -> str:
    return f"{value:.2%}" if "accuracy" in key or key.endswith("connectivity") else str(value)
