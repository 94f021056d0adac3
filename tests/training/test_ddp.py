"""Two processes under torchrun train what one does with batches twice as large, and agree on every mask and count."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from snnc import data, store
from snnc.errors import ConfigError

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")
from snnc.training.loop import ranks  # noqa: E402
from snnc.training.pruning.prune import prune  # noqa: E402
from snnc.training.settings import PruneConfig, TrainConfig  # noqa: E402
from snnc.training.train import train  # noqa: E402

TRAIN = TrainConfig(hidden=(24,), steps=6, epochs=2, lr=0.01, batch_size=32)
PRUNE = PruneConfig(connectivity=0.2, epochs=2, lr=0.01, batch_size=32, rewire=0.75)
SAMPLES = 301  # 4 batches of 64 and one of 45: of 22 and 23 samples

# What each process does: train and prune in batches of 32, and write down its network and its counts under its own number.
PROGRAM = """
import json, os, sys
from pathlib import Path
import torch.distributed as dist
sys.path[:0] = sys.argv[2:4]
from test_ddp import PRUNE, SAMPLES, TRAIN
from snnc import data, store
from snnc.training.train import train
from snnc.training.pruning.prune import prune
from snnc.training.loop.record import Record

out, rank = Path(sys.argv[1]), os.environ["RANK"]
dist.init_process_group("gloo")
images, test = data.load("digits").first(SAMPLES), data.load("digits", "test").first(100)
net = train(images, test, TRAIN, Record(out / "shared.ckpt", out / "shared.jsonl", quiet=True))
pruned = prune(net, images, PRUNE, test, Record(None, out / f"prune{rank}.jsonl", quiet=True))
store.save(net, out / f"train{rank}.snnc")
store.save(pruned, out / f"prune{rank}.snnc")
changes = pruned.done[-1].settings["reached"]
(out / f"reached{rank}.json").write_text(json.dumps(changes))
dist.destroy_process_group()
"""


def torchrun(*words):
    """Two processes on this machine; returns what they printed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder of two processes, and the networks of one."""
    folder = tmp_path_factory.mktemp("ddp")
    (folder / "program.py").write_text(PROGRAM)
    torchrun(folder / "program.py", folder, str(ROOT / "tests"), str(ROOT / "tests" / "training"))
    images, test = data.load("digits").first(SAMPLES), data.load("digits", "test").first(100)
    net = train(images, test, replace(TRAIN, batch_size=64))
    return folder, net, prune(net, images, replace(PRUNE, batch_size=64), test)


def weights(net):
    return [c.op.synapses.to_dense() for c in net.connections]


def test_two_processes_train_what_one_does_with_doubled_batches(both):
    folder, alone, _ = both
    together = store.load(folder / "train0.snnc")
    for a, b in zip(weights(together), weights(alone), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-4)
    ours, theirs = (net.done[-1].settings for net in (together, alone))
    assert ours["reached"]["loss"] == pytest.approx(theirs["reached"]["loss"], rel=1e-4)
    assert ours["reached"]["test_accuracy"] == pytest.approx(theirs["reached"]["test_accuracy"], abs=0.011)
    assert (ours["processes"], theirs["processes"]) == (2, 1)


def test_all_processes_hold_the_same_network(both):
    folder, _, alone = both
    for stage in ("train", "prune"):
        first, second = (store.load(folder / f"{stage}{rank}.snnc") for rank in (0, 1))
        assert first.hash == second.hash
    assert len({(folder / f"reached{rank}.json").read_text() for rank in (0, 1)}) == 1
    reached = json.loads((folder / "reached0.json").read_text())
    assert reached["pruned"] > 0
    assert reached["parameter_connectivity"] == alone.done[-1].settings["reached"]["parameter_connectivity"]
    same = [
        (a.op.synapses.mask() == b.op.synapses.mask()).mean() for a, b in zip(first.connections, alone.connections, strict=True)
    ]
    assert min(same) > 0.97, "roundings decide about a few synapses"


def test_only_the_first_process_writes(both):
    folder, _, _ = both
    assert (folder / "shared.ckpt").exists()
    assert len((folder / "shared.jsonl").read_text().splitlines()) == 2
    assert (folder / "prune0.jsonl").exists()
    assert not (folder / "prune1.jsonl").exists()


@pytest.mark.slow
def test_the_command_line_under_torchrun(tmp_path):
    main = tmp_path / "main.py"
    main.write_text("from snnc.cli import main\nmain()\n")
    out = tmp_path / "a.snnc"
    done = torchrun(main, "train", "--hidden", 12, "-T", 4, "--epochs", 1, "--lr", 0.02, "--json", "-o", out)
    body = json.loads(done.stdout)
    assert body["network_hash"] == store.load(out).hash
    assert store.load(out).done[0].settings["processes"] == 2
    assert done.stderr.count("epoch 1 of 1, loss") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"main.py", "a.snnc", "a.ckpt", "a.best.ckpt", "a.metrics.jsonl"}


@pytest.mark.parametrize("size", [1, 2, 5, 64])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_parts_of_a_batch_average_to_its_mean(monkeypatch, size, processes):
    values, parts = np.random.default_rng(0).random(size), []
    monkeypatch.setattr(ranks, "count", lambda: processes)
    for rank in range(processes):
        monkeypatch.setattr(ranks, "rank", lambda rank=rank: rank)
        at, part, weight = ranks.share(np.arange(size))
        assert len(part)
        assert weight == 0 or part[0] == at
        parts.append((weight * values[part].mean(), part if weight else part[:0]))
    assert np.mean([mean for mean, _ in parts]) == pytest.approx(values.mean())
    assert np.concatenate([part for _, part in parts]).tolist() == list(range(size))


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert ranks.placed(TRAIN).device == "cpu"
    with pytest.raises(ConfigError, match="no cuda device"):
        ranks.placed(replace(TRAIN, device="cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert ranks.placed(TRAIN).device == "cuda"
    assert ranks.placed(replace(TRAIN, device="cpu")).device == "cpu"
