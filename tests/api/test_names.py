"""`import snnc` is an API: light, complete, and the same for Python and for type checkers."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import snnc
from snnc import chips, neurons, report, targets

PACKAGE = ROOT / "toolchain" / "snnc"
HEAVY = {"torch", "snntorch", "numba", "lava", "scipy", "sklearn", "numpy", "onnx", "matplotlib", "h5py"}


def modules_after(code):
    """The modules that are loaded once ``code`` has run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_import_snnc_loads_nothing_of_it():
    loaded = modules_after("import snnc; dir(snnc)")
    assert {name for name in loaded if name.split(".")[0] == "snnc"} == {"snnc", "snnc.base", "snnc.base.lazy"}
    assert not loaded & HEAVY


@pytest.mark.parametrize("code", ["snnc.chips()", "snnc.targets()", "snnc.check", "snnc.optim", "snnc.TrainConfig"])
def test_what_needs_no_torch_loads_none(code):
    assert not modules_after(f"import snnc; {code}") & {"torch", "snntorch", "numba", "lava"}


def stub():
    """name in the API -> the object that the stub says it is."""
    tree, named = ast.parse((PACKAGE / "__init__.pyi").read_text()), {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            home = importlib.import_module(node.module)
            for alias in node.names:
                assert alias.asname, f"{alias.name} is not exported: write `as {alias.name}`"
                named[alias.asname] = getattr(home, alias.name)
    listed = next(node.value for node in tree.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(listed) == sorted(named)
    return named


def test_the_stub_says_what_is_there():
    named = stub()
    assert sorted(named) == sorted(snnc.__all__)
    for name, said in named.items():
        is_package = name in ("chips", "data", "neurons", "report", "targets")
        assert (type(getattr(snnc, name)).__call__ if is_package else getattr(snnc, name)) is said, name
    assert set(dir(snnc)) >= set(snnc.__all__)


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'chip'"):
        snnc.chip  # noqa: B018
    for module in (snnc.optim, snnc.plugin):
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            module.nothing  # noqa: B018


def test_packages_are_lists_of_what_they_hold():
    assert snnc.chips() == chips.names()
    assert snnc.targets() == targets.names()
    assert snnc.neurons() == neurons.names()
    assert snnc.chips is chips
    assert snnc.report is report
    assert snnc.supported() == targets.support_matrix()


@pytest.mark.parametrize("module", [snnc.optim, snnc.plugin], ids=["optim", "plugin"])
def test_lazy_modules_have_what_they_list_for_type_checkers(module):
    tree = ast.parse(Path(module.__file__).with_suffix(".pyi").read_text())
    named = {alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert named == set(module.__all__) == set(dir(module))
    assert len(named) > 5
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_no_module_of_snnc_takes_a_function_of_the_api_for_a_package():
    """For a type checker, `from snnc import chips` is the function: inside snnc it reads `import snnc.chips as chips`."""
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "exporters").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "snnc":
                both = {alias.name for alias in node.names} & {"chips", "neurons", "report", "targets"}
                assert not both, f"{path}: write: import snnc.{min(both)} as {min(both)}"


@pytest.mark.parametrize("name", [name for name in snnc.__all__ if name not in ("__version__", "optim", "plugin")])
def test_everything_says_what_it_takes_returns_and_raises(name):
    thing = stub()[name]
    text = inspect.getdoc(thing) or ""
    assert "Examples:" in text
    assert ">>> import snnc" in text or ", snnc" in text
    if inspect.isfunction(thing):
        signature = inspect.signature(thing)
        if signature.parameters:
            assert "Args:" in text
            assert "Raises:" in text
            for parameter in signature.parameters:
                assert f"\n    {parameter}: " in text or f"\n    **{parameter}: " in text, parameter
        assert ("Returns:" in text) == (signature.return_annotation not in (None, "None"))
