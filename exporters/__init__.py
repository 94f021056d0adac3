"""Targets: one file each, found by name at run time."""
