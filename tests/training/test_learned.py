"""Decays, thresholds and axonal delays train, end on the chip's grid, and the network that comes out is the one that trained."""

from dataclasses import replace

import numpy as np
import pytest
from cases.graphs import graph
from click.testing import CliRunner

from snnc import data, store
from snnc.cli import main
from snnc.errors import ConfigError, UnsupportedError
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.neurons.li import LI
from snnc.ops.dense import Dense
from snnc.simulation.reference import simulate
from snnc.training.settings import PruneConfig, TrainConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from snnc.training.loop.record import Record  # noqa: E402
from snnc.training.models.graph import FloatGraph  # noqa: E402
from snnc.training.models.learned import Learning  # noqa: E402
from snnc.training.models.learned_delays import DelayedConnection  # noqa: E402
from snnc.training.pruning.prune import prune  # noqa: E402
from snnc.training.train import train  # noqa: E402

QUIET = Record(quiet=True)
ALL = Learning(("decays", "thresholds", "delays"), max_delay=5, steps=10)


def readout(weights=((0.5, -0.25),), steps=12, **parameters):
    """Inputs that a readout sums: no spikes, so that every gradient is that of a smooth function."""
    op = Dense(Synapses.from_dense(np.array(weights)))
    neuron = LI(**parameters)
    populations = (Population("input", (op.n_src,), None), Population("out", (op.n_dst,), neuron))
    return Network("r", populations, (Connection("c", "input", "out", op),), 1e-3, encoding=Encoding("rate", steps))


def test_the_gradient_of_a_decay_is_that_of_the_voltage():
    """v[t] = sum over k of (1 - d)**k * I[t - k]; its derivative by d, through the sigmoid, against the closed form."""
    net = readout(decay_v=0.25, decay_u=1.0)
    model = FloatGraph(net, dtype=torch.float64, learning=Learning(("decays",)))
    (raw,) = [p for p in model.others if p.requires_grad]
    raster = torch.zeros(1, 12, 2, dtype=torch.float64)
    raster[0, 0, 0] = 1
    model(raster)[0, 7, 0].backward()
    expected = 0.5 * -7 * 0.75**6  # of v[7] = 0.5 * (1 - d)**7 by d
    assert raw.grad.item() == pytest.approx(expected * 0.25 * 0.75)


def test_what_forgets_all_or_nothing_stays():
    model = FloatGraph(readout(decay_v=1.0, decay_u=1.0), learning=Learning(("decays", "thresholds")))
    assert model.others == []


@pytest.mark.parametrize("seed", range(4))
def test_the_network_that_comes_out_fires_as_the_module(seed, tmp_path):
    """After steps of training in which all of it moved; in evaluation delays are whole steps, and decays always on the grid."""
    net = graph(seed, inputs=1)
    model = FloatGraph(net, dtype=torch.float64, learning=ALL)
    moved = [p for p in model.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in moved]
    optimizer = torch.optim.Adam(moved, lr=0.05)
    raster = torch.rand(4, net.encoding.steps, net.inputs[0].size, generator=torch.Generator().manual_seed(seed)) < 0.4
    for _ in range(5):
        optimizer.zero_grad()
        model(raster.double()).sum().backward()
        optimizer.step()
        with torch.no_grad():
            for name, mask in model.masks.items():
                model.weights[name].mul_(mask)
    assert sum(not torch.equal(a, b) for a, b in zip(before, moved, strict=True)) > len(moved) / 2
    model.eval()
    made = model.to_network()
    want = simulate(made, {net.inputs[0].name: raster.numpy().astype(np.int64)}, record=True)
    got = model.spikes(raster.double() * net.encoding.unit)
    again = FloatGraph(made, dtype=torch.float64).spikes(raster.double() * net.encoding.unit)  # its delays stay
    assert all((again[name] == spikes).all() for name, spikes in got.items())
    for p in (p for p in made.populations if p.neuron):
        assert (got[p.name].detach().numpy() == want.spikes[p.name]).all(), p.name
        for name in p.neuron.parameters():
            if p.neuron.unit(name).name == "decay":
                assert (getattr(p.neuron, name) * 4096 == np.rint(getattr(p.neuron, name) * 4096)).all()
    store.save(made, tmp_path / "n.snnc")
    assert store.load(tmp_path / "n.snnc").hash == made.hash
    learned = [m for m in model.connections.values() if isinstance(m, DelayedConnection)]
    on_loops = [m for m in model.connections.values() if not isinstance(m, DelayedConnection)]
    assert learned
    assert any(c.axon_delays is not None and c.axon_delays.any() for c in made.connections)
    assert all(m.connection.axon_delays is None or m.connection.op.synapses.delays is None for m in on_loops)


