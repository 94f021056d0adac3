"""The example of the cortical microcircuit: the size of the model, a synaptic potential, and the same spikes in Lava."""

import sys
from pathlib import Path

import numpy as np
import pytest

import snnc

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import microcircuit


def test_the_model_has_its_published_size():
    net = microcircuit.microcircuit()
    assert sum(p.size for p in net.populations if p.neuron) == 77_169
    rules = [c.op.synapses.rule for c in net.connections]
    recurrent = [rule for c, rule in zip(net.connections, rules, strict=True) if c.src in microcircuit.SIZES]
    assert len(recurrent) == 55
    expected = sum(rule.probability * rule.n_dst * rule.n_src for rule in recurrent)
    assert expected == pytest.approx(0.2848e9, rel=1e-3)
    pairs = [rule.n_dst * rule.n_src for rule in recurrent]  # with as many synapses as make the probability of none 1 - p
    with_more = sum(np.log(1 - r.probability) / np.log(1 - 1 / n) for r, n in zip(recurrent, pairs, strict=True))
    assert with_more == pytest.approx(0.2989e9, rel=1e-3)


def test_a_synaptic_potential_peaks_at_a_hundredth_of_the_threshold():
    """At 0.15 mV, 1.6 ms after the spike: [P] Table 4."""
    net = microcircuit.microcircuit(0.02)
    raster = {p.name: np.zeros((1, 80, p.size), np.uint8) for p in net.inputs}
    raster["ext_L4E"][0, 0, 0] = 1
    v = snnc.simulate(net, raster, by="reference", record=True).states["L4E"]["v"][0, :, 0]
    assert v.max() == pytest.approx(0.15, rel=0.02)
    assert v.argmax() - 15 == pytest.approx(16, abs=2)


@pytest.mark.slow
@pytest.mark.lava
def test_five_percent_fire_in_lava_as_in_the_simulator(tmp_path):
    net = snnc.quantise(microcircuit.microcircuit(0.05), "loihi2")
    inputs = microcircuit.background(net, 100)
    program = snnc.export(net, "lava", tmp_path / "program")
    verification = snnc.verify(program, net, inputs=inputs, timeout_s=3600)
    assert verification.exact
    assert sum(verification.verdict.fired[name] for name in microcircuit.SIZES) > 1000
