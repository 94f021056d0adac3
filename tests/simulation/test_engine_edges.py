"""The engine at the very ends of registers and of the widths of its sums, where one unit more or less is another result."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import LOIHI, fixed_chain

from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.neurons.cuba import Cuba
from snnc.ops.dense import Dense
from snnc.simulation.reference import simulate

pytest.importorskip("numba", reason="numba is not installed: pip install '.[engine]'")
from snnc.simulation import engine
from snnc.simulation.engine.symbolic_step import trace

NARROW = replace(LOIHI, state_bits=13)  # a register of -4095 .. 4096, which a weight of 64 reaches, shifted by 6 bits
KERNELS = ("lanes", "events")


def must_be_equal(net, inputs):
    """Every spike and every state, by either kernel."""
    want = simulate(net, inputs, record=True)
    for kernel in KERNELS:
        got = engine.simulate(net, inputs, record=True, threads=1, kernel=kernel)
        for name, states in want.states.items():
            assert np.array_equal(want.spikes[name], got.spikes[name]), (kernel, name)
            for variable, values in states.items():
                assert np.array_equal(values, got.states[name][variable]), (kernel, name, variable)
    return want


def driven(weights, numeric, *, threshold=1000, exponent=0, message_bits=0):
    """An input of as many neurons as a row has, and one neuron for each row of weights."""
    op = Dense(Synapses.from_dense(np.array(weights), np.array(weights) != 0), exponent, "mixed")
    neuron = replace(fixed_chain()["hidden1"].neuron, threshold=np.array(threshold), decay_v=np.array(0))
    populations = (Population("input", (op.n_src,), None, message_bits), Population("output", (op.n_dst,), neuron))
    return Network("edge", populations, (Connection("c", "input", "output", op),), 1e-3, numeric)


def test_every_value_around_the_ends_of_a_register():
    """Lava keeps +limit and turns -limit into +limit."""
    weights = [[w] for w in range(-254, 256, 2) if w]
    want = must_be_equal(driven(weights, NARROW), {"input": np.array([[[1], [0], [1], [1]]])})
    u = want.states["output"]["u"]
    assert (u == 4096).sum() > 1
    assert u[0, 0, weights.index([-64])] == 4096


@pytest.mark.parametrize("weight", [-66, -64, -62, 62, 64, 66, 128, -128])
def test_a_range_that_ends_at_the_end_of_a_register(weight):
    """Alone in its population, so that the form of its step follows from this end only."""
    net = driven([[weight]], NARROW)
    want = must_be_equal(net, {"input": np.array([[[1], [1], [0], [1]]])})
    v = want.states["output"]["v"]
    assert abs(v).max() <= 4095, "v saturates one unit below the end of u"


def test_the_bare_form_is_for_ranges_within_the_registers_only():
    neuron = replace(fixed_chain()["hidden1"].neuron, decay_v=np.array(4096 - 1))
    texts = {ends: trace(neuron, ends, NARROW).text for ends in ((-63, 63), (-64, 0), (0, 64), (0, 63))}
    assert {ends: "wrap" in text for ends, text in texts.items()} == {
        (-63, 63): False,
        (-64, 0): True,
        (0, 64): True,
        (0, 63): False,
    }


@pytest.mark.parametrize("sources", [129, 130, 258, 259])
def test_sums_that_are_shifted_down_are_as_wide_as_what_is_left_of_them(sources):
    """129 weights of 254 sum to 32,766, 130 to more than 16 bits hold: halved by the weight exponent, they fit again."""
    net = driven([[254] * sources, [-254] * sources], LOIHI, exponent=-1)
    rasters = np.ones((2, 3, sources), np.int64)
    rasters[1, :, 0] = 0
    want = must_be_equal(net, {"input": rasters})
    assert want.states["output"]["u"].max() == (254 * sources // 2) << 6


@pytest.mark.parametrize(("message_bits", "exponent"), [(15, 7), (16, 7), (17, 7), (22, 2), (22, 3), (24, 0), (24, 1)])
def test_sums_that_are_shifted_up_beyond_32_bits(message_bits, exponent):
    """Whether a sum or what it is shifted to needs 33 bits, both kernels say what the reference says.

    No network is known on which `summed` would be wrong if it left out the shifted ends: where they need more than 32 bits, the
    step is computed in 64 bits whatever it says.
    """
    op = Dense(Synapses.from_dense(np.array([[254, 254, -256], [2, 0, 0]])), exponent, "mixed")
    populations = (Population("input", (3,), None, message_bits), Population("output", (2,), Cuba(1 << 16, 3, 3, 0)))
    net = Network("graded", populations, (Connection("c", "input", "output", op),), 1e-3, LOIHI)
    most = 2**message_bits - 1
    must_be_equal(net, {"input": np.array([[[most, most, 0], [0, 0, most], [most, most, most], [1, 0, 0]]])})


def test_a_current_at_the_lower_end_is_turned_where_nothing_else_leaves_its_register():
    """A bias keeps the voltage within its own, so that only the current says that the step has to wrap."""
    net = driven([[-64]], NARROW)
    neuron = replace(net["output"].neuron, decay_v=np.array(4095), bias=np.array(64))
    net = replace(net, populations=(net.populations[0], replace(net["output"], neuron=neuron)))
    want = must_be_equal(net, {"input": np.array([[[1], [0], [1], [1]]])})
    assert want.states["output"]["u"][0, :, 0].tolist() == [4096, 0, 4096, 4096]
