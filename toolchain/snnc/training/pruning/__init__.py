"""Pruning of networks, of a user's own modules, and to fit a chip."""
