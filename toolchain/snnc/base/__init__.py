"""Nothing neuromorphic: configuration, atomic file writes, the registry of plug-ins, FILE.py:FACTORY, numba."""
