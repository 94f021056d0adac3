"""The same trained sparse networks on every target: what each answers, whether it is exact, and what it takes.

    python benchmarks/deploy_table.py [--networks NAME ...] [--targets NAME ...] [--samples 10] [--data-dir DIR]
                                      [--json results/deploy_table.json]

Rows that the file has already of the same network and samples are kept, so that it goes on where it was stopped; --again makes
them anew. The table is printed as Markdown, and written into docs/deploy.md and README.md. --check compares with the file
instead of writing it: the exit code is 1 if a figure differs. --train NAME trains a network anew from its example, with the
method of [prune] there, and writes it to results/deploy. Target syntzulu and catalyst_n1 want SNNC_SYNTZULU_RTL and
SNNC_CATALYST_N1_RTL; rows that cannot be run here say so.

Every figure says how it came about: measured (m) when the program or the design ran, counted (c) from the network, estimated
(e) by a model. What a network takes of a chip is `snnc check`; clocks are counted in the simulated design; the energy is
SANA-FE's, from the costs in the profile.
"""

import argparse
import json
import math
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from peers import machine

import snnc
from snnc.errors import MissingDependencyError, SnncError
from snnc.pipeline.chain import fullest, read_chain

ROOT = Path(__file__).parent.parent
JSON = ROOT / "results" / "deploy_table.json"
MARK = re.compile(r"(?<=<!-- deploy_table: begin -->\n\n).*?(?=\n\n<!-- deploy_table: end -->)", re.DOTALL)
CHIPS = {  # that a target's programs are for; of several, the first that holds the network; the others take the network's own
    "loihi": ("loihi1",), "sanafe": ("loihi1",), "verilog": ("ice40up5k", "ecp5_25f", "ecp5_85f"),
    "catalyst_n1": ("catalyst_n1",), "syntzulu": ("syntzulu",), "xylo": ("xylo_audio3",),
}  # fmt: skip
INTEGERS = {"catalyst_n1", "syntzulu", "xylo"}  # targets whose chips have numbers of their own
SETTINGS: dict[str, dict[str, Any]] = {  # of quantise, by chip
    chip: {"sign_mode": "mixed"} for chip in ("syntzulu", "xylo_audio3")
}
MEMORY = ("synapse_words_per_core", "synapse_words", "block_rams", "large_rams")
ESTIMATED = {"luts"}


@dataclass(frozen=True)
class Source:
    """A trained sparse network: its file, its data, the chip that it is quantised for, and the example that trains it."""

    file: str
    data: str
    chip: str
    example: str
    fixed: str = ""  # the integers for ``chip``, where training went on in them

    @property
    def float_network(self) -> snnc.Network:
        return snnc.load(ROOT / self.file)


NETWORKS = {
    "mnist": Source("results/mnist_run/pruned.snnc", "mnist", "loihi1", "mnist.toml", "results/mnist_run/fixed.snnc"),
    "braille": Source("results/deploy/braille.snnc", "braille", "ecp5_25f", "braille.toml"),
    "conv": Source("results/deploy/conv.snnc", "digits", "loihi1", "conv.toml"),
    "digits": Source("results/deploy/digits.snnc", "digits", "loihi1", "syntzulu.toml"),
    "digits_catalyst": Source("results/deploy/digits_catalyst.snnc", "digits", "loihi1", "catalyst_n1.toml"),
    "digits_xylo": Source("results/deploy/digits_xylo.snnc", "examples/digits_of_16.py:digits", "xylo_audio3", "xylo.toml"),
}


def trained(source: Source) -> snnc.Network:
    """Train and prune as the example says, without its fine-tuning in integers."""
    chain = read_chain(ROOT / "examples" / source.example)
    dense = snnc.train(source.data, config=chain.train)
    return snnc.prune(dense, source.data, config=chain.prune)


@cache
def integers(name: str, chip: str) -> snnc.Network:
    """Return a network in the integers of a chip."""
    source = NETWORKS[name]
    if source.fixed and chip == source.chip:
        return snnc.load(ROOT / source.fixed)
    return snnc.quantise(source.float_network, chip, **SETTINGS.get(chip, {}))


@cache
def accuracy(name: str, chip: str, folder: Path | None) -> float:
    """Return the accuracy of these integers on all test samples, by the engine."""
    return snnc.evaluate(integers(name, chip), NETWORKS[name].data, folder=folder).accuracy


