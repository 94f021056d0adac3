"""A function in a Python file of the user's own: FILE.py:FACTORY."""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc.errors import FileError, SnncError, UsageError, nearest


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
    """Let what lies beside a Python file be imported within the context."""
    sys.path.insert(0, str(path.absolute().parent))
    try:
        yield
    finally:
        sys.path.pop(0)


def function(factory: Factory) -> Callable[[], Any]:
    """Return the function; the file is executed. Called within `beside`.

    Raises FileError if the file cannot be read or imported, raises anything, or has no such function.
    """
    where = str(factory.path)
    if not factory.path.is_file():
        raise FileError("no such file", where=where, fix="check the path")
    spec = importlib.util.spec_from_file_location(f"own_{factory.path.stem}", factory.path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - for the type checker: the name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise FileError(f"is no Python: {error.msg} in line {error.lineno}", where=where) from error
    except ImportError as error:
        raise FileError(f"cannot be imported: {error}", where=where, fix="install what it needs") from error
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
        make = function(factory)
        try:
            return make()
        except SnncError:
            raise
        except Exception as error:
            where = f"{factory.path}:{factory.name}"
            raise FileError(f"raises {told(error, factory)}", where=where, fix="correct the function") from error


def told(error: Exception, factory: Factory | None = None) -> str:
    """Return an error of the user's own code in one line, with the last line of the user's file on the way to it."""
    frames = traceback.extract_tb(error.__traceback__) if factory else []
    lines = [frame.lineno for frame in frames if factory and Path(frame.filename) == factory.path.absolute()]
    place = f" ({factory.path.name}:{lines[-1]})" if factory and lines else ""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(": ") + place
