"""Spiking Heidelberg Digits: spoken digits from zero to nine in German and English, as spikes of 700 channels. 20 classes.

The files are those of https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/: ``shd_train.h5`` and ``shd_test.h5``,
unpacked. Each has ``spikes/times`` in seconds and ``spikes/units``, an array for each sample, and ``labels``. Two of the twelve
speakers are heard in the test split only. The layout and the publication are in `snnc.data.heidelberg`:

- a sample lasts up to 1.4 s; 100 steps of 14 ms, or 140 of 10 ms, are usual,
- a sensor of 1 polarity, 1 row and 700 columns, which a network of 700 inputs takes; ``--event-pool`` joins neighbours.

An example, with DIR as the folder of the files:

    snnc train --data shd --data-dir DIR --encoding events -T 100 --dt-s 0.014 --recurrent --hidden 256 --neuron cuba -o shd.snnc
"""

from pathlib import Path

from snnc.data import heidelberg
from snnc.data.dataset import Dataset, Split

CLASSES = 20


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 8,156 + 2,264 spoken digits, from ``shd_train.h5`` and ``shd_test.h5`` in ``folder`` or its subfolder ``shd``.

    Raises DataError if a file is missing or holds something else, FileError if it is damaged, MissingDependencyError without
    h5py.
    """
    return heidelberg.load("shd", CLASSES, split, folder)
