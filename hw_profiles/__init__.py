"""Chips: one TOML file each."""
