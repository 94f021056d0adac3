"""One to one: each neuron hears the source neuron of its own number, through a weight of its own.

Stored: one weight a neuron, as the only column of its row.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from snnc.plugin import Op


@final
@dataclass(frozen=True, eq=False)
class OneToOne(Op):
    """current[i] = weight[i] * message[i]."""

    kind: ClassVar[str] = "one_to_one"

    @property
    def input_shape(self):
        """One input a neuron."""
        return (self.synapses.shape[0],)

    @property
    def dst_shape(self):
        """As many neurons as inputs."""
        return (self.synapses.shape[0],)

    @property
    def possible_synapses(self):
        """One a neuron, for each source neuron that its input stands for."""
        return int(self._often().sum())

    def _weighed(self, inputs):
        weights = np.zeros(self.n_dst, np.result_type(self.synapses.values, inputs))
        weights[self.synapses.rows] = self.synapses.values
        return inputs * weights

    def _sums(self, values, often):
        sums = np.zeros(self.n_dst, values.dtype)
        sums[self.synapses.rows] = values * often[self.synapses.rows]
        return sums

    def _strongest(self, values, often, most):
        return self._sums(values, np.minimum(often, most))

    def joins(self, sources, destinations):
        """Which weights join one of those sources with one of those destinations."""
        return destinations[self.synapses.rows] & self.pooled(sources)[self.synapses.rows]

    def between(self, sources, destinations):
        """None: a part of the neurons is not joined one to one by their numbers."""
        return self if sources.all() and destinations.all() else None

    def _axons(self, start, stop):
        inputs = self.synapses.rows[(self.synapses.rows >= start) & (self.synapses.rows < stop)].astype(np.int64)
        return inputs, np.ones(len(inputs), np.int64)

    def _rows(self, start, stop):
        here = np.flatnonzero((self.synapses.rows >= start) & (self.synapses.rows < stop))
        rows = self.synapses.rows[here].astype(np.int64)
        return rows - start, rows, here


OP = OneToOne
