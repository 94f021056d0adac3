"""A table of layers becomes the network that it describes, trains, and what cannot be is refused with the layer's number."""

from dataclasses import replace

import numpy as np
import pytest
from cases.blocks import blocks
from conftest import ROOT

from snnc import data, store
from snnc.cli import main
from snnc.errors import ConfigError, UnsupportedError
from snnc.network.encoding import Encoding
from snnc.simulation.reference import simulate
from snnc.training.layers import read_layers
from snnc.training.settings import TrainConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")
from snnc.training.loop.record import Record  # noqa: E402
from snnc.training.models.from_layers import from_layers  # noqa: E402
from snnc.training.models.graph import FloatGraph  # noqa: E402
from snnc.training.train import train  # noqa: E402

TABLE = """
[[layer]]
kind = "conv2d"
channels = 4
kernel = 3
padding = 1
groups = 1
neuron = "cuba_subtract"
decay_u = 1.0
bias = true

[[layer]]
kind = "pool"
kernel = 2

[[layer]]
name = "memory"
neurons = 24
recurrent = true
delay = 1
neuron = "cuba_refractory"
period = 2

[[layer]]
neuron = "li"
"""


def written(tmp_path, text):
    path = tmp_path / "net.toml"
    path.write_text(text)
    return path


def described(path, shape=(8, 8), encoding=Encoding("rate", 8)):
    torch.manual_seed(0)
    return from_layers(read_layers(path), "digits", shape, 10, encoding, 1e-3)


def network(path, **options):
    return described(path, **options).network


def test_the_table_of_the_docs_becomes_a_network(tmp_path):
    """docs/training.md"""
    (text,) = [text for language, text in blocks(ROOT / "docs" / "training.md") if language == "toml"]
    net = network(written(tmp_path, text))
    assert [p.neuron.model() for p in net.populations if p.neuron] == ["cuba_subtract", "cuba_refractory", "li"]
    assert (net["memory"].size, net.output.size) == (64, 10)


def test_a_table_becomes_its_network(tmp_path):
    net = network(written(tmp_path, TABLE))
    assert [(p.name, p.shape, p.neuron and p.neuron.model()) for p in net.populations] == [
        ("input", (1, 8, 8), None), ("layer1", (4, 8, 8), "cuba_subtract"),
        ("memory", (24,), "cuba_refractory"), ("output", (10,), "li"),
    ]  # fmt: skip
    assert [(c.name, c.src, c.dst, c.op.kind, c.delay_steps) for c in net.connections] == [
        ("to_layer1", "input", "layer1", "conv2d", 0), ("to_memory", "layer1", "memory", "dense", 1),
        ("again_memory", "memory", "memory", "dense", 1), ("to_output", "memory", "output", "dense", 0),
    ]  # fmt: skip
    assert (net["memory"].neuron.period, net["layer1"].neuron.decay_u, net["layer1"].neuron.bias.shape) == (2, 1.0, (256,))
    assert net.connections[1].op.pool.kernel == (2, 2)
    assert all(c.op.synapses.count == c.op.parameters for c in net.connections)


def test_weights_are_as_large_as_torch_draws_them_for_averages_and_for_messages(tmp_path):
    """A pool's sums and 8-bit messages are divided in the weights."""
    plain = network(written(tmp_path, TABLE))
    graded = network(written(tmp_path, TABLE), encoding=Encoding("constant", 8))
    assert np.abs(plain.connections[1].op.synapses.values).max() == pytest.approx(1 / 8 / 4, rel=0.02)
    first, scaled = (net.connections[0].op.synapses.values for net in (plain, graded))
    np.testing.assert_array_equal(first / 256, scaled)
    assert graded.inputs[0].message_bits == 8


NORMED = """
[[layer]]
kind = "conv2d"
channels = 4
kernel = 3
padding = 1
batch_norm = true
max_pool = 2
delay = 1
neuron = "{}"

[[layer]]
kind = "max_pool"
kernel = 2

[[layer]]
neurons = 12
batch_norm = true
recurrent = true
neuron = "{}"
{}

[[layer]]
neuron = "li"
"""


@pytest.mark.parametrize("model", ["lif", "cuba", "catalyst"])
def test_batch_norm_is_folded_exactly(model, tmp_path):
    """In evaluation the module fires, in float64, what the network without a batch norm fires: with max-pools of currents and
    of spikes, delays, and neurons that remember their current, for which a bias of the voltage would be another thing."""
    learned = described(written(tmp_path, NORMED.format(model, model, "decay_u = 1.0" if model == "catalyst" else "")))
    graph = FloatGraph(learned.network, dtype=torch.float64, normed=learned.normed)
    assert learned.normed == ("to_layer1", "to_layer3")
    random = np.random.default_rng(0)
    with torch.no_grad():
        for norm in graph.norms.values():
            norm.norm.weight.copy_(torch.from_numpy(random.uniform(-2, 3, norm.channels)))
            norm.norm.bias.copy_(torch.from_numpy(random.uniform(0, 1, norm.channels)))
        rasters = (random.random((6, 8, 64)) < 0.4).astype(np.uint8)
        graph.train()(torch.from_numpy(rasters).double())
        spikes = graph.eval().spikes(torch.from_numpy(rasters).double())
    net = graph.to_network()
    run = simulate(net, {"input": rasters})
    for name, fired in spikes.items():
        np.testing.assert_array_equal(fired.numpy(), run.spikes[name])
        assert name == "output" or 0 < fired.mean() < 1
    assert [p.name for p in net.populations if p.name.startswith("constant")] == (
        [] if model == "lif" else ["constant1", "constant2"]
    )


