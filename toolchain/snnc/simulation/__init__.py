"""Runs of networks: the reference, the engine, and the choice between them."""