def test_the_gradient_of_a_delay_and_of_what_it_delays():
    model = FloatGraph(readout(), dtype=torch.float64, learning=Learning(("delays",), max_delay=4, steps=8, seed=3))
    delayed = model.connection("c")
    width, messages = delayed.sigma, torch.rand(3, 8, 2, dtype=torch.float64, requires_grad=True)

    def of(raw, messages):
        with torch.no_grad():
            delayed.seen.zero_()  # the width stays
        return torch.func.functional_call(delayed, {"raw": raw}, (messages, 8))

    raw = torch.tensor([0.3, 0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(of, (raw, messages))
    assert width == 2.0


def test_a_message_is_spread_by_a_gaussian_that_narrows():
    net = readout()
    model = FloatGraph(net, dtype=torch.float64, learning=Learning(("delays",), max_delay=4, steps=8, seed=3))
    delayed = model.connection("c")
    with torch.no_grad():
        delayed.raw.copy_(torch.tensor([0.5, 0.25]))  # 2 steps and 1
    raster = torch.zeros(1, 8, 2, dtype=torch.float64)
    raster[0, 0, 0] = 1
    assert delayed.sigma == 2.0
    weight = np.exp(-((np.arange(5) - 2) ** 2) / (2 * 2.0**2))
    spread = delayed(raster, 8)[0, :, 0].detach().numpy() / 0.5
    np.testing.assert_allclose(spread[:5], weight / weight.sum())
    assert not spread[5:].any()
    delayed(raster, 8)
    assert delayed.sigma == 0.5, "after a quarter of the steps"
    model.eval()
    assert delayed(raster, 8)[0, :, 0].tolist() == [0, 0, 0.5, 0, 0, 0, 0, 0]
    assert delayed.trained().axon_delays.tolist() == [2, 1]


def test_delays_are_found_that_a_task_needs():
    """Two inputs fire 6 steps apart, in one order or the other: only who delays one of them sees both at once."""
    rng = np.random.default_rng(0)
    order = rng.integers(2, size=64)
    raster = torch.zeros(64, 16, 2)
    for i, first in enumerate(order):
        raster[i, 2, first] = 1
        raster[i, 8, 1 - first] = 1
    found = {}
    for what in ((), ("delays",)):
        net = readout(((0.5, 0.5), (0.8, 0.1)), steps=16, decay_v=1.0, decay_u=1.0)
        model = FloatGraph(net, learning=Learning(what, max_delay=8, steps=300, seed=1))
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.02)
        for _ in range(300):
            model.train()
            answer = model(raster).square().sum(1)  # more if both arrive at once
            loss = torch.nn.functional.cross_entropy(4 * answer, torch.from_numpy(order))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        found[what] = (model(raster).square().sum(1).argmax(1).numpy() == order).mean()
    assert found[()] < 0.75
    assert found["delays",] == 1.0


@pytest.fixture(scope="module")
def digits():
    return data.load("digits").first(300), data.load("digits", "test").first(100)


CONFIG = TrainConfig(
    hidden=(16,), steps=8, epochs=2, lr=0.02, batch_size=32, learn=("decays", "thresholds", "delays"), max_delay=3
)


def test_training_and_pruning_learn_them_and_say_so(digits):
    net = train(*digits, CONFIG, QUIET)
    assert net.hash == train(*digits, CONFIG, QUIET).hash
    hidden = net["hidden1"].neuron
    assert float(hidden.decay_v) != 0.125
    assert float(hidden.threshold) != 1.0
    assert net.connections[0].axon_delays.max() <= 3
    assert net.connections[0].axon_delays.any()
    assert net.done[-1].settings["learn"] == ["decays", "thresholds", "delays"]
    pruned = prune(net, digits[0], PruneConfig(connectivity=0.3, epochs=1, lr=0.02, learn=("decays",)), digits[1], QUIET)
    assert float(pruned["hidden1"].neuron.decay_v) != float(hidden.decay_v)
    assert (pruned.connections[0].axon_delays == net.connections[0].axon_delays).all(), "not asked for, so kept"
    assert float(pruned["hidden1"].neuron.threshold) == float(hidden.threshold)


def test_from_the_command_line_to_a_chip(tmp_path):
    out, fixed = tmp_path / "n.snnc", tmp_path / "q.snnc"
    words = ["train", "--hidden", "12", "-T", "6", "--epochs", "1", "--learn", "decays", "--learn", "delays", "--max-delay", "2"]
    for command in ([*words, "-o", out, "-q"], ["quantise", out, "--hw", "loihi2", "-o", fixed]):
        done = CliRunner().invoke(main, [str(word) for word in command])
        assert done.exit_code == 0, done.output
    net, chip = store.load(out), store.load(fixed)
    assert float(chip["hidden1"].neuron.decay_v) == float(net["hidden1"].neuron.decay_v) * 4096, "nothing was rounded"
    assert (chip.connections[0].axon_delays == net.connections[0].axon_delays).all()


def test_what_says_nothing_is_refused():
    with pytest.raises(ConfigError, match="max_delay = 3 says nothing"):
        TrainConfig(max_delay=3)
    with pytest.raises(ConfigError, match="learn = 'decay' is not possible; use one of: decays"):
        replace(CONFIG, learn=("decay",))
    with pytest.raises(UnsupportedError, match="has no fused kernel: decay_v is learned"):
        FloatGraph(graph(0, inputs=1, model="lif"), "fused", learning=Learning(("decays",)))
