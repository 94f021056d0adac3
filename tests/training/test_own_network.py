"""A model that can say its network: pruning and importing end in a file that the chain goes on with."""

import json

import numpy as np
import pytest
from conftest import snnc
from safetensors.numpy import load_file

from snnc import data, store

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")

from snnc.network.encoding import encode  # noqa: E402
from snnc.simulation.reference import simulate  # noqa: E402
from snnc.simulation.run import classes  # noqa: E402

FILE = """
from torch import nn
from snnc.network.encoding import Encoding
from snnc.training.models import feedforward as models


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = models.build((64, 24, 10))

    def forward(self, images):
        return self.inner(images.flatten(1)[:, None].expand(-1, 8, -1))

    def to_network(self, name):
        masks = {name: linear.weight != 0 for name, linear in self.inner.linears.items()}
        return models.to_network(self.inner, Encoding("constant", 8), name, masks=masks)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(FILE)
    return f"{path}:Own"


def test_pruning_and_importing_end_in_the_same_network(file, tmp_path, capsys):
    out, imported = tmp_path / "p.safetensors", tmp_path / "i.snnc"
    words = ("--connectivity", 0.3, "--epochs", 4, "--lr", 0.02, "--batch-size", 64, "-q", "--json")
    assert snnc("prune", file, *words, "-o", out) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["network"] == str(tmp_path / "p.snnc")
    net = store.load(tmp_path / "p.snnc")
    assert [s.name for s in net.done] == ["prune"]
    weights = load_file(out)
    for c in net.connections:
        assert c.op.synapses.count == int((weights[f"inner.{c.name}.weight"] != 0).sum()) < c.op.parameters
    assert snnc("import", file, "--weights", out, "-o", imported) == 0
    assert store.load(imported).hash == net.hash
    assert snnc("import", file, "--weights", out, "-o", imported, "--encoding", "rate", "--force") == 2
    assert "says its encoding itself" in capsys.readouterr().err
    digits = data.load("digits", "test").first(200)
    run = simulate(net, {"input": encode(net.encoding, digits.images)})
    assert run.spikes["output"].sum() > 0
    accuracy = np.mean(classes(run, net.output) == digits.labels)
    assert abs(accuracy - body["test_accuracy"]) < 0.1
    assert accuracy > 0.5


def test_an_existing_network_is_kept(file, tmp_path, capsys):
    (tmp_path / "p.snnc").write_text("precious")
    assert snnc("prune", file, "-s", 0.5, "--epochs", 1, "-q", "-o", tmp_path / "p.safetensors") == 2
    assert "p.snnc: exists already" in capsys.readouterr().err
    assert (tmp_path / "p.snnc").read_text() == "precious"


VOTES = """
import snntorch, torch
from torch import nn


class Votes(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(64, 20), snntorch.Leaky(0.9, reset_mechanism="zero")

    def forward(self, images):
        membrane, spikes = self.lif.reset_mem(), []
        for _ in range(4):
            fired, membrane = self.lif(self.fc(images.flatten(1)), membrane)
            spikes.append(fired)
        return torch.stack(spikes, 1).unflatten(2, (10, 2)).mean(3)
"""


@pytest.mark.parametrize(
    ("vote", "says"),
    [
        ("mean(3)", "note: readout: what is returned, as voltages; the class is the largest sum"),
        ("amax(3)", "the network's class is the neuron of 'lif' with most spikes"),
    ],
)
def test_how_the_network_is_read_out_is_said(vote, says, tmp_path, capsys):
    (tmp_path / "votes.py").write_text(VOTES.replace("mean(3)", vote))
    words = ("--connectivity", 0.5, "--epochs", 1, "--batch-size", 64, "-o", tmp_path / "p.safetensors")
    assert snnc("prune", f"{tmp_path / 'votes.py'}:Votes", *words) == 0
    assert says in " ".join(capsys.readouterr().err.split())
