"""The whole chain from one configuration: train -> prune -> quantise -> check -> export -> verify, each stage in a file of
its own, so that it can be interrupted and resumed. The only module outside the command line that calls training.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import snnc.chips as chips
import snnc.targets as targets
from snnc import store
from snnc.base.config import Config, from_table, read_toml, setting
from snnc.base.files import is_empty_folder, make_folder, taken, write_bytes
from snnc.base.version import __version__
from snnc.budget import fpga
from snnc.budget.check import Budget, check
from snnc.budget.remedies import must_fit
from snnc.chips.profile import Profile
from snnc.data.dataset import Dataset, must_have_classes
from snnc.data.load import Source
from snnc.errors import ConfigError, UnsupportedError, nearest
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.network.connectivity import parameter_connectivity, synapse_connectivity
from snnc.network.model import Network
from snnc.passes.quantise import QuantiseConfig
from snnc.pipeline.chip import fitting, must_have_cores
from snnc.pipeline.quantise import quantise
from snnc.pipeline.recording import RECORDING, Recorder
from snnc.simulation.run import Run
from snnc.training.loop import source
from snnc.training.settings import FinetuneConfig, PruneConfig, TrainConfig, must_have_torch
from snnc.verification.evaluate import Contrast, Evaluation, contrast
from snnc.verification.prove import Comparison, compare_runs, from_samples, verify_artifact

STAGES = ("trained", "pruned", "fixed")


@dataclass(frozen=True)
class GoalConfig(Config):
    """The first lines of a chain's TOML file: what is made of what."""

    name: str = setting("network", "Name of the network.")
    data: str = setting("digits", "Data set: a name, a file, a folder, or FILE.py:NAME.")
    split_seed: int | None = setting(None, "For data without a split: the seed that draws a fifth of it as test samples.", low=0)
    hw: str = setting("loihi1", "Hardware profile.")
    target: str = setting("loihi", "Target of the export.")
    samples: int = setting(100, "Test samples on which runs are compared spike for spike.", low=1)
    timeout_s: float = setting(600.0, "Seconds that a run of the exported program may take.", low=1)

    @property
    def source(self) -> Source:
        """The data set, with the seed that splits it."""
        return Source(self.data, self.split_seed)


