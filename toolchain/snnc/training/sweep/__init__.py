"""Grids of trainings: methods, connectivities, seeds."""
