"""The rules of the house that no linter knows, and that every rule fails where it is broken."""

import ast
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from cases import house
from conftest import ROOT

THE_HOUSE = house.House(ROOT)
SHORT = {
    "snnc.base.callable",  # for packages of every layer
    "snnc.optim",  # public modules, whose names stand in their stubs
    "snnc.plugin",
    "snnc.report.divergence",  # a section of the report is a file, however little it says
}
RULES = {
    "upward": house.runs_upward,
    "circle": house.circles,
    "private": house.takes_what_is_private,
    "plug-in": house.plug_ins_know_each_other,
    "plan": house.is_no_house,
    "size": house.is_long_or_tiny,
}


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps_its_rules(rule):
    broken = RULES[rule](THE_HOUSE, SHORT) if rule == "size" else RULES[rule](THE_HOUSE)
    assert list(broken) == []
    assert len(THE_HOUSE.sources) > 250
    assert len(THE_HOUSE.imports) > 1000


def test_what_is_excused_is_short():
    assert all(THE_HOUSE.sources[name].text.count("\n") < house.SHORTEST for name in SHORT)


PYPROJECT = (ROOT / "pyproject.toml").read_text()
FILLER = "# nothing\n" * house.SHORTEST
IMPORT = "from snnc.{} import x\n"
LONG_FUNCTION = "def f():\n" + "    pass\n" * (house.LONGEST_BODY + 1)