def test_it_trains_and_says_its_layers(tmp_path):
    images, test = data.load("digits").first(400), data.load("digits", "test").first(100)
    config = TrainConfig(model=str(written(tmp_path, TABLE)), loss="membrane", steps=8, epochs=3, lr=0.02, batch_size=32)
    net = train(images, test, config, Record(quiet=True))
    stage = net.done[-1].settings
    assert stage["reached"]["test_accuracy"] > 0.4
    normed = replace(config, model=str(written(tmp_path, NORMED.format("lif", "lif", "").replace("max_pool = 2\n", ""))))
    assert train(images, test, normed, Record(quiet=True)).done[-1].settings["reached"]["test_accuracy"] > 0.4
    assert stage["layers"][2] == {
        "kind": "dense", "name": "memory", "neurons": 24, "recurrent": True, "delay": 1, "neuron": "cuba_refractory", "period": 2,
    }  # fmt: skip
    store.save(net, tmp_path / "net.snnc")
    assert store.load(tmp_path / "net.snnc").hash == net.hash


WRONG = {
    "is no table of layers": "x = 1",
    "layer 1: unknown key 'kernle'; did you mean 'kernel'": "[[layer]]\nkernle = 3",
    "layer 1: no neuron model 'liv'; did you mean 'li'": '[[layer]]\nneuron = "liv"',
    "layer 1: conv2d needs channels": '[[layer]]\nkind = "conv2d"\nkernel = 3',
    "layer 1: dense has no kernel": "[[layer]]\nkernel = 3",
    "layer 1: pool has no threshold": '[[layer]]\nkind = "pool"\nkernel = 2\nthreshold = 1.0\n[[layer]]',
    "layer 1: threshold = 'high' is no number": '[[layer]]\nthreshold = "high"',
    "layer 1: dense has no max_pool": "[[layer]]\nmax_pool = 2",
    "layer 1: pool has no neuron": '[[layer]]\nkind = "pool"\nkernel = 2\nneuron = "li"\n[[layer]]',
    "layer 1: batch_norm adds a constant": "[[layer]]\nbatch_norm = true\nbias = true",
    "layer 2: is a max_pool of averages": (
        '[[layer]]\nkind = "pool"\nkernel = 2\n[[layer]]\nkind = "max_pool"\nkernel = 2\n[[layer]]'
    ),
    "ends in a pool": '[[layer]]\nkind = "pool"\nkernel = 2',
    "layer 2: needs planes": '[[layer]]\nneurons = 5\n[[layer]]\nkind = "conv2d"\nchannels = 2\nkernel = 3',
    "layer 2: is a pool behind a pool": '[[layer]]\nkind = "pool"\nkernel = 2\n[[layer]]\nkind = "pool"\nkernel = 2\n[[layer]]',
    "layer 1: has a stride of 1, below its kernel of 2": '[[layer]]\nkind = "pool"\nkernel = 2\nstride = 1\n[[layer]]',
    "layer 1: has 2 groups for 1 -> 4 channels": '[[layer]]\nkind = "conv2d"\nchannels = 4\nkernel = 3\ngroups = 2',
    "layer 1: has a kernel of": '[[layer]]\nkind = "conv2d"\nchannels = 4\nkernel = 30',
    "layer 2: has 400,000,000 weights": "[[layer]]\nneurons = 20000\n[[layer]]\nneurons = 20000\n[[layer]]",
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_is_refused_by_its_layer(message, tmp_path):
    with pytest.raises(ConfigError) as refused:
        network(written(tmp_path, WRONG[message]))
    assert message in str(refused.value)


def test_a_max_pool_of_spikes_takes_no_integers(tmp_path):
    path = written(tmp_path, '[[layer]]\nkind = "max_pool"\nkernel = 2\n[[layer]]')
    assert network(path).populations[1].shape == (1, 4, 4)
    with pytest.raises(ConfigError, match="layer 1: takes the largest of spikes, and 'input' sends integers of 8 bits"):
        network(path, encoding=Encoding("constant", 8))


def test_options_of_layers_do_not_go_with_a_table(tmp_path, capsys):
    with pytest.raises(ConfigError, match="says the layers, hidden would, too"):
        TrainConfig(model="net.toml", hidden=(3,))
    with pytest.raises(SystemExit) as end:
        main(["train", "--model", str(tmp_path / "none.toml"), "-o", str(tmp_path / "a.snnc")])
    assert end.value.code == 2
    assert "none.toml" in capsys.readouterr().err
    images = data.load("digits").first(20)
    config = TrainConfig(model=str(written(tmp_path, TABLE)), loss="first_spike")
    with pytest.raises(UnsupportedError, match="never fires"):
        train(images, None, config, Record(quiet=True))
