"""A function in a Python file of the user's own: FILE.py:FACTORY."""

from dataclasses import dataclass
from pathlib import Path

from snnc.errors import UsageError


@dataclass(frozen=True)
class Factory:
    """A function without arguments, in a Python file, that makes a model."""

    path: Path
    name: str

    @classmethod
    def parse(cls, text: str) -> "Factory | None":
        """Read ``FILE.py:FACTORY``; return None for what is no Python file. Raises UsageError without the factory."""
        path, colon, name = text.rpartition(":")
        if text.endswith(".py"):
            raise UsageError("says no factory", where=text, fix=f"name the function that makes the model: {text}:FUNCTION")
        return cls(Path(path), name) if colon and path.endswith(".py") else None
