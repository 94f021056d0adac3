"""Slices that cover a network: what is wrong is found in one pass, however many populations there are."""

import pytest
from cases.networks import fixed_chain

from snnc.errors import NetworkError
from snnc.mapping.coverage import gaps, must_be_a_partition
from snnc.mapping.model import Slice


class Counted(list):
    """A list that counts how often it is gone through."""

    passes = 0

    def __iter__(self):
        self.passes += 1
        return super().__iter__()


def test_slices_are_gone_through_as_often_for_many_populations_as_for_few():
    passes = []
    for layers in (3, 40):
        net = fixed_chain(0, (4,) * layers)
        slices = Counted(Slice(p.name, 0, 4) for p in net.populations if p.neuron)
        assert list(gaps(net, slices)) == []
        passes.append(slices.passes)
    assert passes[0] == passes[1]


def test_what_is_left_out_is_named():
    net = fixed_chain(0, (4, 4, 4))
    with pytest.raises(NetworkError, match=r"population 'output': slices end at neurons \[0, 3\], they are to cover 0 .. 4"):
        must_be_a_partition(net, [Slice("hidden1", 0, 4), Slice("output", 0, 3)])
    with pytest.raises(NetworkError, match="slices name 'other', which is no population"):
        must_be_a_partition(net, [Slice("hidden1", 0, 4), Slice("output", 0, 4), Slice("other", 0, 1)])
