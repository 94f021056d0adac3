"""The core: network, file, reference simulator, comparison."""

import pytest
from cases.networks import fixed_chain, float_chain, spikes

from snnc import neurons, store
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare


@pytest.mark.parametrize("make", [fixed_chain, float_chain])
@pytest.mark.parametrize("model", neurons.names())
def test_a_network_survives_its_file(make, model, tmp_path):
    net = make(model=model)
    store.save(net, tmp_path / "a.snnc")
    again = store.load(tmp_path / "a.snnc")
    assert again.hash == net.hash
    assert store.dumps(again) == store.dumps(net)
    verdict = compare(simulate(net, spikes(net), record=True), simulate(again, spikes(net), record=True))
    assert verdict.exact
    assert min(verdict.fired.values()) > 0
