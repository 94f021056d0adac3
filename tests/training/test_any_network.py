"""Every network trains, is pruned and fine-tuned, whatever its neurons, operators, loops and names are; names stay."""

from dataclasses import replace

import numpy as np
import pytest
from cases.graphs import connection
from cases.networks import conv_net, float_chain

from snnc import chips, data, neurons, store
from snnc.budget.goal import Goal
from snnc.cli import main
from snnc.errors import ConfigError, UnsupportedError
from snnc.network.connectivity import parameter_connectivity
from snnc.network.encoding import Encoding
from snnc.network.model import Network, Population
from snnc.passes.quantise import quantise
from snnc.passes.simplify import simplify
from snnc.training.settings import FinetuneConfig, PruneConfig, TrainConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")
from snnc.training import methods  # noqa: E402
from snnc.training.loop import losses  # noqa: E402
from snnc.training.loop.record import Record  # noqa: E402
from snnc.training.models.connection import trains  # noqa: E402
from snnc.training.pruning.prune import prune  # noqa: E402
from snnc.training.pruning.prune_to_fit import prune_to_fit  # noqa: E402
from snnc.training.quantised.finetune import finetune  # noqa: E402
from snnc.training.train import train  # noqa: E402

FIRING = [name for name in neurons.names() if neurons.get(name).rule.fires]
CONFIG = TrainConfig(hidden=(24,), steps=8, epochs=3, lr=0.01, batch_size=32)
QUIET = Record(quiet=True)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits").first(500), data.load("digits", "test").first(200)


def scored(net):
    return net.done[-1].settings["reached"]["test_accuracy"]


OPTIONS = {
    **{name: {"neuron": name} for name in FIRING},
    "refractory": {"neuron": "cuba_refractory", "parameter": ("period=3",), "bias": True},
    "recurrent": {"neuron": "cuba", "recurrent": True},
    "recurrent leaky": {"recurrent": True},
    "membrane": {"readout": "li", "loss": "membrane"},
    "membrane_mse": {"readout": "li", "loss": "membrane_mse"},
    "counts of a readout": {"readout": "li", "encoding": "constant"},
    "first spike": {"neuron": "lif", "loss": "first_spike"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_it_trains(options, digits):
    net = train(*digits, replace(CONFIG, **options), QUIET)
    assert scored(net) > 0.4
    assert [p.name for p in net.populations] == ["input", "hidden1", "output"]
    assert net["hidden1"].neuron.model() == {"leaky": "lif"}.get(options.get("neuron", "leaky"), options.get("neuron"))
    assert {c.name for c in net.connections} == {"fc1", "fc2", *(["again1"] if options.get("recurrent") else [])}
    if options.get("bias"):
        assert net["hidden1"].neuron.bias.any()
        assert net["hidden1"].neuron.period == 3


def test_equal_settings_make_an_equal_network_and_a_resumed_one(digits, tmp_path):
    config = replace(CONFIG, neuron="cuba_subtract", recurrent=True, epochs=2)
    whole = store.dumps(train(*digits, config, Record(tmp_path / "a.ckpt", quiet=True)))
    assert store.dumps(train(*digits, config, resume=tmp_path / "a.ckpt")) == whole
    with pytest.raises(ConfigError, match="other settings: recurrent"):
        train(*digits, replace(config, recurrent=False), resume=tmp_path / "a.ckpt")


def test_settings_of_earlier_versions_are_stated_as_they_were():
    """Checkpoints and results of sweeps are compared by these."""
    assert set(TrainConfig().stated()) == {
        "epochs", "batch_size", "lr", "loss", "augment", "seed", "threads", "kernel", "device", "hidden", "neuron",
        "beta", "alpha", "threshold", "bias", "dt_s", "encoding", "steps", "encoding_seed",
    }  # fmt: skip
    assert TrainConfig(readout="li", hidden=(3, 4)).stated()["readout"] == "li"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"neuron": "leakyy"}, "did you mean 'leaky'"),
        ({"neuron": "li"}, "li never fires.*--readout li"),
        ({"readout": "lii"}, "did you mean 'li'"),
        ({"parameter": ("period=2",)}, "--neuron lif"),
        ({"neuron": "cuba_refractory", "parameter": ("perod=2",)}, "did you mean 'period'"),
        ({"neuron": "cuba_refractory", "parameter": ("period",)}, "is no NAME=NUMBER"),
    ],
)
def test_neurons_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**options)


