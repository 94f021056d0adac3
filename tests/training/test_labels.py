"""Labels other than a class for each sample: a class in each step, and values that a readout is to have."""

import json

import numpy as np
import pytest
from conftest import snnc

import snnc as api
from snnc import store
from snnc.data.dataset import Dataset
from snnc.data.labels import scores
from snnc.errors import ConfigError, DataError, UnsupportedError

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from snnc.training.loop import losses  # noqa: E402

STEPS, PLACES = 12, 8
SETTINGS = {
    "encoding": "events",
    "steps": STEPS,
    "hidden": (16,),
    "neuron": "lif",
    "readout": "li",
    "lr": 0.02,
    "epochs": 8,
    "batch_size": 32,
}


def arrays():
    """Rasters, values and classes that can be read out of them: halves' rates, and in each step the half with more spikes."""
    random = np.random.default_rng(0)
    rasters = (random.random((300, STEPS, PLACES)) < random.random((300, 1, PLACES))).astype(np.uint8)
    halves = np.stack([rasters[:, :, :4].sum(2), rasters[:, :, 4:].sum(2)], 2)
    return rasters, halves.mean(1) / 4, (halves[:, :, 0] > halves[:, :, 1]).astype(np.int64)


def splits(labels):
    rasters = arrays()[0]
    return tuple(
        Dataset("own", split, rasters[part], (PLACES,), labels[part])
        for split, part in (("train", slice(60, None)), ("test", slice(60)))
    )


def test_values_train_a_readout_and_are_judged_by_their_squared_error():
    """Of the float network and of the chip's integers, in the unit of the values; by hand from the voltages of a run."""
    train, test = splits(arrays()[1])
    assert (train.task, train.outputs, train.measure) == ("values", 2, "squared_error")
    net = api.train(train, test=test, loss="membrane_mse", **SETTINGS)
    reached = net.done[-1].settings["reached"]
    assert reached.keys() >= {"train_squared_error", "test_squared_error"}
    assert "test_accuracy" not in reached
    assert reached["test_squared_error"] < 0.3 * np.var(test.labels, axis=0).mean()
    fixed = api.quantise(net, "loihi2", data=train, finetune_epochs=1)
    assert fixed.done[-1].settings["loss"] == "membrane_mse"
    assert fixed.done[-1].settings["validation_squared_error"] <= fixed.done[-1].settings["validation_squared_error_before"]
    for one in (net, fixed):
        evaluation = api.evaluate(one, test)
        assert (evaluation.measure, evaluation.accuracy, evaluation.confusion) == ("squared_error", None, None)
        assert evaluation.score == pytest.approx(reached["test_squared_error"], rel=0.1)
    voltages = api.simulate(net, test.samples).states["output"]["v"]
    by_hand = np.square(voltages.mean(axis=1) - test.labels).mean()
    assert api.evaluate(net, test).score == pytest.approx(by_hand, rel=1e-12)
    assert by_hand == pytest.approx(reached["test_squared_error"], rel=1e-5)


def test_classes_of_steps_are_judged_step_by_step(tmp_path, capsys):
    rasters, _, steps = arrays()
    np.savez(tmp_path / "own.npz", rasters=rasters, labels=steps, split=np.arange(len(steps)) % 5 == 0)
    words = ("--data", tmp_path / "own.npz", "--encoding", "events", "-T", STEPS, "--epochs", 6, "--lr", 0.02, "--batch-size", 32)
    readout = ("--hidden", 16, "--neuron", "lif", "--readout", "li", "--loss", "membrane", "--threshold", 0.5)
    assert snnc("train", *words, *readout, "-o", tmp_path / "n.snnc", "--json", "-q") == 0
    body = json.loads(capsys.readouterr().out)
    assert body["test_step_accuracy"] > 0.68  # 0.63 of the labels are 0
    assert "test_accuracy" not in body
    assert snnc("simulate", tmp_path / "n.snnc", "--data", tmp_path / "own.npz") == 0
    assert f"60 samples, step accuracy {100 * body['test_step_accuracy']:.2f} %" in capsys.readouterr().out
    assert snnc("report", tmp_path, "-o", tmp_path / "r.html") == 0
    assert "Step accuracy over the epochs of training" in (tmp_path / "r.html").read_text()
    tuned = ("--finetune-epochs", 1, "--finetune-loss", "counts", "-o", tmp_path / "q.snnc")
    assert snnc("quantise", tmp_path / "n.snnc", "--hw", "loihi2", "--data", tmp_path / "own.npz", *tuned) == 0
    assert "validation step accuracy" in capsys.readouterr().err
    assert store.load(tmp_path / "q.snnc").done[-1].settings["loss"] == "counts"


