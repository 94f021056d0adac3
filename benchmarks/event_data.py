"""Recurrent networks on event data over connectivity: what benchmarks/braille.py and benchmarks/fsdd.py share.

Each seed trains the network of an example, with the delays of its axons learned or not, and trains it on to each connectivity by
each pruning method (1: without pruning); learned delays stay as they are while it is pruned. All networks are rounded to the chip
of the example, and classify all test samples. The trained network, and the one that Grad R prunes to 5 %, are exported to Lava, C
and ONNX, whose runs are compared with the engine's, spike for spike. The file is written after every network, and what is in it
already is not computed again; trained networks are kept in a folder, from which a benchmark that was broken off goes on.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from peers import machine

import snnc
from snnc import store
from snnc.data.dataset import Dataset
from snnc.pipeline.chain import Chain, read_chain
from snnc.training.loop.source import source

EXAMPLES = Path(__file__).parent.parent / "examples"
TARGETS = ("lava", "c", "onnx")
COMPARED = (None, 0.05)  # connectivities whose exports are run, pruned by Grad R


@dataclass(frozen=True)
class Row:
    """A network of the table. ``connectivity`` None: as it was trained."""

    seed: int
    delays: bool
    connectivity: float | None = None
    method: str = "grad_r"

    @property
    def name(self) -> str:
        """Its name in the file of results."""
        parts = [str(self.seed), "trained" if self.connectivity is None else f"{self.connectivity:g}"]
        parts += [self.method] if self.method != "grad_r" else []
        return "/".join(parts + ["delays"] * self.delays)

    @classmethod
    def named(cls, name: str) -> "Row":
        """Return the row of a name."""
        seed, connectivity, *more = name.split("/")
        delays = more[-1:] == ["delays"]
        method = more[0] if len(more) > delays else "grad_r"
        return cls(int(seed), delays, None if connectivity == "trained" else float(connectivity), method)

    @property
    def is_compared(self) -> bool:
        """Whether its exports are run."""
        return self.connectivity in COMPARED and self.method == "grad_r"


def rows(given: argparse.Namespace) -> Iterator[Row]:
    """Return the networks that the options ask for, all seeds of one before those of the next."""
    delays = {"no": (False,), "yes": (True,), "both": (False, True)}[given.delays]
    for learned, seed in product(delays, range(given.seeds)):
        yield Row(seed, learned)
    for connectivity, method in product(given.connectivities, given.methods):
        if connectivity == 1 and method != given.methods[0]:
            continue  # without pruning all methods are one
        for learned, seed in product(delays, range(given.seeds)):
            yield Row(seed, learned, connectivity, method if connectivity != 1 else "grad_r")


@dataclass(frozen=True)
class Bench:
    """A data set, the chain of its example, and the longest delay that is learned on it."""

    chain: Chain
    max_delay: int
    training: Dataset
    test: Dataset
    given: argparse.Namespace

    def trained(self, row: Row) -> snnc.Network:
        """Return the dense network that a row starts from, and keep it."""
        path = self.given.networks / f"{self.chain.goal.name}-{Row(row.seed, row.delays).name.replace('/', '-')}.snnc"
        if path.exists():
            return store.load(path)
        learn = {"learn": ("delays",), "max_delay": self.max_delay} if row.delays else {}
        net = snnc.train(self.training, test=self.test, config=replace(self.chain.train, seed=row.seed, **learn))
        store.save(net, path)
        return net

    def network(self, row: Row) -> snnc.Network:
        """Return the float network of a row."""
        net, config = self.trained(row), self.chain.prune
        if row.connectivity is None or config is None:
            return net
        method = "none" if row.connectivity == 1 else row.method
        config = replace(config, seed=row.seed, connectivity=row.connectivity, method=method)
        return snnc.prune(net, self.training, config=config)

    def figures(self, row: Row) -> dict[str, Any]:
        """Return the accuracy on all test samples, in floats and in integers, and what each target's run came to."""
        net, hw = self.network(row), self.chain.goal.hw
        fixed = snnc.quantise(net, hw)
        reached = snnc.evaluate(fixed, self.test)
        figures = {
            "float": snnc.evaluate(net, self.test).accuracy,
            "fixed": reached.accuracy,
            "spikes_per_sample": sum(reached.spikes.values()) / reached.samples,
            "reached": net.done[-1].settings["reached"],
            "network": fixed.hash,
        }
        if epochs := self.given.finetune_epochs:
            lr = self.given.finetune_lr
            tuned = snnc.quantise(net, hw, finetune_epochs=epochs, finetune_lr=lr, data=self.training, seed=row.seed)
            figures["finetuned"] = {"epochs": epochs, "lr": lr, "fixed": snnc.evaluate(tuned, self.test).accuracy}
        if row.is_compared and self.given.samples:
            figures["targets"] = {target: self.compared(fixed, target) for target in TARGETS}
        return figures

    def compared(self, fixed: snnc.Network, target: str) -> dict[str, Any]:
        """Return the verdict of a target's run on the first test samples."""
        with tempfile.TemporaryDirectory() as folder:
            artifact = snnc.export(fixed, target, f"{folder}/artifact")
            verification = snnc.verify(artifact, fixed, data=self.test, samples=self.given.samples)
        verdict = verification.verdict
        return {
            "exact": verification.exact, "samples": verification.samples, "mismatches": verdict.mismatches,
            "spikes": {name: count for name, (count, _) in verdict.spikes.items()},
        }  # fmt: skip