@pytest.mark.parametrize(
    "options", [{"loss": "membrane"}, {"neuron": "cuba", "loss": "membrane_mse"}, {"readout": "li", "loss": "first_spike"}]
)
def test_a_loss_has_to_suit_the_output(options, digits):
    with pytest.raises(UnsupportedError, match="use --loss"):
        train(*digits, replace(CONFIG, **options), QUIET)


def test_the_first_spike_is_counted_and_comes_earlier_down_the_gradient():
    spikes = torch.tensor([[0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 0]], dtype=torch.float32)[None].requires_grad_()
    steps = losses.first_spike(spikes)
    assert steps.tolist() == [[3, 1, 2]]
    losses.get("first_spike")(spikes, torch.tensor([0])).backward()
    assert (spikes.grad[0, :, 0] <= 0).all()
    assert spikes.grad[0, :3, 0].any(), "an earlier spike of the wanted class makes the loss smaller"
    assert (spikes.grad[0, :, 1:] >= 0).all()


def named(net, encoding=Encoding("rate", 8)):
    """With names that a user may give, attributes of torch modules among them."""
    names = {p.name: name for p, name in zip(net.populations, ("pixels", "training", "forward", "l3"), strict=False)}
    wires = {c.name: name for c, name in zip(net.connections, ("keys", "f2", "type"), strict=False)}
    populations = tuple(replace(p, name=names[p.name]) for p in net.populations)
    connections = tuple(replace(c, name=wires[c.name], src=names[c.src], dst=names[c.dst]) for c in net.connections)
    return replace(net, populations=populations, connections=connections, encoding=encoding)


def small_graph(model="lif", readout="lif"):
    """For the digits: a recurrent layer and one beside it, which both hear the input and meet in the output; every delay."""
    rng = np.random.default_rng(3)
    sizes = {"pixels": 64, "loop": 30, "beside": 20, "out": 10}
    models = {"loop": model, "beside": model, "out": readout}
    populations = {
        name: Population(name, (n,), neurons.get(models[name]).example() if name in models else None) for name, n in sizes.items()
    }
    ends = [("pixels", "loop", 0), ("loop", "loop", 1), ("pixels", "beside", 0), ("beside", "out", 0), ("loop", "out", 0)]
    connections = [
        connection(rng, f"{src}_{dst}", populations[src], populations[dst], shortest=shortest, kind=kind)
        for kind, (src, dst, shortest) in enumerate(ends)
    ]
    return Network("graph", tuple(populations.values()), tuple(connections), 1e-3, encoding=Encoding("rate", 12))


NETWORKS = {
    "chain": lambda: named(float_chain(1, (64, 30, 10))),
    "soft reset": lambda: named(float_chain(1, (64, 30, 10), model="cuba_subtract")),
    "convolutions": lambda: named(conv_net(1, planes=(1, 4, 6), outputs=10)),
    "graph": small_graph,
    "readout": lambda: small_graph("cuba_subtract", "li"),
}


def skeleton(net):
    """All that pruning and training leave as it is."""
    populations = [(p.name, p.shape, p.neuron and p.neuron.model(), p.message_bits) for p in net.populations]
    delays = [None if c.axon_delays is None else c.axon_delays.tolist() for c in net.connections]
    connections = [(c.name, c.src, c.dst, c.op.kind, c.delay_steps, c.op.synapses.shape) for c in net.connections]
    return populations, connections, delays, net.encoding, net.dt_s, net.name


@pytest.mark.parametrize("case", NETWORKS)
def test_pruning_keeps_names_and_takes_exactly_what_was_asked_for(case, digits):
    net = NETWORKS[case]()
    present = parameter_connectivity(net)
    last = net.connections[-1]
    config = PruneConfig(connectivity=present / 2, layer=(f"{last.name}=0.25",), epochs=4, lr=0.02, batch_size=16)
    pruned = prune(net, digits[0], config, digits[1], QUIET)
    assert skeleton(pruned) == skeleton(net)
    assert pruned.connections[-1].op.synapses.count == round(0.25 * last.op.parameters)
    others = [c for c in pruned.connections[:-1] if trains(c)]
    assert sum(c.op.synapses.count for c in others) == round(present / 2 * sum(c.op.parameters for c in others))
    assert scored(pruned) > 0.25
    assert set(pruned.done[-1].settings["reached"]["layers"]) == {c.name for c in net.connections if trains(c)}