def test_losses_by_hand():
    answer = torch.tensor([[[0.0, 1.0], [1.0, 3.0]]])
    of_steps = -torch.log_softmax(answer, 2)[0, [0, 1], [1, 0]].mean()
    for loss in ("counts", "membrane"):
        assert losses.get(loss)(answer, torch.tensor([[1, 0]])) == pytest.approx(of_steps.item())
    assert losses.get("rate")(answer, torch.tensor([[1, 0]])) == pytest.approx((0 + 0 + 0 + 9) / 4)
    assert losses.get("membrane_mse")(answer, torch.tensor([[1.0, 2.0]])) == pytest.approx(0.25 / 2)
    assert losses.get("membrane_mse")(answer, torch.tensor([[[0.0, 1.0], [1.0, 1.0]]])) == pytest.approx(4 / 4)


def test_scores_by_hand():
    answer = np.array([[[0, 1, 0], [0, 1, 1]], [[2, 0, 0], [0, 0, 1]]])
    np.testing.assert_array_equal(scores(answer, np.array([1, 2])), [1, 0])
    np.testing.assert_array_equal(scores(answer, np.array([[1, 2], [0, 2]])), [0.5, 1])
    np.testing.assert_array_equal(scores(answer, np.array([[0.0, 1, 0.5], [1, 0, 0]])), [0, 0.25 / 3])
    np.testing.assert_array_equal(scores(answer, answer + np.array([1.0, 0, 0])), [1 / 3, 1 / 3])


NO_NUMBER = np.full((300, 2), np.nan)


@pytest.mark.parametrize(
    ("labels", "settings", "says"),
    [
        (arrays()[1], {"loss": "counts"}, "is for classes, and the data is labelled with values; use loss='membrane_mse'"),
        (arrays()[1], {"loss": "rate", "readout": "lif"}, None),
        (arrays()[2], {"loss": "first_spike", "readout": "lif"}, "is for one class a sample, and each step has a label"),
        (arrays()[2][:, 1:], {"loss": "membrane"}, "has labels of 11 steps for rasters of 12; label each of the steps"),
        (NO_NUMBER, {}, "has a value that is NaN, infinite or above 1e30 among its labels"),
        (np.zeros((299, 2)), {}, r"has labels \(299, 2\) for 300 samples; pass one label a sample, or one for each of its steps"),
        (np.zeros((300, 2, 2, 2)), {}, r"has labels \(300, 2, 2, 2\) for 300 samples"),
        (-arrays()[2], {}, "has labels of -1 .. 0, expected 0 .. 1048575; number the classes from 0"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_are_refused_before_training(labels, settings, says):
    def trained():
        data = Dataset("own", "train", arrays()[0], (PLACES,), labels)
        return api.train(data, **{**SETTINGS, "epochs": 1, **settings})

    if says is None:
        assert "train_squared_error" in trained().done[-1].settings["reached"]
        return
    with pytest.raises((DataError, UnsupportedError), match=says):
        trained()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"targets": np.zeros(300), "labels": np.zeros(300, int)}, "holds labels and targets; keep one"),
        ({"labels": np.full(300, 0.5)}, "number the classes from 0, or call values targets"),
        ({"targets": np.full(300, np.inf)}, "has a value that is NaN"),
    ],
)
def test_files_say_values_by_their_name(more, says, tmp_path, capsys):
    file = tmp_path / "own.npz"
    np.savez(file, rasters=arrays()[0], targets=arrays()[1])
    assert snnc("data", file, "--split-seed", 0) == 0
    assert "values            \u2502 2" in capsys.readouterr().out
    np.savez(file, rasters=arrays()[0], **more)
    assert snnc("data", file, "--split-seed", 0) == 2
    assert says in capsys.readouterr().err


def test_a_module_that_makes_steps_of_images_takes_no_labels_of_steps():
    data = Dataset("own", "train", arrays()[0][:, 0] * 9, (PLACES,), arrays()[2])
    module = torch.nn.Sequential(torch.nn.Linear(PLACES, 2), torch.nn.Unflatten(1, (1, 2)))
    with pytest.raises(ConfigError, match="makes its own steps of an image, and each step has a label; use input='constant'"):
        api.prune(module, data, connectivity=0.5, epochs=1)


def test_chains_and_sweeps_report_accuracies_of_classes():
    from snnc.data.dataset import must_have_classes

    with pytest.raises(DataError, match="is labelled with values, and snnc run reports accuracies of classes; use snnc train"):
        must_have_classes(splits(arrays()[1])[0], "snnc run")
