"""Connections of large networks, sorted slice by slice, bring what they bring otherwise."""

from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.networks import LOIHI, fixed_chain, spikes
from cases.ruled import network

import snnc
from snnc import store
from snnc.network import synapses
from snnc.network.delays import parts
from snnc.simulation import engine, reference
from snnc.simulation.engine import large
from snnc.simulation.engine.plan import Program
from snnc.verification.compare import compare


def _changed(net):
    """Return a network with weights of 0 and no negative exponent, which would leave connections to the other sort."""

    def op(c):
        values = c.op.synapses.values.copy()
        values[1::5] = 0
        return replace(c.op.with_values(values), exponent=abs(c.op.exponent))

    return replace(net, connections=tuple(replace(c, op=op(c)) for c in net.connections))


NETS = {
    "dense": lambda: _changed(fixed_chain(3, (40, 90, 7), exponent=1)),
    "delays": lambda: _changed(convolutional(LOIHI, delays=True)),
    "rules": lambda: snnc.quantise(network(), "loihi2"),
}


@pytest.mark.parametrize("name", NETS)
def test_a_large_network_runs_as_a_small_one(name, tmp_path, monkeypatch):
    net = NETS[name]()
    store.save(net, tmp_path / "n.snnc")
    monkeypatch.setattr(large, "LARGE", 0)
    monkeypatch.setattr(synapses.Synapses.slices, "__defaults__", (0, None, 60))
    monkeypatch.setattr(store, "MAPPED", 0)
    net = store.load(tmp_path / "n.snnc")
    followed = [c for layer in Program(net).layers for c in layer.sorted]
    assert followed
    inputs = spikes(net, samples=2, rate=0.4, steps=12)
    ran = engine.simulate(net, inputs, record=True)
    verdict = compare(ran, reference.simulate(net, inputs, record=True))
    assert verdict.exact
    assert all(spikes.any() for spikes in ran.spikes.values())
    for each in followed:
        for ours, theirs in zip(each.parts, [p for p in parts(each.connection) if p.op.synapses.values.any()], strict=True):
            assert ours.delay_steps == theirs.delay_steps
            kept = theirs.op.synapses.keep(theirs.op.synapses.values != 0)
            assert ours.op.synapses.count == kept.count
            for key in ("indptr", "indices", "values"):
                np.testing.assert_array_equal(getattr(ours.op.synapses, key), getattr(kept, key))
