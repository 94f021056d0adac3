"""Labelled samples to train and to measure on; the data sets are in `snnc.data.sets`, one file each."""

from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split, must_suit
from snnc.data.sets import download, load, names

__all__ = ["FOLDER_VARIABLE", "Dataset", "Split", "download", "load", "must_suit", "names"]
