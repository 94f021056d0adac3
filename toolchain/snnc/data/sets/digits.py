"""Handwritten digits that scikit-learn carries: the data set that needs no files."""

from pathlib import Path

import numpy as np

from snnc.data.dataset import Dataset, Split
from snnc.errors import MissingDependencyError, of_memory


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 1,797 digits of 8x8 pixels (UCI "Optical Recognition of Handwritten Digits"); every fifth is a test sample.

    Raises MissingDependencyError without scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        if of_memory(error):
            raise
        raise MissingDependencyError("the digits come with scikit-learn", fix="pip install '.[train]'") from error
    pixels, labels = load_digits(return_X_y=True)
    images = ((pixels.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)
    chosen = (np.arange(len(labels)) % 5 == 0) == (split == "test")
    return Dataset("digits", split, images[chosen], (8, 8), labels[chosen].astype(np.int64))