@dataclass(frozen=True)
class Chain:
    """A configuration: the goal, and a table for each stage. Without [prune] or [finetune] the stage is left out."""

    goal: GoalConfig
    train: TrainConfig
    prune: PruneConfig | None
    quantise: QuantiseConfig
    finetune: FinetuneConfig | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a chain came to; ``exact`` if all that was run is spike for spike what was trained."""

    trained: Network
    pruned: Network
    fixed: Network
    budget: Budget
    rounding: Contrast  # fixed against float, on all test samples
    float_proof: Comparison  # float against torch
    target_proof: Comparison  # target against fixed
    artifact: Path

    @property
    def exact(self) -> bool:
        return self.float_proof.exact and self.target_proof.exact


def read_chain(path: Path) -> Chain:
    """Read a chain from a TOML file. Raises FileError, or ConfigError that names file, table and key."""
    table = read_toml(path)
    stages = {f.name: f for f in fields(Chain) if f.name != "goal"}
    own = {f.name for f in fields(GoalConfig)}
    for key in table:
        if key not in own and key not in stages:
            raise ConfigError(f"unknown key {key!r}", where=str(path), fix=nearest(key, sorted(own | stages.keys())))
        if (key in stages) != isinstance(table[key], dict):
            raise ConfigError(
                f"{key!r} is {'no' if key in stages else 'a'} table", where=str(path), fix=f"see [{key}] in examples/"
            )

    def stage(name: str, kind: Any, optional: bool = False) -> Any:
        return None if optional and name not in table else from_table(kind, table.get(name, {}), f"{path} [{name}]")

    return Chain(
        goal=from_table(GoalConfig, {k: v for k, v in table.items() if k in own}, str(path)),
        train=stage("train", TrainConfig),
        prune=stage("prune", PruneConfig, optional=True),
        quantise=stage("quantise", QuantiseConfig),
        finetune=stage("finetune", FinetuneConfig, optional=True),
    )


def run_chain(
    chain: Chain,
    training: Dataset,
    test: Dataset,
    out: Path,
    say: Callable[[str], None],
    *,
    resume: bool,
    force: bool,
    quiet: bool = False,
) -> Outcome:
    """Run all stages into the folder ``out``; with ``resume`` those whose file is there are taken as they are.

    ``quiet`` leaves out the lines of epochs on stderr.

    Raises FileError if ``out`` holds anything (without ``resume`` or ``force``), ConfigError if it belongs to another
    configuration, UnsupportedError or DoesNotFitError if the chip cannot hold the network, and what the stages raise.
    """
    must_have_torch()
    must_have_classes(test, "snnc run")
    profile, target = chips.load(chain.goal.hw), targets.load(chain.goal.target)
    _must_express(chain, profile, target)
    open_folder(chain, out, resume, force)
    stages = _Stages(out, resume, say)
    trained = stages.network("trained", lambda: _train(chain, training, test, out / "trained.snnc", resume, quiet, say))
    pruned = trained
    if chain.prune:
        pruned = stages.network("pruned", lambda: _prune(chain, trained, training, test, out / "pruned.snnc", resume, quiet))
    fixed = stages.network("fixed", lambda: _quantise(chain, pruned, profile, training, quiet, say))
    say("check")
    budget = check(fixed, profile)
    must_fit(fixed, profile, budget, str(out / "fixed.snnc"))
    mapping = place(fixed, split(fixed, profile), profile) if target.NEEDS_MAPPING else None
    say(f"export for {chain.goal.target}")
    options = fitting(fixed, profile, {}) if profile.fpga and chain.goal.target == fpga.TARGET else None
    artifact = targets.export(chain.goal.target, fixed, mapping, out / chain.goal.target, force=True, options=options)
    proofs = _verify(chain.goal, pruned, fixed, artifact, test, out, say)
    return Outcome(trained, pruned, fixed, budget, *proofs, artifact.root)


def _must_express(chain: Chain, profile: Profile, target: targets.Target) -> None:
    """Check what can be known before hours of training."""
    if target.NEEDS_MAPPING:
        must_have_cores(profile)
    encoding = chain.train.input_encoding
    if encoding.message_bits and not profile.graded_spikes:
        raise UnsupportedError(
            f"encoding {encoding.kind!r} sends {encoding.message_bits}-bit messages, {profile.name} takes spikes only",
            where="[train]",
            fix="use encoding = 'rate' or 'latency', or a chip with graded spikes",
        )
    if not targets.is_runnable(target):
        raise UnsupportedError(
            f"artifacts of target {chain.goal.target!r} cannot be run here, so nothing could be proved: "
            f"{targets.reason_not_run(target)}",
            where="[goal]",
            fix="pick another target, and export to this one afterwards",
        )
    targets.must_be_ready(target)


def open_folder(chain: Chain, out: Path, resume: bool, force: bool) -> None:
    """Make the folder, and note in it which configuration it belongs to."""
    note = out / "chain.json"
    text = json.dumps({"snnc": __version__, **asdict(chain)}, indent=1) + "\n"
    if resume and out.exists():
        if not note.is_file() or note.read_text() != text:
            raise ConfigError(
                "belongs to another configuration or version", where=str(out), fix="pick another --out or use --force"
            )
        return
    if out.is_dir() and not force and not is_empty_folder(out):
        raise taken(out)
    make_folder(out)
    for stage, ending in product(STAGES, (".snnc", ".ckpt", ".metrics.jsonl")):
        (out / f"{stage}{ending}").unlink(missing_ok=True)  # what another configuration left must not be resumed
    write_bytes(note, text.encode(), force=True)


@dataclass(frozen=True)
class _Stages:
    """Networks that are made once and then read from their files."""

    out: Path
    resume: bool
    say: Callable[[str], None]

    def network(self, name: str, make: Callable[[], Network]) -> Network:
        path = self.out / f"{name}.snnc"
        if self.resume and path.exists():
            self.say(f"{name}: taken from {path}")
            return store.load(path)
        self.say(name)
        net = make()
        store.save(net, path, force=True)
        return net


def _train(
    chain: Chain, training: Dataset, test: Dataset, out: Path, resume: bool, quiet: bool, say: Callable[[str], None]
) -> Network:
    from snnc.training.loop.record import Record
    from snnc.training.train import train

    record = Record.beside(out, quiet)
    net = train(training, test, chain.train, record, _checkpoint(record.checkpoint, resume), say)
    return replace(net, name=chain.goal.name)


def _prune(chain: Chain, net: Network, training: Dataset, test: Dataset, out: Path, resume: bool, quiet: bool) -> Network:
    from snnc.training.loop.record import Record
    from snnc.training.pruning.prune import prune

    record = Record.beside(out, quiet)
    config: Any = chain.prune
    return prune(net, training, config, test, record, _checkpoint(record.checkpoint, resume))


def _checkpoint(path: Path | None, resume: bool) -> Path | None:
    return path if resume and path and path.exists() else None


def _quantise(
    chain: Chain, net: Network, profile: Profile, training: Dataset, quiet: bool, say: Callable[[str], None]
) -> Network:
    fixed = quantise(net, profile, config=chain.quantise, say=say)
    if chain.finetune is None:
        return fixed
    from snnc.training.loop.record import Record
    from snnc.training.quantised.finetune import finetune

    return finetune(net, fixed, training, chain.finetune, Record(quiet=quiet))


def _verify(
    goal: GoalConfig, pruned: Network, fixed: Network, artifact: targets.Artifact, test: Dataset, out: Path,
    say: Callable[[str], None],
) -> tuple[Contrast, Comparison, Comparison]:  # fmt: skip
    """The three verdicts; some of the runs behind them are kept for the report."""
    from snnc.training.torch_run import torch_run

    recorder, samples = Recorder(fixed, test.labels), min(goal.samples, len(test))

    def watch(first: int, runs: tuple[Run, ...]) -> None:
        recorder.keep("fixed_against_float", first, runs[0], runs[1])
        recorder.count(runs[1])

    say("verify: fixed against float")
    rounding = contrast(pruned, fixed, test, watch=watch)
    say("verify: float against torch")
    see = partial(recorder.keep, "float_against_torch")
    given = from_samples(pruned, test.samples, test.shape)
    float_proof = compare_runs(pruned, partial(torch_run, pruned), given, samples, see=see)
    say(f"verify: {goal.target} against fixed, {samples} samples")
    see = partial(recorder.keep, "target_against_fixed")
    images, chip = from_samples(fixed, test.samples, test.shape), chips.load(goal.hw)
    proof = verify_artifact(artifact, fixed, images, samples, timeout_s=goal.timeout_s, chip=chip, see=see)
    recorder.write(out / RECORDING)
    return rounding, float_proof, proof


def summary(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as JSON values, for summary.json and scripts."""
    budget, rounding = outcome.budget, outcome.rounding
    stages: dict[str, dict[str, float | None]] = {
        name: {"parameter_connectivity": parameter_connectivity(net), "synapse_connectivity": synapse_connectivity(net)}
        for name, net in (("trained", outcome.trained), ("pruned", outcome.pruned), ("fixed", outcome.fixed))
    }
    for name, net in (("trained", outcome.trained), ("pruned", outcome.pruned)):
        stages[name]["test_accuracy_torch"] = net.done[-1].settings["reached"]["test_accuracy"]
    stages["pruned"]["test_accuracy"] = rounding.reference.accuracy
    stages["fixed"]["test_accuracy"] = rounding.candidate.accuracy
    return {
        "stages": stages,
        "test_samples": rounding.candidate.samples,
        "profile": budget.profile,
        "chip": [budget.chip.to_json() if budget.chip else None, *(u.to_json() for u in fullest(budget))],
        "fixed_against_float": {"classes_differing": rounding.classes_differing},
        "confusion": rounding.candidate.confusion,
        "activity": {"pruned": _activity(rounding.reference), "fixed": _activity(rounding.candidate)},
        "float_against_torch": _verdict(outcome.float_proof),
        "target_against_fixed": _verdict(outcome.target_proof),
        "network_hash": outcome.fixed.hash,
        "done": [asdict(stage) for stage in outcome.fixed.done],
        "source": source.source(),
    }


def _activity(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "samples": evaluation.samples, "steps": evaluation.steps, "neurons": dict(evaluation.neurons),
        "spikes": dict(evaluation.spikes), "synaptic_operations": dict(evaluation.synaptic_operations),
    }  # fmt: skip


def fullest(budget: Budget) -> list[Any]:
    """Return, for each resource, the core that uses most of it; of an FPGA, what the design uses."""
    if budget.designs:
        return list(budget.totals)
    by_resource = zip(*(core.uses for core in budget.cores), strict=True)
    return [max(uses, key=lambda u: u.used or 0) for uses in by_resource]


def _verdict(proof: Comparison) -> dict[str, Any]:
    v = proof.verdict
    return {
        "reference": v.reference, "candidate": v.candidate, "exact": proof.exact, "samples": len(proof.reference_classes),
        "spike_slots": sum(n for n, _ in v.spikes.values()), "mismatches": v.mismatches,
        "states": sum(n for n, _ in v.states.values()), "state_mismatches": sum(d for _, d in v.states.values()),
        "fired": dict(v.fired), "first": asdict(v.first) if v.first else None,
    }  # fmt: skip