def row(name: str, target: str, samples: int, folder: Path | None) -> dict[str, Any]:
    """Return what a target makes of a network, or why it makes nothing of it."""
    source = NETWORKS[name]
    numbers = CHIPS[target][0] if target in INTEGERS else source.chip
    found: dict[str, Any] = {"network": name, "target": target, "float_network": source.float_network.hash, "asked": samples}
    try:
        fixed = integers(name, numbers)
        chip, budget = _chip(fixed, target)
        with tempfile.TemporaryDirectory() as place:
            options = {"chip": chip} if chip and target not in INTEGERS else {}
            artifact = snnc.export(fixed, target, f"{place}/artifact", **options)
            verification = snnc.verify(artifact, fixed, data=source.data, folder=folder, samples=samples, timeout_s=3600)
            memory = _in_files(artifact) if budget is None else _on_chip(budget)
    except MissingDependencyError as error:
        return {**found, "not_run": str(error)}
    except SnncError as error:
        return {**found, "refused": str(error)}
    measured = _of_chip_simulator(verification, target)
    operations = _figure(verification.comparison.operations / verification.samples, "counted", "by the engine")
    return {
        **found, "numbers_of": numbers, "chip": chip, "fixed_network": fixed.hash,
        "accuracy": _figure(accuracy(name, numbers, folder), "measured", "all test samples, by the engine"),
        **_verdict(verification), **memory, "operations": operations, **measured,
    }  # fmt: skip


def _chip(fixed: snnc.Network, target: str) -> tuple[str | None, snnc.Budget | None]:
    """Return the first chip of a target that holds the network, and what the network takes of it; none for programs."""
    tried = [(chip, snnc.check(fixed, chip)) for chip in CHIPS.get(target, ())]
    return next((pair for pair in tried if pair[1].fits), tried[-1] if tried else (None, None))


def _figure(value: float, how: str, by: str, limit: float | None = None) -> dict[str, Any]:
    return {"value": value, "how": how, "by": by, **({} if limit is None else {"limit": limit})}


def _verdict(verification: snnc.Verification) -> dict[str, Any]:
    verdict = verification.verdict
    return {
        "exact": verification.exact, "run_by": verdict.candidate, "samples": verification.samples,
        "slots": sum(n for n, _ in verdict.spikes.values()), "states": sum(n for n, _ in verdict.states.values()),
        "mismatches": verdict.mismatches + sum(differing for _, differing in verdict.states.values()),
        "fired": dict(verdict.fired),
    }  # fmt: skip


def _on_chip(budget: snnc.Budget) -> dict[str, Any]:
    """Return the figures of `snnc check`: of each resource of the fullest core, or of the design, what is used and the limit."""
    uses = {
        usage.resource: _figure(usage.used, "estimated" if usage.resource in ESTIMATED else "counted", "snnc check", usage.limit)
        for usage in fullest(budget)
        if usage.used is not None
    }
    cores = {"cores": _figure(budget.chip.used, "counted", "snnc check", budget.chip.limit)} if budget.chip else {}
    lanes = {"lanes": budget.designs[-1].lanes} if budget.designs else {}
    return {"uses": uses, **cores, **lanes}


def _in_files(artifact: snnc.Artifact) -> dict[str, Any]:
    """Return the bytes of a program: of C, its constant tables and its state; else of all files."""
    if artifact.target == "c":
        header = (artifact.root / "snn.h").read_text()
        sizes = {key: int(re.search(rf"SNN_{key}_BYTES (\d+)", header)[1]) for key in ("TABLE", "STATE")}  # type: ignore[index]
        return {"uses": {f"{key.lower()}_bytes": _figure(n, "counted", "snn.h") for key, n in sizes.items()}}
    size = sum((artifact.root / file).stat().st_size for file in artifact.files)
    return {"uses": {"file_bytes": _figure(size, "counted", "all files")}}


def _of_chip_simulator(verification: snnc.Verification, target: str) -> dict[str, Any]:
    """Return what the run counted of each sample: clocks of a design, energy and time in a model of a chip."""
    kinds = {"clocks": "measured", "energy_j": "estimated", "time_s": "estimated"}
    by = verification.verdict.candidate
    return {
        key: _figure(verification.comparison.measured[key] / verification.samples, how, by)
        for key, how in kinds.items()
        if key in verification.comparison.measured
    }


