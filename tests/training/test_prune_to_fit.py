"""`snnc prune --fit`: ends with a network that fits, by every limit and as it is quantised, or says how far it got."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from snnc import chips, data, store
from snnc.budget.goal import Goal
from snnc.budget.plan import plan
from snnc.cli import main
from snnc.errors import ConfigError, UnsupportedError
from snnc.mapping.choose import map_by
from snnc.mapping.mapping_file import read_mapping
from snnc.mapping.task import Task
from snnc.training.settings import PruneConfig, TrainConfig

pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from snnc.training.loop.record import Record
from snnc.training.pruning import prune_to_fit as module
from snnc.training.pruning.importance import importance
from snnc.training.pruning.prune_to_fit import Files, prune_to_fit
from snnc.training.train import train

CONFIG = PruneConfig(connectivity=1.0, epochs=4, batch_size=64)
CHIP = """title = "A Loihi with cores of 150 words"
extends = "loihi1"
[limits]
synapse_words_per_core = { value = 150, confidence = "derived", source = "a test" }
"""


@pytest.fixture(scope="module")
def images():
    return data.load("digits", "train").first(256)


@pytest.fixture(scope="module")
def net(images):
    return train(images, None, TrainConfig(hidden=(32,), epochs=2, steps=8), Record(quiet=True))


@pytest.fixture(scope="module")
def chip(tmp_path_factory):
    path = tmp_path_factory.mktemp("chip") / "small.toml"
    path.write_text(CHIP)
    return path


def too_much(*rounds):
    """A spread that plans for one core more in these rounds, as if training had left synapses that cost more."""

    def spread(net, goal, worth, rates):
        spread.calls += 1
        cores = goal.limits["cores"] + (spread.calls in rounds)
        return plan(net, Goal(goal.profile, {"cores": cores}), worth, rates)

    spread.calls = 0
    return spread


def masks(net):
    return {c.name: c.op.synapses.mask() for c in net.connections}


def must_be_mapped(found, goal):
    mapped = map_by(Task.of(found.fixed, goal.profile, found.rates), "greedy")
    assert mapped.cores == found.uses["cores"] <= goal.limits["cores"]
    for name, mask in masks(found.net).items():
        np.testing.assert_array_equal(masks(found.fixed)[name], mask)


def test_importance_is_that_of_the_gradient_and_nothing_depends_on_dark_pixels(net, images):
    found = importance(net, images, CONFIG)
    for c in net.connections:
        assert found[c.name].shape == (c.op.synapses.count,)
        assert (found[c.name] >= 0).all()
        assert found[c.name].any()
    dark = ~images.images.any(axis=0)
    assert dark.any()
    of_dark = dark[net.connections[0].op.synapses.indices]
    assert not found["fc1"][of_dark].any()
    assert (found["fc1"][~of_dark] > 0).mean() > 0.3


def test_it_fits_and_is_mapped_as_quantised(net, images, chip):
    goal, said = Goal.parse(f"{chip}:cores=1"), []
    rounds = prune_to_fit(net, images, CONFIG, goal, say=said.append, files=Files(quiet=True))
    must_be_mapped(rounds[-1], goal)
    assert all(not goal.is_met(earlier.uses) for earlier in rounds[:-1])
    assert said[0].startswith("round 1: fc1 to ")
    planned = rounds[0].net.done[-1].settings["planned"]
    assert {c.name: c.op.synapses.count / c.op.parameters for c in rounds[0].net.connections} == planned


def test_a_round_that_does_not_fit_is_cut_exactly_and_resumed_to_the_same(net, images, chip, tmp_path):
    goal, files = Goal.parse(f"{chip}:cores=1"), Files(tmp_path / "a.snnc", quiet=True)
    first, last = prune_to_fit(net, images, CONFIG, goal, spread=too_much(1), files=files)
    assert not goal.is_met(first.uses)
    must_be_mapped(last, goal)
    assert last.net.done[-2].settings["epochs"] == 1
    for name, mask in masks(last.net).items():
        assert not (mask & ~masks(first.net)[name]).any()
    files.network(2).unlink()
    again = prune_to_fit(net, images, CONFIG, goal, spread=too_much(), files=replace(files, resume=True))
    assert [r.net.hash for r in again] == [first.net.hash, last.net.hash]
    with pytest.raises(ConfigError, match="is of a run with other settings"):
        prune_to_fit(net, images, replace(CONFIG, lr=1e-3), goal, spread=too_much(), files=replace(files, resume=True))


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"method": "none"}, ConfigError, "method none prunes nothing"),
        ({"prior": "paper", "connectivity": 0.5}, ConfigError, "does not reach a connectivity"),
    ],
)
def test_what_cannot_reach_a_budget_is_refused(net, images, settings, error, says):
    with pytest.raises(error, match=says):
        prune_to_fit(net, images, replace(CONFIG, **settings), Goal.parse("loihi1:cores=1"))


def test_a_chip_that_lacks_something_is_refused_before_training(net, images):
    with pytest.raises(UnsupportedError, match="tiny computes cuba"):
        prune_to_fit(net, images, CONFIG, Goal(replace(chips.load("loihi1"), name="tiny", neurons=("cuba",)), {"cores": 1}))


def invoke(*words):
    return CliRunner().invoke(main, ["prune", *map(str, words)])


@pytest.fixture
def model(net, tmp_path):
    store.save(net, tmp_path / "net.snnc")
    return tmp_path / "net.snnc"


def test_the_verb_leaves_a_network_and_a_mapping_that_hold(model, chip, images, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda *_: images)
    out = tmp_path / "a.snnc"
    done = invoke(model, "--fit", f"{chip}:cores=2,packets=130", "--epochs", 4, "-o", out, "-q", "--json")
    assert done.exit_code == 0, done.output
    body = json.loads(done.stdout)
    assert (body["schema"], body["ok"], body["limits"]) == ("snnc.prune-to-fit/1", True, {"cores": 2, "packets": 130})
    fixed = store.load(tmp_path / "a.fixed.snnc")
    mapping = read_mapping(tmp_path / "a.mapping.json", fixed, chips.load(chip))
    assert len(mapping.cores) == body["uses"]["cores"] <= 2
    assert 0 < body["uses"]["packets"] <= 130
    assert store.load(out).hash == body["network_hash"]
    assert not list(tmp_path.glob("*.round?.snnc"))


def test_a_network_that_fits_already_is_written_as_it_is(model, net, images, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda *_: images)
    done = invoke(model, "--fit", "loihi1:cores=1", "-o", tmp_path / "a.snnc")
    assert done.exit_code == 0, done.output
    assert "needs 1 core, which 1 core of loihi1 hold already: nothing is pruned" in done.stderr
    assert "fits already: nothing was pruned" in done.stdout
    assert store.load(tmp_path / "a.snnc").hash == net.hash
    assert len(read_mapping(tmp_path / "a.mapping.json", store.load(tmp_path / "a.fixed.snnc"), chips.load("loihi1")).cores) == 1
    assert not (tmp_path / "a.ckpt").exists()


def test_what_could_not_be_made_to_fit_is_said_with_exit_code_3(model, chip, images, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda *_: images)
    monkeypatch.setattr(module, "ROUNDS", 1)
    monkeypatch.setattr(module, "measure", lambda *_: {"cores": 2, "share": 1.5, "packets": 90.0})
    done = invoke(model, "--fit", f"{chip}:cores=1", "--epochs", 1, "-o", tmp_path / "a.snnc", "-q")
    assert done.exit_code == 3
    assert "does not fit: this is how far it got" in done.output
    assert "2 of 1" in done.output
    assert "test accuracy fixed" in done.output
    assert not (tmp_path / "a.mapping.json").exists()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--fit", "loihi1:cores=abc"], "no whole number"),
        (["--fit", "loihi1:cores=1", "--connectivity", "0.5"], "--fit finds the connectivity, --connectivity asks for one"),
        (["--fit", "loihi1:cores=1", "--layer", "fc1=0.5"], "--layer asks for one"),
        (["--fit", "loihi1:cores=1", "--resume", "other.ckpt"], "--fit goes on from"),
    ],
)
def test_bad_options_are_refused_with_one_sentence_before_training(model, tmp_path, words, error):
    done = invoke(model, *words, "-o", tmp_path / "a.snnc", "-q")
    assert done.exit_code == 2
    assert error in done.stderr
    assert done.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"net.snnc"}


def test_a_model_of_ones_own_is_refused(tmp_path):
    done = invoke(f"{tmp_path}/m.py:make", "--fit", "loihi1:cores=1", "-o", tmp_path / "a.snnc")
    assert done.exit_code == 2
    assert "--fit is for networks" in done.stderr
