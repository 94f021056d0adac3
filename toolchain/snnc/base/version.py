"""Version of snnc."""

__version__ = "0.1.0"