def drift(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return which fields of a row differ; versions of what ran it may, energies by rounding."""
    fields = [key for key in {**before, **now} if key not in ("run_by", "commit")]
    return [key for key in fields if not _same(before.get(key), now.get(key))]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return all(_same(a.get(key), b.get(key)) for key in {**a, **b} if key != "by")
    return math.isclose(a, b, rel_tol=1e-6) if isinstance(a, float) and isinstance(b, float) else bool(a == b)


def table(rows: Sequence[Mapping[str, Any]], network: bool = True) -> str:
    """Return Markdown, with or without the name of the network in each line."""
    head = ("network", "target", "accuracy", "verdict", "spikes, states", "memory", "cores or cells", "each sample", "energy")
    lines = [head, tuple("---" for _ in head), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line if network else line[1:])} |" for line in lines)


def pages(rows: Mapping[str, Mapping[str, Any]]) -> dict[Path, str]:
    """Return the pages that show the table, with these rows: all of them, and in README those of MNIST."""
    shown = [rows[key] for name in NETWORKS for target in snnc.targets() if (key := f"{name}/{target}") in rows]
    mnist = [row for row in shown if row["network"] == "mnist"]
    by_page = {"docs/deploy.md": table(shown), "README.md": table(mnist, network=False)}
    return {ROOT / page: MARK.sub(lambda _, text=text: text, (ROOT / page).read_text()) for page, text in by_page.items()}


def _cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    name, target = found["network"], f"`{found['target']}`"
    if why := found.get("refused") or found.get("not_run"):
        return name, target, "", f"{'refused' if 'refused' in found else 'not run'}: {_short(why)}", "", "", "", "", ""
    chip, uses = found["chip"], found["uses"]
    lanes = f", {found['lanes']} lane{'s' if found['lanes'] > 1 else ''}" if "lanes" in found else ""
    memory = [_use(key, use) for key, use in uses.items() if key in MEMORY or key.endswith("bytes")]
    memory = memory or [_use(key, use) for key, use in list(uses.items())[:1]]
    cells = [_use(key, use) for key, use in {"cores": found.get("cores"), "luts": uses.get("luts")}.items() if use]
    each = [f"{_number(found['operations']['value'])} synaptic operations (c)"]
    each += [f"{_number(found['clocks']['value'])} clocks (m)"] if "clocks" in found else []
    energy = f"{found['energy_j']['value'] * 1e6:.3g} uJ (e)" if "energy_j" in found else ""
    verdict = "EXACT" if found["exact"] else f"{found['mismatches']:,} mismatches"
    return (
        name, f"{target} ({chip}{lanes})" if chip else target, f"{found['accuracy']['value']:.2%} (m)", f"{verdict} (m)",
        f"{found['slots']:,}, {found['states']:,}", ", ".join(memory), ", ".join(cells), ", ".join(each), energy,
    )  # fmt: skip


def _use(key: str, use: Mapping[str, Any]) -> str:
    limit = f" of {_number(use['limit'])}" if "limit" in use else ""
    return f"{_number(use['value'])}{limit} {key.replace('_', ' ')} ({use['how'][0]})"


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _short(sentence: str) -> str:
    return sentence.split(";")[0].replace("|", "/")


def main() -> int:
    """Make the rows that are missing, print the table, and write it or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--targets", nargs="+", default=list(snnc.targets()))
    parser.add_argument("--samples", type=int, default=10, help="test samples that each target runs")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", type=Path, default=JSON)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--train", choices=NETWORKS)
    given = parser.parse_args()
    if given.train:
        (ROOT / NETWORKS[given.train].file).parent.mkdir(parents=True, exist_ok=True)
        snnc.save(trained(NETWORKS[given.train]), ROOT / NETWORKS[given.train].file, force=True)
        return 0
    body = json.loads(given.json.read_text()) if given.json.exists() else {"rows": {}}
    differing = []
    for name in given.networks:
        for target in given.targets:
            key = f"{name}/{target}"
            before = body["rows"].get(key)
            if given.check:
                now = row(name, target, before["asked"], given.data_dir)
                differing += [f"{key}: {field}" for field in drift(before, now)]
            elif given.again or not _is_kept(before, name, given.samples):
                body["rows"][key] = row(name, target, given.samples, given.data_dir) | {"commit": machine.commit()}
                _write(given.json, body)
                print(" | ".join(_cells(body["rows"][key])), flush=True)
    print(table([body["rows"][f"{name}/{target}"] for name in given.networks for target in given.targets]))
    print("\n".join(differing))
    if given.json == JSON and not given.check:
        for page, text in pages(body["rows"]).items():
            page.write_text(text)
    return int(bool(differing))


def _is_kept(before: Mapping[str, Any] | None, name: str, samples: int) -> bool:
    """Return whether a row stands; what could not be run is tried again."""
    stands = before is not None and "not_run" not in before
    return stands and before["asked"] == samples and before["float_network"] == NETWORKS[name].float_network.hash  # type: ignore[index]


def _write(path: Path, body: dict[str, Any]) -> None:
    command = "python benchmarks/deploy_table.py --data-dir DIR"  # which makes every row; each has its commit
    about = {"schema": "snnc.benchmark/1", "benchmark": "deploy_table", "machine": machine.described(), "command": command}
    path.write_text(json.dumps({**body, **about}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
