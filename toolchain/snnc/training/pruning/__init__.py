"""Pruning of networks, of a user's own modules, and until a chip is met."""
