"""Training: the snnTorch model and its network spike alike, fitting is reproducible, failures are explained."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.networks import fixed_chain, float_chain
from conftest import snnc
from safetensors.numpy import load_file as load_arrays

from snnc import data, store
from snnc.errors import ConfigError, FileError, RunError, UnsupportedError
from snnc.network.arithmetic import Float
from snnc.network.encoding import Encoding, encode
from snnc.network.synapses import Synapses
from snnc.simulation.reference import simulate
from snnc.simulation.run import Run, classes
from snnc.verification.compare import compare

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from snnc.training.loop.fit import fit, mean_score  # noqa: E402
from snnc.training.loop.record import Record, read_checkpoint  # noqa: E402
from snnc.training.models import feedforward as models  # noqa: E402
from snnc.training.settings import TrainConfig  # noqa: E402
from snnc.training.train import train  # noqa: E402

NEURONS = [
    {"neuron": "leaky", "reset_delay": True},
    {"neuron": "leaky", "reset_delay": False},
    {"neuron": "leaky", "reset_delay": True, "bias": True},
    {"neuron": "synaptic"},
]


def spiking_model(options, n=400, gain=6.0):
    """A model of n inputs, n hidden and n output neurons whose weights are large enough to fire."""
    torch.manual_seed(3)
    model = models.build((n, n, n), beta=0.9, alpha=0.6, threshold=1.0, **options)
    with torch.no_grad():
        for linear in model.linears.values():
            linear.weight.mul_(gain / (2 if options["neuron"] == "synaptic" else 1))
            if linear.bias is not None:
                linear.bias.normal_(0, 0.1)
    return model


def torch_run(model, net, raster):
    """What the torch model does in float64, as a Run."""
    with torch.no_grad():
        fired = model.double().spikes(torch.from_numpy(raster.astype(np.float64) * net.encoding.unit))
    spikes = {"input": raster} | {name: s.numpy().astype(np.uint8) for name, s in fired.items()}
    return Run("torch", net.dt_s, spikes, {}, {})


@pytest.mark.parametrize("kind", ["rate", "constant"])
@pytest.mark.parametrize("options", NEURONS, ids=str)
def test_the_torch_model_and_its_network_fire_the_same_spikes(options, kind):
    model, steps = spiking_model(options), 400
    net = models.to_network(model, Encoding(kind, steps))
    rng = np.random.default_rng(0)
    raster = rng.integers(0, 256, (1, steps, 400)) if kind == "constant" else rng.random((1, steps, 400)) < 0.3
    raster = raster.astype(np.uint8)
    verdict = compare(simulate(net, {"input": raster}), torch_run(model, net, raster))
    assert verdict.exact, verdict.first
    for name in ("hidden1", "output"):
        compared, _ = verdict.spikes[name]
        assert compared == 400 * 400
        assert 0.05 <= verdict.fired[name] / compared <= 0.5, name


@pytest.mark.parametrize("options", NEURONS, ids=str)
@pytest.mark.parametrize("kind", ["rate", "constant"])
def test_a_network_becomes_the_same_model_again(options, kind):
    net = models.to_network(spiking_model(options, n=30), Encoding(kind, 8))
    again = models.to_network(models.from_network(net), net.encoding, done=net.done)
    assert again.hash == net.hash


def test_pruned_weights_stay_pruned_through_torch():
    net = float_chain(density=0.3)
    model = models.from_network(net)
    masks = models.pruned_masks(model)
    for c in net.connections:
        assert (masks[c.name].numpy() == c.op.synapses.mask()).all()
        assert not model.linears[c.name].weight[~masks[c.name]].any()
    assert [c.op.synapses.count for c in models.to_network(model, net.encoding).connections] == [
        c.op.synapses.count for c in net.connections
    ]


def test_what_snntorch_cannot_express_is_refused():
    with pytest.raises(ConfigError, match="bias"):
        models.build((4, 4), neuron="synaptic", bias=True)


CONFIG = TrainConfig(hidden=(16,), steps=6, epochs=3, lr=0.02, loss="counts", batch_size=32)


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")
    return data.load("digits").first(300), data.load("digits", "test").first(100)


@pytest.mark.parametrize(
    "settings",
    [{}, {"neuron": "synaptic"}, {"bias": True, "encoding": "latency", "epochs": 6}, {"encoding": "constant"}],
    ids=str,
)
@pytest.mark.parametrize("loss", ["rate", "counts"])
def test_training_learns_and_equal_seeds_give_equal_bytes(digits, settings, loss):
    config = replace(CONFIG, loss=loss, **settings)
    first, second = (train(*digits, config) for _ in range(2))
    assert store.dumps(first) == store.dumps(second)
    assert first.done[0].settings["reached"]["train_accuracy"] > 0.3, "three times chance"


def test_other_seeds_give_other_networks(digits):
    assert train(*digits, CONFIG).hash != train(*digits, replace(CONFIG, seed=1)).hash


def test_the_accuracy_of_training_is_that_of_the_simulator(digits):
    """The same rasters and the same arithmetic, but for float32 against float64."""
    _, test = digits
    net = train(*digits, CONFIG)
    raster = encode(net.encoding, test.images)
    simulated = classes(simulate(net, {"input": raster}), net.output)
    model = models.from_network(net)
    with torch.no_grad():
        predicted = model(torch.from_numpy(raster).float()).sum(1).argmax(1).numpy()
    assert (simulated == predicted).mean() >= 0.99
    assert mean_score(model, test, net.encoding) == (predicted == test.labels).mean()
    assert net.done[0].settings["reached"]["test_accuracy"] == mean_score(model, test, net.encoding)


def test_rate_coding_takes_fresh_noise_in_every_epoch(digits, monkeypatch):
    seen = []
    monkeypatch.setattr("snnc.training.loop.fit.encode", lambda e, *given: seen.append(e.seed) or encode(e, *given))
    train(digits[0], digits[1], replace(CONFIG, batch_size=300))
    training, evaluation = seen[::2], seen[1::2]
    assert len(set(training)) == 3
    assert set(evaluation) == {0}


class StopsAfter(Record):
    """Ctrl-C right after the checkpoint of epoch 2."""

    def keep(self, state, metrics):
        super().keep(state, metrics)
        if state["epoch"] == 2:
            raise KeyboardInterrupt


def test_an_interrupted_training_resumes_to_the_same_bytes(digits, tmp_path):
    checkpoint = tmp_path / "a.ckpt"
    with pytest.raises(KeyboardInterrupt):
        train(*digits, CONFIG, StopsAfter(checkpoint, tmp_path / "a.metrics.jsonl", True))
    assert read_checkpoint(checkpoint)["epoch"] == 2
    assert len((tmp_path / "a.metrics.jsonl").read_text().splitlines()) == 2
    assert store.dumps(train(*digits, CONFIG, resume=checkpoint)) == store.dumps(train(*digits, CONFIG))
    with pytest.raises(ConfigError, match="other settings: lr, seed"):
        train(*digits, replace(CONFIG, lr=0.1, seed=4), resume=checkpoint)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"\x80\x04K\x01."])
def test_a_foreign_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(FileError, match="is no checkpoint"):
        read_checkpoint(path)
    with pytest.raises(FileError, match="cannot be read"):
        read_checkpoint(tmp_path / "missing.ckpt")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    torch.save({"schema": "snnc.checkpoint/1", "model": Record()}, tmp_path / "a.ckpt")
    with pytest.raises(FileError, match="is no checkpoint"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_divergence_stops_with_a_remedy(digits):
    model = models.from_network(train(*digits, CONFIG))
    with torch.no_grad():
        model.fc1.weight[0, 0] = torch.inf
    with pytest.raises(RunError, match=r"NaN or infinite in epoch 1; use a learning rate below 0\.02"):
        fit(model, digits[0], Encoding("rate", 4), CONFIG)


def test_pruned_weights_stay_zero_in_any_training(digits):
    net = train(*digits, CONFIG)
    keep = np.random.default_rng(0).random((16, 64)) < 0.3
    first = net.connections[0]
    sparse = replace(first, op=replace(first.op, synapses=Synapses.from_dense(first.op.synapses.to_dense(), keep)))
    model = models.from_network(replace(net, connections=(sparse, *net.connections[1:])))
    models.keep_pruned(model)
    fit(model, digits[0], net.encoding, replace(CONFIG, epochs=1))
    assert not model.fc1.weight[~torch.from_numpy(keep)].any()
    assert model.fc1.weight[torch.from_numpy(keep)].any()


def test_what_cannot_be_trained_is_explained():
    with pytest.raises(UnsupportedError, match="quantised"):
        models.from_network(fixed_chain())
    net = float_chain()
    skip = replace(net.connections[1], name="skip")
    with pytest.raises(UnsupportedError, match="no chain"):
        models.from_network(replace(net, connections=(*net.connections, skip)))
    with pytest.raises(UnsupportedError, match="operator 'conv2d', which is not plainly dense"):
        models.from_network(convolutional(Float()))


def test_the_order_in_which_connections_are_listed_says_nothing():
    net = float_chain()
    turned = replace(net, connections=net.connections[::-1], populations=net.populations[::-1])
    again, want = (models.to_network(models.from_network(n), net.encoding or Encoding("rate", 4)) for n in (turned, net))
    assert again.hash == want.hash


SMALL = ("--hidden", 12, "-T", 4, "--epochs", 1, "--lr", 0.02)


def test_train_and_prune_on_the_command_line(tmp_path, capsys):
    out, pruned = tmp_path / "a.snnc", tmp_path / "p.snnc"
    assert snnc("train", *SMALL, "-o", out, "--state-dict", tmp_path / "a.safetensors") == 0
    shown = capsys.readouterr()
    assert "test accuracy" in shown.out
    assert "epoch 1 of 1, loss" in shown.err
    assert {p.suffix for p in tmp_path.iterdir()} == {".snnc", ".ckpt", ".jsonl", ".safetensors"}
    plain = {key: torch.from_numpy(array) for key, array in load_arrays(tmp_path / "a.safetensors").items()}
    model = models.build((64, 12, 10))
    model.load_state_dict(plain)
    assert models.to_network(model, store.load(out).encoding).hash == store.load(out).hash
    assert snnc("prune", out, "-s", 0.9, "--epochs", 1, "--json", "-q", "-o", pruned) == 0
    shown = capsys.readouterr()
    body = json.loads(shown.out)
    assert (body["schema"], body["ok"], shown.err) == ("snnc.prune/1", True, "")
    assert body["parameter_connectivity"] == body["synapse_connectivity"] == round(0.1 * (64 * 12 + 120)) / (64 * 12 + 120)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("train", "--data", "mnist"), 2, "--data-dir"),
        (("train", "--bias", "--neuron", "synaptic"), 2, "leaky"),
        (("train", "--hidden", 0), 2, "hidden = 0 is out of range"),
        (("train", "--download"), 2, "no files to download"),
        (("train", "--epochs", 0), 2, "out of range"),
        (("prune", "missing.snnc", "-s", 0.9), 2, "no such file"),
        (("prune", "missing.snnc"), 2, "give --connectivity"),
    ],
)
def test_mistakes_get_one_sentence_and_a_code(words, code, says, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv(data.FOLDER_VARIABLE, raising=False)
    assert snnc(*words, "-o", tmp_path / "a.snnc") == code
    shown = capsys.readouterr().err
    assert says in shown
    assert shown.count("error:") == 1
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_without_force(tmp_path, capsys):
    (tmp_path / "a.metrics.jsonl").write_text("mine")
    assert snnc("train", *SMALL, "-o", tmp_path / "a.snnc") == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "a.metrics.jsonl").read_text() == "mine"
    assert snnc("train", *SMALL, "-q", "--force", "-o", tmp_path / "a.snnc") == 0


def test_ctrl_c_leaves_a_checkpoint_and_exits_130(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("snnc.training.loop.record.Record", StopsAfter)
    words = ("train", "--hidden", 12, "-T", 4, "--epochs", 3, "-q", "-o", tmp_path / "a.snnc")
    assert snnc(*words) == 130
    assert "--resume" in capsys.readouterr().err
    monkeypatch.undo()
    assert snnc(*words, "--resume", tmp_path / "a.ckpt") == 0
    assert store.load(tmp_path / "a.snnc").done[0].settings["reached"]["epoch"] == 3


@pytest.mark.parametrize("verb", [("train",), ("prune", "a.snnc", "-s", 0.5)])
@pytest.mark.parametrize("package", ["torch", "snntorch"])
def test_without_torch_the_line_that_installs_it_is_shown(verb, package, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    assert snnc(*verb, "-o", tmp_path / "b.snnc") == 5
    shown = capsys.readouterr().err
    assert package in shown
    assert "pip install '.[train]'" in shown
