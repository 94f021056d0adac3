"""netx files that are written: those that were read come back as they were, and what netx cannot hold is refused."""

from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import conv, convolutional
from cases.networks import LOIHI, fixed_chain, fixed_dense, fixed_loops, float_chain, spikes

from snnc import targets
from snnc.errors import DoesNotFitError, UnsupportedError
from snnc.importers import ImportConfig, read
from snnc.network.model import Connection, Network, Population, Stage, arrays
from snnc.neurons.cuba import Cuba
from snnc.neurons.cuba_subtract import CubaSubtract
from snnc.neurons.li import LI
from snnc.neurons.lif import LIF
from snnc.simulation.reference import simulate

pytest.importorskip("h5py", reason="netx files need h5py: pip install '.[exchange]'")
from cases.netx import FILES, content, written

PIXELS = ImportConfig(pixel_range="0:1")


@pytest.mark.parametrize("name", FILES)
def test_netx_to_network_to_netx_keeps_every_number(name, tmp_path):
    source = written(FILES[name](np.random.default_rng(1)), tmp_path / "a.net", Ts=1, tSample=20)
    net = read(source, PIXELS).network
    back = targets.export("netx", net, None, tmp_path / "b").root / "network.net"
    same_content(source, back)


def same_content(source, back):
    """Every array of the one file is in the other, with its shape and kind of numbers; nothing else is."""
    before, after = content(source), content(back)
    assert after.keys() == before.keys()
    for key, value in before.items():
        assert after[key].shape == value.shape, key
        assert np.array_equal(after[key], value), key
        assert after[key].dtype.kind == value.dtype.kind, key


@pytest.mark.parametrize("name", FILES)
def test_network_to_netx_to_network_keeps_the_network(name, tmp_path):
    net = read(written(FILES[name](np.random.default_rng(1)), tmp_path / "a.net", tSample=20), PIXELS).network
    path = targets.export("netx", net, None, tmp_path / "b").root / "network.net"
    assert read(str(path), PIXELS).network.hash == net.hash


def spatial(op):
    """An input of planes, one operator, neurons."""
    neuron = LIF(300, 512, 0)
    populations = (Population("input", op.src_shape, None), Population("output", op.dst_shape, neuron))
    return Network("case", populations, (Connection("fc1", "input", "output", op),), 1e-3, LOIHI)


def changed(net, **fields):
    return replace(net, connections=(replace(net.connections[0], **fields), *net.connections[1:]))


RNG = np.random.default_rng(0)
NOT_NETX = {
    "float": (float_chain, "is a float network"),
    "loops": (fixed_loops, "netx holds a chain"),
    "soft reset": (lambda: of_output(CubaSubtract(300, 100, 100, 0)), "netx has no neuron 'cuba_subtract'"),
    "by neuron": (lambda: of_output(LIF(np.arange(300, 305), 512, 0)), "has a threshold for each neuron"),
    "by neuron of a plane": (
        lambda: with_decays(spatial(conv(RNG, (3, 2, 2, 2), (2, 4, 4), LOIHI)), np.arange(27)),
        "has a decay_v for each neuron; netx has them in dense layers, one a channel in others",
    ),
    "fine bias": (lambda: of_output(LIF(300, 512, 100)), "has a bias that is no multiple of 64"),
    "exponent": (lambda: changed(fixed_chain(), op=fixed_dense(RNG, 20, 12, exponent=-7)), r"no integers when .* 2\*\*-7"),
    "large": (lambda: changed(fixed_chain(), op=fixed_dense(RNG, 20, 12, exponent=1)), "netx clips them"),
    "delay": (lambda: changed(fixed_chain(), delay_steps=2), "has a delay of 2 steps"),
    "apart": (
        lambda: replace(net := fixed_chain(), populations=(*net.populations, Population("apart", (3,), None))),
        "'apart' is not behind 'input'",
    ),
    "far": (lambda: changed(fixed_chain(), axon_delays=np.full(12, 63, np.int32)), "takes at most 62"),
    "axons": (
        lambda: changed(spatial(fixed_dense(RNG, 12, 12)), axon_delays=np.ones(12, np.int32)),
        "'fc1' has delays of 12 axons to as many neurons",
    ),
    "pool": (convolutional, "netx holds a chain"),
    "conv delay": (
        lambda: changed(spatial(conv(RNG, (3, 2, 2, 2), (2, 4, 4), LOIHI)), axon_delays=np.ones(32, np.int32)),
        "netx drops those of convolutions",
    ),
}  # fmt: skip


