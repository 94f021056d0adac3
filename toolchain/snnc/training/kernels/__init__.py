"""Compiled loops of training: neurons, Adam, threads, heap."""
