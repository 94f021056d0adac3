"""SYNtzulu: readouts, operators that are unrolled, and what it refuses. `test_chip_targets` runs its RTL, too."""

from dataclasses import replace

import numpy as np
import pytest
from cases.chip_targets import CHIPS
from cases.chip_targets import syntzulu_network as network
from cases.convolutions import conv
from cases.networks import SYNTZULU, fixed_chain, float_chain, spikes

from snnc import chips, neurons, targets
from snnc.errors import UnsupportedError
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.ops.sumpool2d import SumPool2d
from snnc.passes.quantise import QuantiseConfig, quantise
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

TARGET = targets.load("syntzulu")


@pytest.fixture
def rtl(monkeypatch):
    """The design's RTL, named as users name it."""
    CHIPS["syntzulu"].ready(monkeypatch)


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
@pytest.mark.parametrize("sizes", [(5, 3), (14, 16, 10, 12, 5)])
def test_a_readout_is_the_last_layer(sizes, tmp_path):
    net = network(sizes, readout=True)
    inputs = spikes(net, samples=2, rate=0.5, steps=8)
    verdict = compare(
        simulate(net, inputs, record=True), TARGET.run(targets.export("syntzulu", net, None, tmp_path / "a"), inputs, True, 60)
    )
    assert verdict.first is None
    assert verdict.states["output.v"] == (2 * 8 * sizes[-1], 0)


OPS = {
    "conv2d": lambda rng, shape: conv(rng, (4, 3, 3, 2), shape, SYNTZULU, stride=(2, 1), padding=(1, 0)),
    "sumpool2d": lambda rng, shape: replace(SumPool2d.of_weight(100, Window(shape, (2, 2), (2, 1))), sign_mode="mixed"),
}


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
@pytest.mark.parametrize("kind", OPS)
def test_operators_are_unrolled(kind, tmp_path):
    shape = (3, 5, 4)
    op = replace(OPS[kind](np.random.default_rng(1), shape), exponent=-1)
    neuron = neurons.get("lif")(threshold=np.int64(60), decay_v=np.int64(500), bias=np.int64(0))
    populations = (Population("input", shape, None), Population("output", op.dst_shape, neuron))
    net = Network("net", populations, (Connection("into", "input", "output", op),), 1e-3, SYNTZULU)
    inputs = spikes(net, samples=1, rate=0.5, steps=6)
    verdict = compare(
        simulate(net, inputs, record=True), TARGET.run(targets.export("syntzulu", net, None, tmp_path / "a"), inputs, True, 60)
    )
    assert verdict.exact, verdict.first


def test_what_the_design_cannot_hold_is_refused_with_both_numbers(tmp_path):
    def export(net):
        return targets.export("syntzulu", net, None, tmp_path / "a", force=True)

    def with_output(net, **values):
        return replace(net, populations=(*net.populations[:-1], replace(net.output, neuron=replace(net.output.neuron, **values))))

    net = network()
    export(net)
    with pytest.raises(UnsupportedError, match="has 4 layers of neurons that fire, the design has 3 and a readout"):
        export(network((8, 8, 8, 8, 8)))
    with pytest.raises(UnsupportedError, match="has 300 neurons, a layer has at most 256"):
        export(network((8, 300, 8)))
    with pytest.raises(UnsupportedError, match=r"take 8,192 words of each memory.*a layer has 4,096"):
        export(network((256, 200)))
    with pytest.raises(UnsupportedError, match="2 values of decay_v, a layer has one"):
        export(with_output(net, decay_v=np.array([3, 3, 4, 4, 4])))
    with pytest.raises(UnsupportedError, match="has biases, the design has none"):
        export(with_output(net, bias=np.int64(1)))
    with pytest.raises(
        UnsupportedError, match=r"can get a voltage of -?[\d,]+, the design's registers wrap around beyond 32,767"
    ):
        export(with_output(net, decay_v=np.int64(0), threshold=np.int64(32_000)))
    wide = network((256, 5))
    all_down = replace(
        wide.connections[0], op=replace(wide.connections[0].op, synapses=Synapses.from_dense(np.full((5, 256), -256)))
    )
    with pytest.raises(UnsupportedError, match="neuron 0: the current can reach 32,768 and wraps at 32,768"):
        export(replace(wide, connections=(all_down,)))
    with pytest.raises(UnsupportedError, match="delay of 2 steps, the design has none"):
        export(replace(net, connections=(replace(net.connections[0], delay_steps=2), *net.connections[1:])))
    with pytest.raises(UnsupportedError, match="is no chain"):
        export(replace(net, connections=(*net.connections, replace(net.connections[0], name="twin"))))
    with pytest.raises(UnsupportedError, match=r"state_bits 24 .chip: 16.*quantise it for syntzulu"):
        export(fixed_chain())


def test_what_is_quantised_for_it_fits_and_what_shares_a_sign_has_a_remedy(tmp_path):
    """Without a word the weights of both signs are those of the design; all of one sign need --sign-mode mixed, as it says."""
    profile = chips.load("syntzulu")
    fixed = quantise(float_chain(sizes=(20, 12, 5)), profile, QuantiseConfig())
    assert {c.op.exponent for c in fixed.connections} == {-1}
    assert profile.fixed() == SYNTZULU
    targets.export("syntzulu", fixed, None, tmp_path / "a")
    net = float_chain(sizes=(20, 12, 5))
    first = net.connections[0]
    net = replace(
        net, connections=(replace(first, op=first.op.with_values(np.abs(first.op.synapses.values))), *net.connections[1:])
    )
    with pytest.raises(UnsupportedError, match=r"has odd weights.*--sign-mode mixed"):
        targets.export("syntzulu", quantise(net, profile, QuantiseConfig()), None, tmp_path / "b")
    targets.export("syntzulu", quantise(net, profile, QuantiseConfig(sign_mode="mixed")), None, tmp_path / "b")
