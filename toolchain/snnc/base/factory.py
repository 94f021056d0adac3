"""A function in a Python file of the user's own: FILE.py:FACTORY."""

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc.errors import FileError, SnncError, UsageError, nearest

INSTALL = "install what it needs, or name its folder in PYTHONPATH"
PACKAGE = "add an empty __init__.py to each folder of its package"
SCRIPT = "put what a script does under if __name__ == '__main__', and give arguments that it reads a default"


@dataclass(frozen=True)
class Factory:
    """A function in a Python file that makes a model, or a data set."""

    path: Path
    name: str

    @classmethod
    def parse(cls, text: str) -> "Factory | None":
        """Read ``FILE.py:FACTORY``; return None for what is no Python file. Raises UsageError without the factory."""
        path, colon, name = text.rpartition(":")
        if text.endswith(".py"):
            raise UsageError("says no factory", where=text, fix=f"name the function in it: {text}:FUNCTION")
        return cls(Path(path), name) if colon and path.endswith(".py") else None


@contextmanager
def beside(path: Path) -> Iterator[None]:
    """Let what lies beside a Python file, and its package, be imported within the context, in which it has no arguments."""
    root, packages = _package(path)
    folders = [str(path.absolute().parent), *([str(root)] if packages else [])]
    sys.path[:0] = folders
    arguments, sys.argv = sys.argv, [str(path)]  # those of snnc are none of the file's own argparse
    try:
        yield
    finally:
        sys.argv = arguments
        for folder in folders:
            if folder in sys.path:  # the file may have changed it
                sys.path.remove(folder)


def _package(path: Path) -> tuple[Path, list[str]]:
    """Return (the folder of the outermost package in which a file lies, the names of its packages)."""
    names: list[str] = []
    folder = path.absolute().parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, names


def function(factory: Factory) -> Callable[[], Any]:
    """Return the function; the file is executed. Called within `beside`.

    Raises FileError if the file cannot be read or imported, raises anything, or has no such function.
    """
    where = str(factory.path)
    if not factory.path.is_file():
        raise FileError("no such file", where=where, fix="check the path")
    name = ".".join([*_package(factory.path)[1], f"own_{factory.path.stem}"])
    spec = importlib.util.spec_from_file_location(name, factory.path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - for the type checker: the name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise FileError(f"is no Python: {error.msg} in line {error.lineno}", where=where) from error
    except ImportError as error:
        fix = PACKAGE if "relative import" in str(error) else INSTALL
        raise FileError(f"cannot be imported: {error}", where=where, fix=fix) from error
    except SystemExit as end:
        raise FileError(f"raises {told(end, factory)} when it is imported", where=where, fix=SCRIPT) from end
    except Exception as error:
        raise FileError(f"raises {told(error, factory)} when it is imported", where=where, fix="correct the file") from error
    made = {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}
    if factory.name not in made:
        raise FileError(f"has no function {factory.name!r}", where=where, fix=nearest(factory.name, sorted(made)))
    factory_function: Callable[[], Any] = made[factory.name]
    return factory_function


def made(factory: Factory) -> Any:
    """Return what the function makes; the file is executed. Raises FileError as `function` does, and for what the call raises."""
    with beside(factory.path):
        make, where = function(factory), f"{factory.path}:{factory.name}"
        _must_be_factory(make, factory.name, where)
        try:
            return make()
        except SnncError:
            raise
        except Exception as error:
            raise FileError(f"raises {told(error, factory)}", where=where, fix="correct the function") from error


def _must_be_factory(make: Any, name: str, where: str) -> None:
    """Raise FileError for what is no function, such as a model itself, or needs arguments."""
    if hasattr(make, "forward") and not inspect.isclass(make):
        what = f"is a {type(make).__name__} and no function that makes one"
        raise FileError(what, where=where, fix=f"add def make(): return {name} and name make")
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):  # what is not written in Python need not say
        return
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in optional]
    if needed:
        fix = f"add def make(): return {name}(...) with them, and name make"
        raise FileError(f"needs arguments ({', '.join(needed)})", where=where, fix=fix)


def told(error: BaseException, factory: Factory | None = None) -> str:
    """Return an error of the user's own code in one line, with the last line of the user's file on the way to it."""
    frames = traceback.extract_tb(error.__traceback__) if factory else []
    lines = [frame.lineno for frame in frames if factory and Path(frame.filename) == factory.path.absolute()]
    place = f" ({factory.path.name}:{lines[-1]})" if factory and lines else ""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(": ") + place
