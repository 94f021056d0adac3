"""snnc verify NET.snnc --against FILE.py:NAME: the network against the user's own module."""

import numpy as np
import pytest
from conftest import snnc

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from safetensors.torch import save_file  # noqa: E402

from snnc.base.factory import Factory  # noqa: E402
from snnc.training.user_module import make  # noqa: E402

SOURCE = """
import torch, snntorch as snn
from torch import nn

class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        kw = dict(reset_mechanism="zero", threshold=0.3)
        self.conv, self.l1 = nn.Conv2d(1, 3, 3, padding=1), snn.Leaky(0.8, **kw)
        self.pool, self.fc, self.l2 = nn.MaxPool2d(2), nn.Linear(48, 5), snn.Synaptic(0.5, 0.8, threshold=0.2)
    def forward(self, x):
        m, (s, v), out = self.l1.reset_mem(), self.l2.reset_mem(), []
        for t in range(x.shape[1]):
            k, m = self.l1(self.conv(x[:, t]), m)
            k, s, v = self.l2(self.fc(self.pool(k).flatten(1)), s, v)
            out.append(k)
        return torch.stack(out, 1)

def pooled(): return Pooled()

class Frame(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.fc, self.lif = nn.Linear(64, 10), snn.Leaky(0.875, reset_mechanism="zero", threshold=0.2)
    def forward(self, x):
        m, out = self.lif.reset_mem(), []
        for t in range(6):
            k, m = self.lif(self.fc(x.flatten(1)), m)
            out.append(k)
        return torch.stack(out, 1)

def frame(): return Frame()

class Read(nn.Module):
    def __init__(self, last):
        super().__init__()
        torch.manual_seed(3)
        self.fc, self.lif = nn.Linear(12, 9), snn.Leaky(0.875, reset_mechanism="zero", threshold=0.2)
        self.out, self.last = nn.Linear(9, 4), snn.Leaky(0.9, reset_mechanism="none") if last else None
    def forward(self, x):
        m, out = self.lif.reset_mem(), []
        v = self.last.reset_mem() if self.last else None
        for frame in x:
            k, m = self.lif(self.fc(frame), m)
            value = self.out(k)
            if self.last:
                _, v = self.last(value, v)
            out.append(v if self.last else value)
        return torch.stack(out)

def values(): return Read(False)
def membranes(): return Read(True)
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "own.py").write_text(SOURCE)
    return tmp_path / "own.py"


def told(capsys, *words, code=0):
    """What a command says."""
    assert snnc(*words) == code
    said = capsys.readouterr()
    return said.out + said.err


def test_a_raster_with_pools_and_a_bias_with_a_memory(file, tmp_path, capsys):
    net = tmp_path / "n.snnc"
    told(capsys, "import", f"{file}:pooled", "--time-axis", "second", "--input-shape", "1x8x8", "-o", net)
    verify = ("verify", net, "--against", f"{file}:pooled", "--random", "0.3", "--steps", "23", "--samples", "3")
    said = told(capsys, *verify)
    assert "EXACT: " in said
    assert "pooled in torch" in said
    file.write_text(SOURCE.replace("snn.Leaky(0.8,", "snn.Leaky(0.6,"))
    assert "l1" in told(capsys, *verify, code=1)


def test_a_frame_and_weights_of_a_file(file, tmp_path, capsys):
    save_file({"fc.weight": torch.rand(10, 64) * 0.01, "fc.bias": torch.zeros(10), **constants(file)}, tmp_path / "w.safetensors")
    net, given = tmp_path / "n.snnc", ("--weights", tmp_path / "w.safetensors")
    told(capsys, "import", f"{file}:frame", *given, "--encoding", "constant", "-T", "6", "-o", net)
    verify = ("verify", net, "--against", f"{file}:frame")
    said = told(capsys, *verify, *given, "--data", "digits", "--samples", "4")
    assert "EXACT: " in said
    assert "--weights" not in said
    said = told(capsys, *verify, "--data", "digits", "--samples", "4", code=1)
    hint = (
        f"{file}:frame makes other weights than 'frame' has in fc: name those it was imported with, w.safetensors, with --weights"
    )
    assert said.count(hint) == 2  # before the run, and beside the verdict
    assert "EXACT: " in told(capsys, *verify, *given, "--random", "0.3", "--samples", "4")
    said = told(capsys, *verify, *given, "--random", "0.3", "--samples", "4", "--steps", "7", code=2)
    assert "makes 6 steps of a raster of 7; use 6 steps, with --random by --steps 6" in said
    changing = np.random.default_rng(1).integers(0, 200, (2, 6, 64))
    np.savez(tmp_path / "r.npz", input=changing)
    said = told(capsys, *verify, *given, "--inputs", tmp_path / "r.npz", code=2)
    assert "takes one frame for all steps, and the raster changes; use data with the encoding constant, rasters that are" in said


@pytest.mark.parametrize("name", ["values", "membranes"])
def test_voltages_that_are_read_out(name, file, tmp_path, capsys):
    net = tmp_path / "n.snnc"
    told(capsys, "import", f"{file}:{name}", "--time-axis", "first", "-o", net)
    verify = ("verify", net, "--against", f"{file}:{name}", "--random", "0.3", "--steps", "23", "--samples", "3")
    assert "EXACT: " in told(capsys, *verify)
    file.write_text(SOURCE.replace("value = self.out(k)", "value = self.out(k) + 1e-6"))
    assert ".v" in told(capsys, *verify, code=1)


def constants(file):
    """What snnTorch's neurons add to the state dict."""
    return {name: value for name, value in make(Factory.parse(f"{file}:frame"), 0).state_dict().items() if "lif" in name}
