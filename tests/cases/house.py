"""The rules of the house as functions over a folder of source: each yields a sentence for every place that breaks its rule."""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

SHORTEST, LONGEST, LONGEST_BODY = 40, 400, 40  # lines of a file, and of a function below its docstring
ROOMS, FLOORS = 26, 12
PLUG_INS = (  # folders in which every public module is found by its name
    "snnc.chips.memory",
    "snnc.data.sets",
    "snnc.exporters",
    "snnc.importers",
    "snnc.mapping.strategies",
    "snnc.neurons",
    "snnc.ops",
    "snnc.training.methods",
)
PROGRAM = re.compile(r"(program|child|run|__main__)$")  # run as a file, so that nothing imports it


@dataclass(frozen=True)
class Import:
    """One name that a file imports. ``module``: the file of the house that it comes from."""

    importer: str
    module: str
    name: str  # "" for a module as a whole
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}{self.name and '.'}{self.name}"


@dataclass(frozen=True)
class Source:
    """A file: its dotted name, and what its text imports, lazy imports inside functions included."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def package(self) -> str:
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @cached_property
    def imported(self) -> tuple[tuple[str, str, int], ...]:
        """(module, name, line); the name is "" for ``import module``."""
        return tuple(self._imported())

    def _imported(self) -> Iterator[tuple[str, str, int]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, "", node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1] if node.level else []
                module = ".".join([*above, *([node.module] if node.module else [])])
                yield from ((module, alias.name, node.lineno) for alias in node.names)


@dataclass(frozen=True)
class House:
    """The source under a folder that is laid out as this repository; `snnc.exporters` lies in exporters/."""

    root: Path

    @cached_property
    def sources(self) -> dict[str, Source]:
        return dict(sorted([*_sources(self.root / "toolchain", "snnc"), *_sources(self.root, "exporters", "snnc.")]))

    @cached_property
    def outside(self) -> tuple[Source, ...]:
        """Tests, benchmarks, examples and documents."""
        folders = ("tests", "benchmarks", "examples", "docs")
        return tuple(source for folder in folders for _, source in _sources(self.root, folder))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import of one file of the house by another."""
        return tuple(one for source in self.sources.values() for one in self.imports_of(source))

    def imports_of(self, source: Source) -> Iterator[Import]:
        """What a file takes from the house."""
        for module, name, line in source.imported:
            whole = f"{module}.{name}" if name else module
            if whole in self.sources:
                yield Import(source.name, whole, "", line)
            elif module in self.sources:
                yield Import(source.name, module, name, line)

    @cached_property
    def layers(self) -> dict[str, int]:
        """Package or loose module -> its layer from the ground, as pyproject.toml has them; targets lie beside the report."""
        contracts = tomllib.loads((self.root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
        (corridor,) = (c["layers"] for c in contracts if c["id"] == "corridor")
        layers = {name: i for i, names in enumerate(reversed(corridor)) for name in re.split(r"\s*\|\s*", names)}
        return {**layers, "exporters": layers["report"]}


def _sources(above: Path, folder: str, prefix: str = "") -> Iterator[tuple[str, Source]]:
    for path in sorted((above / folder).rglob("*.py")):
        parts = path.relative_to(above).with_suffix("").parts
        name = prefix + ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, Source(name, path)


def room(module: str) -> str:
    """The package or loose module directly under `snnc`; "" for `snnc` itself, whose names are handed on only."""
    return module.split(".")[1] if "." in module else ""


def runs_upward(house: House) -> Iterator[str]:
    """Imports that do not lead to a lower layer, but those inside a package."""
    for one in house.imports:
        here, there = room(one.importer), room(one.module)
        if not here or here == there:
            continue
        if not there:
            yield f"{one}: the public names are for users, take it from its own module"
        elif here not in house.layers or there not in house.layers:
            yield f"{one}: {here if here not in house.layers else there} has no layer in pyproject.toml"
        elif house.layers[there] >= house.layers[here]:
            yield f"{one}: layer {house.layers[there]} is not below layer {house.layers[here]}"


def circles(house: House) -> Iterator[str]:
    """Files that import each other in a loop, wherever in a file the import stands."""
    for files in _loops({(one.importer, one.module) for one in house.imports}):
        yield "these import each other: " + ", ".join(sorted(files))


def takes_what_is_private(house: House) -> Iterator[str]:
    """Names with an underscore that are taken from outside the package that they are private to."""
    for source in (*house.sources.values(), *house.outside):
        inside = source.name if source.name in house.sources else ""
        for module, name, line in source.imported:
            whole = [*module.split("."), *([name] if name else [])]
            if whole[0] == "snnc" and (owner := _owner(whole)) and not f"{inside}.".startswith(f"{owner}."):
                yield f"{source.name}:{line} imports {'.'.join(whole)}, which is private to {owner}"
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and node.value in house.sources:
                owner = _owner(str(node.value).split("."))
                if owner and not f"{inside}.".startswith(f"{owner}."):
                    yield f"{source.name}:{node.lineno} names {node.value}, which is private to {owner}"


def _owner(whole: list[str]) -> str:
    """The package to which the innermost private part of a dotted name is private; "" if none is."""
    for i in range(len(whole) - 1, 0, -1):
        if whole[i].startswith("_") and not whole[i].endswith("__"):
            return ".".join(whole[:i])
    return ""


def plug_ins_know_each_other(house: House) -> Iterator[str]:
    """Public modules of a plug-in folder that import one another."""
    for one in house.imports:
        for folder in PLUG_INS:
            here, there = (name.removeprefix(f"{folder}.").split(".")[0] for name in (one.importer, one.module))
            both = one.importer.startswith(f"{folder}.") and one.module.startswith(f"{folder}.")
            if both and here != there and not there.startswith("_"):
                yield f"{one}: one plug-in imports another"


def rooms(house: House) -> set[str]:
    """Packages and loose modules, with exporters and benchmarks, as on a ground plan."""
    loose = {"benchmarks" for source in house.outside if source.name.startswith("benchmarks.")}
    return loose | {room(name) for name in house.sources} - {""}


def floors(house: House) -> dict[str, int]:
    """Each room's floor: above all rooms that it imports. Raises RecursionError if rooms import each other in a loop."""
    below: dict[str, set[str]] = {name: set() for name in rooms(house)}
    outside = [one for source in house.outside if source.name.split(".")[0] in below for one in house.imports_of(source)]
    for one in (*house.imports, *outside):
        here = room(one.importer) if one.importer in house.sources else one.importer.split(".")[0]
        if here and room(one.module) not in ("", here):
            below[here].add(room(one.module))

    @lru_cache(None)
    def floor(name: str) -> int:
        return 1 + max(map(floor, below[name]), default=0)

    return {name: floor(name) for name in below}


def is_no_house(house: House) -> Iterator[str]:
    """More rooms or floors than a person keeps in mind, or rooms in a circle."""
    if loops := _loops({(room(one.importer), room(one.module)) for one in house.imports if room(one.importer)}):
        yield from ("these rooms import each other: " + ", ".join(sorted(loop)) for loop in loops)
        return
    if (count := len(rooms(house))) > ROOMS:
        yield f"has {count} rooms, at most {ROOMS} are allowed: put a package into another"
    by_floor = sorted(floors(house).items(), key=lambda pair: pair[1])
    if by_floor and (height := by_floor[-1][1]) > FLOORS:
        yield f"has {height} floors, at most {FLOORS} are allowed: {by_floor}"


def is_long_or_tiny(house: House, excused: Iterable[str] = ()) -> Iterator[str]:
    """Files and functions that are too long, and files too short for a module of their own."""
    beside = (one for source in house.outside if not source.name.startswith("tests.") for one in house.imports_of(source))
    importers: dict[str, set[str]] = {}
    for one in (*house.imports, *beside):
        importers.setdefault(one.module, set()).add(one.importer)
    for source in house.sources.values():
        lines, needed = source.text.count("\n"), len(importers.get(source.name, ())) > 1 or _has_a_role(source)
        if lines > LONGEST:
            yield f"{source.name} has {lines} lines, at most {LONGEST} are allowed: it holds two ideas"
        if lines < SHORTEST and not needed and source.name not in excused:
            yield f"{source.name} has {lines} lines and fewer than two importers: put it where it is used"
        yield from _long_functions(source)


def _has_a_role(source: Source) -> bool:
    folder, _, last = source.name.rpartition(".")
    plug_in = folder in (*PLUG_INS, "snnc.cli") and not last.startswith("_")
    return source.path.name == "__init__.py" or plug_in or bool(PROGRAM.search(source.name)) or last == "version"


def _long_functions(source: Source) -> Iterator[str]:
    """By their bodies: signatures and docstrings are as long as they need to be."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[bool(ast.get_docstring(node)) :]
            length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if length > LONGEST_BODY:
                yield f"{source.name}:{node.lineno} {node.name} has {length} lines, at most {LONGEST_BODY} are allowed"


def _loops(edges: set[tuple[str, str]]) -> list[set[str]]:
    """The strongly connected components of several nodes, and nodes with an edge to themselves."""
    after: dict[str, set[str]] = {}
    for here, there in edges:
        after.setdefault(here, set()).add(there)
    reach = {node: _reached(node, after) for node in after}
    loops = {frozenset(n for n in reach[node] if node in reach.get(n, ())) for node in after if node in reach[node]}
    return [set(loop) for loop in loops if len(loop) > 1]


def _reached(start: str, after: dict[str, set[str]]) -> set[str]:
    """Every node that edges lead to from ``start``."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = after.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    return reached
