"""Data set `stripes`: images of 8x8 pixels with one bright row (class 0) or one bright column (class 1), and noise."""

import numpy as np

from snnc.plugin import Dataset


def load(split, folder=None):
    """Make 400 images for training, 100 for the test."""
    rng = np.random.default_rng(split == "test")
    count = 100 if split == "test" else 400
    labels, places = rng.integers(0, 2, count), rng.integers(0, 8, count)
    images = rng.integers(0, 60, (count, 8, 8))
    for image, label, place in zip(images, labels, places, strict=True):
        image[(place, slice(None)) if label == 0 else (slice(None), place)] = 255
    return Dataset("stripes", split, images.reshape(count, 64).astype(np.uint8), (8, 8), labels.astype(np.int64))
