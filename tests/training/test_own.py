"""Models of the user's own: pruned exactly through the command line and in a plain loop; mistakes are explained."""

import importlib.util
import json
import zipfile
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, snnc
from safetensors.numpy import load_file, save_file

from snnc import data, store
from snnc.errors import ConfigError

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")
from torch import nn  # noqa: E402

from snnc.training.loop.record import Record  # noqa: E402
from snnc.training.pruning.own import prune_own  # noqa: E402
from snnc.training.pruning.own_settings import OwnConfig  # noqa: E402
from snnc.training.settings import PruneConfig  # noqa: E402

FILE = """
import sibling
import snntorch
import torch
from torch import nn


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.fc = nn.Linear(6 * 16, 10)
        self.hidden, self.output = (snntorch.Leaky(0.9, reset_mechanism="zero") for _ in range(2))

    def forward(self, images):
        current = self.norm(self.conv(images))
        hidden, output, fired = self.hidden.init_leaky(), self.output.init_leaky(), []
        for _ in range(sibling.STEPS):
            spikes, hidden = self.hidden(current, hidden)
            spikes, output = self.output(self.fc(nn.functional.max_pool2d(spikes, 2).flatten(1)), output)
            fired.append(spikes)
        return torch.stack(fired, 1)


class Raster(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.output = nn.Linear(64, 10), snntorch.Leaky(0.9, reset_mechanism="zero")

    def forward(self, raster):
        output, fired = self.output.init_leaky(), []
        for current in self.fc(raster).unbind(1):
            spikes, output = self.output(current, output)
            fired.append(spikes)
        return torch.stack(fired, 1)


class Counts(Raster):
    def forward(self, raster):
        return super().forward(raster).sum(1)


class Squared(Raster):
    def forward(self, raster):
        return super().forward(raster.square())


class Remembering(Raster):
    def forward(self, raster):
        self.seen = getattr(self, "seen", 0) + 1
        return super().forward(raster) + self.seen


class Answer(Raster):
    def __init__(self):
        super().__init__()
        self.answer = nn.Linear(10, 10)

    def forward(self, raster):
        return self.answer(super().forward(raster))


class Frozen(Raster):
    def __init__(self):
        super().__init__()
        self.fc.requires_grad_(False)


def text():
    return "a model"
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sibling.py").write_text("STEPS = 4\n")
    (tmp_path / "mine" / "net.py").write_text(FILE)
    return tmp_path / "mine" / "net.py"


@pytest.fixture
def imported(file):
    """The module in the file."""
    import sys

    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location("net_of_test", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.pop(0)
    return module


QUICK = ("--epochs", 2, "--lr", 0.01, "--batch-size", 100)


def test_a_convolutional_model_is_pruned_exactly(file, imported, tmp_path, capsys):
    torch.manual_seed(5)
    start = {key: value.numpy() for key, value in imported.Conv().state_dict().items()}
    save_file(start, tmp_path / "start.safetensors")
    out = tmp_path / "p.safetensors"
    words = ("prune", f"{file}:Conv", "--weights", tmp_path / "start.safetensors", "--connectivity", 0.2)
    assert snnc(*words, *QUICK, "-q", "--json", "-o", out) == 0
    body = json.loads(capsys.readouterr().out)
    state, report = load_file(out), json.loads((tmp_path / "p.json").read_text())
    assert state.keys() == start.keys()
    kept = {name: int((state[f"{name}.weight"] != 0).sum()) for name in ("conv", "fc")}
    assert sum(kept.values()) == round(0.2 * (54 + 960))
    for name in ("conv.bias", "fc.bias", "norm.weight", "norm.bias", "norm.running_mean"):
        assert (state[name] != 0).all(), f"{name} is not pruned"
        assert (state[name] != start[name]).any(), f"{name} is trained"
    layers = report["layers"]
    assert {name: layer["existing_weights"] for name, layer in layers.items()} == kept
    meets = np.outer([7, 8, 7], [7, 8, 7])
    assert layers["conv"]["synapses"] == 6 * 22**2
    assert layers["conv"]["existing_synapses"] == ((state["conv.weight"] != 0) * meets).sum()
    synapses = layers["conv"]["existing_synapses"] + kept["fc"]
    assert body["synapse_connectivity"] == report["synapse_connectivity"] == synapses / (6 * 22**2 + 960)
    assert body["parameter_connectivity"] == report["parameter_connectivity"] == sum(kept.values()) / (54 + 960)
    assert set(report["not_pruned"]) == {"conv.bias", "norm.weight", "norm.bias", "fc.bias"}
    assert report["schema"] == "snnc.pruned-model/1"
    assert report["weights"]["name"] == "start.safetensors"
    lines = [json.loads(line) for line in (tmp_path / "p.metrics.jsonl").read_text().splitlines()]
    assert [set(line["layers"]) for line in lines] == [{"conv", "fc"}] * 2
    assert str(tmp_path) not in (tmp_path / "p.json").read_text()
    net = store.load(tmp_path / "p.snnc")
    assert {c.name: c.op.synapses.count for c in net.connections if c.name in kept} == kept
    assert [stage.name for stage in net.done] == ["import", "prune"]
    assert net.done[-1].settings["weights"]["name"] == "start.safetensors"
    torch.save({key: torch.from_numpy(value) for key, value in state.items()}, tmp_path / "p.pt")
    against = ("--against", f"{file}:Conv", "--weights", tmp_path / "p.pt")
    assert snnc("verify", tmp_path / "p.snnc", *against, "--data", "digits", "--samples", 3) == 0
    assert "EXACT: " in capsys.readouterr().out
    imported.Conv().load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})


@pytest.mark.parametrize("kind", ["rate", "latency", "constant"])
def test_a_model_of_rasters_takes_every_encoding(file, tmp_path, kind, capsys):
    out = tmp_path / "p.safetensors"
    assert snnc("prune", f"{file}:Raster", "--input", kind, "-T", 3, "-s", 0.9, *QUICK, "-o", out) == 0
    assert (load_file(out)["fc.weight"] != 0).sum() == 64
    net = store.load(tmp_path / "p.snnc")
    assert (net.connections[0].op.synapses.count, net.encoding.kind, net.encoding.steps) == (64, kind, 3)
    assert "test accuracy" in capsys.readouterr().out


def test_a_module_that_is_no_network_is_pruned_and_the_reason_is_said_before(file, tmp_path, capsys):
    words = ("prune", f"{file}:Squared", "--input", "rate", "-T", 3, "-s", 0.9, "--epochs", 1)
    assert snnc(*words, "-o", tmp_path / "p.snnc") == 4
    assert "no network is written: Squared: net.py:45: output gets the result of 'square'" in capsys.readouterr().err
    assert {p.name for p in tmp_path.iterdir()} == {"mine"}
    assert snnc(*words, "-o", tmp_path / "p.safetensors") == 0
    shown = capsys.readouterr().err
    assert shown.index("note: no network is written, only weights: Squared: net.py:45: output gets") < shown.index("epoch 1")
    assert not (tmp_path / "p.snnc").exists()


def test_a_module_trains_as_a_network(file, imported, tmp_path, capsys):
    """By the network's own loop, from the weights of a file; names are those of the module."""
    start = imported.Raster().state_dict() | {"fc.weight": torch.full((10, 64), 0.02)}
    torch.save(start, tmp_path / "w.pt")
    words = ("--encoding", "latency", "-T", 5, "--time-axis", "second", "--epochs", 4, "--lr", 0.02, "--batch-size", 32)
    assert snnc("train", "--model", f"{file}:Raster", *words, "-q", "--json", "-o", tmp_path / "n.snnc") == 0
    assert json.loads(capsys.readouterr().out)["test_accuracy"] > 0.5
    net = store.load(tmp_path / "n.snnc")
    assert [p.name for p in net.populations] == ["input", "output"]
    assert [stage.name for stage in net.done] == ["import", "train"]
    given = ("--weights", tmp_path / "w.pt", "--lr", 0)
    assert snnc("train", "--model", f"{file}:Raster", *words, *given, "-q", "-o", tmp_path / "given.snnc") == 0
    assert set(store.load(tmp_path / "given.snnc").connections[0].op.synapses.values) == {float(np.float32(0.02))}
    assert len(store.load(tmp_path / "given.snnc").done[0].settings["weights_sha256"]) == 64


