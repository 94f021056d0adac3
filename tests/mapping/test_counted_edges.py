"""What is rounded up, told apart or summed over all inputs when a chip's resources are counted."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import LOIHI, fixed_chain, fixed_dense, fixed_neuron

from snnc.analysis.current_bounds import Bound
from snnc.budget.check import check
from snnc.chips.profile import load
from snnc.mapping.configurations import DECAYS, neuron_configurations
from snnc.network.model import Connection, Network, Population
from snnc.network.op import weight_grid
from snnc.network.window import Window


@pytest.mark.parametrize(("low", "high", "wraps"), [(-8, 8, True), (-7, 8, False), (-7, 9, True), (-9, 0, True), (0, 8, False)])
def test_a_register_holds_its_upper_end_and_not_its_lower(low, high, wraps):
    assert Bound(np.array([0, low]), np.array([high, 0]), 8).wraps == wraps


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "overlaps"),
    [((2, 2), (2, 2), (1, 1), False), ((2, 2), (2, 2), (2, 2), True), ((2, 2), (3, 3), (2, 2), True),
     ((3, 2), (2, 2), (1, 1), True), ((2, 2), (2, 2), (1, 2), True)],
)  # fmt: skip
def test_windows_overlap_where_a_source_may_lie_under_two_places(kernel, stride, dilation, overlaps):
    window = Window((1, 8, 8), kernel, stride, (0, 0), dilation)
    assert window.overlaps == overlaps


def test_the_grid_of_weights_loses_a_bit_to_a_mixed_sign_only():
    steps = {mode: weight_grid(LOIHI, mode).step for mode in ("mixed", "excitatory", "inhibitory")}
    assert steps == {"mixed": 2, "excitatory": 1, "inhibitory": 1}


def test_two_models_of_equal_decays_need_two_configurations():
    """The same numbers mean other equations."""
    rng = np.random.default_rng(0)
    populations = (
        Population("input", (4,), None), Population("a", (4,), fixed_neuron("cuba")),
        Population("b", (4,), fixed_neuron("cuba_subtract")), Population("c", (4,), fixed_neuron("cuba")),
    )  # fmt: skip
    connections = tuple(
        Connection(f"to_{name}", src, name, fixed_dense(rng, 4, 4)) for src, name in (("input", "a"), ("a", "b"), ("b", "c"))
    )
    numbers = neuron_configurations(Network("n", populations, connections, 1e-3, LOIHI))[DECAYS]
    first = {name: int(of[0]) for name, of in numbers.items()}
    assert first["a"] == first["c"] != first["b"]


@pytest.mark.parametrize(("synapses", "needs"), [(1, 1), (3, 3), (4, 3), (5, 4), (8, 6)])
def test_bytes_of_weights_are_rounded_up(synapses, needs):
    """Weights of 6 bits: 3 of them need 18 bits, which is more than 2 bytes."""
    chip = load("loihi1")
    chip = replace(chip, limits={**chip.limits, "weight_bytes_per_core": 1000})
    net = fixed_chain(0, (synapses, 1, 1), density=1.0)
    numeric = replace(LOIHI, weight_bits=6)
    connections = tuple(replace(c, op=c.op.with_values(np.full(c.op.synapses.count, 8))) for c in net.connections)
    net = replace(net, numeric=numeric, connections=connections)
    used = {use.resource: use.used for use in check(net, chip).cores[0].uses}
    assert used["weight_bytes_per_core"] == needs
