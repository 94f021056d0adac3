"""`snnc prune --fit`: prune until a network fits a budget of a chip: plan, train to the plan, quantise, map, and again.

The first round trains to the planned connectivity of each layer by the method asked for. Which synapses it leaves is its
choice, so that they may cost a little more than planned. Each further round takes the least important ones away exactly,
until what is left fits, and trains on with those that stay.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snnc import store
from snnc.budget import fpga
from snnc.budget.goal import Goal
from snnc.budget.measure import Uses, measure
from snnc.budget.plan import PruningPlan, in_words, plan
from snnc.data.dataset import Dataset
from snnc.errors import ConfigError, DoesNotFitError, UnsupportedError
from snnc.mapping.capabilities import lacking
from snnc.mapping.task import Rates
from snnc.network.model import Network, Stage
from snnc.passes.prune_by_magnitude import Importance
from snnc.passes.quantise import quantise
from snnc.training.loop.record import Record
from snnc.training.models.connection import trains
from snnc.training.pruning.importance import importance
from snnc.training.pruning.prune import prune
from snnc.training.settings import PruneConfig
from snnc.verification.evaluate import evaluate

ROUNDS = 5  # at most
SHORT = 4  # a further round has this many times fewer epochs, and starts with so small a part of the learning rate
STRICTER = 0.03  # of the packets, each further round
SAMPLES = 1000  # of the training split, on which spikes are counted

Spread = Callable[[Network, Goal, Importance, Rates | None], PruningPlan]


@dataclass(frozen=True)
class Files:
    """Where each round keeps its checkpoint, metrics and network: beside ``out``, or nowhere if ``out`` is None.

    ``resume``: continue from these files.
    """

    out: Path | None = None
    resume: bool = False
    quiet: bool = False
    tensorboard: Path | None = None

    def record(self, number: int) -> Record:
        """Return where a round records; the first round records like `prune`."""
        path = self.out if number == 1 else self.network(number)
        return Record.beside(path, self.quiet, self.tensorboard if number == 1 else None) if path else Record(quiet=self.quiet)

    def network(self, number: int) -> Path | None:
        """Return the path of the float network of a finished round."""
        return self.out and self.out.with_name(f"{self.out.name.removesuffix('.snnc')}.round{number}.snnc")


@dataclass(frozen=True, eq=False)
class Round:
    """Result of a round; round 0 is the network as it came, before any training."""

    number: int
    net: Network  # float
    fixed: Network
    uses: Uses  # of ``fixed``
    rates: Rates | None  # of ``fixed``; None if packets are not limited

    @classmethod
    def of(cls, number: int, net: Network, data: Dataset, goal: Goal) -> "Round":
        """Quantise and measure a network."""
        fixed = quantise(net, goal.profile)
        rates = _rates(fixed, data, goal)
        return cls(number, net, fixed, measure(fixed, goal.profile, rates, goal.lanes), rates)


def prune_to_fit(
    net: Network,
    data: Dataset,
    config: PruneConfig,
    goal: Goal,
    *,
    test: Dataset | None = None,
    files: Files = Files(),
    spread: Spread = plan,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Round, ...]:
    """Return the rounds; the last one fits, if any could be made to fit in `ROUNDS`. A network that fits already is round 0.

    The connectivity in ``config`` is ignored. Deterministic. Raises, before anything is trained, DoesNotFitError if one synapse
    a neuron is too much, UnsupportedError for what the chip cannot express, and what `quantise` and `prune` raise; ConfigError
    for files of another run.
    """
    must_be_possible(net, config, goal)
    before = Round.of(0, net, data, goal)
    if goal.is_met(before.uses):
        say(f"needs {in_words(before.uses, goal)}, which {goal} hold already: nothing is pruned")
        return (before,)
    trainer = _Trainer(data, config, goal, test, files, spread, say)
    rounds: list[Round] = []
    start, rates = net, _rates(net, data, goal)
    for number in range(1, ROUNDS + 1):
        try:
            made = trainer.made(start, rates, number)
        except DoesNotFitError:
            if rounds:
                break
            raise
        rounds.append(Round.of(number, made, data, goal))
        say(f"round {number}: quantised and mapped, needs {in_words(rounds[-1].uses, goal)}")
        if goal.is_met(rounds[-1].uses):
            break
        start, rates = made, rounds[-1].rates
    return tuple(rounds)


def must_be_possible(net: Network, config: PruneConfig, goal: Goal) -> None:
    """Check what can be known before anything is computed. Raises ConfigError, UnsupportedError."""
    if config.method == "none":
        raise ConfigError("method none prunes nothing", fix="use --method grad_r")
    if config.prior == "paper":
        raise ConfigError("the paper's prior does not reach a connectivity", fix="use --prior schedule")
    asked = fpga.problems if goal.profile.fpga else lacking
    if problems := asked(net, goal.profile):
        raise UnsupportedError("; ".join(problems), where=f"network {net.name!r} on {goal.profile.name}")


@dataclass(frozen=True, eq=False)
class _Trainer:
    """Makes the network of a round."""

    data: Dataset
    config: PruneConfig
    goal: Goal
    test: Dataset | None
    files: Files
    spread: Spread
    say: Callable[[str], None]

    def made(self, start: Network, rates: Rates | None, number: int) -> Network:
        """Return the network of a round, from its file if there is one, else trained."""
        path = self.files.network(number)
        origin = {"goal": str(self.goal), "round": number, "spread": self.spread.__name__, "start": start.hash}
        origin["asked"] = self.config.stated()
        if self.files.resume and path and path.exists():
            self.say(f"round {number}: taken from {path}")
            return _belonging(store.load(path), origin, path)
        stricter = self.goal.stricter(1 - STRICTER * (number - 1))
        planned = self.spread(start, stricter, importance(start, self.data, self.config), rates)
        shares = ", ".join(f"{name} to {part:.2%}" for name, part in planned.connectivity.items())
        self.say(f"round {number}: {shares}; asked for are {self.goal}")
        made = self._trained(start, planned, number).after(Stage("fit", {**origin, "planned": planned.connectivity}))
        if path:
            store.save(made, path, force=True)
        return made

    def _trained(self, start: Network, planned: PruningPlan, number: int) -> Network:
        record = self.files.record(number)
        checkpoint = record.checkpoint if self.files.resume and record.checkpoint and record.checkpoint.exists() else None
        first, config = (start, _to(planned, self.config)) if number == 1 else (planned.net, further(self.config))
        return prune(first, self.data, config, self.test, record, checkpoint)


def _to(planned: PruningPlan, config: PruneConfig) -> PruneConfig:
    """Return the configuration that prunes to exactly the planned number of synapses in each layer."""
    pruned = {c.name for c in planned.net.connections if trains(c)}
    layers = tuple(f"{name}={part!r}" for name, part in planned.connectivity.items() if name in pruned)
    return replace(config, connectivity=None, sparsity=None, layer=layers)


def further(config: PruneConfig) -> PruneConfig:
    """Return the configuration of a further round, which trains with the synapses that exist."""
    return replace(
        config, method="none", connectivity=None, sparsity=None, layer=(), alpha=None, reach=None, temperature=None,
        epochs=max(1, config.epochs // SHORT), lr=config.lr / SHORT,
    )  # fmt: skip


def _belonging(made: Network, origin: dict[str, Any], path: Path) -> Network:
    """Return the network of a file, if this run wrote it. Raises ConfigError otherwise."""
    settings = made.done[-1].settings if made.done else {}
    if any(settings.get(key) != value for key, value in origin.items()):
        raise ConfigError("is of a run with other settings", where=str(path), fix="use the same settings or start anew")
    return made


def _rates(net: Network, data: Dataset, goal: Goal) -> Rates | None:
    """Return the spikes of each neuron in an inference, if packets are limited."""
    if "packets" not in goal.limits:
        return None
    counts = {p.name: np.zeros(p.size) for p in net.populations}

    def add(first: int, runs: Any) -> None:
        for name, spikes in runs[0].spikes.items():
            counts[name] += np.count_nonzero(spikes, axis=(0, 1))

    samples = evaluate(net, data, SAMPLES, watch=add).samples
    return {name: count / samples for name, count in counts.items()}
