"""Values out of JSON that anyone may have written: what is missing or of another kind is None, and shown as not recorded."""

import math
from typing import Any

MAX_TEXT = 500  # characters of a text that is shown


def at(body: Any, *keys: str | int) -> Any:
    """Return what lies under the keys, or None."""
    for key in keys:
        inside = isinstance(body, dict) if isinstance(key, str) else isinstance(body, list) and key < len(body)
        if not inside:
            return None
        body = body.get(key) if isinstance(key, str) else body[key]
    return body


def number(body: Any, *keys: str | int) -> float | None:
    """Return a finite number, or None."""
    value = at(body, *keys)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e300 and math.isfinite(value) else None


def whole(body: Any, *keys: str | int) -> int | None:
    """Return a whole number, or None."""
    value = at(body, *keys)
    return value if type(value) is int and abs(value) < 1 << 63 else None


def flag(body: Any, *keys: str | int) -> bool | None:
    """Return True, False or None."""
    value = at(body, *keys)
    return value if isinstance(value, bool) else None


def text(body: Any, *keys: str | int) -> str | None:
    """Return a text of one line, or None; characters that cannot be printed are left out."""
    value = at(body, *keys)
    return "".join(c for c in value[:MAX_TEXT] if c.isprintable()) if isinstance(value, str) else None


def table(body: Any, *keys: str | int) -> dict[str, Any]:
    """Return an object, or an empty one."""
    value = at(body, *keys)
    return value if isinstance(value, dict) else {}


def percent(part: float | None, digits: int = 2) -> str | None:
    """Format a part of 1 as a percentage."""
    return None if part is None else f"{100 * part:.{digits}f} %"
