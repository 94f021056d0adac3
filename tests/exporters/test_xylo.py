"""Why there is no target for Xylo: what its neurons compute in its maker's simulator, and that none of ours does."""

from dataclasses import replace

import numpy as np
import pytest
from cases import peers
from cases.networks import LOIHI, fixed_chain

from snnc import neurons
from snnc.network.synapses import Synapses
from snnc.simulation.reference import simulate

RNG = np.random.default_rng(0)
N_IN, N, STEPS = 4, 6, 60
XYLO = {
    "weights": 2 * RNG.integers(-30, 60, (N_IN, N)),
    "dash_syn": RNG.integers(1, 4, N),
    "dash_mem": RNG.integers(1, 5, N),
    "threshold": RNG.integers(60, 400, N),
    "inputs": (RNG.random((STEPS, N_IN)) < 0.5).astype(int),
}


@pytest.fixture(scope="module")
def xylo(tmp_path_factory):
    """Spikes, u and v in xylosim 0.1.3."""
    folder = tmp_path_factory.mktemp("xylo")
    np.savez(folder / "network.npz", **XYLO)
    peers.run("xylo", "xylo.py", folder / "network.npz", folder / "out.npz")
    with np.load(folder / "out.npz") as found:
        return {name: found[name].astype(int) for name in found.files}


def leak(state, dash):
    """What decays: an arithmetic shift, and at least one."""
    shifted = state >> dash
    return np.where(shifted == 0, np.sign(state), shifted)


@pytest.mark.slow
@peers.needs("xylo", "peers")
def test_the_rule_of_xylo(xylo):
    """The new current decays before it is used; v >= threshold fires, up to 31 times a step, and is subtracted each time."""
    u, v = np.zeros(N, int), np.zeros(N, int)
    for step, sent in enumerate(XYLO["inputs"]):
        u = u + sent @ XYLO["weights"]
        u = u - leak(u, XYLO["dash_syn"])
        v = v - leak(v, XYLO["dash_mem"]) + u
        spikes = np.clip(v // XYLO["threshold"], 0, 31)
        v = v - spikes * XYLO["threshold"]
        for name, ours in (("spikes", spikes), ("u", u), ("v", v)):
            assert np.array_equal(xylo[name][step], ours), (name, step)
    assert xylo["spikes"].max() > 1


@pytest.mark.slow
@peers.needs("xylo", "peers")
@pytest.mark.parametrize("model", neurons.names())
def test_none_of_our_neurons_is_xylos(model, xylo):
    """A model that has the spikes of the chip makes a target for it possible, and this fails."""
    values = {"threshold": XYLO["threshold"], "bias": 0, "period": 1}
    values |= {"decay_u": 4096 >> XYLO["dash_syn"], "decay_v": 4096 >> XYLO["dash_mem"]}
    neuron = neurons.get(model)(**{name: values[name] for name in neurons.get(model).parameters()})
    net = fixed_chain(sizes=(N_IN, N), numeric=LOIHI)
    op = replace(net.connections[0].op, synapses=Synapses.from_dense(XYLO["weights"].T))
    populations = (net.populations[0], replace(net.populations[1], neuron=neuron))
    net = replace(net, populations=populations, connections=(replace(net.connections[0], op=op),))
    run = simulate(net, {"input": XYLO["inputs"][None].astype(np.uint8)}, record=True)
    assert run.states["output"]["v"].any()
    assert not np.array_equal(run.spikes["output"][0], xylo["spikes"])
    assert not np.array_equal(np.minimum(xylo["spikes"], 1), run.spikes["output"][0])