def test_what_an_import_would_say_is_said_before_training(file, tmp_path, capsys):
    words = ("--encoding", "rate", "-T", 5, "--time-axis", "second", "--epochs", 1, "--batch-size", 500, "--loss", "membrane")
    assert snnc("train", "--model", f"{file}:Answer", *words, "-o", tmp_path / "n.snnc") == 0
    shown = capsys.readouterr().err
    assert shown.index("note: readout: what is returned, as voltages; the class is the largest sum") < shown.index("epoch 1")


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (("--model", "net.py:Conv", "--time-axis", "second"), "see --time-axis: whether forward takes a step or a raster", 2),
        (("--model", "net.py:Squared", "--time-axis", "second"), "output gets the result of 'square'", 4),
        (("--model", "net.py"), "says no factory; name the function in it", 2),
        (("--model", "net.py:Raster", "--neuron", "lif"), "says the layers, neuron would, too", 2),
        (("--time-axis", "second"), "time_axis is of a module in a file; name it with --model FILE.py:FACTORY", 2),
        (("--model", "net.py:Raster", "--time-axis", "second", "--weights", "bad.pt"), "bad.pt: holds more than tensors", 2),
        (("--model", "net.py:Raster", "--time-axis", "second", "--weights", "zip.pt"), "zip.pt: has 'a' compressed", 2),
        (("--model", "net.py:Raster", "--time-axis", "second", "--weights", "list.pt"), "list.pt: holds no state dict", 2),
    ],
)
def test_mistakes_with_modules_are_explained_before_training(words, says, code, file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(file.parent)
    torch.save({"fc.weight": Path("x")}, "bad.pt")
    torch.save([torch.zeros(1)], "list.pt")
    with zipfile.ZipFile("zip.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1 << 20))
    assert snnc("train", *words, "--epochs", 1, "-o", tmp_path / "n.snnc") == code
    shown = capsys.readouterr().err
    assert says in shown
    assert shown.count("error:") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"mine"}


def test_a_model_can_be_trained_without_pruning_and_learns(file, tmp_path, capsys):
    out = tmp_path / "p.safetensors"
    words = ("--method", "none", "--epochs", 4, "--lr", 0.02, "--batch-size", 32, "--json", "-q", "-o", out)
    assert snnc("prune", f"{file}:Conv", *words) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["parameter_connectivity"] == body["synapse_connectivity"] == 1
    assert body["test_accuracy"] > 0.8
    assert (load_file(out)["fc.weight"] != 0).all()


def test_equal_seeds_give_equal_bytes(file, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / f"{name}.safetensors"
        assert snnc("prune", f"{file}:Conv", "-s", 0.9, "--seed", seed, *QUICK, "-q", "-o", out) == 0
    first, same, other = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert first == same
    assert first != other
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


class StopsAfter(Record):
    """Ctrl-C right after the checkpoint of epoch 1."""

    def keep(self, state, metrics):
        super().keep(state, metrics)
        if state["epoch"] == 1:
            raise KeyboardInterrupt


def test_an_interrupted_pruning_resumes_to_the_same_bytes(file, tmp_path, capsys, monkeypatch):
    out = tmp_path / "p.safetensors"
    words = ("prune", f"{file}:Conv", "-s", 0.8, *QUICK, "-q")
    monkeypatch.setattr("snnc.training.loop.record.Record", StopsAfter)
    assert snnc(*words, "-o", out) == 130
    assert "--resume" in capsys.readouterr().err
    monkeypatch.undo()
    assert snnc(*words, "--resume", tmp_path / "p.ckpt", "-o", out) == 0
    assert snnc(*words, "-o", tmp_path / "straight.safetensors") == 0
    assert out.read_bytes() == (tmp_path / "straight.safetensors").read_bytes()


def test_evaluation_never_sees_more_than_a_batch(imported):
    sizes = []

    class Watched(imported.Conv):
        def forward(self, images):
            sizes.append(len(images))
            return super().forward(images)

    digits = data.load("digits", "test")
    prune_own(Watched(), digits.first(50), PruneConfig(connectivity=0.5, epochs=1, batch_size=32), test=digits)
    assert max(sizes) == 32
    assert 3 * 2 + 50 + len(digits) in accumulate(sizes)  # then it is made a network


@pytest.mark.parametrize(
    ("model", "words", "says"),
    [
        ("net.py", (), "says no factory; name the function in it"),
        ("net.py:Konv", (), "has no function 'Konv'; did you mean 'Conv'?"),
        ("net.py:text", (), "makes str, no torch module"),
        ("no.py:Conv", (), "no.py: no such file"),
        ("broken.py:Conv", (), "is no Python: "),
        ("imports.py:Conv", (), "cannot be imported: No module named 'not_there'"),
        ("net.py:Conv", ("--weights", "no.safetensors"), "no.safetensors: cannot be read"),
        ("net.py:Conv", ("--weights", "net.py"), "is neither a safetensors file"),
        ("net.py:Conv", ("--weights", "other.safetensors"), "has fc.weight of (10, 95), expected (10, 96)"),
        ("net.py:Conv", ("--weights", "other.safetensors"), "has in addition spare"),
        ("net.py:Conv", ("--weights", "other.safetensors"), "lacks conv.bias"),
        ("net.py:Raster", (), "Raster: fails on an input of (2, 1, 8, 8)"),
        ("net.py:Conv", ("--input", "rate", "-T", 5), "Conv: fails on an input of (2, 5, 64)"),
        ("net.py:Counts", ("--input", "rate"), "answers 2 samples with (2, 10), expected (2, steps, 10)"),
        ("net.py:Remembering", ("--input", "rate"), "answers the same samples differently"),
        ("net.py:Frozen", ("--input", "rate"), "has no linear layer and no convolution that learns"),
        ("net.py:Conv", ("--connectivity", 1e-4), "fewer than the 2 layers"),
        ("net.py:Conv", ("--connectivity", 0), "cannot be"),
        ("net.py:Conv", ("--layer", "fc1=0.1"), "no layer 'fc1' to prune"),
        ("net.py:Conv", ("--data", "cifar10"), "cifar-10-batches-bin"),
        ("net.snnc", ("--input", "rate"), "are for FILE.py:FACTORY"),
    ],
)
def test_mistakes_are_explained_before_training(model, words, says, file, imported, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(file.parent)
    monkeypatch.delenv(data.FOLDER_VARIABLE, raising=False)
    (file.parent / "broken.py").write_text("def Conv(:\n")
    (file.parent / "imports.py").write_text("import not_there\n")
    other = {key: value.numpy() for key, value in imported.Conv().state_dict().items() if key != "conv.bias"}
    other |= {"fc.weight": np.zeros((10, 95), np.float32), "spare": np.zeros(1)}
    save_file(other, "other.safetensors")
    asked = () if "--connectivity" in words else ("--connectivity", 0.1)
    assert snnc("prune", model, *words, *asked, *QUICK, "-o", tmp_path / "p.safetensors") == 2
    shown = capsys.readouterr().err
    assert says in shown
    assert shown.count("error:") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"mine"}


def test_errors_of_the_users_own_code_are_told_with_their_line(file, tmp_path, capsys):
    file.write_text("def net():\n    return 1 / 0\n")
    assert snnc("prune", f"{file}:net", "-s", "0.9", "-o", tmp_path / "p.safetensors") == 2
    says = f"{file}:net: raises ZeroDivisionError: division by zero ({file.name}:2); correct the function"
    assert says in capsys.readouterr().err


def test_nothing_is_overwritten_without_force(file, tmp_path, capsys):
    (tmp_path / "p.json").write_text("mine")
    assert snnc("prune", f"{file}:Conv", "-s", 0.9, *QUICK, "-o", tmp_path / "p.safetensors") == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "p.json").read_text() == "mine"


def test_a_target_above_what_is_there_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Unflatten(1, (1, 10)))
    with torch.no_grad():
        model[1].weight[:, 6:] = 0
    with pytest.raises(ConfigError, match=r"has a connectivity of 0\.09375, below 0\.5"):
        prune_own(model, data.load("digits").first(20), PruneConfig(connectivity=0.5), OwnConfig())


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_of_a_plain_loop_is_pruned_exactly_and_learns(monkeypatch):
    loop = example("own_loop")
    monkeypatch.setattr(loop, "EPOCHS", 6)
    net, accuracy = loop.main(connectivity=0.1)
    assert int((net.fc1.weight != 0).sum() + (net.fc2.weight != 0).sum()) == round(0.1 * 7400)
    assert (net.norm.weight != 0).all()
    assert accuracy > 0.8


