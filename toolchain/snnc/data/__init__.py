"""Labelled samples to train and to measure on; the data sets are in `snnc.data.sets`, one file each. Called, it loads a split."""

from snnc.base.callable import make_callable
from snnc.data.dataset import FOLDER_VARIABLE, Dataset, Split, must_suit
from snnc.data.load import Source, load
from snnc.data.sets import download, names

__all__ = ["FOLDER_VARIABLE", "Dataset", "Source", "Split", "download", "load", "must_suit", "names"]

make_callable(__name__, load)
