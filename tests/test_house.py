"""The rules of the house that a linter does not know."""

import ast
import subprocess
import sys
import tomllib

import pytest
from conftest import ROOT

SOURCE = ROOT / "toolchain" / "snnc"
MODULES = sorted([*SOURCE.rglob("*.py"), *(ROOT / "exporters").rglob("*.py")])


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_torch_stays_in_training(path):
    if "training" not in path.parts:
        assert not {m.split(".")[0] for m in imports(path)} & {"torch", "snntorch"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_run_downward(path):
    inside = set(path.relative_to(ROOT).parts)
    for module in imports(path):
        assert not module.startswith("snnc.exporters"), "exporters are found by name"
        assert inside & {"cli", "__main__.py"} or not module.startswith("snnc.cli"), "nothing imports the command line"
        on_top = inside & {"cli", "training", "importers", "pipeline", "report", "__main__.py"}
        assert on_top or not module.startswith(("snnc.training", "snnc.pipeline.chain")), "training and pipeline stand on top"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[bool(ast.get_docstring(node)) :]  # signature and docstring are as long as they need to be
            assert not body or (node.end_lineno or 0) - body[0].lineno < 40, node.name


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_and_public_functions_say_what_they_are_for(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node) or any(ast.unparse(d) == "overload" for d in node.decorator_list), node.name


def test_no_path_of_a_machine_is_recorded():
    """Commands name data by DIR and interpreters by PYTHON (`benchmarks/peers/machine.py`)."""
    places = ["results", "docs", "benchmarks", "examples", "exporters", "hw_profiles", "toolchain", "*.md"]
    words = ["git", "grep", "-nIE", r"(^|[^A-Za-z0-9_.-])/(work|tmp|root|home)/", "--", *places]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (1, ""), found.stderr


def test_every_package_is_shipped():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {".".join(p.parent.relative_to(ROOT / "toolchain").parts) for p in SOURCE.rglob("__init__.py")}
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
