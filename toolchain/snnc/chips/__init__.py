"""Hardware profiles: one TOML file a chip, with the source of every number."""

from snnc.chips.profile import Profile, broken, every, folder, from_table, load, names

__all__ = ["Profile", "broken", "every", "folder", "from_table", "load", "names"]
