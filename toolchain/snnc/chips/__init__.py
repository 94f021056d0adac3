"""Hardware profiles: one TOML file a chip, with the source of every number."""

from snnc.chips.profile import Profile, folder, from_table, load, names

__all__ = ["Profile", "folder", "from_table", "load", "names"]
