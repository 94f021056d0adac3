"""Spiking Speech Commands: the words of Google's Speech Commands as spikes of 700 channels. 35 classes.

The files are those of https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/: ``ssc_train.h5`` and ``ssc_test.h5``,
unpacked. Each has ``spikes/times`` in seconds and ``spikes/units``, an array for each sample, and ``labels``. The layout and the
publication are in `snnc.data.heidelberg`:

- a sample lasts up to 1 s; 100 steps of 10 ms are usual,
- ``ssc_valid.h5``, the third split, is not read: a validation split is best kept apart by a file of one's own,
- the training split has about 600 million spikes, which take 5 GB of memory here.

An example, with DIR as the folder of the files:

    snnc train --data ssc --data-dir DIR --encoding events -T 100 --dt-s 0.01 --recurrent --hidden 512 --neuron cuba -o ssc.snnc
"""

from pathlib import Path

from snnc.data import heidelberg
from snnc.data.dataset import Dataset, Split

CLASSES = 35


def load(split: Split, folder: Path | None = None) -> Dataset:
    """Load 75,466 + 20,382 spoken words, from ``ssc_train.h5`` and ``ssc_test.h5`` in ``folder`` or its subfolder ``ssc``.

    Raises DataError if a file is missing or holds something else, FileError if it is damaged, MissingDependencyError without
    h5py.
    """
    return heidelberg.load("ssc", CLASSES, split, folder)
