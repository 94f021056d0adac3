"""Hardware profiles: one TOML file a chip, with the source of every number. Called as a function, it lists the chips."""

from snnc.base.callable import make_callable
from snnc.chips.profile import Profile, broken, every, folder, from_table, load, names

__all__ = ["Profile", "broken", "every", "folder", "from_table", "load", "names"]

make_callable(__name__, names)
