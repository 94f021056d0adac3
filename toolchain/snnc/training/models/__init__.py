"""Torch models that snnc trains, and networks made of them."""
