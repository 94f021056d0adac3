"""What all tests share: where the data is, and that nothing is skipped in continuous integration."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() == "true"
NO_RTL = "the RTL of other chips is not here"  # as in cases/peers.py
NO_MNIST = "MNIST is not here: set SNNC_DATA to a folder with its four IDX files"


def mnist_folder() -> Path | None:
    """The folder with MNIST: SNNC_DATA, or one that lies beside the project."""
    candidates = [Path(os.environ["SNNC_DATA"])] if "SNNC_DATA" in os.environ else []
    candidates.append(ROOT.parent / "shared" / "data" / "mnist")
    return next((c for c in candidates if any(c.glob("train-images*"))), None)


def snnc(*words):
    """Exit code of the command line."""
    from snnc.cli import main

    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """Tables are as wide as they like, wherever the tests run."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The folder with MNIST; skips with a printed reason where it is missing."""
    folder = mnist_folder()
    if folder is None:
        pytest.skip(NO_MNIST)
    return folder


def pytest_runtest_setup(item):
    """Tests that run Lava or Icarus Verilog are skipped, with the reason, where it is not installed."""
    if item.get_closest_marker("hdl") and not shutil.which("iverilog"):
        pytest.skip("Icarus Verilog is not installed: make hdl, or apt-get install iverilog")
    if item.get_closest_marker("lava") and not find_spec("lava") and "SNNC_LAVA_PYTHON" not in os.environ:
        pytest.skip("Lava is not installed; snnc doctor says how to install it")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In continuous integration a skipped test is a failure: the peers are installed there.

    Only MNIST and the RTL of other chips may be missing.
    """
    report = yield
    if (
        IN_CI
        and report.skipped
        and not hasattr(report, "wasxfail")
        and not any(what in str(report.longrepr) for what in (NO_MNIST, NO_RTL))
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped in continuous integration: {report.longrepr}"
    return report
