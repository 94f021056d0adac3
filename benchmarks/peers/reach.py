"""Which test executes which line, and a run of tests on a module whose source was changed. For benchmarks/mutants.py.

Both are called in a process of their own, which has not imported snnc.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import hypothesis  # noqa: F401 - loaded once, before the process is forked for each mutant
import numpy  # noqa: F401
import pytest

QUIET = ("-q", "-p", "no:cacheprovider", "-m", "not slow", "--no-header", "-W", "ignore::pytest.PytestAssertRewriteWarning")
SLOWEST_S = 8.0  # a test that takes longer is left out
KERNELS = "simulation/engine/"  # whose compiled code numba would take from disk, made of the file as it is


class _Recorder:
    """A plug-in of pytest that notes seconds and executed lines of each test that passes; "" stands for what runs at import."""

    def __init__(self, root: Path, modules: Sequence[str]) -> None:
        self.modules = {str(root / module): module for module in modules}
        self.lines: defaultdict[str, set[int]] = defaultdict(set)
        self.tests: dict[str, dict[str, Any]] = {}

    def called(self, frame: FrameType, event: str, value: Any) -> Any:
        """Return the tracer of a frame, of modules that are looked at only."""
        module = self.modules.get(frame.f_code.co_filename)
        return None if module is None else self._tracer(self.lines[module])

    @staticmethod
    def _tracer(lines: set[int]) -> Any:
        def executed(frame: FrameType, event: str, value: Any) -> Any:
            if event == "line":
                lines.add(frame.f_lineno)
            return executed

        return executed

    def taken(self, seconds: float) -> dict[str, Any]:
        """Return what was executed since the last call."""
        lines = {module: sorted(hit) for module, hit in self.lines.items() if hit}
        self.lines.clear()
        return {"seconds": round(seconds, 3), "lines": lines}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.tests[""] = self.taken(0)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Any:
        start = time.process_time()
        self.passed = False
        result = yield
        test = self.taken(time.process_time() - start)
        if self.passed and test["seconds"] <= SLOWEST_S:
            self.tests[item.nodeid] = test
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.passed = report.passed


def record(root: Path, modules: Sequence[str], tests: Sequence[str], out: Path) -> int:
    """Write which test executes which lines of some modules, as JSON; return pytest's exit code."""
    os.chdir(root)
    recorder = _Recorder(root, modules)
    threading.settrace(recorder.called)
    sys.settrace(recorder.called)
    code = pytest.main([*QUIET, *tests], plugins=[recorder])
    sys.settrace(None)
    if code == 0:
        out.write_text(json.dumps(recorder.tests))
    return int(code)


class _Changed(importlib.machinery.SourceFileLoader):
    """Loads a module from a text instead of its file, under the file's name."""

    source = ""

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, path: Path, source: str) -> None:
        self.name, self.path = name, path
        self.loader = _Changed(name, str(path))
        self.loader.source = source

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        below = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self.loader, submodule_search_locations=below)


def name_of(module: str) -> str:
    """Return the name by which a file of the repository is imported."""
    parts = Path(module).with_suffix("").parts
    parts = parts[1:] if parts[0] == "toolchain" else ("snnc", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run(root: Path, module: str, source: str, tests: Sequence[str], folder: Path) -> int:
    """Run tests until one fails, with ``source`` in place of a module; return pytest's exit code. ``folder`` is for scratch."""
    os.chdir(root)
    if KERNELS in module and "compiled" in source:
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    sys.meta_path.insert(0, _Finder(name_of(module), root / module, source))
    return int(pytest.main([*QUIET, "-x", "--basetemp", str(folder / "tests"), *tests]))