def built(root: Path, files: dict[str, str], filler: str = FILLER) -> house.House:
    """A small house of these files; each directly under toolchain/ but where a path says otherwise."""
    for name, text in {"pyproject.toml": PYPROJECT, **files}.items():
        path = root / (name if "/" in name or name == "pyproject.toml" else f"toolchain/{name.replace('.', '/')}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if name == "pyproject.toml" else text + filler)
    return house.House(root)


SOUND = {
    "snnc.__init__": "",
    "snnc.errors": "",
    "snnc.base.files": IMPORT.format("errors"),
    "snnc.mapping._own": IMPORT.format("base.files"),
    "snnc.mapping.split": IMPORT.format("mapping._own"),
    "snnc.targets.target": "def f():\n    from snnc.mapping.split import x\n",
    "snnc.neurons.lif": IMPORT.format("base.files"),
    "exporters/c/__init__.py": IMPORT.format("targets.target") + "from . import files\n",
    "exporters/c/files.py": "from snnc.errors import x\n",
    "snnc.cli.map": IMPORT.format("targets.target"),
    "tests/test_a.py": IMPORT.format("mapping.split"),
}
BROKEN = [
    ("upward", {"snnc.base.files": IMPORT.format("mapping.split")}, "base.files:1 imports snnc.mapping.split.x: layer 4 is not"),
    ("upward", {"snnc.mapping.split": "def f():\n    from snnc.targets import target\n"}, "mapping.split:2 imports"),
    ("upward", {"snnc.passes.fold": IMPORT.format("mapping.split")}, "layer 4 is not below layer 4"),
    ("upward", {"snnc.report.a": "import snnc.exporters.c\n"}, "report.a:1 imports snnc.exporters.c: layer"),
    ("upward", {"exporters/c/files.py": "from snnc.cli import map\n"}, "snnc.exporters.c.files:1 imports snnc.cli.map"),
    ("upward", {"exporters/c/files.py": "import snnc.report.a\n", "snnc.report.a": ""}, "snnc.exporters.c.files:1"),
    ("upward", {"snnc.attic.a": IMPORT.format("errors")}, "attic has no layer"),
    ("upward", {"snnc.targets.target": "from snnc import check\n"}, "the public names are for users"),
    ("circle", {"snnc.mapping._own": "def f():\n    from snnc.mapping import split\n"}, "snnc.mapping._own, snnc.mapping.split"),
    ("circle", {"exporters/c/files.py": "from . import wires\n", "exporters/c/wires.py": "from . import files\n"}, "c.wires"),
    ("private", {"snnc.targets.target": IMPORT.format("mapping._own")}, "snnc.mapping._own.x, which is private to snnc.mapping"),
    ("private", {"snnc.cli.map": "from snnc.mapping.split import _cut\n"}, "snnc.mapping.split._cut, which is private"),
    ("private", {"exporters/c/files.py": "from snnc.mapping import _own\n"}, "c.files:1 imports snnc.mapping._own"),
    ("private", {"tests/test_a.py": "from snnc.mapping._own import x\n"}, "tests.test_a:1 imports snnc.mapping._own.x"),
    ("private", {"benchmarks/a.py": "import snnc.mapping._own as own\n"}, "benchmarks.a:1"),
    ("private", {"tests/test_a.py": 'importorskip("snnc.mapping._own")\n'}, "tests.test_a:1 names snnc.mapping._own"),
    ("plug-in", {"snnc.neurons.cuba": IMPORT.format("neurons.lif")}, "snnc.neurons.cuba:1 imports snnc.neurons.lif.x"),
    ("plug-in", {"exporters/npz.py": "from .c import files\n"}, "snnc.exporters.npz:1 imports snnc.exporters.c.files"),
    ("plan", {f"snnc.{name}": "" for name in "abcdefghijklmnopqrstuvwxyz"}, "has 33 rooms, at most 26"),
    ("plan", {f"snnc.{a}": IMPORT.format(b) for a, b in pairwise("abcdefghijklm")} | {"snnc.m": ""}, "has 13 floors, at most 12"),
    ("plan", {"snnc.base.files": "def f():\n    from snnc.mapping import split\n"}, "these rooms import each other: base"),
    ("size", {"snnc.mapping.split": FILLER * 10}, "snnc.mapping.split has 440 lines, at most 400"),
    ("size", {"snnc.mapping.split": LONG_FUNCTION}, "snnc.mapping.split:1 f has 41 lines, at most 40"),
    ("size", {"exporters/c/files.py": "class A:\n    async def f(self):\n" + "        pass\n" * 41}, "c.files:2 f has 41 lines"),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_sound_house_breaks_no_rule(rule, tmp_path):
    assert list(RULES[rule](built(tmp_path, SOUND))) == []


@pytest.mark.parametrize(("rule", "files", "broken"), BROKEN, ids=[f"{rule}{i}" for i, (rule, _, _) in enumerate(BROKEN)])
def test_each_rule_fails_where_it_is_broken(rule, files, broken, tmp_path):
    lines = list(RULES[rule](built(tmp_path, {**SOUND, **files})))
    assert any(broken in line for line in lines), lines


def test_a_tiny_module_needs_two_importers_or_a_role(tmp_path):
    tiny = [line.split()[0] for line in house.is_long_or_tiny(built(tmp_path, SOUND, filler=""))]
    assert tiny == ["snnc.exporters.c.files", "snnc.mapping._own", "snnc.mapping.split"]


def test_rooms_and_floors_are_counted_as_on_the_plan(tmp_path):
    plan = house.floors(built(tmp_path, {**SOUND, "benchmarks/a.py": IMPORT.format("cli.map")}))
    assert plan == {
        "errors": 1, "base": 2, "mapping": 3, "neurons": 3, "targets": 4, "exporters": 5, "cli": 5, "benchmarks": 6,
    }  # fmt: skip


def linted(folder: Path) -> tuple[int, dict[str, bool]]:
    """What import-linter says of a folder: how many files it read, and whether each contract is kept."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_logo=True, cache_dir=None))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    (analysed,) = (int(line.split()[1]) for line in lines if line.startswith("Analyzed "))
    contracts = tomllib.loads(PYPROJECT)["tool"]["importlinter"]["contracts"]
    said = {c["id"]: line for c in contracts for line in lines if line.startswith(f"{c['name']} ")}
    kept = {name: " KEPT" in line for name, line in said.items()}
    assert (done.returncode == 0) is all(kept.values()), done.stdout + done.stderr
    return analysed, kept


CONTRACTS = {  # contract -> a file, and the line that breaks it
    "corridor": ("snnc/base/files.py", "import snnc.chips.profile"),
    "targets-below": ("exporters/loihi.py", "import snnc.report.page"),
    "targets-by-name": ("snnc/pipeline/chain.py", "import exporters.loihi"),
    "torch": ("snnc/verification/compare.py", "import torch"),
    "private": ("snnc/verification/compare.py", "import snnc.importers._settings"),
    "neurons": ("snnc/neurons/li.py", "import snnc.neurons.lif"),
    "operators": ("snnc/ops/conv2d.py", "import snnc.ops.dense"),
    "data-sets": ("snnc/data/sets/mnist.py", "import snnc.data.sets.digits"),
    "storage-rules": ("snnc/chips/memory/nxtf.py", "import snnc.chips.memory.nengo_loihi"),
    "strategies": ("snnc/mapping/strategies/greedy.py", "import snnc.mapping.strategies.patches"),
    "pruning-methods": ("snnc/training/methods/stds.py", "import snnc.training.methods.deep_r"),
    "importers": ("snnc/importers/netx/layers.py", "import snnc.importers.nir.graph"),
    "targets": ("exporters/npz/steps.py", "from ..onnx import graph"),
}


def test_every_contract_of_the_linter_breaks(tmp_path):
    pytest.importorskip("importlinter", reason="import-linter is not installed (extra dev)")
    for folder in (ROOT / "toolchain" / "snnc", ROOT / "exporters"):
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    read, kept = linted(tmp_path)
    assert read > 200
    assert kept == dict.fromkeys(CONTRACTS, True)
    for path, line in CONTRACTS.values():
        with (tmp_path / path).open("a") as file:
            file.write(f"\n{line}\n")
    assert linted(tmp_path)[1] == dict.fromkeys(CONTRACTS, False)


def test_a_package_without_a_layer_breaks_the_corridor(tmp_path):
    pytest.importorskip("importlinter", reason="import-linter is not installed (extra dev)")
    for folder in (ROOT / "toolchain" / "snnc", ROOT / "exporters"):
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "snnc" / "attic").mkdir()
    (tmp_path / "snnc" / "attic" / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    assert [name for name, keeps in linted(tmp_path)[1].items() if not keeps] == ["corridor"]


def test_the_linter_reads_this_repository():
    """Not another one: the package is installed through a finder that the linter does not know."""
    pytest.importorskip("importlinter", reason="import-linter is not installed (extra dev)")
    assert linted(ROOT)[0] >= len(THE_HOUSE.sources)


def test_modules_and_public_functions_say_what_they_are_for():
    silent = []
    for source in THE_HOUSE.sources.values():
        named = [node for node in source.tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"]
        silent += [source.name] if not ast.get_docstring(source.tree) else []
        named = [node for node in named if not any(ast.unparse(d) == "overload" for d in node.decorator_list)]
        silent += [f"{source.name}.{node.name}" for node in named if not ast.get_docstring(node)]
    assert silent == []


def test_no_path_of_a_machine_is_recorded():
    """Commands name data by DIR and interpreters by PYTHON (`benchmarks/peers/machine.py`)."""
    places = ["results", "docs", "benchmarks", "examples", "exporters", "hw_profiles", "toolchain", "*.md"]
    words = ["git", "grep", "-nIE", r"(^|[^A-Za-z0-9_.-])/(work|tmp|root|home)/", "--", *places]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (1, ""), found.stderr


def test_every_package_is_shipped():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {".".join(p.parent.relative_to(ROOT / "toolchain").parts) for p in (ROOT / "toolchain" / "snnc").rglob("__init__.py")}
    found |= {".".join(("snnc", *p.parent.relative_to(ROOT).parts)) for p in (ROOT / "exporters").rglob("__init__.py")}
    assert listed == found | {"snnc.hw_profiles"}


@pytest.mark.parametrize(
    "words", [["--help"], ["check", "--help"], ["export", "--help"], ["import", "--help"], ["verify", "--help"], ["profiles"]]
)
def test_the_command_line_starts_without_heavy_packages(words):
    code = f"""
import sys
sys.argv = ["snnc", *{words!r}]
from snnc.cli import main
try:
    main()
except SystemExit as end:
    print("code", end.code)
heavy = {{"torch", "snntorch", "numba", "lava", "sklearn", "scipy", "onnx", "matplotlib", "h5py", "nir"}}
print(sorted(set(sys.modules) & heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["code 0", "[]"], done.stdout + done.stderr
