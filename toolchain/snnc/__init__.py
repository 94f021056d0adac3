"""snnc: from a trained spiking network to a neuromorphic chip, proved spike for spike."""

from snnc._version import __version__

__all__ = ["__version__"]
