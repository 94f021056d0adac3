"""What does not belong together is refused before any training: data, checkpoints, files."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import float_chain
from click.testing import CliRunner

from snnc import chips, store
from snnc.cli import main
from snnc.data.dataset import Dataset, must_suit
from snnc.errors import DataError
from snnc.network.encoding import Encoding
from snnc.passes.quantise import quantise

pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")


def snnc(*words):
    return CliRunner().invoke(main, [str(w) for w in words])


def train(out, *words):
    return snnc("train", "--data", "digits", "--hidden", 8, "-T", 4, "--epochs", 1, "-q", "-o", out, *words)


def images(pixels, classes):
    labels = np.arange(classes, dtype=np.int64)
    return Dataset("toy", "train", np.zeros((classes, pixels), np.uint8), (pixels,), labels)


def test_data_must_suit_the_network():
    net = float_chain(sizes=(12, 20, 5))
    must_suit(net, images(12, 5))
    with pytest.raises(DataError, match="has images of 13 pixels, the network has 12 inputs; name with --data"):
        must_suit(net, images(13, 5))
    with pytest.raises(DataError, match="has 6 classes, the network has 5 outputs"):
        must_suit(net, images(12, 6))


WRONG = {  # data for rasters of 12 places and 6 steps, and values of 5 outputs -> what is said
    "values": ({"rasters": np.ones((4, 6, 12), int), "targets": np.zeros((4, 3))}, "has 3 values, the network has 5 outputs"),
    "steps": ({"rasters": np.ones((4, 7, 12), int), "targets": np.zeros((4, 5))}, "has 7 steps, the encoding 6"),
    "images": ({"images": np.ones((4, 3, 4), int), "targets": np.zeros((4, 5))}, "holds images, which encoding 'events'"),
}


@pytest.mark.parametrize("verb", ["simulate", "verify", "limit"])
@pytest.mark.parametrize("wrong", WRONG)
def test_data_of_another_kind_is_told_with_a_remedy_that_the_verb_has(wrong, verb, tmp_path):
    arrays, says = WRONG[wrong]
    np.savez(tmp_path / "own.npz", **arrays, split=np.arange(4) % 2)
    net = replace(float_chain(sizes=(12, 20, 5)), encoding=Encoding("events", 6, bin_us=1000))
    store.save(quantise(net, chips.load("loihi1")), tmp_path / "a.snnc")
    words = {"verify": ["--against", "reference"], "limit": ["-o", tmp_path / "b.snnc"]}.get(verb, [])
    done = snnc(verb, tmp_path / "a.snnc", "--data", tmp_path / "own.npz", *words)
    if (wrong, verb) in {("values", "verify"), ("values", "limit")}:  # which ask for no answers
        assert done.exit_code == 0, done.stderr
        return
    assert (done.exit_code, says in done.stderr) == (2, True), done.stderr
    assert "data set" in done.stderr.rpartition("; ")[2]
    assert "--timesteps" not in done.stderr
    assert "--encoding" not in done.stderr


@pytest.mark.parametrize(
    ("sizes", "message"), [((12, 20, 10), "64 pixels, the network has 12 inputs"), ((64, 20, 5), "10 classes, the network has 5")]
)
def test_prune_and_finetune_refuse_other_data(sizes, message, tmp_path):
    store.save(float_chain(sizes=sizes), tmp_path / "a.snnc")
    pruned = snnc("prune", tmp_path / "a.snnc", "--connectivity", 0.5, "-o", tmp_path / "b.snnc")
    tuned = snnc("quantise", tmp_path / "a.snnc", "--hw", "loihi1", "--finetune-epochs", 1, "-o", tmp_path / "c.snnc")
    for done in (pruned, tuned):
        assert done.exit_code == 2, done.output
        assert message in done.stderr


def test_the_network_is_not_lost_to_its_own_checkpoint(tmp_path):
    assert train(tmp_path / "m.ckpt").exit_code == 0
    assert store.load(tmp_path / "m.ckpt").done[-1].name == "train"
    for name in ("net.v1", "net.v2"):
        assert train(tmp_path / name).exit_code == 0
    same = train(tmp_path / "sd.snnc", "--state-dict", tmp_path / "sd.snnc", "--force")
    assert same.exit_code == 2
    assert "--out and --state-dict name the same file" in same.stderr


def test_resuming_replaces_only_its_own_files(tmp_path):
    assert train(tmp_path / "a.snnc").exit_code == 0
    for name in ("b.ckpt", "b.metrics.jsonl"):
        (tmp_path / name).write_text("precious")
    done = train(tmp_path / "b.snnc", "--resume", tmp_path / "a.ckpt")
    assert done.exit_code == 2
    assert "exists already" in done.stderr
    assert (tmp_path / "b.ckpt").read_text() == "precious"
    (tmp_path / "a.snnc").unlink()
    assert train(tmp_path / "a.snnc", "--resume", tmp_path / "a.ckpt").exit_code == 0


@pytest.mark.parametrize("key", ["of", "model", "optimizer", "random", "epoch", "metrics"])
def test_a_damaged_checkpoint_is_one_sentence(key, tmp_path):
    import torch

    assert train(tmp_path / "a.snnc").exit_code == 0
    state = torch.load(tmp_path / "a.ckpt", weights_only=True)
    for value in ({}, None):
        torch.save({**state, key: value}, tmp_path / "a.ckpt")
        done = train(tmp_path / "a.snnc", "--force", "--resume", tmp_path / "a.ckpt")
        if value is None or key in ("of", "model", "random"):
            assert done.exit_code == 2, done.output
        assert done.exit_code in (0, 2), done.output
        assert done.exit_code == 0 or str(tmp_path / "a.ckpt") in done.stderr
