"""Names of other tools as names of populations and connections: legal, unique, and known afterwards. Part of every import."""

import re
from collections.abc import Container, Iterable

MAX_CHARACTERS = 64


def legal(names: Iterable[str]) -> dict[str, str]:
    """Each name -> a legal one of its own: letters, digits and _, beginning with a letter. Legal names stay as they are."""
    given = dict.fromkeys(names)
    found = {name: name for name in given if _tidied(name) == name}
    taken = set(found)
    for name in given:
        if name not in found:
            found[name] = unique(_tidied(name), taken)
            taken.add(found[name])
    return {name: found[name] for name in given}


def unique(name: str, taken: Container[str]) -> str:
    """The legal name itself, or with a number where it is taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name[: MAX_CHARACTERS - 8]}_{number}"
    return found


def _tidied(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return (plain if re.match("[A-Za-z]", plain) else f"n{plain}")[:MAX_CHARACTERS]
