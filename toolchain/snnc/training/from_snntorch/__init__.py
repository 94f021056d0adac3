"""Conversion of a snnTorch module to a network: trace, build, name."""
