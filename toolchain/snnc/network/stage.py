"""What was done to a network: the provenance that it carries along."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Stage:
    """What was done to a network: the verb, its settings, its seeds. Provenance.

    Settings are kept in the order of their names, so that networks that are equal are written as equal bytes.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", _by_name(self.settings))


def _by_name(value: Any) -> Any:
    """Return a JSON value whose objects hold their keys in alphabetical order."""
    if isinstance(value, dict):
        return {key: _by_name(value[key]) for key in sorted(value, key=str)}
    return [_by_name(item) for item in value] if isinstance(value, list) else value