@pytest.mark.parametrize("method", methods.names())
def test_every_method_prunes_a_recurrent_network(method, digits):
    net = small_graph()
    target = 0.5 * parameter_connectivity(net)
    config = PruneConfig(method=method, connectivity=target, epochs=2, lr=0.01, batch_size=64)
    pruned = prune(net, digits[0], config, record=QUIET)
    assert skeleton(pruned) == skeleton(net)
    kept = sum(c.op.synapses.count for c in pruned.connections)
    before = sum(c.op.synapses.count for c in net.connections)
    assert kept == (before if method == "none" else round(target * sum(c.op.parameters for c in net.connections)))


def test_pruned_neurons_leave_the_network(digits):
    config = PruneConfig(method="neuron_pruning", connectivity=0.05, epochs=4, lr=0.01, batch_size=32)
    pruned = prune(train(*digits, replace(CONFIG, epochs=1), QUIET), digits[0], config, record=QUIET)
    into, out = (c.op.synapses.mask() for c in pruned.connections)
    gone = ~into.any(1) & ~out.any(0)
    assert 0 < gone.sum() < 24
    simplified = simplify(quantise(pruned, chips.load("loihi1")))
    assert not simplified.kept["hidden1"][gone].any()
    assert simplified.network["hidden1"].size <= 24 - gone.sum()


def test_a_layer_that_is_not_there_is_named(digits):
    with pytest.raises(ConfigError, match=r"no layer 'fc1'.*known are: pixels_loop"):
        prune(small_graph(), digits[0], PruneConfig(connectivity=0.1, layer=("fc1=0.1",)), record=QUIET)


CHIP = """title = "A Loihi with small cores"
extends = "loihi1"
[limits]
synapse_words_per_core = { value = 150, confidence = "derived", source = "a test" }
"""


@pytest.mark.parametrize("case", ["chain", "convolutions"])
def test_any_network_is_pruned_until_it_fits(case, digits, tmp_path):
    (tmp_path / "small.toml").write_text(CHIP)
    net = NETWORKS[case]()
    goal = Goal.parse(f"{tmp_path / 'small.toml'}:cores={1 if case == 'chain' else 8}")
    rounds = prune_to_fit(net, digits[0].first(200), PruneConfig(connectivity=1.0, epochs=1, batch_size=64), goal)
    assert goal.is_met(rounds[-1].uses)
    assert skeleton(rounds[-1].net) == skeleton(net)


@pytest.mark.parametrize("case", NETWORKS)
def test_fine_tuning_wins_and_keeps_names(case, digits):
    net = NETWORKS[case]()
    fixed = quantise(net, chips.load("loihi1"))
    loss = "membrane" if case == "readout" else "counts"
    tuned = finetune(net, fixed, digits[0], FinetuneConfig(epochs=4, lr=0.03, batch_size=16, loss=loss), QUIET)
    settings = tuned.done[-1].settings
    assert settings["validation_accuracy"] > settings["validation_accuracy_before"] + 0.1
    assert skeleton(tuned) == skeleton(net)
    assert any(
        (a.op.synapses.values != b.op.synapses.values).any() for a, b in zip(tuned.connections, fixed.connections, strict=True)
    )


def test_pools_keep_their_weight(digits):
    from cases.convolutions import convolutional

    from snnc.network.arithmetic import Float

    net = convolutional(Float(), 1, delays=True)
    images, shape = np.resize(digits[0].images[:40], (40, net.inputs[0].size)), net.inputs[0].shape
    shown = replace(digits[0], samples=images, shape=shape, labels=digits[0].labels[:40] % 4)
    pruned = prune(net, shown, PruneConfig(connectivity=0.2, epochs=1, batch_size=20), record=QUIET)
    assert pruned.connections[1].op.synapses.values == net.connections[1].op.synapses.values
    assert skeleton(pruned) == skeleton(net)


def test_a_user_can_prune_and_fine_tune_what_was_imported(tmp_path, capsys):
    store.save(NETWORKS["convolutions"](), tmp_path / "a.snnc")

    def snnc(*words):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        return end.value.code

    words = ("--epochs", 1, "--layer", "type=0.05", "-o", tmp_path / "b.snnc", "-q")
    assert snnc("prune", tmp_path / "a.snnc", "--connectivity", 0.1, *words) == 0
    words = ("--finetune-epochs", 1, "-o", tmp_path / "c.snnc", "-q")
    assert snnc("quantise", tmp_path / "b.snnc", "--hw", "loihi1", *words) == 0
    capsys.readouterr()
    assert [c.name for c in store.load(tmp_path / "c.snnc").connections] == ["keys", "f2", "type"]
    assert snnc("train", "--neuron", "cuba", "--state-dict", tmp_path / "s.safetensors", "-o", tmp_path / "d.snnc") == 2
    assert "--state-dict is of snnTorch's layers" in capsys.readouterr().err
