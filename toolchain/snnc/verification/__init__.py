"""Spike for spike: compare runs, evaluate, shrink a difference, and refute a range."""