def test_two_lines_make_the_plain_loop_one_that_prunes():
    """Without them, and with the line in the comment, it is snnTorch's ordinary loop."""
    lines = (ROOT / "examples" / "own_loop.py").read_text().splitlines()
    assert sum("of 2" in line for line in lines) == 2
    plain = "\n".join(line for line in lines if "of 2" not in line).replace("# without pruning:", "optimizer =")
    space = {"__name__": "plain"}
    exec(compile(plain.replace("EPOCHS, BATCH, STEPS = 20", "EPOCHS, BATCH, STEPS = 2"), "plain", "exec"), space)
    net, accuracy = space["main"]()
    assert net.fc1.weight.all()
    assert accuracy > 0.8


def test_the_narrow_network_of_the_publication_trains_on_colour_images(tmp_path):
    model = example("cifar10_6conv2fc").narrow()
    rng = np.random.default_rng(0)
    images = data.Dataset(
        "noise", "train", rng.integers(0, 256, (12, 3072), dtype=np.uint8), (3, 32, 32), np.arange(12) % 10
    )  # fmt: skip
    config = PruneConfig(connectivity=0.05, epochs=2, batch_size=4, loss="rate", augment="crop_flip", lr=1e-3)
    report = prune_own(model, images, config).report
    weights = 3 * 16 * 9 + 5 * 16 * 16 * 9 + 1024 * 128 + 128 * 100
    assert sum(layer["weights"] for layer in report["layers"].values()) == weights
    assert sum(layer["existing_weights"] for layer in report["layers"].values()) == round(0.05 * weights)
    assert sum(layer["synapses"] for layer in report["layers"].values()) == (
        (3 * 16 + 2 * 256) * 94**2 + 3 * 256 * 46**2 + 1024 * 128 + 128 * 100
    )
