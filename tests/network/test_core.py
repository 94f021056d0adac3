"""The core: network, file, reference simulator, comparison."""

from dataclasses import replace

import pytest
from cases.networks import fixed_chain, float_chain, spikes

from snnc import neurons, store
from snnc.errors import NetworkError
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


def test_a_network_with_many_faults_is_still_one_short_sentence():
    net = fixed_chain(0, (4,) * 40)
    with pytest.raises(NetworkError, match=r"39 problems: .*; and 34 more") as error:
        replace(net, connections=tuple(replace(c, op=replace(c.op, sign_mode=None)) for c in net.connections))
    assert len(str(error.value)) < 1000
