"""What is kept are the synapses of largest weight, and of equals those that are stored first."""

import numpy as np
from cases.networks import fixed_chain

from snnc.passes.prune_by_magnitude import magnitudes, prune_by_magnitude, prune_by_rank, ranked


def test_the_largest_weights_stay_and_other_connections_keep_all():
    net = fixed_chain()
    c, *others = net.connections
    keep = c.op.synapses.count // 3
    pruned = prune_by_magnitude(net, {c.name: keep})
    kept, every = (np.sort(np.abs(one.connections[0].op.synapses.values)) for one in (pruned, net))
    np.testing.assert_array_equal(kept, every[-keep:])
    assert list(pruned.connections[1:]) == others


def test_of_equal_weights_the_first_stored_are_kept():
    assert ranked({"c": np.array([2.0, 3.0, 2.0, 2.0])})["c"].tolist() == [1, 0, 2, 3]


def test_a_network_that_keeps_everything_is_the_same():
    net = fixed_chain()
    keep = {c.name: c.op.synapses.count + 1 for c in net.connections}
    assert prune_by_rank(net, keep, ranked(magnitudes(net))).hash == net.hash
