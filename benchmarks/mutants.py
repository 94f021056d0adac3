"""One-line mutations of what every verdict stands on, each held against the tests that reach its line: which do they let live?

The mutations are those of cosmic-ray, a seeded sample of them for each part of mutants.toml. Nothing on disk is changed: each
mutant lives in a process of its own, which imports it instead of the file, and runs the quickest tests that execute the line
until one fails. What the tests let live is equivalent, which mutants.toml explains, or wants a test.

    python benchmarks/mutants.py [--part NAME ...] [--mutants 400] [--seed 0] [--minutes 60] [--json results/mutants.json]
"""

import argparse
import contextlib
import difflib
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from peers import reach

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "out" / "mutants"  # which test reaches which line, until a file of the part changes
SWAPS = (  # of cosmic-ray's operators those whose mutants look like a mistake that somebody could make
    "Add_Sub", "Sub_Add", "Mul_FloorDiv", "Mul_Add", "FloorDiv_Mul", "Div_Mul", "Mod_FloorDiv", "Pow_Mul", "LShift_RShift",
    "RShift_LShift", "BitAnd_BitOr", "BitOr_BitAnd", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "Gt_LtE", "Eq_NotEq",
    "NotEq_Eq", "Is_IsNot", "IsNot_Is", "USub_UAdd", "Delete_Not", "Delete_Invert",
)  # fmt: skip
OPERATORS = (
    *(f"Operator_{swap}" for swap in SWAPS), "NumberReplacer", "AddNot", "TrueWithFalse", "FalseWithTrue", "AndWithOr",
    "OrWithAnd", "BreakWithContinue", "ContinueWithBreak", "ZeroIterationForLoop",
)  # fmt: skip
NOTICED = (1, 2, 4)  # exit codes of pytest: a test failed, or the files of the tests cannot be imported any more
FAILED = 3  # exit code of a child whose work raised
SLACK_S = 120  # beside ten times what the tests took, before a mutant counts as one that never ends


@dataclass(frozen=True)
class Part:
    """Modules, and the tests that are to notice what changes in them."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Return what changes with a module, or with a file of the tests."""
        files = [ROOT / module for module in self.modules]
        for test in self.tests:
            path = ROOT / test
            files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
        return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


@dataclass(frozen=True)
class Place:
    """Name a place where an operator can change a module: its ``occurrence``-th one there."""

    part: str
    module: str
    line: int
    operator: str
    occurrence: int


@dataclass(frozen=True)
class Mutant:
    """A module with one line changed."""

    part: str
    module: str
    line: int
    before: str
    after: str
    source: str

    def to_json(self) -> dict[str, Any]:
        """Return what tells it from others, as JSON values."""
        return {key: value for key, value in asdict(self).items() if key != "source"}


def places_of(part: Part, module: str) -> Iterator[Place]:
    """Return all places of a module that are no annotation and no assertion."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    source = (ROOT / module).read_text()
    lines, nodes = source.split("\n"), list(ast_nodes(get_ast(source)))
    for name in (name for name in operator_names() if name.endswith(OPERATORS)):
        operator = get_operator(name)()
        positions = [(node, at) for node in nodes for at in operator.mutation_positions(node)]
        for occurrence, (node, ((line, _), _)) in enumerate(positions):
            if not _is_annotation(node) and "assert " not in lines[line - 1]:
                yield Place(part.name, module, line, name, occurrence)


def mutant_at(place: Place) -> Mutant | None:
    """Return the mutant of a place; None if its operator changes nothing there."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = (ROOT / place.module).read_text()
    changed = mutate_code(source, get_operator(place.operator)(), place.occurrence)
    if changed is None or changed == source:
        return None
    before, after = _difference(source, changed)
    return Mutant(place.part, place.module, place.line, before, after, changed)


def _is_annotation(node: Any) -> bool:
    """Return whether a node of the tree lies in a type: of a parameter, of a result, of a variable."""
    while node is not None and node.type not in ("file_input", "suite"):
        parent = node.parent
        if parent is not None and parent.type in ("tfpdef", "annassign") and node is not parent.children[0]:
            return not (parent.type == "annassign" and node is parent.children[-1] and len(parent.children) > 2)
        if parent is not None and parent.type == "funcdef" and node is not parent.children[-1] and node.type != "parameters":
            return True
        node = parent
    return False