def with_decays(net, decays):
    neuron = replace(net.output.neuron, decay_v=decays)
    return replace(net, populations=(*net.populations[:-1], replace(net.output, neuron=neuron)))


def of_output(neuron):
    net = fixed_chain()
    return replace(net, populations=(*net.populations[:-1], replace(net.populations[-1], neuron=neuron)))


@pytest.mark.parametrize("case", NOT_NETX)
def test_what_netx_cannot_hold_is_refused(case, tmp_path):
    make, message = NOT_NETX[case]
    with pytest.raises(UnsupportedError, match=message):
        targets.export("netx", make(), None, tmp_path / "a")


@pytest.mark.parametrize(
    "neuron",
    [
        Cuba(300, 1000, 512, 64),
        Cuba(300, np.arange(100, 105), np.arange(5), 64),
        LI(np.array(4096), np.array(0), np.array(0)),
        LI(np.array(1000), np.array(9), 64),
    ],
)
def test_neurons_survive_netx(neuron, tmp_path):
    net = of_output(neuron)
    path = targets.export("netx", net, None, tmp_path / "a").root / "network.net"
    back = read(str(path), ImportConfig()).network.output.neuron
    assert back.model() == neuron.model()
    assert all(np.array_equal(getattr(back, name), getattr(neuron, name)) for name in neuron.parameters())


@pytest.mark.parametrize("shape", [(3, 2, 2, 2), (3, 2, 1, 3)], ids=["planes", "a row"])
def test_decays_of_channels_survive_netx(shape, tmp_path):
    """A population (channels, length) is written as planes of one row."""
    op = conv(RNG, shape, (2, 4, 4) if shape[2] > 1 else (2, 1, 9), LOIHI)
    dst = op.dst_shape if shape[2] > 1 else (op.dst_shape[0], op.dst_shape[2])
    net = with_decays(spatial(op), np.repeat([9, 700, 30], op.n_dst // 3))
    first = net.populations[0] if shape[2] > 1 else Population("input", (2, 9), None)
    net = replace(net, populations=(first, replace(net.output, shape=dst)))
    inputs = spikes(net, samples=1, steps=40, rate=0.4)
    path = targets.export("netx", net, None, tmp_path / "a").root / "network.net"
    back = read(str(path), ImportConfig()).network
    assert np.array_equal(back.output.neuron.decay_v, net.output.neuron.decay_v)
    fired = simulate(net, inputs).spikes["output"]
    assert 0.05 < fired.mean() < 0.7
    assert np.array_equal(simulate(back, inputs).spikes[back.output.name], fired)


def test_a_record_that_does_not_fit_is_left_out(tmp_path):
    """It is in the history of a network, which may be a stranger's, or the network has changed since."""
    net = read(written(FILES["saying nothing"](np.random.default_rng(1)), tmp_path / "a.net"), ImportConfig()).network
    odd = ({"weight": [1 << 30, 1 << 30]}, {"bias": [1 << 30]}, {"bias": [-1]}, {"weight": None}, [], 5, {})
    kept = [{"type": "dense", "shape": "x", "others": {"a/b": 1, "c": [[1]], "weight": 3}, "forms": f} for f in odd]
    kept = [{"type": "input"}, *kept, {"type": "flatten", "shape": [0]}]
    for number, layers in enumerate(([], "x", [{"type": ["flatten"]}, {}], kept)):
        changed = net.after(Stage("import", {"netx": {"layers": layers, "simulation": [1]}}))
        path = targets.export("netx", changed, None, tmp_path / str(number)).root / "network.net"
        back = read(str(path), ImportConfig()).network
        assert [array.tolist() for _, array in arrays(back)] == [array.tolist() for _, array in arrays(net)], number


def test_weights_that_are_not_stored_are_counted_before_they_are_written(tmp_path):
    with pytest.raises(DoesNotFitError, match=r"'fc1': has 240 places for weights, of which netx stores every one; at most 100"):
        targets.export("netx", fixed_chain(), None, tmp_path / "a", max_synapses=100)
