"""Every operation of `Arith` means the same in the reference, the engine and the programs of all targets that write steps.

The neuron here is one file in a folder of its own, as a user's would be, and asks for operations that few models need.
"""

import sys
from dataclasses import replace

import numpy as np
import pytest
from cases.networks import LOIHI, fixed_chain, float_chain, spikes
from snnc.exporters.c.source import CArith

from snnc import neurons, targets
from snnc.base import registry
from snnc.network import symbols
from snnc.network.arithmetic import Fixed, Float
from snnc.simulation.reference import simulate
from snnc.targets.step_writer import operations
from snnc.verification.compare import compare

SOURCE = '''
"""A neuron whose voltage rounds down, overshoots and is set to a value when it reaches its threshold."""

from dataclasses import dataclass
from typing import ClassVar, final

from snnc.network.neuron import Neuron, SpikeRule, StateVar, parameter
from snnc.network.units import DECAY, FRACTION, LEVEL, THRESHOLD


@final
@dataclass(frozen=True, eq=False)
class Odd(Neuron):
    threshold: object = parameter(THRESHOLD, 1.0)
    decay_v: object = parameter(DECAY, 0.125)
    swing: object = parameter(FRACTION, -0.5)
    level: object = parameter(LEVEL, -0.25)

    states = (StateVar("u", overflow="wrap", role="current"), StateVar("v", overflow="saturate", role="voltage", initial=7))
    readout = "v"
    rule = SpikeRule(">=", "level", "same", "decay, then input", "floor", 0)

    def step(self, state, current, a):
        u = a.wrap(a.multiply(state["u"], self.swing) + a.lift(current))
        v = a.saturate(a.floor_decay(state["v"], self.decay_v) + u)
        spikes = a.at_least(v, a.lift(self.threshold))
        return {"u": u, "v": a.reset_to(v, spikes, a.lift(self.level))}, spikes

    @classmethod
    def example(cls):
        return cls()


MODEL = Odd
'''


@pytest.fixture
def odd(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "odd.py").write_text(SOURCE)
    monkeypatch.setattr(neurons, "__path__", [*neurons.__path__, str(tmp_path / "own")])
    registry.shipped.cache_clear()
    yield neurons.get("odd")
    sys.modules.pop("snnc.neurons.odd")
    registry.shipped.cache_clear()


def with_odd(net, model, **values):
    return replace(net, populations=tuple(replace(p, neuron=p.neuron and model(**values)) for p in net.populations))


def fixed(model, numeric=LOIHI, threshold=60, decay_v=512, swing=-2049, level=-77):
    net = with_odd(fixed_chain(numeric=numeric), model, threshold=threshold, decay_v=decay_v, swing=swing, level=level)
    return net, spikes(net, samples=4, rate=0.4)


def test_the_operations_round_as_they_say():
    x = np.array([-5, -4, -1, 0, 1, 4, 5])
    half = np.int64(2048)
    assert LOIHI.decay(x, half).tolist() == [-2, -2, 0, 0, 0, 2, 2]
    assert LOIHI.floor_decay(x, half).tolist() == [-3, -2, -1, 0, 0, 2, 2]
    assert LOIHI.multiply(x, half).tolist() == [-2, -2, 0, 0, 0, 2, 2]
    assert LOIHI.multiply(x, -half).tolist() == [2, 2, 0, 0, 0, -2, -2]
    assert Float().multiply(3.0, -0.5) == -1.5
    assert LOIHI.at_least(x, 4).tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert LOIHI.above(x, 4).tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert LOIHI.reset_to(x, x > 0, -9).tolist() == [-5, -4, -1, 0, -9, -9, -9]


def test_every_operation_of_arith_is_handed_on():
    assert set(symbols.OPERATIONS) <= set(vars(symbols.Operations))
    for numeric in (Float, Fixed):
        assert all(hasattr(numeric, name) for name in symbols.OPERATIONS)


@pytest.mark.parametrize("target", ["c", pytest.param("lava", marks=pytest.mark.lava), "npz", "onnx"])
def test_targets_that_write_the_step_compute_it(odd, target, tmp_path):
    net, inputs = fixed(odd)
    want = simulate(net, inputs, record=True)
    artifact = targets.export(target, net, None, tmp_path / "out")
    verdict = compare(want, targets.load(target).run(artifact, inputs, True, 60))
    assert verdict.exact, (verdict.first, verdict.silent)
    assert len(verdict.states) == 4
    assert (want.states["output"]["v"] == -77 << 6).any()


@pytest.mark.parametrize("target", ["npz", "onnx"])
def test_targets_compute_it_on_floats(odd, target, tmp_path):
    net = with_odd(float_chain(), odd)
    inputs = spikes(net, samples=4, rate=0.4)
    artifact = targets.export(target, net, None, tmp_path / "out")
    verdict = compare(simulate(net, inputs, record=True), targets.load(target).run(artifact, inputs, True, 60))
    assert verdict.exact, (verdict.first, verdict.silent)


@pytest.mark.parametrize("kernel", ["lanes", "events"])
@pytest.mark.parametrize(("bits", "decay_bits"), [(24, 12), (24, 16), (12, 12), (32, 12)])
def test_the_engine_computes_it_in_every_width(odd, bits, decay_bits, kernel):
    engine = pytest.importorskip("snnc.simulation.engine", reason="numba is not installed: pip install '.[engine]'")
    one = 1 << decay_bits
    numeric = replace(LOIHI, state_bits=bits, decay_bits=decay_bits)
    threshold, level = (10, -20) if bits == 12 else (60, -77)
    net, inputs = fixed(odd, numeric, threshold, one // 8 + 1, -one // 2 - 1, level)
    verdict = compare(simulate(net, inputs, record=True), engine.simulate(net, inputs, record=True, kernel=kernel))
    assert verdict.exact, (verdict.first, verdict.silent)


def test_a_target_that_lacks_an_operation_says_so(odd, monkeypatch):
    assert operations("odd") >= {"floor_decay", "multiply", "at_least", "reset_to", "add"}
    assert not any(targets.support_matrix()["c"]["odd"].values())
    monkeypatch.delattr(CArith, "_floor_decay")
    assert targets.support_matrix()["c"]["odd"]["dense"] == "the C source has no floor_decay, of which the step of 'odd' is made"
    assert not any(targets.support_matrix()["c"]["lif"].values())