def _difference(source: str, changed: str) -> tuple[str, str]:
    """Return the lines that differ, before and after."""
    lines = [line for line in difflib.ndiff(source.split("\n"), changed.split("\n")) if line[0] in "+-"]
    before, after = (" ".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return before, after


def sampled(parts: list[Part], count: int, seed: int) -> list[Mutant]:
    """Return a sample that is spread evenly over the parts, and in each over its lines: at most two of a line."""
    rng, chosen = random.Random(seed), list[Mutant]()
    for part in parts:
        every = [place for module in part.modules for place in places_of(part, module)]
        rng.shuffle(every)
        seen, left = Counter[tuple[str, int]](), -(-count // len(parts))
        for place in every:
            seen[place.module, place.line] += 1
            if left and seen[place.module, place.line] <= 2 and (mutant := mutant_at(place)):
                chosen.append(mutant)
                left -= 1
    rng.shuffle(chosen)
    return chosen


def in_a_child(work: Callable[[], int], timeout_s: float, log: Path) -> int | None:
    """Return the exit code of work that a child does, which writes to ``log``; None if it takes too long."""
    child = os.fork()
    if not child:
        os.setsid()
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = FAILED
        try:
            code = int(work())
        except BaseException:  # the child ends here, whatever happens, and its log says why
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def reached(part: Part) -> dict[str, Any]:
    """Return of each test of a part that passes: its seconds, and the lines of the modules that it executes."""
    path = KEPT / f"{part.name}-{part.digest}.json"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        log = path.with_suffix(".log")
        code = in_a_child(lambda: reach.record(ROOT, part.modules, part.tests, path), 3600, log)
        if code != 0:
            raise SystemExit(f"the tests of {part.name} fail without any mutation: {log}")
    whole: dict[str, Any] = json.loads(path.read_text())
    return whole


def tests_for(mutant: Mutant, tests: dict[str, Any], most_seconds: float) -> list[str]:
    """Return the quickest tests that execute the mutant's line; of one that runs at import, those that reach its module."""
    at_import = mutant.line in tests[""]["lines"].get(mutant.module, ())
    hit = {
        name: test["seconds"]
        for name, test in tests.items()
        if name and (test["lines"].get(mutant.module) if at_import else mutant.line in test["lines"].get(mutant.module, ()))
    }
    chosen, seconds = list[str](), 0.0
    for name in sorted(hit, key=lambda name: (hit[name], name)):
        if chosen and seconds + hit[name] > most_seconds:
            break
        chosen.append(name)
        seconds += hit[name]
    return chosen


def outcome(mutant: Mutant, tests: dict[str, Any], most_seconds: float) -> str:
    """Return "killed", "endless", "survived", or "unreached" where no test executes the line."""
    chosen = tests_for(mutant, tests, most_seconds)
    if not chosen:
        return "unreached"
    seconds = sum(tests[name]["seconds"] for name in chosen)
    with tempfile.TemporaryDirectory(prefix="snnc-mutant-") as folder:
        log = Path(folder) / "log"
        work = partial(reach.run, ROOT, mutant.module, mutant.source, chosen, Path(folder))
        code = in_a_child(work, 10 * seconds + SLACK_S, log)
        if code not in (0, *NOTICED, None) and code >= 0:
            raise SystemExit(f"pytest ended with {code} on {mutant.module}:{mutant.line}\n{log.read_text()[-3000:]}")
    return "endless" if code is None else "survived" if code == 0 else "killed"


def explained(config: dict[str, Any], mutant: Mutant) -> str:
    """Return why a mutant that lives is no fault of the tests, as mutants.toml says; else nothing."""
    for entry in config.get("explained", []):
        if (entry["module"], entry["before"], entry["after"]) == (mutant.module, mutant.before, mutant.after):
            return str(entry["why"])
    return ""


def main() -> int:
    """Print each mutant that lives, and what became of all. Exit code 1 if one lives that is not explained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    config = tomllib.loads((ROOT / "mutants.toml").read_text())
    parser.add_argument("--part", action="append", choices=sorted(config["parts"]))
    parser.add_argument("--mutants", type=int, default=config["mutants"])
    parser.add_argument("--seed", type=int, default=config["seed"])
    parser.add_argument("--minutes", type=float, default=60, help="Start no mutant after so long.")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    parts = [
        Part(n, tuple(p["modules"]), tuple(p["tests"])) for n, p in config["parts"].items() if n in (args.part or config["parts"])
    ]
    end = time.monotonic() + 60 * args.minutes
    tests = {part.name: reached(part) for part in parts}
    counts: dict[str, Counter[str]] = {part.name: Counter() for part in parts}
    living = []
    for mutant in sampled(parts, args.mutants, args.seed):
        if time.monotonic() > end:
            counts[mutant.part]["not run"] += 1
            continue
        result = outcome(mutant, tests[mutant.part], config["seconds"])
        counts[mutant.part][result] += 1
        if result in ("survived", "unreached"):
            why = explained(config, mutant)
            living.append({**mutant.to_json(), "outcome": result, "why": why})
            print(
                f"{result}{' (explained)' * bool(why)} {mutant.module}:{mutant.line}\n-  {mutant.before}\n+  {mutant.after}",
                flush=True,
            )
    return _reported(args, config, counts, living)


def _reported(
    args: argparse.Namespace, config: dict[str, Any], counts: dict[str, Counter[str]], living: list[dict[str, Any]]
) -> int:
    """Print what became of the mutants, and write it if asked to; what the file holds of other parts stays."""
    from peers import machine

    for name, results in counts.items():
        print(f"{name}: " + ", ".join(f"{n} {result}" for result, n in sorted(results.items())))
    settings = {"mutants": args.mutants, "seed": args.seed, "seconds": config["seconds"]}
    commit, before = machine.commit(), json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    parts = before.get("parts", {}) | {
        name: {"commit": commit, "settings": settings, **dict(sorted(results.items()))} for name, results in counts.items()
    }
    others = [one for one in before.get("living", []) if one["part"] not in counts]
    body = {
        "schema": "snnc.mutants/1", "command": "make mutants", "machine": machine.described(), "parts": parts,
        "living": sorted(others + living, key=lambda one: (one["module"], one["line"], one["after"])),
    }  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps(body, indent=1) + "\n")
    return int(any(not one["why"] for one in living))


if __name__ == "__main__":
    sys.exit(main())
