"""Words of one core, from the rule that counts those of any number of cores."""

import numpy as np

from snnc.chips.memory import INEXPRESSIBLE, Words, words_by_core


def words_by_format(storage, axons, n_neurons, weight_bits, delay_bits=0, most=INEXPRESSIBLE):
    """The words that a connection takes on one core with so many neurons, in each format that can express it."""
    neurons = np.array([n_neurons])
    by_format = words_by_core(storage, axons, neurons, neurons, weight_bits, delay_bits, most, only_best=False)
    return {name: Words(*(int(a[0]) for a in w)) for name, w in by_format.items() if w.total[0] < INEXPRESSIBLE}