def run(name: str, max_delay: int, doc: str | None) -> None:
    """Compute the rows that the command line asks for and that the file of results lacks."""
    given = _arguments(name, doc)
    example = EXAMPLES / f"{name}.toml"
    chain = read_chain(example)
    training, test = (snnc.data(chain.goal.source, split, given.data_dir) for split in ("train", "test"))
    bench = Bench(chain, max_delay, training, test, given)
    code = {"command": machine.command(["python", f"benchmarks/{name}.py", *sys.argv[1:]]), "source": source()}
    facts = {"example": example.read_text(), "machine": machine.described(), "max_delay": max_delay}
    given.networks.mkdir(parents=True, exist_ok=True)
    started, known = time.perf_counter(), _kept(given.json)["networks"]
    for row in [row for row in rows(given) if row.name not in known][: given.rows]:
        figures = bench.figures(row)
        body = _kept(given.json) | facts  # read again, as another run may have added to it
        body["networks"][row.name] = figures | code
        given.json.write_text(json.dumps(body, indent=1) + "\n")
        exact = {target: run["exact"] for target, run in figures.get("targets", {}).items()}
        tuned = f", {figures['finetuned']['fixed']:.2%} fine-tuned" if "finetuned" in figures else ""
        took = f"{time.perf_counter() - started:.0f} s"
        print(f"{row.name}: {figures['float']:.2%} float, {figures['fixed']:.2%} fixed{tuned}, {exact}, {took}", flush=True)


def _kept(path: Path) -> dict[str, Any]:
    """Return the file of results; an empty one where there is none."""
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"networks": {}}
    return kept


def _arguments(name: str, doc: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--connectivities", type=float, nargs="*", default=[0.05, 1, 0.2, 0.1, 0.02])
    parser.add_argument("--methods", nargs="+", default=["grad_r"], help="pruning methods")
    parser.add_argument("--delays", choices=["no", "yes", "both"], default="no", help="whether delays are learned")
    parser.add_argument("--finetune-epochs", type=int, default=0, help="epochs of fine-tuning in the chip's integers")
    parser.add_argument("--finetune-lr", type=float, default=3e-4)
    parser.add_argument("--samples", type=int, default=10, help="test samples on which exports are compared")
    parser.add_argument("--rows", type=int, help="networks to compute at most in this run (default: all)")
    parser.add_argument("--data-dir", type=Path, help="folder with the files of the data set")
    parser.add_argument("--networks", type=Path, default=Path("out/event_data"), help="where trained networks are kept")
    parser.add_argument("--json", type=Path, default=Path(f"results/{name}.json"))
    return parser.parse_args()
