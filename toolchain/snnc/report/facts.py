"""Values out of JSON that anyone may have written: what is missing or of another kind is None, and shown as not recorded."""

import math
from typing import Any

MAX_TEXT = 500  # characters of a text that is shown


def at(body: Any, *keys: str | int) -> Any:
    """What lies under the keys, or None."""
    for key in keys:
        inside = isinstance(body, dict) if isinstance(key, str) else isinstance(body, list) and key < len(body)
        if not inside:
            return None
        body = body.get(key) if isinstance(key, str) else body[key]
    return body


def number(body: Any, *keys: str | int) -> float | None:
    """A finite number, or None."""
    found = at(body, *keys)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and abs(found) < 1e300 and math.isfinite(found) else None


def whole(body: Any, *keys: str | int) -> int | None:
    """A whole number, or None."""
    found = at(body, *keys)
    return found if type(found) is int and abs(found) < 1 << 63 else None


def flag(body: Any, *keys: str | int) -> bool | None:
    """True, False or None."""
    found = at(body, *keys)
    return found if isinstance(found, bool) else None


def text(body: Any, *keys: str | int) -> str | None:
    """A text of one line, or None; characters that cannot be printed are left out."""
    found = at(body, *keys)
    return "".join(c for c in found[:MAX_TEXT] if c.isprintable()) if isinstance(found, str) else None


def table(body: Any, *keys: str | int) -> dict[str, Any]:
    """An object, or an empty one."""
    found = at(body, *keys)
    return found if isinstance(found, dict) else {}


def percent(part: float | None, digits: int = 2) -> str | None:
    """A part of 1 in words."""
    return None if part is None else f"{100 * part:.{digits}f} %"
