"""Training in a chip's own integers."""
