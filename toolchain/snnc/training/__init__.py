"""Training and pruning: the only folder that imports torch."""
