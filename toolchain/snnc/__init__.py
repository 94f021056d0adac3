"""snnc: from a trained spiking network to a neuromorphic chip, proved spike for spike."""

__version__ = "0.1.0"
